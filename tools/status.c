/* execward status: one look at the daemon; --wait-ready waits for it without asking again and again. */
#include "base/clock.h"
#include "base/cleanup.h"
#include "tools/client.h"
#include "tools/print.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sysexits.h>

static int ask_status(struct client *client, json_t **ret_status)
{
	json_t *answer;
	int r = client_send(client, json_pack("{s:s}", "request", "status"));

	if (r != 0)
		return r;
	answer = client_receive(client, NULL);
	if (!json_is_true(json_object_get(answer, "ok"))) {
		r = client_failure(answer);
		json_decref(answer);
		return r;
	}
	*ret_status = json_incref(json_object_get(answer, "status"));
	json_decref(answer);
	return 0;
}

/*
 * The daemon binds its socket before it guards, and answers only when everything is guarded: a
 * connection that is made early simply waits for its answer.
 */
static int wait_ready(const struct tool *tool, int64_t until_ns, struct client **ret_client)
{
	_cleanup_close_ int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	for (;;) {
		struct pollfd fd = {.fd = watch, .events = POLLIN};
		char buffer[4096];
		int64_t left_ns;

		/* The directory may not exist yet: then its parent is watched. */
		if (inotify_add_watch(watch, tool->config->runtime_dir, IN_CREATE | IN_MOVED_TO) < 0) {
			_cleanup_free_ char *parent = strdup(tool->config->runtime_dir);
			char *slash = parent ? strrchr(parent, '/') : NULL;

			if (slash && slash > parent)
				*slash = '\0';
			(void)inotify_add_watch(watch, slash ? parent : "/", IN_CREATE | IN_MOVED_TO);
		}
		if (client_try(tool, ret_client) == 0)
			return 0;
		left_ns = until_ns - clock_monotonic_ns();
		if (left_ns <= 0 || poll(&fd, 1, (int)(left_ns / NS_PER_MSEC) + 1) == 0)
			return EX_UNAVAILABLE;
		(void)!read(watch, buffer, sizeof(buffer));
	}
}

static int status_when_ready(const struct tool *tool, const char *seconds, json_t **ret_status)
{
	struct client *client = NULL;
	char *end;
	double wait = strtod(seconds, &end);
	int64_t until_ns = clock_monotonic_ns() + (int64_t)(wait * (double)NS_PER_SEC);
	struct pollfd fd;
	int64_t left_ns;
	int r;

	if (*end || end == seconds || !(wait >= 0 && wait <= 86400)) {
		fputs("execward status: --wait-ready: seconds, 0 to 86400\n", stderr);
		return EX_USAGE;
	}
	r = wait_ready(tool, until_ns, &client);
	if (r == 0) {
		r = client_send(client, json_pack("{s:s}", "request", "status"));
		fd = (struct pollfd){.fd = client_fd(client), .events = POLLIN};
		left_ns = until_ns - clock_monotonic_ns();
		if (r == 0 && poll(&fd, 1, left_ns > 0 ? (int)(left_ns / NS_PER_MSEC) + 1 : 0) != 1)
			r = EX_UNAVAILABLE;
	}
	if (r == 0) {
		json_t *answer = client_receive(client, NULL);

		*ret_status = json_incref(json_object_get(answer, "status"));
		if (!json_is_true(json_object_get(*ret_status, "ready")))
			r = EX_UNAVAILABLE;
		json_decref(answer);
	}
	client_close(client);
	if (r == EX_UNAVAILABLE)
		fprintf(stderr, "execward: the daemon is not ready after %s s\n", seconds);
	return r;
}

static void print_rows(json_t *array, const char *const *keys, const char *title)
{
	size_t i;
	json_t *row;

	printf("%s: %zu\n", title, json_array_size(array));
	json_array_foreach(array, i, row)
	{
		fputs("  ", stdout);
		for (const char *const *key = keys; *key; key++) {
			_cleanup_free_ char *text = text_of(row, *key);

			/* The short form of an id, as the runtimes show it. */
			if (!strcmp(*key, "id") && text && strlen(text) > 12)
				text[12] = '\0';
			printf("%-14s ", text ?: "-");
		}
		putchar('\n');
	}
}

static void print_status(const struct tool *tool, json_t *status)
{
	static const char *const guarded[] = {"kind", "fs", "path", NULL};
	static const char *const containers[] = {"id", "name", "image", "runtime", NULL};
	json_t *verdicts = json_object_get(status, "verdicts"), *value;
	_cleanup_free_ char *mode = text_of(status, "mode"), *source = text_of(status, "mode_source"),
			    *marks = text_of(status, "marks");
	const char *name;

	printf("execwardd %s, pid %lld, up %lld s\n",
		json_string_value(json_object_get(status, "version")),
		(long long)json_integer_value(json_object_get(status, "pid")),
		(long long)json_integer_value(json_object_get(status, "uptime_s")));
	fputs("mode: ", stdout);
	print_word(tool, strcmp(mode, "enforce") ? COLOUR_WARN : COLOUR_GOOD, mode);
	printf(" (by %s), marks: %s\n", source, marks);
	print_rows(json_object_get(status, "guarded"), guarded, "guarded filesystems");
	print_rows(json_object_get(status, "containers"), containers, "containers");
	printf("execs asked about: %lld (allow %lld, deny %lld, would deny %lld)\n",
		(long long)json_integer_value(json_object_get(status, "events_total")),
		(long long)json_integer_value(json_object_get(verdicts, "allow")),
		(long long)json_integer_value(json_object_get(verdicts, "deny")),
		(long long)json_integer_value(json_object_get(verdicts, "would_deny")));
	json_object_foreach(json_object_get(status, "faults"), name, value)
	{
		if (json_integer_value(value) > 0)
			printf("fault %s: %lld\n", name, (long long)json_integer_value(value));
	}
}

int verb_status(const struct tool *tool, int argc, char **argv)
{
	const char *wait = NULL, *arguments[1];
	const struct option_row rows[] = {{"wait-ready", &wait, NULL}, {NULL, NULL, NULL}};
	json_t *status = NULL;
	int n, r = parse_verb(argc, argv, rows, arguments, 0, &n);

	if (r != 0)
		return r;
	if (wait) {
		r = status_when_ready(tool, wait, &status);
	} else {
		struct client *client;

		r = client_open(tool, &client);
		if (r == 0) {
			r = ask_status(client, &status);
			client_close(client);
		}
	}
	if (r == 0 && tool->json)
		print_json(status);
	else if (r == 0)
		print_status(tool, status);
	json_decref(status);
	return r;
}
