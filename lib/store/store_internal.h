/* What the store's own files share: the handle, its statements, and the checks of a hostile row. */
#pragma once

#include "store/store.h"

#include <sqlite3.h>
#include <stdbool.h>

enum statement {
	STATEMENT_CONTAINER_PUT = 0,
	STATEMENT_DROP_PUT,
	STATEMENT_DROP_DIGEST,
	STATEMENT_DROP_FIND,
	STATEMENT_DROPS,
	STATEMENT_EVENT_PUT,
	STATEMENT_EVENT_UPDATE,
	STATEMENT_EVENTS,
	STATEMENT_GRANT_PUT,
	STATEMENT_GRANT_REMOVE,
	STATEMENT_GRANTS,
	STATEMENT_SETTING_PUT,
	STATEMENT_SETTING_REMOVE,
	STATEMENT_SETTING_GET,
	_STATEMENT_MAX,
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *statements[_STATEMENT_MAX]; /* prepared on first use */
};

/* A prepared statement, reset and without bindings; NULL on failure. */
sqlite3_stmt *store_statement(struct store *store, enum statement id, const char *sql);
/* Runs a statement that gives no rows. 0 or the mapped failure. */
int store_run(struct store *store, sqlite3_stmt *statement);
/* A failed call of SQLite as a result of store.h. */
int store_result(struct store *store, int code);

/* Bindings; NULL is SQL's NULL. */
void bind_text(sqlite3_stmt *statement, int at, const char *text);
void bind_digest(sqlite3_stmt *statement, int at, bool known, const struct digest *digest);

/*
 * Columns of a row being read. Each clears *ok when the value is out of its type or range, and goes
 * on, so that a reader checks once at the end.
 */
int64_t column_int(sqlite3_stmt *statement, int at, int64_t min, int64_t max, bool *ok);
/* Fresh memory or NULL for SQL's NULL; too long or with a NUL byte is not ok. */
char *column_text(sqlite3_stmt *statement, int at, size_t max, bool *ok);
bool column_digest(sqlite3_stmt *statement, int at, struct digest *ret_digest, bool *ok);

/* Inserts or updates; the row's id, or 0 when @container is NULL. */
int store_container_put(
        struct store *store, const struct container_info *container, int64_t *ret_id);

#define ALERT_MAX (1024u * 1024u) /* bytes of an alert line; its texts are bounded by TEXT_MAX */
