/* What operators approved, what was learned, what never runs. */
#include "store/store_internal.h"

#include "base/cleanup.h"
#include "base/strtab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const grant_names[_GRANT_MAX] = {
        [GRANT_UNSET] = "unset",
        [GRANT_APPROVED] = "approved",
        [GRANT_LEARNED] = "learned",
        [GRANT_DENIED] = "denied",
};

const char *grant_kind_name(enum grant_kind kind)
{
	return strtab_name(grant_names, _GRANT_MAX, (int)kind);
}

void grant_done(struct grant *grant)
{
	free(grant->image);
	free(grant->path);
	free(grant->reason);
	memset(grant, 0, sizeof(*grant));
}

static int check(const struct grant *grant)
{
	const char *const texts[] = {grant->image, grant->path, grant->reason};

	if (grant->kind <= GRANT_UNSET || grant->kind >= _GRANT_MAX)
		return -EINVAL;
	if (grant->kind != GRANT_LEARNED && (!grant->reason || !*grant->reason))
		return -EINVAL;
	/* A denial that looked scoped would be read as one that holds for that image only. */
	if (grant->kind == GRANT_DENIED && grant->image && *grant->image)
		return -EINVAL;
	return store_texts_fit(texts, sizeof(texts) / sizeof(texts[0]));
}

int store_grant_add(struct store *store, const struct grant *grant)
{
	sqlite3_stmt *s;
	int r = check(grant);

	if (r == 0)
		r = store_prepare(store, STATEMENT_GRANT_PUT,
		        "INSERT OR REPLACE INTO grant_ (kind, sha256, image, path, reason, by_uid, "
		        "created_ns, expires_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
		        &s);
	if (r != 0)
		return r;
	sqlite3_bind_int(s, 1, (int)grant->kind);
	bind_digest(s, 2, true, &grant->digest);
	bind_text(s, 3, grant->image ?: "");
	bind_text(s, 4, grant->path);
	bind_text(s, 5, grant->reason);
	sqlite3_bind_int64(s, 6, grant->by_uid);
	sqlite3_bind_int64(s, 7, grant->created_ns);
	sqlite3_bind_int64(s, 8, grant->expires_ns);
	return store_run(store, s);
}

int store_grant_remove(struct store *store, enum grant_kind kind, const struct digest *digest,
        const char *image, uint32_t *ret_removed)
{
	sqlite3_stmt *s;
	int changed;
	int r = store_prepare(store, STATEMENT_GRANT_REMOVE,
	        "DELETE FROM grant_ WHERE kind IN (?3, ?4) AND sha256 = ?1 AND "
	        "(?2 IS NULL OR image = ?2)",
	        &s);

	if (r != 0)
		return r;
	bind_digest(s, 1, true, digest);
	bind_text(s, 2, image);
	sqlite3_bind_int(s, 3, (int)(kind == GRANT_UNSET ? GRANT_APPROVED : kind));
	sqlite3_bind_int(s, 4, (int)(kind == GRANT_UNSET ? GRANT_LEARNED : kind));
	r = store_run(store, s);
	if (r != 0)
		return r;
	changed = sqlite3_changes(store->db);
	if (changed == 0)
		return STORE_E_NOTFOUND;
	*ret_removed = (uint32_t)changed;
	return 0;
}

static bool read_grant(sqlite3_stmt *s, struct grant *grant)
{
	bool ok = true;

	grant->id = column_int(s, 0, 1, INT64_MAX, &ok);
	grant->kind = (enum grant_kind)column_int(s, 1, GRANT_UNSET + 1, _GRANT_MAX - 1, &ok);
	ok &= column_digest(s, 2, &grant->digest, &ok);
	grant->image = column_text(s, 3, TEXT_MAX, &ok);
	grant->path = column_text(s, 4, TEXT_MAX, &ok);
	grant->reason = column_text(s, 5, TEXT_MAX, &ok);
	grant->by_uid = column_int(s, 6, -1, UINT32_MAX, &ok);
	grant->created_ns = column_int(s, 7, 0, INT64_MAX, &ok);
	grant->expires_ns = column_int(s, 8, 0, INT64_MAX, &ok);
	return ok && grant->image;
}

int store_grants(
        struct store *store, int (*fn)(const struct grant *grant, void *userdata), void *userdata)
{
	sqlite3_stmt *s;
	int code = SQLITE_DONE;
	int r = store_prepare(store, STATEMENT_GRANTS,
	        "SELECT id, kind, sha256, image, path, reason, by_uid, created_ns, expires_ns "
	        "FROM grant_ ORDER BY sha256, image, kind",
	        &s);

	if (r != 0)
		return r;
	while (r == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
		_cleanup_(grant_done) struct grant grant = {0};

		r = read_grant(s, &grant) ? fn(&grant, userdata) : STORE_E_CORRUPT;
	}
	if (r == 0)
		r = store_result(store, code);
	sqlite3_reset(s);
	return r;
}
