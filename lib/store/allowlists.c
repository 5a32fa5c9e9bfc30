/* Lists as rows: put, removed, found, read. Their subjects are in allowlists_build.c. */
#include "store/allowlists_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void allowlist_info_done(struct allowlist_info *info)
{
	statement_done(&info->statement);
	free(info->signers);
	free(info->source);
	*info = (struct allowlist_info){0};
}

static int compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct digest));
}

/*
 * What is written must be readable again.
 */
static bool scope_is_sound(const struct statement_scope *scope)
{
	for (size_t kind = 0; kind < _STATEMENT_SCOPE_MAX; kind++) {
		const struct statement_patterns *patterns = &scope->of[kind];

		if (patterns->n > (kind == STATEMENT_SCOPE_UNSET ? 0 : STATEMENT_PATTERNS_MAX))
			return false;
		for (size_t i = 0; i < patterns->n; i++)
			if (statement_pattern_fault(patterns->items[i]))
				return false;
	}
	return true;
}

static bool statement_is_sound(const struct statement *s)
{
	return s->series && !statement_series_fault(s->series) && s->version >= 1 &&
	       s->version <= INT64_MAX && s->issued_ns >= 0 && s->expires_ns > s->issued_ns &&
	       s->bind > STATEMENT_BIND_UNSET && s->bind < _STATEMENT_BIND_MAX &&
	       scope_is_sound(&s->scope);
}

static bool info_is_sound(const struct allowlist_info *info)
{
	return statement_is_sound(&info->statement) && info->n_signers >= 1 &&
	       info->n_signers <= ALLOWLIST_SIGNERS_MAX && info->installed_ns >= 0 &&
	       info->source && strnlen(info->source, TEXT_MAX + 1) <= TEXT_MAX;
}

/*
 * Taking away.
 */
static int delete_by(struct store *store, enum store_statement which, const char *sql, int64_t id)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, which, sql, &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	return store_run(store, s);
}

int allowlist_delete(struct store *store, int64_t id)
{
	int r = delete_by(store, STATEMENT_ALLOWLIST_SUBJECTS_DELETE,
	        "DELETE FROM allowlist_subject WHERE id >= ?1 << 20 AND id < (?1 + 1) << 20", id);

	if (r == 0)
		r = delete_by(store, STATEMENT_ALLOWLIST_KEYS_DELETE,
		        "DELETE FROM allowlist_keys WHERE id >= ?1 << 20 AND id < (?1 + 1) << 20",
		        id);
	if (r == 0)
		r = delete_by(store, STATEMENT_ALLOWLIST_DELETE,
		        "DELETE FROM allowlist WHERE id = ?1", id);
	return r == 0 && sqlite3_changes(store->db) == 0 ? STORE_E_NOTFOUND : r;
}

/* One number of a row; STORE_E_NOTFOUND without one. */
static int read_number(struct store *store, sqlite3_stmt *s, int64_t max, int64_t *ret_number)
{
	bool ok = true;
	int64_t number = 0;
	int r, code = sqlite3_step(s);

	if (code == SQLITE_ROW)
		number = column_int(s, 0, 0, max, &ok);
	r = code == SQLITE_DONE ? STORE_E_NOTFOUND : store_result(store, code);
	sqlite3_reset(s);
	if (r == 0 && !ok)
		return STORE_E_CORRUPT;
	if (r == 0)
		*ret_number = number;
	return r;
}

static int id_of_series(struct store *store, const char *series, int64_t *ret_id)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_ALLOWLIST_OF_SERIES,
	        "SELECT id FROM allowlist WHERE series = ?1", &s);

	if (r != 0)
		return r;
	bind_text(s, 1, series);
	return read_number(store, s, ALLOWLIST_ID_MAX, ret_id);
}

static int remove_group(struct store *store, int64_t id, struct allowlist_act *act)
{
	_cleanup_(statement_donep) sqlite3_stmt *s = NULL;
	_cleanup_free_ char *series = NULL;
	bool ok = true;
	int code, r = store_prepare_once(
	                  store, "SELECT series, version FROM allowlist WHERE id = ?1", &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	code = sqlite3_step(s);
	if (code != SQLITE_ROW)
		return store_result(store, code) ?: STORE_E_NOTFOUND;
	/* One that is damaged can be taken away all the same. */
	series = column_text(s, 0, STATEMENT_TEXT_MAX, &ok);
	act->series = series;
	act->version = (uint64_t)column_int(s, 1, 0, INT64_MAX, &ok);
	sqlite3_reset(s);
	r = allowlist_act_add(store, act);
	if (r == 0)
		r = allowlist_delete(store, id);
	return r == 0 ? store_setting_count_up(store, ALLOWLIST_GENERATION) : r;
}

int store_allowlist_remove(
        struct store *store, int64_t id, int64_t by_uid, int64_t now_ns, const char *reason)
{
	struct allowlist_act act = {
	        .act = "removed", .by_uid = by_uid, .now_ns = now_ns, .reason = reason};
	int r = store_begin(store);

	if (r != 0)
		return r;
	r = remove_group(store, id, &act);
	if (r == 0)
		return store_commit(store);
	store_rollback(store);
	return r;
}

/*
 * Putting.
 */
static int compare_with_memory(struct store *store, const struct allowlist_info *info)
{
	struct allowlist_state state = {0};
	enum witness witness = WITNESS_UNSET;
	int r = witness_look(store, &witness);

	if (r == 0 && witness != WITNESS_GOOD && witness != WITNESS_ALONE)
		return -ESTALE;
	if (r == 0)
		r = store_allowlist_state(store, info->statement.series, &state);
	if (r != 0 || state.history == ALLOWLIST_HISTORY_NONE)
		return r;
	if (state.history != ALLOWLIST_HISTORY_KNOWN)
		return -ESTALE;
	if (info->statement.version < state.version)
		return -EEXIST;
	if (info->statement.version == state.version &&
	        !digest_equal(&info->payload, &state.payload))
		return -EEXIST;
	return 0;
}

static int remember(struct store *store, const struct allowlist_info *info)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_ALLOWLIST_MEMORY_PUT,
	        "INSERT INTO allowlist_memory (series, version, payload, changed_ns) VALUES (?1, "
	        "?2, ?3, ?4) ON CONFLICT (series) DO UPDATE SET version = ?2, payload = ?3, "
	        "changed_ns = ?4 WHERE version < ?2",
	        &s);

	if (r != 0)
		return r;
	bind_text(s, 1, info->statement.series);
	sqlite3_bind_int64(s, 2, (int64_t)info->statement.version);
	bind_digest(s, 3, true, &info->payload);
	sqlite3_bind_int64(s, 4, info->installed_ns);
	return store_run(store, s);
}

static int count_lists(struct store *store, int64_t *ret_n)
{
	sqlite3_stmt *s;
	int r = store_prepare(
	        store, STATEMENT_ALLOWLIST_COUNT, "SELECT count(*) FROM allowlist", &s);

	return r == 0 ? read_number(store, s, INT64_MAX, ret_n) : r;
}

static int put_row(struct store *store, const struct allowlist_info *info, int64_t *ret_id)
{
	const struct statement *statement = &info->statement;
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_ALLOWLIST_PUT,
	        "INSERT INTO allowlist (series, version, payload, issued_ns, expires_ns, bind, "
	        "installed_ns, by_uid, source) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) "
	        "RETURNING id",
	        &s);

	if (r != 0)
		return r;
	bind_text(s, 1, statement->series);
	sqlite3_bind_int64(s, 2, (int64_t)statement->version);
	bind_digest(s, 3, true, &info->payload);
	sqlite3_bind_int64(s, 4, statement->issued_ns);
	sqlite3_bind_int64(s, 5, statement->expires_ns);
	sqlite3_bind_int(s, 6, (int)statement->bind);
	sqlite3_bind_int64(s, 7, info->installed_ns);
	sqlite3_bind_int64(s, 8, info->by_uid);
	bind_text(s, 9, info->source);
	r = store_run_for_id(store, s, ret_id);
	return r == 0 && (*ret_id < 1 || *ret_id > ALLOWLIST_ID_MAX) ? -EOVERFLOW : r;
}

static int put_signers(struct store *store, const struct allowlist_info *info, int64_t id)
{
	int r = 0;

	for (size_t i = 0; i < info->n_signers && r == 0; i++) {
		sqlite3_stmt *s;

		r = store_prepare(store, STATEMENT_ALLOWLIST_SIGNER_ADD,
		        "INSERT INTO allowlist_signer (allowlist, key_id) VALUES (?1, ?2)", &s);
		if (r != 0)
			return r;
		sqlite3_bind_int64(s, 1, id);
		bind_digest(s, 2, true, &info->signers[i]);
		r = store_run(store, s);
		if (r == -EEXIST)
			r = -EINVAL; /* a key counts once */
	}
	return r;
}

static int put_pattern(
        struct store *store, int64_t id, size_t kind, size_t place, const char *pattern)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_ALLOWLIST_SCOPE_ADD,
	        "INSERT INTO allowlist_scope (allowlist, kind, place, pattern) VALUES (?1, ?2, ?3, "
	        "?4)",
	        &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_int64(s, 2, (int64_t)kind);
	sqlite3_bind_int64(s, 3, (int64_t)place);
	bind_text(s, 4, pattern);
	return store_run(store, s);
}

static int put_scope(struct store *store, const struct statement_scope *scope, int64_t id)
{
	int r = 0;

	for (size_t kind = 0; kind < _STATEMENT_SCOPE_MAX; kind++)
		for (size_t i = 0; i < scope->of[kind].n && r == 0; i++)
			r = put_pattern(store, id, kind, i, scope->of[kind].items[i]);
	return r;
}

static int replace(struct store *store, const struct allowlist_info *info, int64_t *ret_id)
{
	int64_t before = 0, n = 0, id = 0;
	int r = id_of_series(store, info->statement.series, &before);

	if (r == 0)
		r = allowlist_delete(store, before);
	else if (r == STORE_E_NOTFOUND)
		r = count_lists(store, &n);
	if (r == 0 && n >= (int64_t)ALLOWLISTS_MAX)
		return -E2BIG;
	if (r == 0)
		r = put_row(store, info, &id);
	if (r == 0)
		r = put_signers(store, info, id);
	if (r == 0)
		r = put_scope(store, &info->statement.scope, id);
	if (r == 0)
		*ret_id = id;
	return r;
}

int store_allowlist_put(struct store *store, const struct allowlist_info *info, int64_t *ret_id)
{
	int64_t id = 0;
	int r;

	if (!store->grouped || store->build || !info_is_sound(info))
		return -EINVAL;
	r = compare_with_memory(store, info);
	if (r == 0)
		r = replace(store, info, &id);
	if (r == 0)
		r = remember(store, info);
	if (r == 0)
		r = store_setting_count_up(store, ALLOWLIST_GENERATION);
	if (r == 0)
		r = allowlist_build_start(store, id);
	if (r == 0)
		*ret_id = id;
	return r;
}

/*
 * Reading.
 */
static int read_signers(struct store *store, struct allowlist_info *info)
{
	sqlite3_stmt *s;
	int code = SQLITE_DONE;
	bool ok = true;
	int r = store_prepare(store, STATEMENT_ALLOWLIST_SIGNERS,
	        "SELECT key_id FROM allowlist_signer WHERE allowlist = ?1 ORDER BY key_id", &s);

	if (r != 0)
		return r;
	info->signers = calloc(ALLOWLIST_SIGNERS_MAX, sizeof(*info->signers));
	if (!info->signers)
		return -ENOMEM;
	sqlite3_bind_int64(s, 1, info->id);
	while (ok && (code = sqlite3_step(s)) == SQLITE_ROW) {
		ok = info->n_signers < ALLOWLIST_SIGNERS_MAX;
		if (ok)
			ok &= column_digest(s, 0, &info->signers[info->n_signers++], &ok);
	}
	r = store_result(store, code);
	sqlite3_reset(s);
	return r == 0 && (!ok || info->n_signers == 0) ? STORE_E_CORRUPT : r;
}

/* A pattern is never left out: without it the list would vouch in more places. */
static int read_pattern(sqlite3_stmt *s, struct statement_scope *scope)
{
	bool ok = true;
	int64_t kind = column_int(s, 0, STATEMENT_SCOPE_UNSET + 1, _STATEMENT_SCOPE_MAX - 1, &ok);
	int64_t place = (int64_t)scope->of[kind].n;
	_cleanup_free_ char *pattern = column_text(s, 2, STATEMENT_TEXT_MAX, &ok);
	int r;

	(void)column_int(s, 1, place, place, &ok);
	if (!ok || !pattern)
		return STORE_E_CORRUPT;
	r = statement_scope_add(scope, (enum statement_scope_kind)kind, pattern);
	return r == 0 || r == -ENOMEM ? r : STORE_E_CORRUPT;
}

static int read_scope(struct store *store, struct allowlist_info *info)
{
	sqlite3_stmt *s;
	int code = SQLITE_DONE;
	int r = store_prepare(store, STATEMENT_ALLOWLIST_SCOPE,
	        "SELECT kind, place, pattern FROM allowlist_scope WHERE allowlist = ?1 ORDER BY "
	        "kind, place",
	        &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, info->id);
	while (r == 0 && (code = sqlite3_step(s)) == SQLITE_ROW)
		r = read_pattern(s, &info->statement.scope);
	if (r == 0)
		r = store_result(store, code);
	sqlite3_reset(s);
	return r;
}

static bool read_row(sqlite3_stmt *s, struct allowlist_info *info)
{
	struct statement *statement = &info->statement;
	bool ok = true;

	info->id = column_int(s, 0, 1, ALLOWLIST_ID_MAX, &ok);
	statement->series = column_text(s, 1, STATEMENT_TEXT_MAX, &ok);
	statement->version = (uint64_t)column_int(s, 2, 1, INT64_MAX, &ok);
	ok &= column_digest(s, 3, &info->payload, &ok);
	statement->issued_ns = column_int(s, 4, 0, INT64_MAX, &ok);
	statement->expires_ns = column_int(s, 5, 0, INT64_MAX, &ok);
	statement->bind = (enum statement_bind)column_int(
	        s, 6, STATEMENT_BIND_UNSET + 1, _STATEMENT_BIND_MAX - 1, &ok);
	info->subjects = (uint64_t)column_int(s, 7, 1, STATEMENT_SUBJECTS_MAX, &ok);
	info->installed_ns = column_int(s, 8, 0, INT64_MAX, &ok);
	info->by_uid = column_int(s, 9, -1, UINT32_MAX, &ok);
	info->source = column_text(s, 10, TEXT_MAX, &ok);
	return ok && info->source && statement_is_sound(statement);
}

static int load(struct store *store, int64_t id, struct allowlist_info *info)
{
	sqlite3_stmt *s;
	int code, r = store_prepare(store, STATEMENT_ALLOWLIST_GET,
	                  "SELECT id, series, version, payload, issued_ns, expires_ns, bind, "
	                  "subjects, installed_ns, by_uid, source FROM allowlist WHERE id = ?1",
	                  &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	code = sqlite3_step(s);
	if (code == SQLITE_ROW)
		r = read_row(s, info) ? 0 : STORE_E_CORRUPT;
	else
		r = store_result(store, code) ?: STORE_E_NOTFOUND;
	sqlite3_reset(s);
	if (r == 0)
		r = read_signers(store, info);
	if (r == 0)
		r = read_scope(store, info);
	if (r == 0)
		qsort(info->signers, info->n_signers, sizeof(*info->signers), compare_digests);
	return r;
}

int store_allowlist_find(struct store *store, const char *series, struct allowlist_info *ret_info)
{
	struct allowlist_info info = {0};
	int64_t id = 0;
	int r = id_of_series(store, series, &id);

	if (r == 0)
		r = load(store, id, &info);
	if (r == 0)
		*ret_info = info;
	else
		allowlist_info_done(&info);
	return r;
}

static int read_ids(struct store *store, int64_t *ids, size_t *ret_n)
{
	sqlite3_stmt *s;
	size_t n = 0;
	bool ok = true;
	int code = SQLITE_DONE;
	int r = store_prepare(
	        store, STATEMENT_ALLOWLISTS, "SELECT id FROM allowlist ORDER BY series", &s);

	if (r != 0)
		return r;
	while (ok && (code = sqlite3_step(s)) == SQLITE_ROW) {
		ok = n < ALLOWLISTS_MAX;
		if (ok)
			ids[n++] = column_int(s, 0, 1, ALLOWLIST_ID_MAX, &ok);
	}
	r = store_result(store, code);
	sqlite3_reset(s);
	*ret_n = n;
	return r == 0 && !ok ? STORE_E_CORRUPT : r;
}

/* Ids first: nothing is held open for @each, which may use the store. */
int store_allowlists(struct store *store,
        int (*each)(const struct allowlist_info *info, void *userdata), void *userdata)
{
	_cleanup_free_ int64_t *ids = calloc(ALLOWLISTS_MAX, sizeof(*ids));
	size_t n = 0;
	int r = ids ? read_ids(store, ids, &n) : -ENOMEM;

	for (size_t i = 0; i < n && r == 0; i++) {
		_cleanup_(allowlist_info_done) struct allowlist_info info = {0};

		r = load(store, ids[i], &info);
		if (r == 0)
			r = each(&info, userdata);
		else if (r == STORE_E_NOTFOUND)
			r = 0; /* removed since */
	}
	return r;
}
