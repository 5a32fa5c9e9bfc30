/* execward grants: what was approved, learned and denied. */
#include "base/cleanup.h"
#include "tools/client.h"
#include "tools/table.h"

#include <stdio.h>
#include <string.h>

static void add_time(struct table *table, json_int_t time_ns, const char *never)
{
	char text[LOCAL_TIME_SIZE];

	local_time(time_ns, text);
	table_add(table, COLOUR_NONE, time_ns > 0 ? text : never);
}

static void print_grants(const struct tool *tool, const json_t *grants)
{
	static const char *const headers[] = {
	        "KIND", "SHA256", "IMAGE", "PATH", "BY UID", "SINCE", "UNTIL", "REASON", NULL};
	_cleanup_(table_freep) struct table *table = table_new(headers);
	const json_t *grant;
	size_t i;

	json_array_foreach(grants, i, grant)
	{
		const char *kind = raw_of(grant, "kind") ?: "-";
		_cleanup_free_ char *uid = text_of(grant, "by_uid");

		table_add(table, strcmp(kind, "denied") ? COLOUR_GOOD : COLOUR_BAD, kind);
		table_add(table, COLOUR_NONE, raw_of(grant, "sha256"));
		table_add(table, COLOUR_NONE, raw_of(grant, "image") ?: "*");
		table_add(table, COLOUR_NONE, raw_of(grant, "path"));
		table_add(table, COLOUR_NONE, uid);
		add_time(table, number_of(grant, "created_ns"), "-");
		add_time(table, number_of(grant, "expires_ns"), "no end");
		table_add(table, COLOUR_NONE, raw_of(grant, "reason"));
	}
	table_print(tool, table);
	if (json_array_size(grants) == 0)
		puts("nothing was approved, learned or denied");
}

int verb_grants(const struct tool *tool, const struct call *call)
{
	json_t *answer = NULL;
	int r = client_ask(tool, request_new("grants"), &answer);

	(void)call;
	if (r != 0)
		return r;
	if (tool->json)
		print_json(json_object_get(answer, "grants"));
	else
		print_grants(tool, json_object_get(answer, "grants"));
	json_decref(answer);
	return 0;
}
