/* execward explain: everything on record about one program, and what its next exec would be. */
#include "base/cleanup.h"
#include "tools/client.h"
#include "tools/lists_shown.h"
#include "tools/table.h"
#include "tools/target.h"

#include <stdio.h>
#include <string.h>

static void print_list(const char *title, const json_t *list, const char *nothing)
{
	const json_t *item;
	size_t i;

	printf("%-16s", title);
	if (json_array_size(list) == 0)
		fputs(nothing, stdout);
	json_array_foreach(list, i, item)
	{
		_cleanup_free_ char *text = text_safe(json_string_value(item));

		printf("%s%s", i > 0 ? ", " : "", text);
	}
	putchar('\n');
}

static void print_would(const struct tool *tool, const json_t *would)
{
	_cleanup_free_ char *verdict = text_of(would, "verdict"),
	                    *reason = text_of(would, "reason"), *mode = text_of(would, "mode"),
	                    *rule = text_of(would, "rule_reason"),
	                    *line = text_of(would, "rule_line");

	printf("%-16s", "next exec");
	print_word(tool, colour_of_verdict(verdict), verdict);
	printf(" (%s, mode %s)\n", reason, mode);
	if (raw_of(would, "rule_reason"))
		printf("%-16s%s (line %s of the configuration)\n", "rule", rule, line);
}

static void print_grants(const struct tool *tool, const json_t *grants)
{
	static const char *const headers[] = {"KIND", "IMAGE", "UNTIL", "REASON", NULL};
	_cleanup_(table_freep) struct table *table = table_new(headers);
	const json_t *grant;
	size_t i;

	json_array_foreach(grants, i, grant)
	{
		json_int_t expires_ns = number_of(grant, "expires_ns");
		char until[LOCAL_TIME_SIZE];

		local_time(expires_ns, until);
		table_add(table, COLOUR_NONE, raw_of(grant, "kind"));
		table_add(table, COLOUR_NONE, raw_of(grant, "image") ?: "*");
		table_add(table, COLOUR_NONE, expires_ns > 0 ? until : "no end");
		table_add(table, COLOUR_NONE, raw_of(grant, "reason"));
	}
	printf("\ngrants: %zu\n", json_array_size(grants));
	table_print(tool, table);
}

/* Where a snapshot's digests vouch, in words. */
static char *where_it_vouches(const json_t *row)
{
	const char *scope = raw_of(row, "scope") ?: "", *value = raw_of(row, "scope_value") ?: "",
	           *image_id = raw_of(row, "image_id");

	if (!strcmp(scope, "image") && image_id)
		return text_format("containers of image %.12s %s", image_id, value);
	if (!strcmp(scope, "image"))
		return text_format("containers of image %s", value);
	if (!strcmp(scope, "container"))
		return text_format("the container %s", value);
	if (!strcmp(scope, "filesystem"))
		return text_format("the filesystem %s", value);
	return text_format("nowhere");
}

static void print_baselines(const struct tool *tool, const json_t *baselines)
{
	static const char *const headers[] = {
	        "SNAPSHOT", "KIND", "NAME", "PATH", "VOUCHES HERE", "VOUCHES IN", NULL};
	_cleanup_(table_freep) struct table *table = table_new(headers);
	const json_t *row;
	size_t i;

	json_array_foreach(baselines, i, row)
	{
		_cleanup_free_ char *id = text_of(row, "snapshot"), *where = where_it_vouches(row);
		bool here = json_is_true(json_object_get(row, "in_scope"));

		table_add(table, COLOUR_NONE, id);
		table_add(table, COLOUR_NONE, raw_of(row, "kind"));
		table_add(table, COLOUR_NONE, raw_of(row, "name"));
		table_add(table, COLOUR_NONE, raw_of(row, "path"));
		table_add(table, COLOUR_NONE, here ? "yes" : "no");
		table_add(table, COLOUR_NONE, where);
	}
	printf("\nin snapshots: %zu\n", json_array_size(baselines));
	table_print(tool, table);
}

static void print_drops(const struct tool *tool, const json_t *drops)
{
	static const char *const headers[] = {
	        "WRITTEN", "CONTAINER", "PATH", "BY", "PID", "UID", "COMMAND LINE", NULL};
	_cleanup_(table_freep) struct table *table = table_new(headers);
	const json_t *drop;
	size_t i;

	json_array_foreach(drops, i, drop)
	{
		const json_t *writer = json_object_get(drop, "writer");
		bool gone = json_is_true(json_object_get(writer, "gone"));
		_cleanup_free_ char *pid = text_of(writer, "pid"), *uid = text_of(writer, "uid");
		char time[LOCAL_TIME_SIZE];

		local_time(number_of(drop, "time_ns"), time);
		table_add(table, COLOUR_NONE, time);
		table_add(table, COLOUR_NONE,
		        raw_of(drop, "container_name") ?: raw_of(drop, "container_id"));
		table_add(table, COLOUR_NONE, raw_of(drop, "path"));
		table_add(table, COLOUR_NONE, raw_of(writer, "exe") ?: gone ? "(gone)" : NULL);
		table_add(table, COLOUR_NONE, pid);
		table_add(table, COLOUR_NONE, uid);
		table_add(table, COLOUR_NONE, raw_of(writer, "cmdline"));
	}
	printf("\nwritten at runtime: %zu\n", json_array_size(drops));
	table_print(tool, table);
}

static void print_events(const struct tool *tool, const json_t *events)
{
	static const char *const headers[] = {
	        "TIME", "VERDICT", "REASON", "CONTAINER", "PATH", "TIMES", "EVENT", NULL};
	_cleanup_(table_freep) struct table *table = table_new(headers);
	const json_t *alert;
	size_t i;

	json_array_foreach(events, i, alert)
	{
		const json_t *f = json_object_get(alert, "output_fields");
		const char *verdict = raw_of(f, "execward.verdict") ?: "-";
		_cleanup_free_ char *count = text_of(f, "execward.count");
		char time[LOCAL_TIME_SIZE];

		local_time(number_of(f, "evt.time"), time);
		table_add(table, COLOUR_NONE, time);
		table_add(table, colour_of_verdict(verdict), verdict);
		table_add(table, COLOUR_NONE, raw_of(f, "execward.reason"));
		table_add(table, COLOUR_NONE,
		        raw_of(f, "container.name") ?: raw_of(f, "container.id"));
		table_add(table, COLOUR_NONE, raw_of(f, "proc.exepath"));
		table_add(table, COLOUR_NONE, count);
		table_add(table, COLOUR_NONE, raw_of(f, "execward.event_id"));
	}
	printf("\nverdicts on record: %zu\n", json_array_size(events));
	table_print(tool, table);
}

static void print_explain(const struct tool *tool, const json_t *x)
{
	_cleanup_free_ char *target = text_of(x, "target"), *sha256 = text_of(x, "sha256"),
	                    *origin = text_of(x, "origin"), *copy_of = text_of(x, "copy_of");

	printf("%-16s%s\n%-16s%s\n%-16s%s\n", "about", target, "sha256", sha256, "origin", origin);
	if (raw_of(x, "copy_of"))
		printf("%-16s%s\n", "copy of", copy_of);
	print_list("seen at", json_object_get(x, "paths"), "nowhere");
	if (json_is_true(json_object_get(x, "revoked")))
		printf("%-16s%s\n", "revoked",
		        "in trust.json: no list and no signature vouches for it");
	print_list("vouched for by", json_object_get(x, "vouchers"), "nobody");
	print_would(tool, json_object_get(x, "would"));
	print_grants(tool, json_object_get(x, "grants"));
	print_baselines(tool, json_object_get(x, "baselines"));
	lists_print_naming(tool, json_object_get(x, "allowlists"));
	print_drops(tool, json_object_get(x, "drops"));
	print_events(tool, json_object_get(x, "events"));
}

int verb_explain(const struct tool *tool, const struct call *call)
{
	json_t *request = request_new("explain"), *answer = NULL;
	int r = target_set_explained(tool, call, request);

	if (r == 0)
		r = request_set(request, "image", call->values[OPTION_IMAGE]);
	if (r != 0) {
		json_decref(request);
		return r;
	}
	r = client_ask(tool, request, &answer);
	if (r != 0)
		return r;
	if (tool->json)
		print_json(json_object_get(answer, "explain"));
	else
		print_explain(tool, json_object_get(answer, "explain"));
	json_decref(answer);
	return 0;
}
