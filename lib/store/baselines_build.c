/*
 * Snapshots come and go: begun, published, removed, swept, pruned. Rows go as they come, a batch at
 * a time, and what goes is marked before its first row does, so that nobody takes a part for the
 * whole.
 */
#include "store/baselines_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Begin.
 */
static int insert(struct store *store, const struct snapshot_info *info, int64_t *ret_id)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_SNAPSHOT_ADD,
	        "INSERT INTO snapshot (kind, name, scope, scope_value, image_id, root, all_files, "
	        "created_ns, by_uid) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING id",
	        &s);

	if (r != 0)
		return r;
	sqlite3_bind_int(s, 1, (int)info->kind);
	bind_text(s, 2, info->name);
	sqlite3_bind_int(s, 3, (int)info->scope);
	bind_text(s, 4, info->scope_value);
	bind_text(s, 5, info->image_id);
	bind_text(s, 6, info->root);
	sqlite3_bind_int(s, 7, info->all_files);
	sqlite3_bind_int64(s, 8, info->created_ns);
	sqlite3_bind_int64(s, 9, info->by_uid);
	return store_run_for_id(store, s, ret_id);
}

/* Present before anybody sees the row, so that no sweep finds it without. */
int store_snapshot_begin(struct store *store, const struct snapshot_info *info, int64_t *ret_id)
{
	int64_t id = 0;
	int fd, r = ungrouped(store) ?: snapshot_check(info);

	if (r == 0)
		r = builder_presence(store, &fd);
	if (r == 0)
		r = snapshot_sweep(store);
	if (r == 0)
		r = store_begin(store);
	if (r != 0)
		return r;
	r = insert(store, info, &id);
	if (r == 0)
		r = presence_take(fd, id, PRESENCE_EXCLUSIVE) == 0 ? 0 : -ENOLCK;
	r = store_end(store, r);
	if (r == 0)
		*ret_id = id;
	else if (id != 0)
		builder_leave(store, id);
	return r;
}

/*
 * Publish.
 */
static int supersede(struct store *store, int64_t id)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_SNAPSHOT_SUPERSEDE,
	        "UPDATE snapshot SET state = 2 WHERE state = 1 AND "
	        "(kind, name) = (SELECT kind, name FROM snapshot WHERE id = ?1)",
	        &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	return store_run(store, s);
}

static int make_current(
        struct store *store, const struct snapshot_info *info, enum snapshot_kind *ret_kind)
{
	int64_t kind;
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_SNAPSHOT_PUBLISH,
	        "UPDATE snapshot SET state = 1, published = (SELECT max(published) + 1 FROM "
	        "snapshot), entries = ?2, files = ?3, executables = ?4, bytes = ?5, hashed = ?6, "
	        "hashed_bytes = ?7, unreadable = ?8, mutable_files = ?9, sha256 = ?10 "
	        "WHERE id = ?1 AND state = 0 RETURNING kind",
	        &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, info->id);
	snapshot_bind_totals(s, 2, info);
	r = store_run_for_id(store, s, &kind);
	if (r != 0)
		return r;
	if (sqlite3_changes(store->db) == 0)
		return STORE_E_NOTFOUND;
	*ret_kind = (enum snapshot_kind)kind;
	return 0;
}

/* A layer stays present: it is not to be pruned before an image is on record that uses it. */
int store_snapshot_publish(struct store *store, const struct snapshot_info *info)
{
	enum snapshot_kind kind = SNAPSHOT_UNSET;
	int r = ungrouped(store) ?: builder_flush(store);

	if (r == 0)
		r = store_begin(store);
	if (r != 0)
		return r;
	r = supersede(store, info->id);
	if (r == 0)
		r = make_current(store, info, &kind);
	if (r == 0 && kind != SNAPSHOT_LAYER)
		r = store_baseline_changed(store);
	r = store_end(store, r);
	if (r == 0 && kind == SNAPSHOT_LAYER)
		builder_stay(store, info->id);
	else if (r == 0)
		builder_leave(store, info->id);
	return r;
}

int store_snapshot_update(struct store *store, const struct snapshot_info *info)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_SNAPSHOT_UPDATE,
	        "UPDATE snapshot SET entries = ?2, files = ?3, executables = ?4, bytes = ?5, "
	        "hashed = ?6, hashed_bytes = ?7, unreadable = ?8, mutable_files = ?9, sha256 = ?10 "
	        "WHERE id = ?1 AND state IN (1, 2)",
	        &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, info->id);
	snapshot_bind_totals(s, 2, info);
	r = store_run(store, s);
	return r == 0 && sqlite3_changes(store->db) == 0 ? STORE_E_NOTFOUND : r;
}

int store_snapshot_uses(struct store *store, int64_t id, int64_t layer_id)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_SNAPSHOT_USES,
	        "INSERT OR IGNORE INTO snapshot_layer (snapshot, layer) VALUES (?1, ?2)", &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_int64(s, 2, layer_id);
	return store_run(store, s);
}

/*
 * Removal.
 */
static int delete_batch(struct store *store, int64_t id, bool *ret_more)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_ENTRIES_DELETE,
	        "DELETE FROM entry WHERE id IN (SELECT id FROM entry INDEXED BY entry_by_path "
	        "WHERE snapshot = ?1 ORDER BY key LIMIT ?2)",
	        &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_int64(s, 2, BASELINE_BATCH);
	r = store_run(store, s);
	*ret_more = r == 0 && sqlite3_changes(store->db) == (int)BASELINE_BATCH;
	return r;
}

int snapshot_delete_rows(struct store *store, int64_t id)
{
	sqlite3_stmt *s;
	bool more = true;
	int r = 0;

	while (r == 0 && more) {
		r = executables_delete(store, id, BASELINE_BATCH);
		more = r == 0 && sqlite3_changes(store->db) == (int)BASELINE_BATCH;
		if (more)
			store_give_way();
	}
	more = true;
	while (r == 0 && more) {
		r = delete_batch(store, id, &more);
		if (more)
			store_give_way();
	}
	if (r == 0)
		r = store_prepare(store, STATEMENT_SNAPSHOT_DELETE,
		        "DELETE FROM snapshot WHERE id = ?1 AND state = 3", &s);
	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	return store_run(store, s);
}

/* ?1 the snapshot; no change where it is not there, or not what it was taken for. */
static const char mark_any[] = "UPDATE snapshot SET state = 3 WHERE id = ?1 AND state IN (0, 1, 2)";
static const char mark_left[] = "UPDATE snapshot SET state = 3 WHERE id = ?1 AND state IN (0, 3)";
static const char mark_superseded[] = "UPDATE snapshot SET state = 3 WHERE id = ?1 AND state = 2";
static const char mark_layer[] =
        "UPDATE snapshot SET state = 3 WHERE id = ?1 AND state IN (1, 2) AND "
        "NOT EXISTS (SELECT 1 FROM snapshot_layer WHERE layer = ?1)";

/* In one transaction: marks it by @sql and, when @counts, counts the generation up. */
static int mark(struct store *store, const char *sql, int64_t id, bool counts)
{
	_cleanup_(statement_donep) sqlite3_stmt *s = NULL;
	int r = store_begin(store);

	if (r != 0)
		return r;
	r = store_prepare_once(store, sql, &s);
	if (r == 0) {
		sqlite3_bind_int64(s, 1, id);
		r = store_run(store, s);
	}
	if (r == 0 && sqlite3_changes(store->db) == 0)
		r = STORE_E_NOTFOUND;
	if (r == 0 && counts)
		r = store_baseline_changed(store);
	return store_end(store, r);
}

int store_snapshot_remove(struct store *store, int64_t id)
{
	_cleanup_(snapshot_info_done) struct snapshot_info info = {0};
	int r = ungrouped(store);

	if (r != 0)
		return r;
	r = store_snapshot_get(store, id, &info);
	/* A row that cannot be read can be removed. */
	if (r != 0 && r != STORE_E_NOTFOUND && r != STORE_E_CORRUPT)
		return r;
	r = mark(store, mark_any, id, r != STORE_E_NOTFOUND);
	if (r == 0)
		r = snapshot_delete_rows(store, id);
	builder_forget(store, id);
	return r;
}

/* Marks and removes, unless somebody is at work with it: STORE_E_NOTFOUND, too. */
static int remove_unattended(struct store *store, int fd, const char *sql, int64_t id)
{
	int r = presence_take(fd, id, PRESENCE_EXCLUSIVE);

	if (r != 0)
		return r == 1 ? STORE_E_NOTFOUND : r;
	r = mark(store, sql, id, false);
	if (r == 0)
		r = snapshot_delete_rows(store, id);
	presence_drop(fd, id);
	return r;
}

/* The first id after @after that @select (?1) gives. */
static int next_id(struct store *store, const char *select, int64_t after, int64_t *ret_id)
{
	_cleanup_(statement_donep) sqlite3_stmt *s = NULL;
	int r = store_prepare_once(store, select, &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, after);
	return snapshot_step_id(store, s, ret_id);
}

/* Removes what @select gives and @sql marks, without who is at work. */
static int remove_all_unattended(struct store *store, const char *select, const char *sql)
{
	_cleanup_close_ int fd = -1;
	int64_t id = 0;
	int r = 0;

	while (r == 0 && (r = next_id(store, select, id, &id)) == 0) {
		if (fd < 0)
			r = presence_open(store, &fd);
		if (r == 0)
			r = remove_unattended(store, fd, sql, id);
		if (r == STORE_E_NOTFOUND)
			r = 0;
	}
	return r == STORE_E_NOTFOUND ? 0 : r;
}

int snapshot_sweep(struct store *store)
{
	return remove_all_unattended(store,
	        "SELECT id FROM snapshot WHERE id > ?1 AND state IN (0, 3) ORDER BY id LIMIT 1",
	        mark_left);
}

/*
 * Retention.
 */
static int next_superseded(struct store *store, int64_t after, uint32_t keep, int64_t *ret_id)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_SNAPSHOT_OLD,
	        "SELECT id FROM snapshot s WHERE id > ?1 AND state = 2 AND kind <> ?3 AND "
	        "(SELECT count(*) FROM snapshot n WHERE n.name = s.name AND n.kind = s.kind AND "
	        "n.state = 2 AND (n.published, n.id) > (s.published, s.id)) >= ?2 "
	        "ORDER BY id LIMIT 1",
	        &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, after);
	sqlite3_bind_int64(s, 2, keep);
	sqlite3_bind_int(s, 3, SNAPSHOT_LAYER);
	return snapshot_step_id(store, s, ret_id);
}

static int prune_superseded(struct store *store, uint32_t keep, uint32_t *removed)
{
	int64_t id = 0;
	int r = 0;

	while (r == 0 && (r = next_superseded(store, id, keep, &id)) == 0) {
		r = mark(store, mark_superseded, id, true);
		if (r == 0) {
			(*removed)++;
			r = snapshot_delete_rows(store, id);
		}
		if (r == STORE_E_NOTFOUND)
			r = 0;
	}
	return r == STORE_E_NOTFOUND ? 0 : r;
}

int store_baselines_prune(struct store *store, uint32_t keep, int64_t now_ns, uint32_t *ret_removed)
{
	uint32_t removed = 0, provenances = 0;
	int r = ungrouped(store);

	if (r == 0)
		r = snapshot_sweep(store);
	if (r == 0)
		r = prune_superseded(store, keep, &removed);
	if (r == 0)
		r = remove_all_unattended(store,
		        "SELECT id FROM snapshot s WHERE id > ?1 AND state IN (1, 2) AND kind = 7 "
		        "AND NOT EXISTS (SELECT 1 FROM snapshot_layer WHERE layer = s.id) "
		        "ORDER BY id LIMIT 1",
		        mark_layer);
	if (r == 0)
		r = store_provenance_prune(store, now_ns, &provenances);
	if (r == 0 && provenances > 0)
		r = store_baseline_changed(store);
	if (r == 0)
		*ret_removed = removed;
	return r;
}
