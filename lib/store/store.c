/*
 * Opening, migrating, transactions and settings. The file is looked at through a descriptor before
 * SQLite reads a byte of it: not root's alone means not ours.
 */
#include "store/store_internal.h"
#include "store/migrations.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define APPLICATION_ID  0x65786577 /* "exew", PRAGMA application_id */
#define BUSY_TIMEOUT_MS 5000

int store_result(struct store *store, int code)
{
	(void)store;
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_FULL:
		return STORE_E_FULL;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return STORE_E_BUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_SCHEMA:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
		return STORE_E_CORRUPT;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	default:
		return -EIO;
	}
}

const char *store_error(const struct store *store)
{
	return store && store->db ? sqlite3_errmsg(store->db) : "not open";
}

sqlite3_stmt *store_statement(struct store *store, enum statement id, const char *sql)
{
	sqlite3_stmt **statement = &store->statements[id];

	if (!*statement && sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
	                           statement, NULL) != SQLITE_OK)
		return NULL;
	sqlite3_reset(*statement);
	sqlite3_clear_bindings(*statement);
	return *statement;
}

int store_run(struct store *store, sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);

	sqlite3_reset(statement);
	return store_result(store, code);
}

static int execute(struct store *store, const char *sql)
{
	return store_result(store, sqlite3_exec(store->db, sql, NULL, NULL, NULL));
}

/*
 * Open.
 */
static int check_owner(int fd, mode_t type)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_mode & S_IFMT) != type || st.st_uid != geteuid() || (st.st_mode & 022))
		return STORE_E_UNSAFE;
	return 0;
}

static int check_files(const char *dir, enum store_access access)
{
	int flags = access == STORE_READ_WRITE ? O_RDWR | O_CREAT : O_RDONLY;
	_cleanup_close_ int dirfd = -1, fd = -1;
	int r;

	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dirfd < 0)
		return errno == ELOOP || errno == ENOTDIR ? STORE_E_UNSAFE : -errno;
	r = check_owner(dirfd, S_IFDIR);
	if (r != 0)
		return r;
	fd = openat(dirfd, "baseline.db", flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	if (fd < 0)
		return errno == ELOOP ? STORE_E_UNSAFE : -errno;
	return check_owner(fd, S_IFREG);
}

static int pragma_int(struct store *store, const char *sql, int64_t *ret_value)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);

	if (code != SQLITE_OK)
		return store_result(store, code);
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return code == SQLITE_ROW ? 0 : store_result(store, code) ?: STORE_E_CORRUPT;
}

static int quick_check(struct store *store)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &statement, NULL);
	bool good;

	if (code != SQLITE_OK)
		return store_result(store, code);
	code = sqlite3_step(statement);
	good = code == SQLITE_ROW &&
	       !strcmp((const char *)sqlite3_column_text(statement, 0) ?: "", "ok");
	sqlite3_finalize(statement);
	return good ? 0 : STORE_E_CORRUPT;
}

/* Names of the enums, so that a person at the sqlite3 shell can read the numbers. */
static int put_words(struct store *store, const char *kind, int max, const char *(*name_of)(int))
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(
	        store->db, "INSERT OR REPLACE INTO word VALUES (?, ?, ?)", -1, &statement, NULL);

	for (int i = 0; i < max && (code == SQLITE_OK || code == SQLITE_DONE); i++) {
		sqlite3_reset(statement);
		bind_text(statement, 1, kind);
		sqlite3_bind_int(statement, 2, i);
		bind_text(statement, 3, name_of(i));
		code = sqlite3_step(statement);
	}
	sqlite3_finalize(statement);
	return store_result(store, code);
}

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

static int put_all_words(struct store *store)
{
	int r = put_words(store, "verdict", _VERDICT_MAX, verdict_word);

	if (r == 0)
		r = put_words(store, "reason", _REASON_MAX, reason_word);
	if (r == 0)
		r = put_words(store, "origin", _ORIGIN_MAX, origin_word);
	if (r == 0)
		r = put_words(store, "grant", _GRANT_MAX, grant_word);
	return r == 0 ? put_words(store, "kind", _EXEC_KIND_MAX, kind_word) : r;
}

static int migrate(struct store *store, int64_t version)
{
	char pragma[64];
	int r = execute(store, "BEGIN IMMEDIATE");

	for (int64_t i = version; i < (int64_t)n_migrations && r == 0; i++)
		r = execute(store, migrations[i]);
	if (r == 0)
		r = put_all_words(store);
	/* Numbers of our own: a pragma takes no parameters. */
	snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %u", n_migrations);
	if (r == 0)
		r = execute(store, pragma);
	snprintf(pragma, sizeof(pragma), "PRAGMA application_id = %d", APPLICATION_ID);
	if (r == 0)
		r = execute(store, pragma);
	if (r == 0)
		r = execute(store, "COMMIT");
	if (r != 0)
		(void)execute(store, "ROLLBACK");
	return r;
}

static int check_version_only(struct store *store)
{
	int64_t version = 0;
	int r = pragma_int(store, "PRAGMA user_version", &version);

	return r == 0 && version > (int64_t)n_migrations ? STORE_E_NEWER : r;
}

static int check_version(struct store *store, enum store_access access)
{
	int64_t version = 0, application = 0;
	int r = pragma_int(store, "PRAGMA user_version", &version);

	if (r == 0)
		r = pragma_int(store, "PRAGMA application_id", &application);
	if (r != 0)
		return r;
	if (version > (int64_t)n_migrations)
		return STORE_E_NEWER;
	if (version < 0 || (version > 0 && application != APPLICATION_ID))
		return STORE_E_CORRUPT;
	if (access == STORE_READ_ONLY)
		return version == (int64_t)n_migrations ? 0 : STORE_E_CORRUPT;
	r = version > 0 ? quick_check(store) : 0;
	return r == 0 && version < (int64_t)n_migrations ? migrate(store, version) : r;
}

static int configure(struct store *store, enum store_access access)
{
	int r;

	sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	r = execute(store, "PRAGMA cell_size_check = ON; PRAGMA foreign_keys = ON");
	if (r == 0 && access == STORE_READ_WRITE)
		r = execute(store, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
	return r;
}

static void store_freep(struct store **store)
{
	store_free(*store);
}

int store_open(const char *dir, enum store_access access, struct store **ret_store)
{
	_cleanup_(store_freep) struct store *store = NULL;
	_cleanup_free_ char *path = NULL;
	int flags = access == STORE_READ_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
	int r = check_files(dir, access);

	if (r != 0)
		return r;
	store = calloc(1, sizeof(*store));
	if (!store || asprintf(&path, "%s/baseline.db", dir) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = store_result(
	        store, sqlite3_open_v2(path, &store->db,
	                       flags | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_FULLMUTEX, NULL));
	/* The version first: a newer database is not touched, not even its journal mode. */
	if (r == 0)
		r = check_version_only(store);
	if (r == 0)
		r = configure(store, access);
	if (r == 0)
		r = check_version(store, access);
	if (r != 0)
		return r;
	*ret_store = TAKE_PTR(store);
	return 0;
}

void store_free(struct store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < _STATEMENT_MAX; i++)
		sqlite3_finalize(store->statements[i]);
	sqlite3_close(store->db);
	free(store);
}

/*
 * Transactions.
 */
int store_begin(struct store *store)
{
	return execute(store, "BEGIN IMMEDIATE");
}

int store_commit(struct store *store)
{
	int r = execute(store, "COMMIT");

	if (r != 0)
		store_rollback(store);
	return r;
}

void store_rollback(struct store *store)
{
	if (!sqlite3_get_autocommit(store->db))
		(void)execute(store, "ROLLBACK");
}

/*
 * Settings.
 */
int store_setting_set(struct store *store, const char *name, const char *value)
{
	sqlite3_stmt *s;

	s = value ? store_statement(store, STATEMENT_SETTING_PUT,
	                    "INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)")
	          : store_statement(
	                    store, STATEMENT_SETTING_REMOVE, "DELETE FROM setting WHERE name = ?1");
	if (!s)
		return store_result(store, sqlite3_errcode(store->db));
	bind_text(s, 1, name);
	if (value)
		bind_text(s, 2, value);
	return store_run(store, s);
}

int store_setting_get(struct store *store, const char *name, char **ret_value)
{
	sqlite3_stmt *s = store_statement(
	        store, STATEMENT_SETTING_GET, "SELECT value FROM setting WHERE name = ?1");
	bool ok = true;
	char *value;
	int code;

	if (!s)
		return store_result(store, sqlite3_errcode(store->db));
	bind_text(s, 1, name);
	code = sqlite3_step(s);
	value = code == SQLITE_ROW ? column_text(s, 0, TEXT_MAX, &ok) : NULL;
	sqlite3_reset(s);
	if (code == SQLITE_DONE)
		return STORE_E_NOTFOUND;
	if (code != SQLITE_ROW)
		return store_result(store, code);
	if (!ok || !value) {
		free(value);
		return STORE_E_CORRUPT;
	}
	*ret_value = value;
	return 0;
}
