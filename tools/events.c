/*
 * execward events: what was denied or reported. What is on record is chosen by the daemon; what
 * comes while it follows is sent whole and chosen here, by the same rules.
 */
#include "tools/client.h"
#include "tools/print.h"
#include "tools/since.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define LIMIT_MAX    100000 /* docs/control.md */
#define ID_MATCH_MIN 12u    /* digits of a container's id that name it, as in the daemon's store */

static const char *field(const json_t *fields, const char *key)
{
	return raw_of(fields, key) ?: "";
}

static void print_event(const struct tool *tool, const json_t *alert)
{
	const json_t *f = json_object_get(alert, "output_fields");
	const json_t *by = json_object_get(f, "execward.dropped_by");
	_cleanup_free_ char *verdict = text_of(f, "execward.verdict"),
	                    *reason = text_of(f, "execward.reason"),
	                    *container = text_safe(
	                            raw_of(f, "container.name") ?: raw_of(f, "container.id")),
	                    *path = text_of(f, "proc.exepath"),
	                    *event = text_of(f, "execward.event_id"),
	                    *user = text_safe(raw_of(f, "user.name")),
	                    *uid = text_of(f, "user.uid");
	json_int_t count = number_of(f, "execward.count");
	char time[LOCAL_TIME_SIZE];

	local_time(number_of(f, "evt.time"), time);
	printf("%s  ", time);
	print_word(tool, colour_of_verdict(verdict), verdict);
	printf("  %s  %s  %s  by %s%s", reason, container, path, strcmp(user, "-") ? "" : "uid ",
	        strcmp(user, "-") ? user : uid);
	if (json_is_object(by)) {
		_cleanup_free_ char *exe = text_of(by, "exe"), *pid = text_of(by, "pid"),
		                    *who = text_of(by, "uid");

		printf("  dropped by %s pid %s uid %s", strcmp(exe, "-") ? exe : "(gone)", pid,
		        who);
	}
	if (count > 1)
		printf("  x%lld", count);
	printf("  %s\n", event);
}

static bool container_is(const json_t *f, const char *name)
{
	const char *id = field(f, "execward.container_id");

	return !strcmp(field(f, "container.name"), name) ||
	       !strcmp(field(f, "execward.container_key"), name) || !strcmp(id, name) ||
	       (strlen(name) >= ID_MATCH_MIN && !strncmp(id, name, strlen(name)));
}

struct listing {
	const struct tool *tool;
	const struct call *call;
};

static bool is_asked_for(const struct call *call, const json_t *alert)
{
	const json_t *f = json_object_get(alert, "output_fields");
	const char *container = call->values[OPTION_CONTAINER], *path = call->values[OPTION_PATH],
	           *sha256 = call->values[OPTION_SHA256];

	if (container && !container_is(f, container))
		return false;
	if (path && strcmp(field(f, "proc.exepath"), path))
		return false;
	return !sha256 || !strcasecmp(field(f, "execward.sha256"), sha256);
}

static int print_one(const json_t *event, const char *text, size_t size, void *userdata)
{
	const struct listing *listing = userdata;
	bool follow = call_has(listing->call, OPTION_FOLLOW);

	if (follow && !is_asked_for(listing->call, event))
		return 0;
	if (listing->tool->json) {
		fwrite(text, 1, size, stdout);
		putchar('\n');
	} else {
		print_event(listing->tool, event);
	}
	if (follow)
		(void)fflush(stdout);
	return ferror(stdout) ? EX_IOERR : 0;
}

static int set_limit(json_t *request, const char *text)
{
	char *end;
	long limit;

	errno = 0;
	limit = strtol(text, &end, 10);
	if (errno != 0 || *end || limit < 1 || limit > LIMIT_MAX) {
		fprintf(stderr, "execward events: --limit: 1 to %d\n", LIMIT_MAX);
		return EX_USAGE;
	}
	json_object_set_new(request, "limit", json_integer(limit));
	return 0;
}

static int build(const struct call *call, json_t *request)
{
	int64_t since_ns;
	int r = request_set(request, "container", call->values[OPTION_CONTAINER]);

	if (r == 0)
		r = request_set(request, "path", call->values[OPTION_PATH]);
	if (r == 0)
		r = request_set(request, "sha256", call->values[OPTION_SHA256]);
	if (r == 0 && call_has(call, OPTION_LIMIT))
		r = set_limit(request, call->values[OPTION_LIMIT]);
	if (r == 0 && call_has(call, OPTION_SINCE)) {
		r = parse_since("events", call->values[OPTION_SINCE], &since_ns);
		if (r == 0)
			json_object_set_new(request, "since_ns", json_integer(since_ns));
	}
	if (call_has(call, OPTION_FOLLOW))
		json_object_set_new(request, "follow", json_true());
	return r;
}

int verb_events(const struct tool *tool, const struct call *call)
{
	struct listing listing = {tool, call};
	json_t *request = request_new("events");
	int r = build(call, request);

	if (r != 0) {
		json_decref(request);
		return r;
	}
	return client_events(tool, request, print_one, &listing);
}
