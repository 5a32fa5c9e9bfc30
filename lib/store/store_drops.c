/* Containers, and what was dropped in them. */
#include "store/store_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int failed(struct store *store)
{
	return store_result(store, sqlite3_errcode(store->db)) ?: -EIO;
}

int store_container_put(
        struct store *store, const struct container_info *container, int64_t *ret_id)
{
	sqlite3_stmt *s = store_statement(store, STATEMENT_CONTAINER_PUT,
	        "INSERT INTO container (key, runtime, cid, name, image, image_id, ns, pod, "
	        "start_ns) "
	        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) "
	        "ON CONFLICT (key) DO UPDATE SET runtime = coalesce(?2, runtime), "
	        "cid = coalesce(?3, cid), name = coalesce(?4, name), image = coalesce(?5, image), "
	        "image_id = coalesce(?6, image_id), ns = coalesce(?7, ns), pod = coalesce(?8, "
	        "pod), "
	        "start_ns = max(?9, start_ns) RETURNING id");
	int code;

	*ret_id = 0;
	if (!container || !container->key)
		return 0;
	if (!s)
		return failed(store);
	bind_text(s, 1, container->key);
	bind_text(s, 2, container->runtime);
	bind_text(s, 3, container->id);
	bind_text(s, 4, container->name);
	bind_text(s, 5, container->image);
	bind_text(s, 6, container->image_id);
	bind_text(s, 7, container->ns);
	bind_text(s, 8, container->pod);
	sqlite3_bind_int64(s, 9, container->start_ns);
	code = sqlite3_step(s);
	if (code == SQLITE_ROW) {
		*ret_id = sqlite3_column_int64(s, 0);
		code = sqlite3_step(s);
	}
	sqlite3_reset(s);
	return store_result(store, code);
}

static void bind_identity(sqlite3_stmt *s, const struct file_identity *identity)
{
	sqlite3_bind_int64(s, 1, (int64_t)identity->dev);
	sqlite3_bind_int64(s, 2, (int64_t)identity->ino);
	sqlite3_bind_int64(s, 3, identity->btime_ns);
}

static void bind_container(sqlite3_stmt *s, int at, int64_t id)
{
	if (id != 0)
		sqlite3_bind_int64(s, at, id);
	else
		sqlite3_bind_null(s, at);
}

static void bind_drop(sqlite3_stmt *s, const struct store_drop *drop, int64_t container)
{
	bind_identity(s, &drop->identity);
	sqlite3_bind_int64(s, 4, drop->identity.ctime_ns);
	sqlite3_bind_int64(s, 5, drop->identity.mtime_ns);
	sqlite3_bind_int64(s, 6, (int64_t)drop->identity.size);
	bind_container(s, 7, container);
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
	sqlite3_stmt *s;
	int64_t container = 0;
	int r = store_container_put(store, drop->container, &container);
	int code;

	if (r != 0)
		return r;
	s = store_statement(store, STATEMENT_DROP_PUT,
	        "INSERT INTO drop_ (dev, ino, btime_ns, ctime_ns, mtime_ns, size, container, path, "
	        "host_path, kind, sha256, mutable, writer_gone, writer_pid, writer_uid, "
	        "writer_exe, "
	        "writer_cmdline, time_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
	        "?12, "
	        "?13, ?14, ?15, ?16, ?17, ?18) ON CONFLICT (dev, ino, btime_ns) DO UPDATE SET "
	        "ctime_ns = ?4, mtime_ns = ?5, size = ?6, container = ?7, path = ?8, host_path = "
	        "?9, "
	        "kind = ?10, sha256 = ?11, mutable = ?12, writer_gone = ?13, writer_pid = ?14, "
	        "writer_uid = ?15, writer_exe = ?16, writer_cmdline = ?17, time_ns = ?18 RETURNING "
	        "id");
	if (!s)
		return failed(store);
	bind_drop(s, drop, container);
	code = sqlite3_step(s);
	if (code == SQLITE_ROW) {
		*ret_id = sqlite3_column_int64(s, 0);
		code = sqlite3_step(s);
	}
	sqlite3_reset(s);
	return store_result(store, code);
}

int store_drop_set_digest(struct store *store, int64_t id, const struct file_identity *identity,
        const struct digest *digest, bool mutable_file)
{
	sqlite3_stmt *s = store_statement(store, STATEMENT_DROP_DIGEST,
	        "UPDATE drop_ SET sha256 = ?4, mutable = ?5 WHERE dev = ?1 AND ino = ?2 AND "
	        "btime_ns = ?3 AND id = ?6 AND mtime_ns = ?7 AND size = ?8");
	int r;

	if (!s)
		return failed(store);
	bind_identity(s, identity);
	bind_digest(s, 4, !mutable_file, digest);
	sqlite3_bind_int(s, 5, mutable_file);
	sqlite3_bind_int64(s, 6, id);
	sqlite3_bind_int64(s, 7, identity->mtime_ns);
	sqlite3_bind_int64(s, 8, (int64_t)identity->size);
	r = store_run(store, s);
	if (r == 0 && sqlite3_changes(store->db) == 0)
		return STORE_E_NOTFOUND;
	return r;
}

int store_drop_find(
        struct store *store, const struct file_identity *identity, struct drop_info *ret_drop)
{
	sqlite3_stmt *s = store_statement(store, STATEMENT_DROP_FIND,
	        "SELECT id, writer_gone, writer_pid, writer_uid, writer_exe, writer_cmdline, "
	        "time_ns "
	        "FROM drop_ WHERE dev = ?1 AND ino = ?2 AND btime_ns = ?3");
	_cleanup_(drop_info_done) struct drop_info drop = {0};
	bool ok = true;
	int code;

	if (!s)
		return failed(store);
	bind_identity(s, identity);
	code = sqlite3_step(s);
	if (code == SQLITE_ROW) {
		drop.known = true;
		drop.id = column_int(s, 0, 1, INT64_MAX, &ok);
		drop.writer_gone = column_int(s, 1, 0, 1, &ok) != 0;
		drop.pid = (pid_t)column_int(s, 2, -1, INT32_MAX, &ok);
		drop.uid = column_int(s, 3, -1, UINT32_MAX, &ok);
		drop.exe = column_text(s, 4, TEXT_MAX, &ok);
		drop.cmdline = column_text(s, 5, TEXT_MAX, &ok);
		drop.time_ns = column_int(s, 6, 0, INT64_MAX, &ok);
	}
	sqlite3_reset(s);
	if (code == SQLITE_DONE)
		return STORE_E_NOTFOUND;
	if (code != SQLITE_ROW)
		return store_result(store, code);
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
	row->writer.known = true;
	row->writer.id = row->id;
	row->writer.writer_gone = column_int(s, 10, 0, 1, &ok) != 0;
	row->writer.pid = (pid_t)column_int(s, 11, -1, INT32_MAX, &ok);
	row->writer.uid = column_int(s, 12, -1, UINT32_MAX, &ok);
	row->writer.exe = column_text(s, 13, TEXT_MAX, &ok);
	row->writer.cmdline = column_text(s, 14, TEXT_MAX, &ok);
	row->writer.time_ns = column_int(s, 15, 0, INT64_MAX, &ok);
	row->identity.size = (uint64_t)column_int(s, 16, 0, INT64_MAX, &ok);
	return ok && row->path;
}

int store_drops(struct store *store, const struct store_event_query *query,
        int (*fn)(const struct store_drop_row *row, void *userdata), void *userdata)
{
	/* The newest rows that match, oldest first. */
	sqlite3_stmt *s = store_statement(store, STATEMENT_DROPS,
	        "SELECT * FROM (SELECT d.id, d.path, d.host_path, c.key, c.cid, c.name, c.image, "
	        "d.kind, "
	        "d.sha256, d.mutable, d.writer_gone, d.writer_pid, d.writer_uid, d.writer_exe, "
	        "d.writer_cmdline, d.time_ns, d.size FROM drop_ d LEFT JOIN container c ON c.id = "
	        "d.container WHERE d.time_ns >= ?1 AND d.id > ?2 AND (?3 IS NULL OR c.name = ?3 OR "
	        "c.cid = ?3 OR c.key = ?3 OR (length(?3) >= 12 AND substr(c.cid, 1, length(?3)) = "
	        "?3)) "
	        "AND (?4 IS NULL OR d.path = ?4) AND (?5 IS NULL OR d.sha256 = ?5) "
	        "ORDER BY d.time_ns DESC, d.id DESC LIMIT ?6) ORDER BY 16, 1");
	int code, r = 0;

	if (!s)
		return failed(store);
	sqlite3_bind_int64(s, 1, query->since_ns);
	sqlite3_bind_int64(s, 2, query->after_id);
	bind_text(s, 3, query->container);
	bind_text(s, 4, query->path);
	bind_digest(s, 5, query->digest != NULL, query->digest);
	sqlite3_bind_int64(s, 6, query->limit ? query->limit : 1000);
	while (r == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
		_cleanup_(store_drop_row_done) struct store_drop_row row = {0};

		r = read_row(s, &row) ? fn(&row, userdata) : STORE_E_CORRUPT;
	}
	sqlite3_reset(s);
	return r != 0 ? r : store_result(store, code);
}
