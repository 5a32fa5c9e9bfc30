/* What is remembered of series, the time that was trusted, and an operator's reset of both. */
#include "store/allowlists_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int look_up(struct store *store, const char *series, struct allowlist_state *state)
{
	bool ok = true;
	sqlite3_stmt *s;
	int code, r = store_prepare(store, STATEMENT_ALLOWLIST_MEMORY,
	                  "SELECT version, payload FROM allowlist_memory WHERE series = ?1", &s);

	if (r != 0)
		return r;
	bind_text(s, 1, series);
	code = sqlite3_step(s);
	if (code == SQLITE_ROW) {
		state->version = (uint64_t)column_int(s, 0, 1, INT64_MAX, &ok);
		ok &= column_digest(s, 1, &state->payload, &ok);
		state->history = ALLOWLIST_HISTORY_KNOWN;
	} else {
		state->history = ALLOWLIST_HISTORY_NONE;
	}
	r = store_result(store, code);
	sqlite3_reset(s);
	if (r == 0 && !ok)
		return STORE_E_CORRUPT;
	return r;
}

int store_allowlist_state(
        struct store *store, const char *series, struct allowlist_state *ret_state)
{
	struct allowlist_state state = {0};
	enum witness witness = WITNESS_UNSET;
	int r = witness_look(store, &witness);

	if (r == 0 && (witness == WITNESS_UNSET || witness == WITNESS_LOST)) {
		*ret_state = (struct allowlist_state){0};
		return 0;
	}
	if (r == 0)
		r = look_up(store, series, &state);
	if (r == 0)
		*ret_state = state;
	return r;
}

/* As a row says it; its series is the caller's to free. */
static bool read_memory(sqlite3_stmt *s, struct allowlist_memory *memory, char **ret_series)
{
	bool ok = true;
	char *series = column_text(s, 0, STATEMENT_TEXT_MAX, &ok);

	*ret_series = series;
	memory->series = series;
	memory->version = (uint64_t)column_int(s, 1, 1, INT64_MAX, &ok);
	ok &= column_digest(s, 2, &memory->payload, &ok);
	memory->changed_ns = column_int(s, 3, 0, INT64_MAX, &ok);
	return ok && series && !statement_series_fault(series);
}

int store_allowlist_memories(struct store *store,
        int (*each)(const struct allowlist_memory *memory, void *userdata), void *userdata)
{
	sqlite3_stmt *s;
	int code = SQLITE_DONE;
	int r = store_prepare(store, STATEMENT_ALLOWLIST_MEMORIES,
	        "SELECT series, version, payload, changed_ns FROM allowlist_memory ORDER BY series",
	        &s);

	if (r != 0)
		return r;
	while (r == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
		struct allowlist_memory memory = {0};
		_cleanup_free_ char *series = NULL;

		r = read_memory(s, &memory, &series) ? each(&memory, userdata) : STORE_E_CORRUPT;
	}
	if (r == 0)
		r = store_result(store, code);
	sqlite3_reset(s);
	return r;
}

int allowlist_act_add(struct store *store, const struct allowlist_act *act)
{
	sqlite3_stmt *s;
	int r;

	if (!act->reason || !*act->reason)
		return -EINVAL;
	r = store_texts_fit((const char *const[]){act->series, act->reason}, 2);
	if (r == 0)
		r = store_prepare(store, STATEMENT_ALLOWLIST_ACT,
		        "INSERT INTO allowlist_act (act, series, version, reason, by_uid, time_ns) "
		        "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
		        &s);
	if (r != 0)
		return r;
	bind_text(s, 1, act->act);
	bind_text(s, 2, act->series);
	bind_id(s, 3, (int64_t)act->version);
	bind_text(s, 4, act->reason);
	sqlite3_bind_int64(s, 5, act->by_uid);
	sqlite3_bind_int64(s, 6, act->now_ns);
	return store_run(store, s);
}

/*
 * Reset.
 */
static int forget(struct store *store, const char *series)
{
	_cleanup_(statement_donep) sqlite3_stmt *s = NULL;
	int r = store_prepare_once(
	        store, "DELETE FROM allowlist_memory WHERE ?1 IS NULL OR series = ?1", &s);

	if (r != 0)
		return r;
	bind_text(s, 1, series);
	r = store_run(store, s);
	return r == 0 && series && sqlite3_changes(store->db) == 0 ? STORE_E_NOTFOUND : r;
}

static int reset(struct store *store, const struct allowlist_act *act)
{
	enum witness witness = WITNESS_UNSET;
	int r = witness_look(store, &witness);

	if (r == 0 && act->series && witness == WITNESS_LOST)
		return -ESTALE;
	if (r == 0)
		r = witness_make_id(store);
	if (r == 0)
		r = forget(store, act->series);
	if (r == 0 && !act->series)
		r = store_setting_set(store, ALLOWLIST_NOW, NULL);
	if (r == 0)
		r = allowlist_act_add(store, act);
	return r == 0 ? store_setting_count_up(store, ALLOWLIST_GENERATION) : r;
}

int store_allowlist_reset(
        struct store *store, const char *series, int64_t by_uid, int64_t now_ns, const char *reason)
{
	struct allowlist_act act = {
	        .act = "reset",
	        .series = series,
	        .by_uid = by_uid,
	        .now_ns = now_ns,
	        .reason = reason,
	};
	int r = store_begin(store);

	if (r != 0)
		return r;
	r = reset(store, &act);
	if (r != 0) {
		store_rollback(store);
		return r;
	}
	r = store_commit(store);
	return r == 0 ? witness_write(store) : r;
}

/*
 * Numbers.
 */
int store_allowlist_generation(struct store *store, int64_t *ret_generation)
{
	return store_setting_number(store, ALLOWLIST_GENERATION, ret_generation);
}

int store_trusted_now(struct store *store, int64_t *ret_now_ns)
{
	return store_setting_number(store, ALLOWLIST_NOW, ret_now_ns);
}

int store_trusted_now_set(struct store *store, int64_t now_ns)
{
	return now_ns > 0 ? store_setting_forward(store, ALLOWLIST_NOW, now_ns) : -EINVAL;
}
