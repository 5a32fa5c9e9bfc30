/* What was accepted, and what trusted writers wrote. Read a row at a time: nothing stays open. */
#include "store/baselines_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool said(const char *text)
{
	return text && *text;
}

/*
 * Acceptances.
 */
void acceptance_done(struct acceptance *acceptance)
{
	free(acceptance->path);
	free(acceptance->change);
	free(acceptance->reason);
	memset(acceptance, 0, sizeof(*acceptance));
}

static int check_acceptance(const struct acceptance *acceptance)
{
	const char *const texts[] = {acceptance->path, acceptance->change, acceptance->reason};

	if (acceptance->snapshot <= 0 || !said(acceptance->path) || !said(acceptance->change) ||
	        !said(acceptance->reason) || acceptance->by_uid < -1 ||
	        acceptance->by_uid > UINT32_MAX || acceptance->time_ns < 0)
		return -EINVAL;
	return store_texts_fit(texts, sizeof(texts) / sizeof(texts[0]));
}

int store_acceptance_add(struct store *store, const struct acceptance *acceptance)
{
	sqlite3_stmt *s;
	int r = check_acceptance(acceptance);

	if (r == 0)
		r = store_prepare(store, STATEMENT_ACCEPTANCE_ADD,
		        "INSERT INTO acceptance (snapshot, path, change, sha256, reason, by_uid, "
		        "time_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
		        &s);
	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, acceptance->snapshot);
	bind_text(s, 2, acceptance->path);
	bind_text(s, 3, acceptance->change);
	bind_digest(s, 4, acceptance->has_digest, &acceptance->digest);
	bind_text(s, 5, acceptance->reason);
	sqlite3_bind_int64(s, 6, acceptance->by_uid);
	sqlite3_bind_int64(s, 7, acceptance->time_ns);
	return store_run(store, s);
}

static bool read_acceptance(sqlite3_stmt *s, struct acceptance *acceptance)
{
	bool ok = true;

	acceptance->id = column_int(s, 0, 1, INT64_MAX, &ok);
	acceptance->snapshot = column_int(s, 1, 1, INT64_MAX, &ok);
	acceptance->path = column_text(s, 2, TEXT_MAX, &ok);
	acceptance->change = column_text(s, 3, TEXT_MAX, &ok);
	acceptance->has_digest = column_digest(s, 4, &acceptance->digest, &ok);
	acceptance->reason = column_text(s, 5, TEXT_MAX, &ok);
	acceptance->by_uid = column_int(s, 6, -1, UINT32_MAX, &ok);
	acceptance->time_ns = column_int(s, 7, 0, INT64_MAX, &ok);
	return ok && check_acceptance(acceptance) == 0;
}

/* The newest before @before. */
static int next_acceptance(struct store *store, int64_t before, int64_t snapshot, const char *path,
        struct acceptance *acceptance)
{
	sqlite3_stmt *s;
	int code, r;

	r = store_prepare(store, STATEMENT_ACCEPTANCE_NEXT,
	        "SELECT id, snapshot, path, change, sha256, reason, by_uid, time_ns FROM "
	        "acceptance WHERE id < ?1 AND (?2 IS NULL OR snapshot = ?2) AND "
	        "(?3 IS NULL OR path = ?3) ORDER BY id DESC LIMIT 1",
	        &s);
	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, before);
	bind_id(s, 2, snapshot);
	bind_text(s, 3, path);
	code = sqlite3_step(s);
	r = code == SQLITE_DONE ? STORE_E_NOTFOUND : store_result(store, code);
	if (r == 0 && !read_acceptance(s, acceptance))
		r = STORE_E_CORRUPT;
	sqlite3_reset(s);
	return r;
}

int store_acceptances(struct store *store, int64_t snapshot, const char *path,
        int (*fn)(const struct acceptance *acceptance, void *userdata), void *userdata)
{
	int64_t before = INT64_MAX;
	int r = 0;

	while (r == 0) {
		_cleanup_(acceptance_done) struct acceptance acceptance = {0};

		r = next_acceptance(store, before, snapshot, path, &acceptance);
		if (r != 0)
			return r == STORE_E_NOTFOUND ? 0 : r;
		before = acceptance.id;
		r = fn(&acceptance, userdata);
	}
	return r;
}

/*
 * Provenances.
 */
void provenance_done(struct provenance *provenance)
{
	free(provenance->scope_value);
	free(provenance->path);
	free(provenance->writer);
	free(provenance->package);
	memset(provenance, 0, sizeof(*provenance));
}

static int check_provenance(const struct provenance *provenance)
{
	const char *const texts[] = {
	        provenance->scope_value, provenance->path, provenance->writer, provenance->package};

	if (provenance->scope <= SCOPE_NONE || provenance->scope >= _SNAPSHOT_SCOPE_MAX ||
	        !said(provenance->scope_value) || !said(provenance->path) ||
	        !said(provenance->writer) || provenance->created_ns < 0 ||
	        provenance->expires_ns < 0)
		return -EINVAL;
	return store_texts_fit(texts, sizeof(texts) / sizeof(texts[0]));
}

int store_provenance_add(struct store *store, const struct provenance *provenance)
{
	sqlite3_stmt *s;
	int r = check_provenance(provenance);

	if (r == 0)
		r = store_prepare(store, STATEMENT_PROVENANCE_PUT,
		        "INSERT OR REPLACE INTO provenance (sha256, scope, scope_value, path, "
		        "writer, writer_sha256, package, created_ns, expires_ns) "
		        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
		        &s);
	if (r != 0)
		return r;
	bind_digest(s, 1, true, &provenance->digest);
	sqlite3_bind_int(s, 2, (int)provenance->scope);
	bind_text(s, 3, provenance->scope_value);
	bind_text(s, 4, provenance->path);
	bind_text(s, 5, provenance->writer);
	bind_digest(s, 6, true, &provenance->writer_digest);
	bind_text(s, 7, provenance->package);
	sqlite3_bind_int64(s, 8, provenance->created_ns);
	sqlite3_bind_int64(s, 9, provenance->expires_ns);
	return store_run(store, s);
}

static bool read_provenance(sqlite3_stmt *s, struct provenance *provenance)
{
	bool ok = true;

	provenance->id = column_int(s, 0, 1, INT64_MAX, &ok);
	ok &= column_digest(s, 1, &provenance->digest, &ok);
	provenance->scope = (enum snapshot_scope)column_int(s, 2, 1, _SNAPSHOT_SCOPE_MAX - 1, &ok);
	provenance->scope_value = column_text(s, 3, TEXT_MAX, &ok);
	provenance->path = column_text(s, 4, TEXT_MAX, &ok);
	provenance->writer = column_text(s, 5, TEXT_MAX, &ok);
	ok &= column_digest(s, 6, &provenance->writer_digest, &ok);
	provenance->package = column_text(s, 7, TEXT_MAX, &ok);
	provenance->created_ns = column_int(s, 8, 0, INT64_MAX, &ok);
	provenance->expires_ns = column_int(s, 9, 0, INT64_MAX, &ok);
	return ok && check_provenance(provenance) == 0;
}

static int next_provenance(struct store *store, int64_t after, struct provenance *provenance)
{
	sqlite3_stmt *s;
	int code, r;

	r = store_prepare(store, STATEMENT_PROVENANCE_NEXT,
	        "SELECT id, sha256, scope, scope_value, path, writer, writer_sha256, package, "
	        "created_ns, expires_ns FROM provenance WHERE id > ?1 ORDER BY id LIMIT 1",
	        &s);
	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, after);
	code = sqlite3_step(s);
	r = code == SQLITE_DONE ? STORE_E_NOTFOUND : store_result(store, code);
	if (r == 0 && !read_provenance(s, provenance))
		r = STORE_E_CORRUPT;
	sqlite3_reset(s);
	return r;
}

int store_provenances(struct store *store,
        int (*fn)(const struct provenance *provenance, void *userdata), void *userdata)
{
	int64_t after = 0;
	int r = 0;

	while (r == 0) {
		_cleanup_(provenance_done) struct provenance provenance = {0};

		r = next_provenance(store, after, &provenance);
		if (r != 0)
			return r == STORE_E_NOTFOUND ? 0 : r;
		after = provenance.id;
		r = fn(&provenance, userdata);
	}
	return r;
}

int store_provenance_prune(struct store *store, int64_t now_ns, uint32_t *ret_removed)
{
	uint32_t removed = 0;
	int changed = 1, r = 0;

	while (r == 0 && changed > 0) {
		sqlite3_stmt *s;

		r = store_prepare(store, STATEMENT_PROVENANCE_PRUNE,
		        "DELETE FROM provenance WHERE id IN (SELECT id FROM provenance WHERE "
		        "expires_ns <= ?1 ORDER BY expires_ns LIMIT ?2)",
		        &s);
		if (r != 0)
			break;
		sqlite3_bind_int64(s, 1, now_ns);
		sqlite3_bind_int64(s, 2, BASELINE_BATCH);
		r = store_run(store, s);
		changed = r == 0 ? sqlite3_changes(store->db) : 0;
		removed += (uint32_t)changed;
	}
	if (r == 0)
		*ret_removed = removed;
	return r;
}
