/*
 * The database: drops, events, approvals and settings in SQLite (WAL, foreign keys, STRICT
 * tables). One handle is one connection and belongs to one thread at a time; the daemon opens one
 * for its recorder (writes) and one for its control thread (reads, approvals). Never used by a
 * deciding thread.
 *
 * Every row is foreign when it is read: types, sizes and ranges are checked, a row that fails is
 * STORE_E_CORRUPT. Text that came from containers is stored as it is (any byte but NUL, so not
 * always UTF-8) in TEXT columns bounded by TEXT_MAX; a longer one is refused with -EMSGSIZE.
 *
 * Tables and their columns: schema/NNN_name.sql, documented in docs/schema.md.
 */
#pragma once

#include "core/facts.h"
#include "core/policy.h"
#include "core/types.h"

#include <stddef.h>
#include <stdint.h>

struct store;

enum {
	STORE_E_NEWER = 1, /* written by a later release: nothing is touched */
	STORE_E_CORRUPT,   /* not a database, a failed integrity check, or a row out of range */
	STORE_E_UNSAFE, /* directory or file not owned by root (by euid), or writable by others */
	STORE_E_NOTFOUND,
	STORE_E_FULL, /* disk, quota or file size limit; the transaction is rolled back */
	STORE_E_BUSY, /* another writer held the database past the busy timeout (5 s) */
};

enum store_access {
	STORE_READ_WRITE, /* creates and migrates */
	STORE_READ_ONLY,  /* the schema must be current */
};

/*
 * Opens @dir/baseline.db (0600). Checks owner and mode of both before reading a byte, then the
 * schema version, then (READ_WRITE) `PRAGMA quick_check` and the pending migrations in one
 * transaction. 0, a STORE_E_*, or a negative errno. The caller frees with store_free().
 * Nothing in this process may open baseline.db by other means: closing a descriptor of it would
 * drop the locks of every handle (fcntl(2)).
 */
int store_open(const char *dir, enum store_access access, struct store **ret_store);
void store_free(struct store *store);

/* SQLite's own words about the last failure of this handle; borrowed, never NULL. */
const char *store_error(const struct store *store);

/*
 * Groups writes; a commit that fails rolls back. 0, STORE_E_FULL, STORE_E_BUSY or -errno. Once a
 * write has cost the whole group (disk full), further writes and the commit return the same.
 * Groups do not nest: -EINVAL.
 */
int store_begin(struct store *store);
int store_commit(struct store *store);
void store_rollback(struct store *store);

/*
 * Drops.
 */
struct store_drop {
	int64_t id; /* out: row id */
	struct file_identity identity;
	const char *container_key;              /* NULL outside containers, or with @container */
	const struct container_info *container; /* upserted when not NULL; keyed by ->key */
	const char *path;                       /* in the container */
	const char *host_path;                  /* NULL when unknown */
	enum exec_kind kind;
	bool has_digest;
	struct digest digest;
	bool mutable_file; /* changed or still open for writing while it was hashed */
	bool writer_gone;
	pid_t writer_pid;
	int64_t writer_uid;
	const char *writer_exe;
	const char *writer_cmdline;
	int64_t time_ns;
};

/*
 * Inserts, or replaces the row of the same inode (dev, ino, btime): the last writer is the one who
 * dropped what runs. @ret_id is the row.
 */
int store_drop_add(struct store *store, const struct store_drop *drop, int64_t *ret_id);
/* Completes a drop by its digest, if it still has that mtime and size (a chmod does not matter);
 * STORE_E_NOTFOUND when pruned or replaced meanwhile. */
int store_drop_set_digest(struct store *store, int64_t id, const struct file_identity *identity,
        const struct digest *digest, bool mutable_file);
/* By inode; fills @ret_drop (drop_info_done). STORE_E_NOTFOUND when none. */
int store_drop_find(
        struct store *store, const struct file_identity *identity, struct drop_info *ret_drop);

/*
 * Events. The alert line is stored whole; the columns beside it are what queries select by.
 */
#define EVENT_UID_MAX 64u /* bytes of [0-9a-z-] */

struct store_event {
	int64_t id;      /* out */
	const char *uid; /* public event id, at most EVENT_UID_MAX; a second is -EEXIST */
	int64_t time_ns;
	enum verdict verdict;
	enum reason reason;
	enum origin origin;
	const struct container_info *container; /* upserted when not NULL */
	const char *path;
	bool has_digest;
	struct digest digest;
	int64_t drop_id; /* 0 when none */
	uint64_t count;
	int64_t last_ns;   /* time of the latest repeat; time_ns when count is 1 */
	const char *alert; /* one JSON line without its newline */
};

int store_event_add(struct store *store, const struct store_event *event, int64_t *ret_id);
/* Repeats within an alert window: sets count, last time and the line with the new count. */
int store_event_update(
        struct store *store, int64_t id, uint64_t count, int64_t last_ns, const char *alert);

struct store_event_query {
	int64_t since_ns;            /* events whose last_ns is at or after; 0: all */
	int64_t after_id;            /* rows with a larger id; 0: all. For --follow. */
	const char *container;       /* name, key, id or its first 12 or more digits; NULL: all */
	const char *uid;             /* one event; NULL: all */
	const char *path;            /* in-container path; NULL: all */
	const struct digest *digest; /* NULL: all */
	uint32_t limit;              /* newest rows to return, oldest first; 0: 1000 */
};

struct store_event_row {
	int64_t id;
	char *uid;
	int64_t time_ns, last_ns;
	enum verdict verdict;
	enum reason reason;
	enum origin origin;
	char *container_id, *container_name, *image; /* NULL when unknown */
	char *path;
	bool has_digest;
	struct digest digest;
	uint64_t count;
	char *alert;
};

void store_event_row_done(struct store_event_row *row);

/*
 * Calls @fn for each row; a non-zero return of @fn ends the walk and is returned. @fn may take its
 * time, and may use @store: nothing is held open for it. A row that goes meanwhile is left out.
 */
int store_events(struct store *store, const struct store_event_query *query,
        int (*fn)(const struct store_event_row *row, void *userdata), void *userdata);

/* Drops by the same query fields (since, container, path, digest, limit). */
struct store_drop_row {
	int64_t id;
	char *path, *host_path, *container_key, *container_id, *container_name, *image;
	enum exec_kind kind;
	bool has_digest;
	struct digest digest;
	bool mutable_file;
	struct drop_info writer;
	struct file_identity identity;
};
void store_drop_row_done(struct store_drop_row *row);
int store_drops(struct store *store, const struct store_event_query *query,
        int (*fn)(const struct store_drop_row *row, void *userdata), void *userdata);

/*
 * Vouching by digest: approvals of operators, what mode learn recorded, and the denylist.
 */
enum grant_kind {
	GRANT_UNSET = 0,
	GRANT_APPROVED,
	GRANT_LEARNED,
	GRANT_DENIED, /* denylist: image is "" and the digest never runs */
	_GRANT_MAX,
};

const char *grant_kind_name(enum grant_kind kind);

struct grant {
	int64_t id;
	enum grant_kind kind;
	struct digest digest;
	char *image;  /* reference it is scoped to; "" for every image */
	char *path;   /* where it was seen; describes only; may be NULL */
	char *reason; /* required for APPROVED and DENIED */
	int64_t by_uid;
	int64_t created_ns;
	int64_t expires_ns; /* 0 never */
};

void grant_done(struct grant *grant);

/* Adds or replaces (kind, digest, image). -EINVAL without a reason, or for a scoped denial. */
int store_grant_add(struct store *store, const struct grant *grant);
/*
 * Removes grants of @kind (UNSET: APPROVED and LEARNED) for @digest, for @image only when not
 * NULL. @ret_removed counts; STORE_E_NOTFOUND when none matched.
 */
int store_grant_remove(struct store *store, enum grant_kind kind, const struct digest *digest,
        const char *image, uint32_t *ret_removed);
/* All grants, ordered by digest, image, kind. @fn may not use @store, and should not wait. */
int store_grants(
        struct store *store, int (*fn)(const struct grant *grant, void *userdata), void *userdata);

/* Small settings by name (mode override and its end). @value NULL removes. */
int store_setting_set(struct store *store, const char *name, const char *value);
/* STORE_E_NOTFOUND when unset. The caller frees *ret_value. */
int store_setting_get(struct store *store, const char *name, char **ret_value);

/*
 * Deletes what retention no longer keeps: rows past the @events and @drops seen last, rows last
 * seen before @oldest_ns, containers nobody refers to. Bounded work per call (10,000 rows by each
 * rule): 1 when more remains, 0 when done, or a negative errno (-ENOSPC, -EBUSY and -EBADMSG stand
 * for STORE_E_FULL, STORE_E_BUSY and STORE_E_CORRUPT).
 */
int store_prune(struct store *store, uint32_t events, uint32_t drops, int64_t oldest_ns);
