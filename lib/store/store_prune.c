/* Retention: a bounded number of rows goes at a time, so that no writer waits for long. */
#include "store/store_internal.h"

#include <errno.h>

#define PRUNE_ROWS 10000 /* at a time and table */

/* ?1 rows to keep, ?2 oldest time to keep, ?3 rows at a time. */
static const char *const prunes[] = {
        "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE last_ns < ?2 OR id <= (SELECT "
        "id FROM "
        "event ORDER BY id DESC LIMIT 1 OFFSET ?1) LIMIT ?3)",
        "DELETE FROM drop_ WHERE id IN (SELECT id FROM drop_ WHERE time_ns < ?2 OR id <= (SELECT "
        "id FROM "
        "drop_ ORDER BY id DESC LIMIT 1 OFFSET ?1) LIMIT ?3)",
        "DELETE FROM container WHERE ?1 >= 0 AND ?2 >= 0 AND id IN (SELECT id FROM container c "
        "WHERE NOT "
        "EXISTS (SELECT 1 FROM event WHERE container = c.id) AND NOT EXISTS (SELECT 1 FROM drop_ "
        "WHERE "
        "container = c.id) LIMIT ?3)",
};

static int prune(
        struct store *store, const char *sql, int64_t keep, int64_t before_ns, int *ret_rows)
{
	sqlite3_stmt *s;
	int code = sqlite3_prepare_v2(store->db, sql, -1, &s, NULL);

	if (code != SQLITE_OK)
		return store_result(store, code);
	sqlite3_bind_int64(s, 1, keep);
	sqlite3_bind_int64(s, 2, before_ns > 0 ? before_ns : 0);
	sqlite3_bind_int(s, 3, PRUNE_ROWS);
	code = sqlite3_step(s);
	sqlite3_finalize(s);
	*ret_rows = sqlite3_changes(store->db);
	return store_result(store, code);
}

int store_prune(struct store *store, uint32_t events_max, uint32_t drops_max, int64_t before_ns)
{
	const int64_t keep[] = {events_max, drops_max, 0};
	bool more = false;

	for (size_t i = 0; i < sizeof(prunes) / sizeof(prunes[0]); i++) {
		int rows = 0;
		int r = prune(store, prunes[i], keep[i], before_ns, &rows);

		if (r != 0)
			return r > 0 ? -EIO : r; /* 1 says that more remains */
		more |= rows >= PRUNE_ROWS;
	}
	return more ? 1 : 0;
}
