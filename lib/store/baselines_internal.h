/* What the files of the baselines share: who is at work with a snapshot, rows, and their reading.
 */
#pragma once

#include "store/baselines.h"
#include "store/store_internal.h"

#include <errno.h>

/*
 * Who is at work with a snapshot: locks of open file descriptions (fcntl(2), F_OFD_SETLK) on the
 * byte of its id in STATE_DIR/baseline.lock. The kernel drops them with their holder, whatever ends
 * it and whatever pid namespace it is in; a pid and a start time would name nobody in another one.
 */
#define PRESENCE_FILE "baseline.lock"
enum presence {
	PRESENCE_UNSET = 0,
	PRESENCE_SHARED,   /* uses it: it must not go */
	PRESENCE_EXCLUSIVE /* builds or removes it */
};
/* A descriptor of its own: its locks and those of others, of this process too, exclude each other.
 */
int presence_open(struct store *store, int *ret_fd);
/* 0; 1 when somebody else holds it; STORE_E_CORRUPT for an id that is none; -errno. */
int presence_take(int fd, int64_t id, enum presence presence);
void presence_drop(int fd, int64_t id);

/*
 * What a handle has under construction: its presence, and entries that wait to be written.
 */
/* The handle's own presence; made on first use. */
int builder_presence(struct store *store, int *ret_fd);
/* Writes what waits, of all snapshots. */
int builder_flush(struct store *store);
/* Forgets what waits of @id and drops the presence at it. */
void builder_forget(struct store *store, int64_t id);
/* Drops the presence at @id, or stays as one who uses it, so that others may, too. */
void builder_leave(struct store *store, int64_t id);
void builder_stay(struct store *store, int64_t id);

/*
 * Snapshots. A row that is not published is none: STORE_E_NOTFOUND.
 */
#define SNAPSHOT_COLUMNS                                                                           \
	"id, kind, name, scope, scope_value, image_id, root, all_files, state, created_ns, "       \
	"by_uid, entries, files, executables, bytes, hashed, hashed_bytes, unreadable, "           \
	"mutable_files, sha256"

/* 0, -EINVAL or -EMSGSIZE: what begins may be written. */
int snapshot_check(const struct snapshot_info *info);
/* Binds counters and digest from parameter @at on, in the order of the columns. */
void snapshot_bind_totals(sqlite3_stmt *s, int at, const struct snapshot_info *info);
/* Steps @s, which gives SNAPSHOT_COLUMNS, once, and resets it. 0 or STORE_E_NOTFOUND. */
int snapshot_step(struct store *store, sqlite3_stmt *s, struct snapshot_info *ret_info);
/* 0 while it is there, under construction or published. */
int snapshot_there(struct store *store, int64_t id);
/* Steps @s, which gives one id, once, and resets it. 0 or STORE_E_NOTFOUND. */
int snapshot_step_id(struct store *store, sqlite3_stmt *s, int64_t *ret_id);

/* Removes what is REMOVED already, in batches. */
int snapshot_delete_rows(struct store *store, int64_t id);
/* Removes what is REMOVED, or BUILDING by nobody. */
int snapshot_sweep(struct store *store);

/*
 * Entries.
 */
#define ENTRY_COLUMNS                                                                              \
	"path, type, mode, uid, gid, size, rdev_major, rdev_minor, flags, kind, content, sha256, " \
	"target, caps, package, dev, ino, btime_ns, ctime_ns, mtime_ns, handle, handle_type, "     \
	"settled"
#define ENTRY_VALUES                                                                               \
	"?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, "   \
	"?20, ?21, ?22, ?23, ?24"
/* The column entry.key of the path in parameter @at: schema/002_baselines.sql. */
#define KEY_OF(at)                                                                                 \
	"replace(replace(replace(" at ", char(2), char(2, 2)), char(1), char(2, 1)), '/', "        \
	"char(1))"

/* 0, -EINVAL or -EMSGSIZE: what may be written, and what may come out again. */
int entry_check(const struct entry *entry);
/* The entry of a row, of that snapshot. STORE_E_NOTFOUND; entry_done(). */
int entry_load(struct store *store, int64_t id, int64_t entry_id, struct entry *ret_entry);
/* Binds snapshot and ENTRY_COLUMNS, ?1 to ?24. Texts and blobs are borrowed until the reset. */
void entry_bind(sqlite3_stmt *s, int64_t snapshot, const struct entry *entry);
/* ENTRY_COLUMNS from column @at on. entry_done() whatever it says. */
bool entry_read(sqlite3_stmt *s, int at, struct entry *entry);

/*
 * Executables: rows that find entries by digest. None of layers.
 */
struct executable {
	int64_t snapshot, entry;
	struct digest digest;
};
void executables_sort(struct executable *executables, size_t n);
/* A batch of them, in a transaction of its own; how many there was time for. */
int executables_insert(
        struct store *store, const struct executable *executables, size_t n, size_t *ret_inserted);
/* The row that belongs to an entry, if one does; in the caller's transaction. */
int executable_put(struct store *store, int64_t entry_id);
int executable_remove(struct store *store, int64_t id, const char *path);
/* Some @limit of a snapshot's; the changes of the connection say how many. */
int executables_delete(struct store *store, int64_t id, uint32_t limit);

/* Between two batches: long enough for one who waits to write. */
void store_give_way(void);

/* Ends the group that was begun: commits when @r is 0, rolls back and returns it else. */
static inline int store_end(struct store *store, int r)
{
	if (r == 0)
		return store_commit(store);
	store_rollback(store);
	return r;
}

/* -EINVAL inside a group of the caller's: batches commit. */
static inline int ungrouped(const struct store *store)
{
	return store->grouped ? -EINVAL : 0;
}
