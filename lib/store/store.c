/*
 * The handle: opening, statements, transactions, and SQLite's codes as results.
 *
 * A database is foreign until it has passed every check: no schema of its may run code of ours
 * (trusted_schema, triggers), no value of its may be larger than a row of ours, and closing it
 * leaves its log alone.
 */
#include "store/store_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUSY_TIMEOUT_MS 5000
#define BUSY_PAUSE_MS   1  /* between two tries to write */
#define WAL_PAUSE_MS    10 /* between two tries to change the journal's mode */

DEFINE_FREEP(store, store_free)

/*
 * Results.
 */

/*
 * SQLite says FULL for ENOSPC alone; a quota and the limit on file sizes are as full. It does not
 * keep the error of a COMMIT (3.40), which is still in errno.
 */
static int io_result(const struct store *store, int code)
{
	int last = errno, error = store->db ? sqlite3_system_errno(store->db) ?: last : 0;

	if (code == SQLITE_IOERR_NOMEM)
		return -ENOMEM;
	if (code == SQLITE_IOERR_CORRUPTFS)
		return STORE_E_CORRUPT;
	return error == ENOSPC || error == EDQUOT || error == EFBIG ? STORE_E_FULL : -EIO;
}

static int result_of(const struct store *store, int code)
{
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
	case SQLITE_ERROR: /* our SQL is sound: a table that it does not find is not there */
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
	case SQLITE_SCHEMA:
	case SQLITE_TOOBIG: /* only on reading: what is written is measured before */
		return STORE_E_CORRUPT;
	case SQLITE_CONSTRAINT:
		return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY
		               ? -EEXIST
		               : -EINVAL;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	default:
		return io_result(store, code);
	}
}

int store_result(struct store *store, int code)
{
	int r = result_of(store, code);

	/* SQLite ends a transaction by itself when the disk is full or fails. */
	if (r != 0 && store->grouped && store->lost == 0 && sqlite3_get_autocommit(store->db))
		store->lost = r;
	return r;
}

const char *store_error(const struct store *store)
{
	return store && store->db ? sqlite3_errmsg(store->db) : "not open";
}

/*
 * Statements.
 */

static int prepare(struct store *store, const char *sql, unsigned int flags, sqlite3_stmt **ret)
{
	int code = sqlite3_prepare_v3(store->db, sql, -1, flags, ret, NULL);

	return store_result(store, code);
}

int store_prepare(
        struct store *store, enum store_statement id, const char *sql, sqlite3_stmt **ret_statement)
{
	sqlite3_stmt **statement = &store->statements[id];

	if (!*statement) {
		int r = prepare(store, sql, SQLITE_PREPARE_PERSISTENT, statement);

		if (r != 0)
			return r;
	}
	if (store->lost != 0 && !sqlite3_stmt_readonly(*statement))
		return store->lost;
	sqlite3_reset(*statement);
	sqlite3_clear_bindings(*statement);
	*ret_statement = *statement;
	return 0;
}

int store_prepare_once(struct store *store, const char *sql, sqlite3_stmt **ret_statement)
{
	return prepare(store, sql, 0, ret_statement);
}

int store_run(struct store *store, sqlite3_stmt *statement)
{
	int r = store_result(store, sqlite3_step(statement));

	sqlite3_reset(statement);
	return r;
}

int store_run_for_id(struct store *store, sqlite3_stmt *statement, int64_t *ret_id)
{
	int64_t id = 0;
	int code = sqlite3_step(statement), r;

	/* The step after the row ends the statement, and commits it outside a group. */
	if (code == SQLITE_ROW) {
		id = sqlite3_column_int64(statement, 0);
		code = sqlite3_step(statement);
	}
	r = store_result(store, code);
	sqlite3_reset(statement);
	if (r == 0)
		*ret_id = id;
	return r;
}

int store_execute(struct store *store, const char *sql)
{
	return store_result(store, sqlite3_exec(store->db, sql, NULL, NULL, NULL));
}

/*
 * Open.
 */

/*
 * For what waits to write. SQLite's own handler sleeps longer and longer, so that a recorder would
 * hardly ever meet the short pauses of one who writes a million entries (baselines_internal.h).
 */
static int keep_trying(void *userdata, int tries)
{
	const struct timespec pause = {.tv_nsec = BUSY_PAUSE_MS * 1000000L};

	(void)userdata;
	nanosleep(&pause, NULL);
	return tries < BUSY_TIMEOUT_MS / BUSY_PAUSE_MS;
}

static int connect(struct store *store, const char *path, enum store_access access)
{
	int flags = access == STORE_READ_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
	int code = sqlite3_open_v2(path, &store->db,
	        flags | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE, NULL);

	if (code != SQLITE_OK)
		return store_result(store, code);
	sqlite3_busy_handler(store->db, keep_trying, NULL);
	sqlite3_limit(store->db, SQLITE_LIMIT_LENGTH, ROW_MAX);
	sqlite3_limit(store->db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return 0;
}

/* On a filesystem without shared memory SQLite keeps another mode, in which readers block. */
static int try_wal(struct store *store)
{
	_cleanup_(statement_donep) sqlite3_stmt *statement = NULL;
	int r = store_prepare_once(store, "PRAGMA journal_mode = WAL", &statement);
	int code;

	if (r != 0)
		return r;
	code = sqlite3_step(statement);
	if (code != SQLITE_ROW)
		return store_result(store, code) ?: -EIO;
	return strcmp((const char *)sqlite3_column_text(statement, 0) ?: "", "wal") ? -EOPNOTSUPP
	                                                                            : 0;
}

/* The change of mode needs the file alone, and SQLite does not wait for that by itself. */
static int use_wal(struct store *store)
{
	const struct timespec pause = {.tv_nsec = WAL_PAUSE_MS * 1000000L};
	int r = try_wal(store);

	for (int waited_ms = 0; r == STORE_E_BUSY && waited_ms < BUSY_TIMEOUT_MS;
	        waited_ms += WAL_PAUSE_MS) {
		nanosleep(&pause, NULL);
		r = try_wal(store);
	}
	return r;
}

/* Ids of a query may be sorted in memory: no temporary file of a container's names elsewhere. */
static int configure(struct store *store, enum store_access access)
{
	int r = store_execute(store, "PRAGMA cell_size_check = ON; PRAGMA foreign_keys = ON; "
	                             "PRAGMA temp_store = MEMORY");

	if (r == 0 && access == STORE_READ_WRITE)
		r = use_wal(store);
	if (r == 0 && access == STORE_READ_WRITE)
		r = store_execute(store, "PRAGMA synchronous = NORMAL");
	return r;
}

int store_open(const char *dir, enum store_access access, struct store **ret_store)
{
	_cleanup_(store_freep) struct store *store = NULL;
	_cleanup_free_ char *path = NULL;
	int r = store_place_check(dir, access);

	if (r != 0)
		return r;
	store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	if (asprintf(&path, "%s/baseline.db", dir) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = connect(store, path, access);
	/* The version first: a newer database is not touched, not even its journal mode. */
	if (r == 0)
		r = store_schema_known(store);
	if (r == 0)
		r = configure(store, access);
	if (r == 0)
		r = store_schema_ready(store, access);
	if (r != 0)
		return r;
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
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
	builder_free(store->builder);
	allowlist_build_free(store->build);
	free(store);
}

/*
 * Transactions.
 */
int store_begin(struct store *store)
{
	int r = store->grouped ? -EINVAL : store_execute(store, "BEGIN IMMEDIATE");

	if (r == 0) {
		store->grouped = true;
		store->lost = 0;
	}
	return r;
}

int store_commit(struct store *store)
{
	int r = store->lost;

	if (!store->grouped)
		return -EINVAL;
	if (false)
		r = -EINVAL; /* half a list */
	if (r == 0)
		r = store_execute(store, "COMMIT");
	store_rollback(store);
	return r;
}

void store_rollback(struct store *store)
{
	store->grouped = false;
	store->lost = 0;
	allowlist_build_free(TAKE_PTR(store->build));
	if (!sqlite3_get_autocommit(store->db))
		(void)store_execute(store, "ROLLBACK");
}

int store_path_beside(struct store *store, const char *name, char **ret_path)
{
	const char *database = sqlite3_db_filename(store->db, "main");
	const char *slash = database ? strrchr(database, '/') : NULL;

	if (!slash)
		return -EINVAL;
	return asprintf(ret_path, "%.*s/%s", (int)(slash - database), database, name) < 0 ? -ENOMEM
	                                                                                  : 0;
}
