/*
 * Executables by digest: written in sorted runs, since digests have no order that paths or time
 * would give them, and a page that is written once costs less than one that is written each time.
 */
#include "store/baselines_internal.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DIGESTS_ROWS 4096u /* of a batch that is read: 128 KiB */
#define LOOK_ROWS    64u   /* between two looks at the clock */

/*
 * Writing.
 */
static int in_order(const void *a, const void *b)
{
	const struct executable *x = a, *y = b;
	const int order = memcmp(x->digest.bytes, y->digest.bytes, DIGEST_SIZE);

	if (x->snapshot != y->snapshot)
		return x->snapshot < y->snapshot ? -1 : 1;
	if (order != 0)
		return order;
	return (x->entry > y->entry) - (x->entry < y->entry);
}

void executables_sort(struct executable *executables, size_t n)
{
	qsort(executables, n, sizeof(*executables), in_order);
}

static int insert(struct store *store, const struct executable *executable)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_EXECUTABLE_ADD,
	        "INSERT INTO executable (snapshot, sha256, entry) VALUES (?1, ?2, ?3)", &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, executable->snapshot);
	sqlite3_bind_blob(s, 2, executable->digest.bytes, DIGEST_SIZE, SQLITE_STATIC);
	sqlite3_bind_int64(s, 3, executable->entry);
	r = store_run(store, s);
	sqlite3_clear_bindings(s);
	return r;
}

int executables_insert(
        struct store *store, const struct executable *executables, size_t n, size_t *ret_inserted)
{
	const int64_t started_ns = clock_monotonic_ns();
	size_t i;
	int r = store_begin(store);

	if (r != 0)
		return r;
	for (i = 0; i < n && i < BASELINE_BATCH && r == 0; i++) {
		if (i % LOOK_ROWS == LOOK_ROWS - 1 &&
		        clock_monotonic_ns() - started_ns > BASELINE_BATCH_MS * NS_PER_MSEC)
			break;
		r = insert(store, &executables[i]);
	}
	r = store_end(store, r);
	if (r == 0)
		*ret_inserted = i;
	return r;
}

int executable_put(struct store *store, int64_t entry_id)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_EXECUTABLE_PUT,
	        "INSERT INTO executable (snapshot, sha256, entry) SELECT e.snapshot, e.sha256, "
	        "e.id "
	        "FROM entry e JOIN snapshot s ON s.id = e.snapshot WHERE e.id = ?1 AND "
	        "e.flags & 1 AND e.sha256 IS NOT NULL AND s.kind <> ?2",
	        &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, entry_id);
	sqlite3_bind_int(s, 2, SNAPSHOT_LAYER);
	return store_run(store, s);
}

int executable_remove(struct store *store, int64_t id, const char *path)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_EXECUTABLE_REMOVE,
	        "DELETE FROM executable WHERE (snapshot, sha256, entry) IN (SELECT snapshot, "
	        "sha256, id FROM entry WHERE snapshot = ?1 AND key = " KEY_OF("?2") ")",
	        &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	bind_text(s, 2, path);
	return store_run(store, s);
}

int executables_delete(struct store *store, int64_t id, uint32_t limit)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_EXECUTABLES_DELETE,
	        "DELETE FROM executable WHERE (snapshot, sha256, entry) IN (SELECT snapshot, "
	        "sha256, entry FROM executable WHERE snapshot = ?1 ORDER BY sha256, entry LIMIT "
	        "?2)",
	        &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_int64(s, 2, limit);
	return store_run(store, s);
}

/*
 * Reading.
 */
struct place {
	int64_t snapshot, entry;
};

/* The place after @place, in current snapshots that are shown. */
static int next_place(struct store *store, const struct digest *digest, struct place *place)
{
	struct place next = {0};
	bool ok = true;
	sqlite3_stmt *s;
	int code, r;

	r = store_prepare(store, STATEMENT_DIGEST_PLACE,
	        "SELECT s.id, e.entry FROM snapshot s CROSS JOIN executable e ON e.snapshot = s.id "
	        "WHERE s.id >= ?2 AND s.state = 1 AND s.kind <> ?4 AND e.sha256 = ?1 AND "
	        "(s.id > ?2 OR e.entry > ?3) ORDER BY s.id, e.entry LIMIT 1",
	        &s);
	if (r != 0)
		return r;
	bind_digest(s, 1, true, digest);
	sqlite3_bind_int64(s, 2, place->snapshot);
	sqlite3_bind_int64(s, 3, place->entry);
	sqlite3_bind_int(s, 4, SNAPSHOT_LAYER);
	code = sqlite3_step(s);
	r = code == SQLITE_DONE ? STORE_E_NOTFOUND : store_result(store, code);
	if (r == 0) {
		next.snapshot = column_int(s, 0, 1, INT64_MAX, &ok);
		next.entry = column_int(s, 1, 1, INT64_MAX, &ok);
		*place = next;
	}
	sqlite3_reset(s);
	return ok ? r : STORE_E_CORRUPT;
}

/* STORE_E_NOTFOUND when it went since its place was read. */
static int load_place(struct store *store, const struct place *place, struct snapshot_info *info,
        struct entry *entry)
{
	int r = store_snapshot_get(store, place->snapshot, info);

	return r == 0 ? entry_load(store, place->snapshot, place->entry, entry) : r;
}

int store_digest_where(struct store *store, const struct digest *digest, uint32_t limit,
        int (*fn)(const struct snapshot_info *info, const struct entry *entry, void *userdata),
        void *userdata)
{
	struct place place = {0};
	int r = 0;

	for (uint32_t i = 0; i < limit && r == 0; i++) {
		_cleanup_(snapshot_info_done) struct snapshot_info info = {0};
		_cleanup_(entry_done) struct entry entry = {0};

		r = next_place(store, digest, &place);
		if (r != 0)
			return r == STORE_E_NOTFOUND ? 0 : r;
		r = load_place(store, &place, &info, &entry);
		if (r == STORE_E_NOTFOUND)
			r = 0;
		else if (r == 0 && !digest_equal(&entry.digest, digest))
			r = STORE_E_CORRUPT; /* an index that does not belong to the table */
		else if (r == 0)
			r = fn(&info, &entry, userdata);
	}
	return r;
}

struct digests {
	struct digest digests[DIGESTS_ROWS];
	size_t n;
	struct digest above; /* where to go on; of the batch before, when there was one */
	bool begun, last;
};

/* Out of order is an index that is damaged, and would be walked for ever. */
static bool digests_add(struct digests *d, const struct digest *digest)
{
	const struct digest *before = d->n > 0 ? &d->digests[d->n - 1] : &d->above;
	const int order =
	        d->n > 0 || d->begun ? memcmp(digest->bytes, before->bytes, DIGEST_SIZE) : 1;

	if (order < 0 || (order == 0 && d->n == 0))
		return false;
	if (order > 0)
		d->digests[d->n++] = *digest;
	return true;
}

static int digests_rows(struct store *store, sqlite3_stmt *s, struct digests *d)
{
	size_t rows = 0;
	bool ok = true;
	int code = SQLITE_ROW;

	while (ok && rows < DIGESTS_ROWS && (code = sqlite3_step(s)) == SQLITE_ROW) {
		struct digest digest;

		ok = column_digest(s, 0, &digest, &ok) && digests_add(d, &digest);
		rows++;
	}
	d->last = rows < DIGESTS_ROWS;
	return ok ? store_result(store, code) : STORE_E_CORRUPT;
}

static int digests_read(struct store *store, int64_t id, struct digests *d)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_DIGESTS,
	        "SELECT sha256 FROM executable WHERE snapshot = ?1 AND sha256 > ?2 "
	        "ORDER BY sha256 LIMIT ?3",
	        &s);

	if (r != 0)
		return r;
	d->n = 0;
	sqlite3_bind_int64(s, 1, id);
	/* Every digest is above the empty BLOB. */
	if (d->begun)
		bind_digest(s, 2, true, &d->above);
	else
		sqlite3_bind_zeroblob(s, 2, 0);
	sqlite3_bind_int64(s, 3, DIGESTS_ROWS);
	r = digests_rows(store, s, d);
	sqlite3_reset(s);
	return r == 0 ? snapshot_there(store, id) : r;
}

int store_snapshot_digests(struct store *store, int64_t id,
        int (*fn)(const struct digest *digests, size_t n, void *userdata), void *userdata)
{
	_cleanup_free_ struct digests *d = calloc(1, sizeof(*d));
	int r = d ? builder_flush(store) : -ENOMEM;

	while (r == 0 && !d->last) {
		r = digests_read(store, id, d);
		if (r != 0 || d->n == 0)
			break;
		d->above = d->digests[d->n - 1];
		d->begun = true;
		r = fn(d->digests, d->n, userdata);
	}
	return r;
}
