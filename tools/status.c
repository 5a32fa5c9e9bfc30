/* execward status: one look at the daemon. */
#include "base/clock.h"
#include "base/cleanup.h"
#include "tools/client.h"
#include "tools/guard_paths.h"
#include "tools/lists_shown.h"
#include "tools/table.h"
#include "tools/wait_ready.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define ID_SHOWN 12 /* digits of a container's id, as the runtimes show it */

static int status_when_ready(const struct tool *tool, const char *seconds, json_t **ret_status)
{
	char *end;
	double wait = strtod(seconds, &end);
	int r;

	if (*end || !(wait >= 0 && wait <= 86400)) {
		fputs("execward status: --wait-ready: seconds, 0 to 86400\n", stderr);
		return EX_USAGE;
	}
	r = wait_ready(
	        tool, clock_monotonic_ns() + (int64_t)(wait * (double)NS_PER_SEC), ret_status);
	if (r == 0)
		return 0;
	if (r == -EACCES) {
		fprintf(stderr, "execward: %s/control.sock: only root may ask the daemon\n",
		        tool->config->runtime_dir);
		return EX_NOPERM;
	}
	if (r == -ETIMEDOUT)
		fprintf(stderr, "execward: no daemon at %s/control.sock is ready after %s s\n",
		        tool->config->runtime_dir, seconds);
	else
		fprintf(stderr, "execward: %s/control.sock: %s\n", tool->config->runtime_dir,
		        strerror(-r));
	return EX_UNAVAILABLE;
}

static int status_now(const struct tool *tool, json_t **ret_status)
{
	json_t *answer = NULL;
	int r = client_ask(tool, request_new("status"), &answer);

	if (r != 0)
		return r;
	*ret_status = json_incref(json_object_get(answer, "status"));
	json_decref(answer);
	return 0;
}

static void print_line(const char *name, const char *text)
{
	printf("%-12s%s\n", name, text);
}

static void print_head(const struct tool *tool, const json_t *status)
{
	_cleanup_free_ char *version = text_of(status, "version"), *pid = text_of(status, "pid"),
	                    *mode = text_of(status, "mode"),
	                    *source = text_of(status, "mode_source"),
	                    *marks = text_of(status, "marks"), *config = text_of(status, "config");
	json_int_t up = number_of(status, "uptime_s"), rss = number_of(status, "rss_bytes");
	char until[LOCAL_TIME_SIZE];

	printf("%-12sexecwardd %s, pid %s, up %lld h %02lld min %02lld s, %lld MiB%s\n", "daemon",
	        version, pid, up / 3600, up / 60 % 60, up % 60, rss / (1024 * 1024),
	        json_is_true(json_object_get(status, "ready")) ? "" : ", not ready yet");
	printf("%-12s", "mode");
	print_word(tool, colour_of_mode(mode), mode);
	printf(", by %s", strcmp(source, "config") ? "an operator" : "the configuration");
	if (number_of(status, "mode_until_ns") > 0) {
		local_time(number_of(status, "mode_until_ns"), until);
		printf(", until %s", until);
	}
	putchar('\n');
	if (raw_of(status, "disabled")) {
		_cleanup_free_ char *why = text_of(status, "disabled");

		printf("%-12s", "");
		print_word(tool, COLOUR_BAD, "ENFORCEMENT IS SWITCHED OFF");
		printf(": %s\n", why);
	}
	print_line("marks", marks);
	print_line("config", config);
}

static void print_guarded(const struct tool *tool, const json_t *status)
{
	static const char *const headers[] = {"MARK", "TYPE", "PATH", NULL};
	_cleanup_(table_freep) struct table *table = table_new(headers);
	const json_t *rows = json_object_get(status, "guarded"), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		table_add(table, COLOUR_NONE, raw_of(row, "kind"));
		table_add(table, COLOUR_NONE, raw_of(row, "fs"));
		table_add(table, COLOUR_NONE, raw_of(row, "path"));
	}
	printf("\nguarded filesystems: %zu\n", json_array_size(rows));
	table_print(tool, table);
}

static void print_containers(const struct tool *tool, const json_t *status)
{
	static const char *const headers[] = {"ID", "NAME", "IMAGE", "RUNTIME", "MOUNTED BY", NULL};
	_cleanup_(table_freep) struct table *table = table_new(headers);
	const json_t *rows = json_object_get(status, "containers"), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		_cleanup_free_ char *id = text_format("%.*s", ID_SHOWN, raw_of(row, "id") ?: "");

		table_add(table, COLOUR_NONE, id);
		table_add(table, COLOUR_NONE, raw_of(row, "name") ?: raw_of(row, "overlay"));
		table_add(table, COLOUR_NONE, raw_of(row, "image"));
		table_add(table, COLOUR_NONE, raw_of(row, "runtime"));
		table_add(table, COLOUR_NONE, raw_of(row, "mounter"));
	}
	printf("\ncontainers: %zu\n", json_array_size(rows));
	table_print(tool, table);
}

static void print_baselines(const struct tool *tool, const json_t *status)
{
	const json_t *baselines = json_object_get(status, "baselines"),
	             *scopes = json_object_get(baselines, "scopes");
	_cleanup_free_ char *error = text_of(baselines, "error");

	printf("\nbaselines: %lld snapshots (%lld for images, %lld for containers, %lld for "
	       "filesystems), %lld digests\n",
	        number_of(baselines, "snapshots"), number_of(scopes, "image"),
	        number_of(scopes, "container"), number_of(scopes, "filesystem"),
	        number_of(baselines, "digests"));
	if (!raw_of(baselines, "error"))
		return;
	print_word(tool, COLOUR_WARN, "weakened");
	printf(": the newest baselines cannot be loaded: %s\n", error);
}

static void print_counters(const json_t *status)
{
	const json_t *verdicts = json_object_get(status, "verdicts");

	printf("\nexecs asked about: %lld (%lld under way)\n", number_of(status, "events_total"),
	        number_of(status, "pending"));
	printf("  allow %lld, deny %lld, would deny %lld\n", number_of(verdicts, "allow"),
	        number_of(verdicts, "deny"), number_of(verdicts, "would_deny"));
	printf("programs written: %lld\nalerts: %lld\n", number_of(status, "creations_total"),
	        number_of(status, "alerts_total"));
}

static void print_faults(const struct tool *tool, const json_t *status)
{
	static const char *const headers[] = {"FAULT", "COUNT", NULL};
	_cleanup_(table_freep) struct table *table = table_new(headers);
	json_t *faults = json_object_get(status, "faults"), *count;
	const char *name;
	size_t n = 0;

	json_object_foreach(faults, name, count)
	{
		_cleanup_free_ char *text = text_format("%lld", json_integer_value(count));

		if (json_integer_value(count) == 0)
			continue;
		n++;
		table_add(table, COLOUR_WARN, name);
		table_add(table, COLOUR_NONE, text);
	}
	printf("faults: %s\n", n > 0 ? "see execward doctor" : "none");
	table_print(tool, table);
}

/* What the daemon does the safe, slower way, and the rows of the matrix that this leaves weaker. */
static void print_missing(const struct tool *tool, const json_t *status)
{
	const json_t *feature;
	size_t i;

	json_array_foreach(json_object_get(status, "kernel"), i, feature)
	{
		_cleanup_free_ char *name = text_of(feature, "feature"),
		                    *detail = text_of(feature, "detail"),
		                    *rows = text_of_rows(json_object_get(feature, "rows"));

		if (json_is_true(json_object_get(feature, "present")))
			continue;
		print_word(tool, COLOUR_WARN, *rows ? "weakened" : "slower");
		printf(": %s%s%s: %s\n", rows, *rows ? ": " : "", name, detail);
	}
}

static void print_status(const struct tool *tool, const json_t *status)
{
	print_head(tool, status);
	print_guarded(tool, status);
	guard_paths_print(tool, json_object_get(json_object_get(status, "guard"), "paths"));
	print_containers(tool, status);
	print_baselines(tool, status);
	lists_print(tool, status);
	print_counters(status);
	print_faults(tool, status);
	print_missing(tool, status);
}

int verb_status(const struct tool *tool, const struct call *call)
{
	const char *seconds = call->values[OPTION_WAIT_READY];
	json_t *status = NULL;
	int r = seconds ? status_when_ready(tool, seconds, &status) : status_now(tool, &status);

	if (r == 0 && tool->json)
		print_json(status);
	else if (r == 0)
		print_status(tool, status);
	json_decref(status);
	return r;
}
