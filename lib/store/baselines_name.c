/* Only while nobody sees it: what is published is found by its name. */
#include "store/baselines_name.h"

#include "base/cleanup.h"
#include "store/baselines_internal.h"

int store_snapshot_rename(struct store *store, int64_t id, const char *name)
{
	_cleanup_(statement_donep) sqlite3_stmt *s = NULL;
	int r = *name ? store_texts_fit(&name, 1) : -EINVAL;

	if (r == 0)
		r = store_prepare_once(
		        store, "UPDATE snapshot SET name = ?2 WHERE id = ?1 AND state = 0", &s);
	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	bind_text(s, 2, name);
	r = store_run(store, s);
	return r == 0 && sqlite3_changes(store->db) == 0 ? STORE_E_NOTFOUND : r;
}
