/* Entries: in and out of rows, by path, in order. */
#include "store/baselines_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READ_ROWS  256u           /* of a batch that is read */
#define READ_BYTES (512u * 1024u) /* of texts in it, past which it ends early */

/*
 * Checks.
 */
static bool text_fits(const char *text, size_t max)
{
	return !text || strnlen(text, max + 1) <= max;
}

static bool ranges_valid(const struct entry *entry)
{
	return entry->type > ENTRY_UNSET && entry->type < _ENTRY_TYPE_MAX && entry->mode <= 07777 &&
	       entry->size <= INT64_MAX && (entry->flags & ~(unsigned int)_ENTRY_FLAGS_ALL) == 0 &&
	       entry->kind >= EXEC_KIND_UNKNOWN && entry->kind < _EXEC_KIND_MAX &&
	       entry->content >= CONTENT_UNREAD && entry->content < _CONTENT_MAX;
}

/* What only files, links and directories have. */
static bool kinds_agree(const struct entry *entry)
{
	if (entry->type != ENTRY_FILE &&
	        (entry->content == CONTENT_KNOWN || (entry->flags & ENTRY_EXECUTABLE)))
		return false;
	if (entry->type != ENTRY_SYMLINK && entry->target)
		return false;
	return entry->type == ENTRY_DIRECTORY || !(entry->flags & ENTRY_OPAQUE);
}

int entry_check(const struct entry *entry)
{
	if (!entry->path)
		return -EINVAL;
	if (!text_fits(entry->path, ENTRY_PATH_MAX) || !text_fits(entry->target, ENTRY_PATH_MAX) ||
	        !text_fits(entry->package, TEXT_MAX) || entry->caps_size > ENTRY_CAPS_MAX ||
	        entry->handle_size > ENTRY_HANDLE_MAX)
		return -EMSGSIZE;
	return entry_path_valid(entry->path) && ranges_valid(entry) && kinds_agree(entry) ? 0
	                                                                                  : -EINVAL;
}

/*
 * Rows.
 */
static void borrow_text(sqlite3_stmt *s, int at, const char *text)
{
	if (text)
		sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

static void borrow_blob(sqlite3_stmt *s, int at, const void *data, size_t size)
{
	if (size > 0)
		sqlite3_bind_blob(s, at, data, (int)size, SQLITE_STATIC);
}

void entry_bind(sqlite3_stmt *s, int64_t snapshot, const struct entry *entry)
{
	const bool known = entry->content == CONTENT_KNOWN;

	sqlite3_bind_int64(s, 1, snapshot);
	borrow_text(s, 2, entry->path);
	sqlite3_bind_int(s, 3, (int)entry->type);
	sqlite3_bind_int64(s, 4, entry->mode);
	sqlite3_bind_int64(s, 5, entry->uid);
	sqlite3_bind_int64(s, 6, entry->gid);
	sqlite3_bind_int64(s, 7, (int64_t)entry->size);
	sqlite3_bind_int64(s, 8, entry->rdev_major);
	sqlite3_bind_int64(s, 9, entry->rdev_minor);
	sqlite3_bind_int64(s, 10, entry->flags);
	sqlite3_bind_int(s, 11, (int)entry->kind);
	sqlite3_bind_int(s, 12, (int)entry->content);
	borrow_blob(s, 13, entry->digest.bytes, known ? DIGEST_SIZE : 0);
	borrow_text(s, 14, entry->target);
	borrow_blob(s, 15, entry->caps, entry->caps_size);
	borrow_text(s, 16, entry->package);
	sqlite3_bind_int64(s, 17, (int64_t)entry->identity.dev);
	sqlite3_bind_int64(s, 18, (int64_t)entry->identity.ino);
	sqlite3_bind_int64(s, 19, entry->identity.btime_ns);
	sqlite3_bind_int64(s, 20, entry->identity.ctime_ns);
	sqlite3_bind_int64(s, 21, entry->identity.mtime_ns);
	borrow_blob(s, 22, entry->handle, entry->handle_size);
	sqlite3_bind_int(s, 23, entry->handle_type);
	sqlite3_bind_int(s, 24, entry->settled);
}

/* The size of what is written to @data, at most @max bytes; 0 for SQL's NULL. */
static uint32_t read_blob(sqlite3_stmt *s, int at, uint8_t *data, uint32_t max, bool *ok)
{
	const int type = sqlite3_column_type(s, at);
	const void *blob = type == SQLITE_BLOB ? sqlite3_column_blob(s, at) : NULL;
	const int size = blob ? sqlite3_column_bytes(s, at) : 0;

	if (type == SQLITE_NULL)
		return 0;
	if (size <= 0 || (uint32_t)size > max) {
		*ok = false;
		return 0;
	}
	memcpy(data, blob, (size_t)size);
	return (uint32_t)size;
}

static uint32_t read_u32(sqlite3_stmt *s, int at, bool *ok)
{
	return (uint32_t)column_int(s, at, 0, UINT32_MAX, ok);
}

/* Numbers of other kernels' filesystems: any value is one. */
static void read_state(sqlite3_stmt *s, int at, struct entry *entry, bool *ok)
{
	entry->identity.dev = (uint64_t)column_int(s, at, INT64_MIN, INT64_MAX, ok);
	entry->identity.ino = (uint64_t)column_int(s, at + 1, INT64_MIN, INT64_MAX, ok);
	entry->identity.btime_ns = column_int(s, at + 2, INT64_MIN, INT64_MAX, ok);
	entry->identity.ctime_ns = column_int(s, at + 3, INT64_MIN, INT64_MAX, ok);
	entry->identity.mtime_ns = column_int(s, at + 4, INT64_MIN, INT64_MAX, ok);
	entry->identity.size = entry->size;
	entry->handle_size = read_blob(s, at + 5, entry->handle, ENTRY_HANDLE_MAX, ok);
	entry->handle_type = (int32_t)column_int(s, at + 6, INT32_MIN, INT32_MAX, ok);
	entry->settled = column_int(s, at + 7, 0, 1, ok) != 0;
}

bool entry_read(sqlite3_stmt *s, int at, struct entry *entry)
{
	bool ok = true, known;

	entry->path = column_text(s, at, ENTRY_PATH_MAX, &ok);
	entry->type = (enum entry_type)column_int(s, at + 1, 0, _ENTRY_TYPE_MAX - 1, &ok);
	entry->mode = read_u32(s, at + 2, &ok);
	entry->uid = read_u32(s, at + 3, &ok);
	entry->gid = read_u32(s, at + 4, &ok);
	entry->size = (uint64_t)column_int(s, at + 5, 0, INT64_MAX, &ok);
	entry->rdev_major = read_u32(s, at + 6, &ok);
	entry->rdev_minor = read_u32(s, at + 7, &ok);
	entry->flags = (unsigned int)column_int(s, at + 8, 0, _ENTRY_FLAGS_ALL, &ok);
	entry->kind = (enum exec_kind)column_int(s, at + 9, 0, _EXEC_KIND_MAX - 1, &ok);
	entry->content = (enum entry_content)column_int(s, at + 10, 0, _CONTENT_MAX - 1, &ok);
	known = column_digest(s, at + 11, &entry->digest, &ok);
	entry->target = column_text(s, at + 12, ENTRY_PATH_MAX, &ok);
	entry->caps_size = read_blob(s, at + 13, entry->caps, ENTRY_CAPS_MAX, &ok);
	entry->package = column_text(s, at + 14, TEXT_MAX, &ok);
	read_state(s, at + 15, entry, &ok);
	return ok && known == (entry->content == CONTENT_KNOWN) && entry_check(entry) == 0;
}

/*
 * One.
 */
/* Steps once and resets; the row's id and, from column 1 on, the entry. */
static int step_entry(
        struct store *store, sqlite3_stmt *s, struct entry *ret_entry, int64_t *ret_entry_id)
{
	struct entry entry = {0};
	bool ok = true;
	int64_t id = 0;
	int code = sqlite3_step(s);
	int r = code == SQLITE_DONE ? STORE_E_NOTFOUND : store_result(store, code);

	if (r == 0) {
		id = column_int(s, 0, 1, INT64_MAX, &ok);
		if (!entry_read(s, 1, &entry) || !ok)
			r = STORE_E_CORRUPT;
	}
	sqlite3_reset(s);
	if (r != 0) {
		entry_done(&entry);
		return r;
	}
	*ret_entry = entry;
	if (ret_entry_id)
		*ret_entry_id = id;
	return 0;
}

int store_entry_find(struct store *store, int64_t id, const char *path, struct entry *ret_entry,
        int64_t *ret_entry_id)
{
	sqlite3_stmt *s;
	int r = builder_flush(store);

	if (r == 0)
		r = snapshot_there(store, id);
	if (r == 0)
		r = store_prepare(store, STATEMENT_ENTRY_FIND,
		        "SELECT id, " ENTRY_COLUMNS " FROM entry INDEXED BY entry_by_path "
		        "WHERE snapshot = ?1 AND key = " KEY_OF("?2"),
		        &s);
	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	bind_text(s, 2, path);
	r = step_entry(store, s, ret_entry, ret_entry_id);
	if (r == 0 && strcmp(ret_entry->path, path) != 0) {
		entry_done(ret_entry); /* an index that does not belong to the table */
		return STORE_E_CORRUPT;
	}
	return r;
}

int entry_load(struct store *store, int64_t id, int64_t entry_id, struct entry *ret_entry)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_ENTRY_ROW,
	        "SELECT id, " ENTRY_COLUMNS " FROM entry WHERE id = ?2 AND snapshot = ?1", &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_int64(s, 2, entry_id);
	return step_entry(store, s, ret_entry, NULL);
}

/*
 * Changes: entry and executable in one transaction.
 */
static int delete_path(struct store *store, int64_t id, const char *path)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_ENTRY_REMOVE,
	        "DELETE FROM entry WHERE snapshot = ?1 AND key = " KEY_OF("?2"), &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	bind_text(s, 2, path);
	r = store_run(store, s);
	return r == 0 && sqlite3_changes(store->db) == 0 ? STORE_E_NOTFOUND : r;
}

static int insert_entry(
        struct store *store, int64_t id, const struct entry *entry, int64_t *ret_entry_id)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_ENTRY_PUT,
	        "INSERT INTO entry (snapshot, " ENTRY_COLUMNS ") VALUES (" ENTRY_VALUES
	        ") RETURNING id",
	        &s);

	if (r != 0)
		return r;
	entry_bind(s, id, entry);
	r = store_run_for_id(store, s, ret_entry_id);
	sqlite3_clear_bindings(s);
	return r;
}

static int remove_known(struct store *store, int64_t id, const char *path)
{
	int r = snapshot_there(store, id);

	if (r == 0)
		r = executable_remove(store, id, path);
	return r == 0 ? delete_path(store, id, path) : r;
}

static int put_known(struct store *store, int64_t id, const struct entry *entry)
{
	int64_t entry_id;
	int r = snapshot_there(store, id);

	if (r != 0)
		return r;
	r = remove_known(store, id, entry->path);
	if (r == 0 || r == STORE_E_NOTFOUND)
		r = insert_entry(store, id, entry, &entry_id);
	return r == 0 ? executable_put(store, entry_id) : r;
}

int store_entry_put(struct store *store, int64_t id, const struct entry *entry)
{
	const bool alone = !store->grouped;
	int r = entry_check(entry);

	if (r == 0)
		r = builder_flush(store);
	if (r == 0 && alone)
		r = store_begin(store);
	if (r != 0)
		return r;
	r = put_known(store, id, entry);
	return alone ? store_end(store, r) : r;
}

int store_entry_remove(struct store *store, int64_t id, const char *path)
{
	const bool alone = !store->grouped;
	int r = builder_flush(store);

	if (r == 0 && alone)
		r = store_begin(store);
	if (r != 0)
		return r;
	r = remove_known(store, id, path);
	return alone ? store_end(store, r) : r;
}

/*
 * All, in order: a batch is read whole, then shown.
 */
struct batch {
	struct entry entries[READ_ROWS];
	int64_t ids[READ_ROWS];
	size_t n, n_bytes;
	bool last; /* there is nothing after it */
};

static void batch_clear(struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		entry_done(&batch->entries[i]);
	batch->n = batch->n_bytes = 0;
}

static void batch_freep(struct batch **batch)
{
	if (*batch)
		batch_clear(*batch);
	free(*batch);
}

static int batch_row(sqlite3_stmt *s, const char *after, struct batch *batch)
{
	struct entry *entry = &batch->entries[batch->n];
	bool ok = true;

	*entry = (struct entry){0};
	batch->ids[batch->n++] = column_int(s, 0, 1, INT64_MAX, &ok);
	/* Not after the one before it: an index that does not belong to the table. */
	if (!entry_read(s, 1, entry) || !ok || entry_path_compare(entry->path, after) <= 0)
		return STORE_E_CORRUPT;
	batch->n_bytes += (size_t)sqlite3_column_bytes(s, 1) + (size_t)sqlite3_column_bytes(s, 13) +
	                  (size_t)sqlite3_column_bytes(s, 15);
	return 0;
}

static int batch_rows(struct store *store, sqlite3_stmt *s, const char *after, struct batch *batch)
{
	int code = SQLITE_ROW, r = 0;

	while (r == 0 && batch->n < READ_ROWS && batch->n_bytes < READ_BYTES &&
	        (code = sqlite3_step(s)) == SQLITE_ROW) {
		r = batch_row(s, after, batch);
		after = batch->entries[batch->n - 1].path;
	}
	batch->last = code == SQLITE_DONE;
	return r == 0 ? store_result(store, code) : r;
}

/* The snapshot is asked for afterwards: what is removed is marked before its first row goes. */
static int batch_read(struct store *store, int64_t id, const char *after, struct batch *batch)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_ENTRIES,
	        "SELECT id, " ENTRY_COLUMNS " FROM entry INDEXED BY entry_by_path "
	        "WHERE snapshot = ?1 AND key > " KEY_OF("?2") " ORDER BY key LIMIT ?3",
	        &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	bind_text(s, 2, after);
	sqlite3_bind_int64(s, 3, READ_ROWS);
	r = batch_rows(store, s, after, batch);
	batch->last = batch->last && batch->n < READ_ROWS;
	sqlite3_reset(s);
	return r == 0 ? snapshot_there(store, id) : r;
}

int store_entries(struct store *store, int64_t id, const char *after,
        int (*fn)(const struct entry *entry, int64_t entry_id, void *userdata), void *userdata)
{
	_cleanup_(batch_freep) struct batch *batch = calloc(1, sizeof(*batch));
	_cleanup_free_ char *from = strdup(after ?: "");
	int r = batch && from ? builder_flush(store) : -ENOMEM;

	while (r == 0) {
		r = batch_read(store, id, from, batch);
		for (size_t i = 0; i < batch->n && r == 0; i++)
			r = fn(&batch->entries[i], batch->ids[i], userdata);
		if (r != 0 || batch->last)
			break;
		free(from);
		from = TAKE_PTR(batch->entries[batch->n - 1].path);
		batch_clear(batch);
	}
	return r;
}
