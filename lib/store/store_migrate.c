/*
 * The schema: which version a database has, and the way from there to ours in one transaction.
 *
 * The version is read twice, since two programs may open an old database at once: before, to leave
 * a newer one alone, and again under the lock. A file without a version is ours only when it is
 * empty. The table `word` follows the enums of this release without a migration.
 */
#include "core/statement.h"
#include "store/baselines.h"
#include "store/migrations.h"
#include "store/store_internal.h"

#include "base/cleanup.h"

#include <stdio.h>
#include <string.h>

#define APPLICATION_ID 0x65786577 /* "exew", PRAGMA application_id */

/* SQL of our own that gives one integer. */
static int read_int(struct store *store, const char *sql, int64_t *ret_value)
{
	_cleanup_(statement_donep) sqlite3_stmt *statement = NULL;
	int r = store_prepare_once(store, sql, &statement);
	int code;

	if (r != 0)
		return r;
	code = sqlite3_step(statement);
	if (code != SQLITE_ROW)
		return store_result(store, code) ?: STORE_E_CORRUPT;
	*ret_value = sqlite3_column_int64(statement, 0);
	return 0;
}

/*
 * Entries of baselines and of allowlists are left out: there may be millions, and each is checked
 * as it is read, in its type, its ranges and its place in the order.
 */
static int quick_check(struct store *store)
{
	_cleanup_(statement_donep) sqlite3_stmt *statement = NULL;
	int r = store_prepare_once(store,
	        "SELECT 1 FROM sqlite_schema AS s, pragma_quick_check(s.name) AS q WHERE "
	        "s.type = 'table' AND s.name NOT IN ('entry', 'executable', "
	        "'allowlist_subject', 'allowlist_keys') AND q.quick_check <> 'ok' LIMIT 1",
	        &statement);
	int code;

	if (r != 0)
		return r;
	code = sqlite3_step(statement);
	return code == SQLITE_ROW ? STORE_E_CORRUPT : store_result(store, code);
}

/*
 * Names of the enums, so that a person at the sqlite3 shell can read the numbers.
 */
static const char *verdict_word(int i)
{
	return verdict_name((enum verdict)i);
}

static const char *reason_word(int i)
{
	return reason_name((enum reason)i);
}

static const char *origin_word(int i)
{
	return origin_name((enum origin)i);
}

static const char *grant_word(int i)
{
	return grant_kind_name((enum grant_kind)i);
}

static const char *kind_word(int i)
{
	return exec_kind_name((enum exec_kind)i);
}

static const char *snapshot_word(int i)
{
	return snapshot_kind_name((enum snapshot_kind)i);
}

static const char *scope_word(int i)
{
	return snapshot_scope_name((enum snapshot_scope)i);
}

static const char *state_word(int i)
{
	return snapshot_state_name((enum snapshot_state)i);
}

static const char *entry_word(int i)
{
	return entry_type_name((enum entry_type)i);
}

static const char *content_word(int i)
{
	return entry_content_name((enum entry_content)i);
}

static const char *bind_word_of(int i)
{
	return statement_bind_name((enum statement_bind)i);
}

static const char *allowlist_scope_word(int i)
{
	return i == STATEMENT_SCOPE_UNSET ? "unset"
	                                  : statement_scope_kind_name((enum statement_scope_kind)i);
}

static const struct word_kind {
	const char *kind;
	int max;
	const char *(*name_of)(int value);
} word_kinds[] = {
        {"verdict", _VERDICT_MAX, verdict_word},
        {"reason", _REASON_MAX, reason_word},
        {"origin", _ORIGIN_MAX, origin_word},
        {"grant", _GRANT_MAX, grant_word},
        {"kind", _EXEC_KIND_MAX, kind_word},
        {"snapshot", _SNAPSHOT_KIND_MAX, snapshot_word},
        {"scope", _SNAPSHOT_SCOPE_MAX, scope_word},
        {"state", _SNAPSHOT_STATE_MAX, state_word},
        {"entry", _ENTRY_TYPE_MAX, entry_word},
        {"content", _CONTENT_MAX, content_word},
        {"bind", _STATEMENT_BIND_MAX, bind_word_of},
        {"where", _STATEMENT_SCOPE_MAX, allowlist_scope_word},
};

static size_t n_words(void)
{
	size_t n = 0;

	for (size_t i = 0; i < sizeof(word_kinds) / sizeof(word_kinds[0]); i++)
		n += (size_t)word_kinds[i].max;
	return n;
}

/* Binds kind, value and name of the @n-th word, n < n_words(). */
static void bind_word(sqlite3_stmt *statement, size_t n)
{
	const struct word_kind *words = word_kinds;

	for (; n >= (size_t)words->max; words++)
		n -= (size_t)words->max;
	bind_text(statement, 1, words->kind);
	sqlite3_bind_int(statement, 2, (int)n);
	bind_text(statement, 3, words->name_of((int)n));
}

/* Runs @sql for every word; @ret_rows of them gave a row. */
static int each_word(struct store *store, const char *sql, size_t *ret_rows)
{
	_cleanup_(statement_donep) sqlite3_stmt *statement = NULL;
	int r = store_prepare_once(store, sql, &statement);
	size_t rows = 0;

	for (size_t i = 0; i < n_words() && r == 0; i++) {
		int code;

		bind_word(statement, i);
		code = sqlite3_step(statement);
		rows += code == SQLITE_ROW;
		r = store_result(store, code);
		sqlite3_reset(statement);
	}
	if (r == 0)
		*ret_rows = rows;
	return r;
}

static int put_words(struct store *store)
{
	size_t rows;

	return each_word(store,
	        "INSERT OR REPLACE INTO word (kind, value, name) VALUES (?1, ?2, ?3)", &rows);
}

static int words_current(struct store *store, bool *ret_current)
{
	size_t rows;
	int r = each_word(
	        store, "SELECT 1 FROM word WHERE kind = ?1 AND value = ?2 AND name = ?3", &rows);

	if (r == 0)
		*ret_current = rows == n_words();
	return r;
}

/*
 * Versions.
 */
static int read_numbers(struct store *store, int64_t *ret_version, int64_t *ret_application)
{
	int r = read_int(store, "PRAGMA user_version", ret_version);

	return r == 0 ? read_int(store, "PRAGMA application_id", ret_application) : r;
}

/* Both of one moment: another program may be making the schema just now. */
static int read_numbers_at_once(struct store *store, int64_t *ret_version, int64_t *ret_application)
{
	int r;

	if (!sqlite3_get_autocommit(store->db))
		return read_numbers(store, ret_version, ret_application);
	r = store_execute(store, "BEGIN");
	if (r != 0)
		return r;
	r = read_numbers(store, ret_version, ret_application);
	(void)store_execute(store, "ROLLBACK");
	return r;
}

static int read_version(struct store *store, int64_t *ret_version)
{
	int64_t version = 0, application = 0;
	int r = read_numbers_at_once(store, &version, &application);

	if (r != 0)
		return r;
	if (version > (int64_t)n_migrations)
		return STORE_E_NEWER;
	if (version < 0 || application != (version == 0 ? 0 : APPLICATION_ID))
		return STORE_E_CORRUPT;
	*ret_version = version;
	return 0;
}

/* What a file without a version holds is not ours to add tables to. */
static int check_empty(struct store *store)
{
	int64_t objects = 0;
	int r = read_int(store, "SELECT count(*) FROM sqlite_schema", &objects);

	return r == 0 && objects > 0 ? STORE_E_CORRUPT : r;
}

/* Numbers of our own: a pragma takes no parameters. */
static int write_version(struct store *store)
{
	char sql[96];

	snprintf(sql, sizeof(sql), "PRAGMA user_version = %u; PRAGMA application_id = %d",
	        n_migrations, APPLICATION_ID);
	return store_execute(store, sql);
}

static int apply(struct store *store)
{
	int64_t version = 0;
	int r = read_version(store, &version);

	if (r == 0 && version == 0)
		r = check_empty(store);
	for (int64_t i = version; i < (int64_t)n_migrations && r == 0; i++)
		r = store_execute(store, migrations[i]);
	if (r == 0)
		r = put_words(store);
	return r == 0 ? write_version(store) : r;
}

static int migrate(struct store *store)
{
	int r = store_begin(store);

	if (r != 0)
		return r;
	r = apply(store);
	if (r == 0)
		return store_commit(store);
	store_rollback(store);
	return r;
}

int store_schema_known(struct store *store)
{
	int64_t version;

	return read_version(store, &version);
}

int store_schema_ready(struct store *store, enum store_access access)
{
	int64_t version = 0;
	bool current = false;
	int r = read_version(store, &version);

	if (r != 0)
		return r;
	if (access == STORE_READ_ONLY)
		return version == (int64_t)n_migrations ? 0 : STORE_E_CORRUPT;
	r = quick_check(store);
	if (r == 0 && version == (int64_t)n_migrations)
		r = words_current(store, &current);
	return r == 0 && !current ? migrate(store) : r;
}
