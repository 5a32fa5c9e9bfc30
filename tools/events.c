/* execward events, show: what was denied or reported. */
#include "base/clock.h"
#include "base/cleanup.h"
#include "core/alert.h"
#include "tools/client.h"
#include "tools/print.h"
#include "tools/since.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

/* A duration back from now, or an RFC 3339 time in UTC. */
int parse_since(const char *text, int64_t *ret_ns)
{
	struct tm tm = {0};
	const char *end;
	int64_t ns;

	if (duration_parse(text, &ns) == 0) {
		*ret_ns = clock_realtime_ns() - ns;
		return 0;
	}
	end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (end && (!strcmp(end, "Z") || !*end)) {
		*ret_ns = (int64_t)timegm(&tm) * NS_PER_SEC;
		return 0;
	}
	fputs("execward: --since: a duration (10m, 24h) or a UTC time (2026-11-24T10:00:00Z)\n", stderr);
	return EX_USAGE;
}

static enum colour colour_of(const char *verdict)
{
	if (!strcmp(verdict, "deny"))
		return COLOUR_BAD;
	return strcmp(verdict, "would_deny") ? COLOUR_GOOD : COLOUR_WARN;
}

static void print_event(const struct tool *tool, json_t *alert)
{
	json_t *f = json_object_get(alert, "output_fields");
	json_t *by = json_object_get(f, "execward.dropped_by");
	_cleanup_free_ char *verdict = text_of(f, "execward.verdict"),
			    *reason = text_of(f, "execward.reason"),
			    *name = text_of(f, "container.name"), *id = text_of(f, "container.id"),
			    *path = text_of(f, "proc.exepath"), *user = text_of(f, "user.name"),
			    *event = text_of(f, "execward.event_id"), *writer = text_of(by, "exe");
	int64_t count = json_integer_value(json_object_get(f, "execward.count"));
	char time[32];

	local_time(json_integer_value(json_object_get(f, "evt.time")), time);
	printf("%s  ", time);
	print_word(tool, colour_of(verdict), verdict);
	printf("  %s  %s  %s  by user %s", reason, strcmp(name, "-") ? name : id, path, user);
	if (json_is_object(by))
		printf("  dropped by %s", strcmp(writer, "-") ? writer : "(writer gone)");
	if (count > 1)
		printf("  x%lld", (long long)count);
	printf("  %s\n", event);
	fflush(stdout);
}

static int event_line(json_t *alert, const char *line, void *userdata)
{
	const struct tool *tool = userdata;

	(void)line;
	if (tool->json)
		print_json(alert);
	else
		print_event(tool, alert);
	return fflush(stdout) == EOF ? EX_IOERR : 0;
}

struct query_options {
	const char *since, *container, *path, *sha256, *limit;
	bool follow;
};

static int build_query(const struct query_options *o, json_t *request)
{
	int64_t since_ns = 0;
	int r = o->since ? parse_since(o->since, &since_ns) : 0;

	if (r != 0)
		return r;
	json_object_set_new(request, "request", json_string("events"));
	if (o->since)
		json_object_set_new(request, "since_ns", json_integer(since_ns));
	if (o->container)
		json_object_set_new(request, "container", json_string(o->container));
	if (o->path)
		json_object_set_new(request, "path", json_string(o->path));
	if (o->sha256)
		json_object_set_new(request, "sha256", json_string(o->sha256));
	if (o->limit)
		json_object_set_new(request, "limit", json_integer(strtoll(o->limit, NULL, 10)));
	if (o->follow)
		json_object_set_new(request, "follow", json_true());
	return 0;
}

/* A follower sees every event; the container is compared here. */
struct follower {
	const struct tool *tool;
	const char *container;
};

static int follow_line(json_t *alert, const char *line, void *userdata)
{
	const struct follower *follower = userdata;
	json_t *f = json_object_get(alert, "output_fields");
	const char *name = json_string_value(json_object_get(f, "container.name"));
	const char *id = json_string_value(json_object_get(f, "execward.container_id"));

	if (follower->container && (!name || strcmp(name, follower->container)) &&
		(!id || strncmp(id, follower->container, strlen(follower->container))))
		return 0;
	return event_line(alert, line, (void *)(uintptr_t)follower->tool);
}

int verb_events(const struct tool *tool, int argc, char **argv)
{
	struct query_options o = {0};
	const struct option_row rows[] = {{"since", &o.since, NULL}, {"container", &o.container, NULL},
		{"path", &o.path, NULL}, {"sha256", &o.sha256, NULL}, {"limit", &o.limit, NULL},
		{"follow", NULL, &o.follow}, {NULL, NULL, NULL}};
	struct follower follower = {.tool = tool};
	json_t *request = json_object();
	int n, r = parse_verb(argc, argv, rows, NULL, 0, &n);

	if (r == 0)
		r = build_query(&o, request);
	if (r != 0) {
		json_decref(request);
		return r;
	}
	follower.container = o.follow ? o.container : NULL;
	r = client_each(tool, request, "event", follow_line, &follower);
	/* A daemon that ends closes its followers: that is no failure of theirs. */
	return r;
}

static void print_fields(const char *title, json_t *fields, const char *const *keys)
{
	printf("\n%s\n", title);
	for (; *keys; keys++) {
		_cleanup_free_ char *text = text_of(fields, *keys);

		if (text && strcmp(text, "-"))
			printf("  %-32s %s\n", *keys, text);
	}
}

static void print_next(json_t *f)
{
	_cleanup_free_ char *sha256 = text_of(f, "execward.sha256"), *image = text_of(f, "execward.image");

	printf("\nwhat to do\n");
	if (!strcmp(sha256, "-")) {
		puts("  no digest is known: nothing can vouch for it");
		return;
	}
	printf("  to let it run:   execward approve %s%s%s --reason '...'\n", sha256,
		strcmp(image, "-") ? " --image " : "", strcmp(image, "-") ? image : "");
	printf("  to see why:      execward explain %s\n", sha256);
}

static int show_line(json_t *alert, const char *line, void *userdata)
{
	static const char *const what[] = {"proc.exepath", "execward.verdict", "execward.reason",
		"execward.rule_reason", "execward.origin", "execward.copy_of", "execward.sha256",
		"execward.size", "execward.kind", "execward.mode", "execward.count", "execward.fault", NULL};
	static const char *const where[] = {"container.name", "execward.container_id", "execward.image",
		"execward.runtime", "k8s.ns.name", "k8s.pod.name", "execward.host_path", NULL};
	static const char *const who[] = {"proc.pid", "proc.cmdline", "proc.cwd", "proc.pname",
		"proc.aname[2]", "user.name", "user.uid", "user.loginuid", NULL};
	static const char *const writer[] = {"exe", "cmdline", "pid", "uid", "time", NULL};
	json_t *f = json_object_get(alert, "output_fields");
	_cleanup_free_ char *time = text_of(alert, "time"), *rule = text_of(alert, "rule"),
			    *event = text_of(f, "execward.event_id");

	(void)userdata;
	(void)line;
	printf("event %s, %s\n%s\n", event, time, rule);
	print_fields("what", f, what);
	print_fields("where", f, where);
	print_fields("who", f, who);
	if (json_is_object(json_object_get(f, "execward.dropped_by")))
		print_fields("dropped by", json_object_get(f, "execward.dropped_by"), writer);
	print_next(f);
	return 0;
}

struct counted {
	const struct tool *tool;
	unsigned int n;
};

static int show_counted(json_t *alert, const char *line, void *userdata)
{
	struct counted *counted = userdata;

	counted->n++;
	if (!counted->tool->json)
		return show_line(alert, line, NULL);
	print_json(alert);
	return 0;
}

int verb_show(const struct tool *tool, int argc, char **argv)
{
	const struct option_row rows[] = {{NULL, NULL, NULL}};
	struct counted counted = {.tool = tool};
	const char *event = NULL;
	int n, r = parse_verb(argc, argv, rows, &event, 1, &n);

	if (r == 0 && n != 1) {
		fputs("execward show: name an event, as `execward events` shows it\n", stderr);
		r = EX_USAGE;
	}
	if (r == 0)
		r = client_each(tool,
			json_pack("{s:s, s:s}", "request", "events", "event_id", event), "event",
			show_counted, &counted);
	if (r == 0 && counted.n == 0) {
		fputs("execward show: no such event\n", stderr);
		r = 1;
	}
	return r;
}
