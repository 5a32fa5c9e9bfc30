/* execward allowlist list: what is installed, and whether it is in force, or why not. */
#include "allowlists/in_force.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "core/text.h"
#include "tools/allowlist_report.h"
#include "tools/snapshot_find.h"
#include "tools/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

struct list {
	const struct trust *trust; /* NULL: could not be read */
	uint32_t threshold;
	struct allowlist_limits limits;
	struct table *table;
	json_t *array; /* NULL: a table */
	uint64_t n;
};

static json_t *scope_json(const struct statement_scope *scope)
{
	json_t *object = json_object();

	for (size_t kind = STATEMENT_SCOPE_UNSET + 1; kind < _STATEMENT_SCOPE_MAX; kind++) {
		json_t *patterns = json_array();

		for (size_t i = 0; i < scope->of[kind].n; i++)
			json_array_append_new(patterns, json_string(scope->of[kind].items[i]));
		json_object_set_new(object,
		        statement_scope_kind_name((enum statement_scope_kind)kind), patterns);
	}
	return object;
}

static json_t *info_json(const struct allowlist_info *info, enum allowlist_reason reason)
{
	const struct statement *s = &info->statement;
	char issued[STATEMENT_TIME_SIZE] = "", expires[STATEMENT_TIME_SIZE] = "";
	char installed[TIME_TEXT_SIZE];
	json_t *object = json_object();

	(void)statement_time_print(s->issued_ns, issued);
	(void)statement_time_print(s->expires_ns, expires);
	time_to_rfc3339(info->installed_ns, installed);
	json_object_set_new(object, "id", json_integer(info->id));
	json_object_set_new(object, "series", json_string(s->series));
	json_object_set_new(object, "version", json_integer((json_int_t)s->version));
	json_object_set_new(object, "issued", json_string(issued));
	json_object_set_new(object, "expires", json_string(expires));
	json_object_set_new(object, "bind", json_string(statement_bind_name(s->bind)));
	json_object_set_new(object, "scope", scope_json(&s->scope));
	json_object_set_new(object, "entries", json_integer((json_int_t)info->subjects));
	json_object_set_new(object, "payload_sha256", digest_json(&info->payload));
	json_object_set_new(object, "signers", allowlist_signers_json(info));
	json_object_set_new(object, "installed", json_string(installed));
	json_object_set_new(object, "by_uid", json_integer(info->by_uid));
	json_object_set_new(object, "source", text_json(info->source));
	json_object_set_new(object, "in_force", json_boolean(reason == ALLOWLIST_ACCEPTED));
	json_object_set_new(object, "reason", json_string(allowlist_reason_name(reason)));
	return object;
}

static void add_number(struct table *table, uint64_t value)
{
	_cleanup_free_ char *text = text_format("%" PRIu64, value);

	table_add(table, COLOUR_NONE, text);
}

static void add_row(
        struct list *list, const struct allowlist_info *info, enum allowlist_reason reason)
{
	const struct statement *s = &info->statement;
	bool good = reason == ALLOWLIST_ACCEPTED;
	char expires[STATEMENT_TIME_SIZE] = "";

	(void)statement_time_print(s->expires_ns, expires);
	table_add(list->table, COLOUR_NONE, s->series);
	add_number(list->table, s->version);
	table_add(list->table, good ? COLOUR_GOOD : COLOUR_BAD,
	        good ? "in force" : allowlist_reason_name(reason));
	table_add(list->table, COLOUR_NONE, expires);
	add_number(list->table, info->subjects);
	add_number(list->table, info->n_signers);
	table_add(list->table, COLOUR_NONE,
	        statement_scope_is_everywhere(&s->scope) ? "everywhere" : "in its scope");
	table_add(list->table, COLOUR_NONE, info->source);
}

static int on_list(const struct allowlist_info *info, void *userdata)
{
	struct list *list = userdata;
	enum allowlist_reason reason =
	        allowlist_in_force(info, list->trust, list->threshold, &list->limits);

	list->n++;
	if (list->array)
		json_array_append_new(list->array, info_json(info, reason));
	else
		add_row(list, info, reason);
	return 0;
}

/* Keys that cannot be read put no list in force, and are told; what is installed is shown all the
 * same. */
static int load(
        const struct tool *tool, const struct call *call, struct store *store, struct list *list)
{
	struct trust *trust = NULL;
	int keys = allowlist_trust(tool, call, &trust), r;

	list->trust = trust;
	list->threshold = tool->config->threshold;
	allowlist_limits(tool->config, clock_realtime_ns(), &list->limits);
	r = store_trusted_now(store, &list->limits.latest_now_ns);
	if (r == 0)
		r = store_allowlists(store, on_list, list);
	trust_free(trust);
	if (r != 0)
		return allowlist_fail(call, store, tool->config->state_dir, r);
	return list->n > 0 ? keys : 0;
}

int verb_allowlist_list(const struct tool *tool, const struct call *call)
{
	static const char *const headers[] = {"SERIES", "VERSION", "STATE", "EXPIRES", "ENTRIES",
	        "SIGNERS", "VOUCHES", "SOURCE", NULL};
	_cleanup_(table_freep) struct table *table = table_new(headers);
	struct list list = {.table = table, .array = tool->json ? json_array() : NULL};
	struct store *store = NULL;
	int r = store_open(tool->config->state_dir, STORE_READ_ONLY, &store);

	if (r != 0) {
		json_decref(list.array);
		return allowlist_fail(call, NULL, tool->config->state_dir, r);
	}
	r = load(tool, call, store, &list);
	if (tool->json) {
		print_json(list.array);
	} else {
		table_print(tool, table);
		if (list.n == 0 && r == 0)
			puts("no allowlist is installed (execward allowlist install)");
	}
	json_decref(list.array);
	store_free(store);
	return r;
}
