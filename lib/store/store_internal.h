/* What the store's own files share: the handle, its statements, and the checks of a hostile row. */
#pragma once

#include "store/store.h"

#include <sqlite3.h>
#include <stdbool.h>

enum store_statement {
	STATEMENT_ACCEPTANCE_ADD = 0,
	STATEMENT_ACCEPTANCE_NEXT,
	STATEMENT_ALLOWLIST_ACT,
	STATEMENT_ALLOWLIST_COUNT,
	STATEMENT_ALLOWLIST_DELETE,
	STATEMENT_ALLOWLIST_FINISH,
	STATEMENT_ALLOWLIST_GET,
	STATEMENT_ALLOWLIST_KEYS,
	STATEMENT_ALLOWLIST_KEYS_ADD,
	STATEMENT_ALLOWLIST_KEYS_DELETE,
	STATEMENT_ALLOWLIST_MEMORIES,
	STATEMENT_ALLOWLIST_MEMORY,
	STATEMENT_ALLOWLIST_MEMORY_PUT,
	STATEMENT_ALLOWLIST_OF_SERIES,
	STATEMENT_ALLOWLIST_PUT,
	STATEMENT_ALLOWLIST_SCOPE,
	STATEMENT_ALLOWLIST_SCOPE_ADD,
	STATEMENT_ALLOWLIST_SIGNERS,
	STATEMENT_ALLOWLIST_SIGNER_ADD,
	STATEMENT_ALLOWLIST_SUBJECTS,
	STATEMENT_ALLOWLIST_SUBJECT_ADD,
	STATEMENT_ALLOWLIST_SUBJECTS_DELETE,
	STATEMENT_ALLOWLISTS,
	STATEMENT_CONTAINER_PUT,
	STATEMENT_DIGEST_PLACE,
	STATEMENT_DIGESTS,
	STATEMENT_DROP_PUT,
	STATEMENT_DROP_DIGEST,
	STATEMENT_DROP_FIND,
	STATEMENT_DROP_ROW,
	STATEMENT_ENTRIES,
	STATEMENT_ENTRIES_DELETE,
	STATEMENT_ENTRY_ADD,
	STATEMENT_ENTRY_FIND,
	STATEMENT_ENTRY_PUT,
	STATEMENT_ENTRY_REMOVE,
	STATEMENT_ENTRY_ROW,
	STATEMENT_EVENT_PUT,
	STATEMENT_EVENT_UPDATE,
	STATEMENT_EVENT_ROW,
	STATEMENT_EXECUTABLE_ADD,
	STATEMENT_EXECUTABLE_PUT,
	STATEMENT_EXECUTABLE_REMOVE,
	STATEMENT_EXECUTABLES_DELETE,
	STATEMENT_GRANT_PUT,
	STATEMENT_GRANT_REMOVE,
	STATEMENT_GRANTS,
	STATEMENT_PROVENANCE_NEXT,
	STATEMENT_PROVENANCE_PRUNE,
	STATEMENT_PROVENANCE_PUT,
	STATEMENT_SETTING_COUNT,
	STATEMENT_SETTING_FORWARD,
	STATEMENT_SETTING_PUT,
	STATEMENT_SETTING_REMOVE,
	STATEMENT_SETTING_GET,
	STATEMENT_SNAPSHOT_ADD,
	STATEMENT_SNAPSHOT_BUILDING,
	STATEMENT_SNAPSHOT_DELETE,
	STATEMENT_SNAPSHOT_GET,
	STATEMENT_SNAPSHOT_KINDS,
	STATEMENT_SNAPSHOT_LAYER,
	STATEMENT_SNAPSHOT_NEXT,
	STATEMENT_SNAPSHOT_NTH,
	STATEMENT_SNAPSHOT_OLD,
	STATEMENT_SNAPSHOT_PUBLISH,
	STATEMENT_SNAPSHOT_SUPERSEDE,
	STATEMENT_SNAPSHOT_THERE,
	STATEMENT_SNAPSHOT_UPDATE,
	STATEMENT_SNAPSHOT_USES,
	_STATEMENT_MAX,
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *statements[_STATEMENT_MAX]; /* prepared on first use */
	bool grouped;                             /* between store_begin() and its end */
	int lost;                /* why SQLite itself rolled the group back; 0 when it did not */
	struct builder *builder; /* snapshots under construction; NULL before the first */
	struct allowlist_build *build; /* the list that is being added; NULL outside of that */
};

/* A failed call of SQLite as a result of store.h; notes a group that SQLite has rolled back. */
int store_result(struct store *store, int code);
/*
 * A cached statement, reset and without bindings. A write in a group that is lost already is
 * refused with the reason of the loss: it would be committed alone. 0 or the mapped failure.
 */
int store_prepare(struct store *store, enum store_statement id, const char *sql,
        sqlite3_stmt **ret_statement);
/* Another statement, which the caller finalizes. */
int store_prepare_once(struct store *store, const char *sql, sqlite3_stmt **ret_statement);
static inline void statement_donep(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}
/* Runs a statement that gives no rows. 0 or the mapped failure. */
int store_run(struct store *store, sqlite3_stmt *statement);
/* Runs a statement that gives one integer, such as `RETURNING id`. */
int store_run_for_id(struct store *store, sqlite3_stmt *statement, int64_t *ret_id);
/* Runs SQL of our own that takes no values. */
int store_execute(struct store *store, const char *sql);

/* Forgets what was not published: baselines_builder.c. NULL is nothing. */
struct builder;
void builder_free(struct builder *builder);

/* Forgets the keys of a list that was not finished: allowlists_build.c. NULL is nothing. */
struct allowlist_build;
void allowlist_build_free(struct allowlist_build *build);

/* Settings that are numbers, 0 or more: store_settings.c. Digits alone, within int64_t. */
bool store_number_parse(const char *text, int64_t *ret_number);
int store_setting_number(struct store *store, const char *name, int64_t *ret_number); /* unset: 0 */
int store_setting_count_up(struct store *store, const char *name);
int store_setting_forward(struct store *store, const char *name, int64_t number); /* never back */

/* A file's path in the directory of the database. 0 or -errno; the caller frees. */
int store_path_beside(struct store *store, const char *name, char **ret_path);

/* The schema of an open database: store_migrate.c. */
int store_schema_known(struct store *store);
int store_schema_ready(struct store *store, enum store_access access);

/* Directory and files, before SQLite looks at them: store_place.c. 0, STORE_E_UNSAFE or -errno. */
int store_place_check(const char *dir, enum store_access access);

/* Bindings; NULL is SQL's NULL. */
void bind_text(sqlite3_stmt *statement, int at, const char *text);
void bind_digest(sqlite3_stmt *statement, int at, bool known, const struct digest *digest);
void bind_id(sqlite3_stmt *statement, int at, int64_t id); /* 0 is NULL */

/* 0, or -EMSGSIZE when one is longer than TEXT_MAX: what is written must be readable again. */
int store_texts_fit(const char *const *texts, size_t n);

/*
 * Columns of a row being read. Each clears *ok when the value is out of its type or range, and goes
 * on, so that a reader checks once at the end.
 */
int64_t column_int(sqlite3_stmt *statement, int at, int64_t min, int64_t max, bool *ok);
/* Fresh memory or NULL for SQL's NULL; too long or with a NUL byte is not ok. */
char *column_text(sqlite3_stmt *statement, int at, size_t max, bool *ok);
bool column_digest(sqlite3_stmt *statement, int at, struct digest *ret_digest, bool *ok);

/*
 * Inserts or updates by key; the row's id, or 0 when there is neither @container nor @key. What a
 * later sighting does not know any more stays as it was.
 */
int store_container_put(struct store *store, const struct container_info *container,
        const char *key, int64_t *ret_id);

/*
 * Queries are two steps: the ids that match, at most the limit, by one of a few fixed selects; then
 * the rows, one at a time. Nothing of SQLite is held while the caller looks at a row: a client that
 * reads slowly keeps no snapshot open (the log would grow past it) and no sorter holds whole rows.
 */
enum select {
	SELECT_ALL = 0,
	SELECT_SINCE,
	SELECT_CONTAINER,
	SELECT_PATH,
	SELECT_DIGEST,
	SELECT_UID, /* events only */
	_SELECT_MAX,
};

/* The narrowest that the query allows. */
enum select store_select_of(const struct store_event_query *query);
/* Indexed by enum select; parameters ?1 to ?7 as store_select_ids() binds them. */
extern const char *const store_event_selects[_SELECT_MAX];
extern const char *const store_drop_selects[_SELECT_MAX];

struct store_ids {
	int64_t *ids; /* newest first */
	size_t n;
};

void store_ids_done(struct store_ids *ids);
int store_select_ids(struct store *store, const char *sql, const struct store_event_query *query,
        struct store_ids *ret_ids);

/* The containers that ?3 names: by name, key, id, or the first 12 or more digits of the id. */
#define CONTAINERS_NAMED                                                                           \
	"(SELECT id FROM container WHERE name = ?3 UNION "                                         \
	"SELECT id FROM container WHERE key = ?3 UNION "                                           \
	"SELECT id FROM container WHERE cid = ?3 UNION "                                           \
	"SELECT id FROM container WHERE cid > ?3 AND cid < ?3 || 'g' AND length(?3) >= 12)"

/*
 * Bytes. Texts of TEXT_MAX grow sixfold as JSON escapes, and appear in `output` too: some 600 KiB
 * at worst.
 */
#define ALERT_MAX (2u * 1024u * 1024u)
/* Bytes of a row and of a value in it, as SQLite enforces it on what others have written. */
#define ROW_MAX (4 * 1024 * 1024)
