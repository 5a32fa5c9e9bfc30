/* What was dropped: one row an inode, the last writer counts. */
#include "store/store_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char put[] =
        "INSERT INTO drop_ (dev, ino, btime_ns, ctime_ns, mtime_ns, size, container, path, "
        "host_path, kind, sha256, mutable, writer_gone, writer_pid, writer_uid, writer_exe, "
        "writer_cmdline, time_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
        "?13, ?14, ?15, ?16, ?17, ?18) ON CONFLICT (dev, ino, btime_ns) DO UPDATE SET "
        "ctime_ns = ?4, mtime_ns = ?5, size = ?6, container = ?7, path = ?8, host_path = ?9, "
        "kind = ?10, sha256 = ?11, mutable = ?12, writer_gone = ?13, writer_pid = ?14, "
        "writer_uid = ?15, writer_exe = ?16, writer_cmdline = ?17, time_ns = ?18 RETURNING id";

static const char select_row[] =
        "SELECT d.id, d.path, d.host_path, c.key, c.cid, c.name, c.image, d.kind, d.sha256, "
        "d.mutable, d.writer_gone, d.writer_pid, d.writer_uid, d.writer_exe, d.writer_cmdline, "
        "d.time_ns, d.dev, d.ino, d.btime_ns, d.ctime_ns, d.mtime_ns, d.size FROM drop_ d "
        "LEFT JOIN container c ON c.id = d.container WHERE d.id = ?1";

static void bind_identity(sqlite3_stmt *s, const struct file_identity *identity)
{
	sqlite3_bind_int64(s, 1, (int64_t)identity->dev);
	sqlite3_bind_int64(s, 2, (int64_t)identity->ino);
	sqlite3_bind_int64(s, 3, identity->btime_ns);
}

static void bind_drop(sqlite3_stmt *s, const struct store_drop *drop, int64_t container)
{
	bind_identity(s, &drop->identity);
	sqlite3_bind_int64(s, 4, drop->identity.ctime_ns);
	sqlite3_bind_int64(s, 5, drop->identity.mtime_ns);
	sqlite3_bind_int64(s, 6, (int64_t)drop->identity.size);
	bind_id(s, 7, container);
	bind_text(s, 8, drop->path);
	bind_text(s, 9, drop->host_path);
	sqlite3_bind_int(s, 10, (int)drop->kind);
	bind_digest(s, 11, drop->has_digest, &drop->digest);
	sqlite3_bind_int(s, 12, drop->mutable_file);
	sqlite3_bind_int(s, 13, drop->writer_gone);
	sqlite3_bind_int64(s, 14, drop->writer_pid);
	sqlite3_bind_int64(s, 15, drop->writer_uid);
	bind_text(s, 16, drop->writer_exe);
	bind_text(s, 17, drop->writer_cmdline);
	sqlite3_bind_int64(s, 18, drop->time_ns);
}

int store_drop_add(struct store *store, const struct store_drop *drop, int64_t *ret_id)
{
	const char *const texts[] = {
	        drop->path, drop->host_path, drop->writer_exe, drop->writer_cmdline};
	int64_t container = 0;
	sqlite3_stmt *s;
	int r = store_texts_fit(texts, sizeof(texts) / sizeof(texts[0]));

	if (r == 0)
		r = store_container_put(store, drop->container, drop->container_key, &container);
	if (r == 0)
		r = store_prepare(store, STATEMENT_DROP_PUT, put, &s);
	if (r != 0)
		return r;
	bind_drop(s, drop, container);
	return store_run_for_id(store, s, ret_id);
}

int store_drop_set_digest(struct store *store, int64_t id, const struct file_identity *identity,
        const struct digest *digest, bool mutable_file)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_DROP_DIGEST,
	        "UPDATE drop_ SET sha256 = ?4, mutable = ?5 WHERE dev = ?1 AND ino = ?2 AND "
	        "btime_ns = ?3 AND id = ?6 AND mtime_ns = ?7 AND size = ?8",
	        &s);

	if (r != 0)
		return r;
	bind_identity(s, identity);
	bind_digest(s, 4, !mutable_file, digest);
	sqlite3_bind_int(s, 5, mutable_file);
	sqlite3_bind_int64(s, 6, id);
	sqlite3_bind_int64(s, 7, identity->mtime_ns);
	sqlite3_bind_int64(s, 8, (int64_t)identity->size);
	r = store_run(store, s);
	return r == 0 && sqlite3_changes(store->db) == 0 ? STORE_E_NOTFOUND : r;
}

/*
 * Rows. The writer's columns stand in the same order in both selects, from @at on.
 */
static void read_writer(sqlite3_stmt *s, int at, struct drop_info *writer, bool *ok)
{
	writer->known = true;
	writer->writer_gone = column_int(s, at, 0, 1, ok) != 0;
	writer->pid = (pid_t)column_int(s, at + 1, -1, INT32_MAX, ok);
	writer->uid = column_int(s, at + 2, -1, UINT32_MAX, ok);
	writer->exe = column_text(s, at + 3, TEXT_MAX, ok);
	writer->cmdline = column_text(s, at + 4, TEXT_MAX, ok);
	writer->time_ns = column_int(s, at + 5, 0, INT64_MAX, ok);
}

int store_drop_find(
        struct store *store, const struct file_identity *identity, struct drop_info *ret_drop)
{
	_cleanup_(drop_info_done) struct drop_info drop = {0};
	bool ok = true;
	sqlite3_stmt *s;
	int r, code;

	r = store_prepare(store, STATEMENT_DROP_FIND,
	        "SELECT id, writer_gone, writer_pid, writer_uid, writer_exe, writer_cmdline, "
	        "time_ns FROM drop_ WHERE dev = ?1 AND ino = ?2 AND btime_ns = ?3",
	        &s);
	if (r != 0)
		return r;
	bind_identity(s, identity);
	code = sqlite3_step(s);
	if (code == SQLITE_ROW) {
		drop.id = column_int(s, 0, 1, INT64_MAX, &ok);
		read_writer(s, 1, &drop, &ok);
	}
	r = code == SQLITE_DONE ? STORE_E_NOTFOUND : store_result(store, code);
	sqlite3_reset(s);
	if (r != 0)
		return r;
	if (!ok)
		return STORE_E_CORRUPT;
	*ret_drop = drop;
	memset(&drop, 0, sizeof(drop));
	return 0;
}

void store_drop_row_done(struct store_drop_row *row)
{
	free(row->path);
	free(row->host_path);
	free(row->container_key);
	free(row->container_id);
	free(row->container_name);
	free(row->image);
	drop_info_done(&row->writer);
	memset(row, 0, sizeof(*row));
}

/* Numbers of other kernels' filesystems: any value is one. */
static void read_identity(sqlite3_stmt *s, int at, struct file_identity *identity, bool *ok)
{
	identity->dev = (uint64_t)column_int(s, at, INT64_MIN, INT64_MAX, ok);
	identity->ino = (uint64_t)column_int(s, at + 1, INT64_MIN, INT64_MAX, ok);
	identity->btime_ns = column_int(s, at + 2, INT64_MIN, INT64_MAX, ok);
	identity->ctime_ns = column_int(s, at + 3, INT64_MIN, INT64_MAX, ok);
	identity->mtime_ns = column_int(s, at + 4, INT64_MIN, INT64_MAX, ok);
	identity->size = (uint64_t)column_int(s, at + 5, 0, INT64_MAX, ok);
}

static bool read_row(sqlite3_stmt *s, struct store_drop_row *row)
{
	bool ok = true;

	row->id = column_int(s, 0, 1, INT64_MAX, &ok);
	row->path = column_text(s, 1, TEXT_MAX, &ok);
	row->host_path = column_text(s, 2, TEXT_MAX, &ok);
	row->container_key = column_text(s, 3, TEXT_MAX, &ok);
	row->container_id = column_text(s, 4, TEXT_MAX, &ok);
	row->container_name = column_text(s, 5, TEXT_MAX, &ok);
	row->image = column_text(s, 6, TEXT_MAX, &ok);
	row->kind = (enum exec_kind)column_int(s, 7, 0, _EXEC_KIND_MAX - 1, &ok);
	row->has_digest = column_digest(s, 8, &row->digest, &ok);
	row->mutable_file = column_int(s, 9, 0, 1, &ok) != 0;
	row->writer.id = row->id;
	read_writer(s, 10, &row->writer, &ok);
	read_identity(s, 16, &row->identity, &ok);
	return ok && row->path;
}

/* STORE_E_NOTFOUND when it went since its id was read. */
static int load_row(struct store *store, int64_t id, struct store_drop_row *row)
{
	sqlite3_stmt *s;
	int code, r = store_prepare(store, STATEMENT_DROP_ROW, select_row, &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	code = sqlite3_step(s);
	if (code == SQLITE_ROW)
		r = read_row(s, row) ? 0 : STORE_E_CORRUPT;
	else
		r = store_result(store, code) ?: STORE_E_NOTFOUND;
	sqlite3_reset(s);
	return r;
}

int store_drops(struct store *store, const struct store_event_query *query,
        int (*fn)(const struct store_drop_row *row, void *userdata), void *userdata)
{
	_cleanup_(store_ids_done) struct store_ids ids = {0};
	struct store_event_query of_drops = *query;
	int r;

	of_drops.uid = NULL; /* drops have none */
	r = store_select_ids(
	        store, store_drop_selects[store_select_of(&of_drops)], &of_drops, &ids);
	for (size_t i = ids.n; i > 0 && r == 0; i--) {
		_cleanup_(store_drop_row_done) struct store_drop_row row = {0};

		r = load_row(store, ids.ids[i - 1], &row);
		if (r == 0)
			r = fn(&row, userdata);
		else if (r == STORE_E_NOTFOUND)
			r = 0;
	}
	return r;
}
