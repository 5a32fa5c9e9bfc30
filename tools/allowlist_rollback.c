/*
 * execward allowlist rollback-state: what keeps older lists out, and the way back for a host that
 * has lost its database. Nothing is forgotten without a reason that is kept.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "core/text.h"
#include "tools/allowlist_report.h"
#include "tools/snapshot_find.h"
#include "tools/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define EXIT_LOST 1

struct state {
	const char *series; /* only this one; NULL: all */
	bool lost;
	int64_t trusted_now_ns;
	struct table *table;
	json_t *array; /* NULL: a table */
	uint64_t n;
};

static int on_memory(const struct allowlist_memory *memory, void *userdata)
{
	struct state *state = userdata;
	_cleanup_free_ char *version = text_format("%" PRIu64, memory->version);
	char changed[TIME_TEXT_SIZE], hex[DIGEST_HEX_SIZE];

	if (state->series && strcmp(state->series, memory->series) != 0)
		return 0;
	state->n++;
	time_to_rfc3339(memory->changed_ns, changed);
	digest_to_hex(&memory->payload, hex);
	if (state->array) {
		json_t *object = json_pack("{s:s, s:I, s:s, s:s}", "series", memory->series,
		        "version", (json_int_t)memory->version, "payload_sha256", hex, "changed",
		        changed);

		return json_array_append_new(state->array, object) < 0 ? -ENOMEM : 0;
	}
	table_add(state->table, COLOUR_NONE, memory->series);
	table_add(state->table, COLOUR_NONE, version);
	table_add(state->table, COLOUR_NONE, changed);
	table_add(state->table, COLOUR_NONE, hex);
	return 0;
}

static int look(struct store *store, struct state *state)
{
	struct allowlist_state any = {0};
	int r = store_allowlist_state(store, state->series ?: "-", &any);

	state->lost = any.history == ALLOWLIST_HISTORY_UNSET;
	if (r == 0)
		r = store_trusted_now(store, &state->trusted_now_ns);
	return r == 0 ? store_allowlist_memories(store, on_memory, state) : r;
}

static void show(const struct tool *tool, const struct state *state)
{
	char now[TIME_TEXT_SIZE];
	json_t *object;

	time_to_rfc3339(state->trusted_now_ns, now);
	if (tool->json) {
		object = json_pack("{s:b, s:O, s:o}", "state_lost", state->lost, "series",
		        state->array, "trusted_now",
		        state->trusted_now_ns > 0 ? json_string(now) : json_null());
		print_json(object);
		json_decref(object);
		return;
	}
	table_print(tool, state->table);
	if (state->n == 0)
		puts("no version is remembered");
	if (state->trusted_now_ns > 0)
		printf("latest time that was trusted: %s\n", now);
	if (state->lost)
		fprintf(stderr,
		        "execward allowlist rollback-state: the database is not the one that\n"
		        "allowlists.witness knows, or an older copy of it: no list is installed "
		        "until\nthe state is reset. Raise the floors in trust.json first.\n");
}

static int run_show(const struct tool *tool, const struct call *call)
{
	static const char *const headers[] = {"SERIES", "VERSION", "SINCE", "PAYLOAD", NULL};
	_cleanup_(table_freep) struct table *table = table_new(headers);
	struct state state = {.series = call->argument,
	        .table = table,
	        .array = tool->json ? json_array() : NULL};
	struct store *store = NULL;
	int r = store_open(tool->config->state_dir, STORE_READ_ONLY, &store);

	if (r == 0)
		r = look(store, &state);
	if (r == 0) {
		show(tool, &state);
		r = state.lost ? EXIT_LOST : 0;
	} else {
		r = allowlist_fail(call, store, tool->config->state_dir, r);
	}
	json_decref(state.array);
	store_free(store);
	return r;
}

static void show_reset(const struct tool *tool, const char *series)
{
	_cleanup_free_ char *name = text_safe(series);
	json_t *object;

	if (!tool->json) {
		if (series)
			printf("%s: forgotten, any version can be installed\n", name);
		else
			puts("all series forgotten, any version can be installed");
		return;
	}
	object = json_object();
	json_object_set_new(object, "reset", series ? json_string(series) : json_null());
	print_json(object);
	json_decref(object);
}

static int run_reset(const struct tool *tool, const struct call *call)
{
	struct store *store = NULL;
	int r = store_open(tool->config->state_dir, STORE_READ_WRITE, &store);

	if (r == 0)
		r = store_allowlist_reset(store, call->argument, getuid(), clock_realtime_ns(),
		        call->values[OPTION_REASON]);
	if (r != 0)
		r = allowlist_fail(call, store, call->argument ?: tool->config->state_dir, r);
	else
		show_reset(tool, call->argument);
	store_free(store);
	return r;
}

int verb_allowlist_rollback(const struct tool *tool, const struct call *call)
{
	if (call_has(call, OPTION_RESET) != call_has(call, OPTION_REASON)) {
		fputs("execward allowlist rollback-state: --reset and --reason TEXT belong "
		      "together\n",
		        stderr);
		return EX_USAGE;
	}
	return call_has(call, OPTION_RESET) ? run_reset(tool, call) : run_show(tool, call);
}
