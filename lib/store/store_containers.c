/*
 * Containers by their key. A runtime's files may be gone when a late record comes: what a sighting
 * does not know stays as the last one knew it.
 */
#include "store/store_internal.h"

static const char put[] =
        "INSERT INTO container (key, runtime, cid, name, image, image_id, ns, pod, start_ns) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (key) DO UPDATE SET "
        "runtime = coalesce(?2, runtime), cid = coalesce(?3, cid), name = coalesce(?4, name), "
        "image = coalesce(?5, image), image_id = coalesce(?6, image_id), ns = coalesce(?7, ns), "
        "pod = coalesce(?8, pod), start_ns = max(?9, start_ns) RETURNING id";

int store_container_put(struct store *store, const struct container_info *container,
        const char *key, int64_t *ret_id)
{
	static const struct container_info unknown;
	const struct container_info *c = container && container->key ? container : &unknown;
	const char *const texts[] = {
	        c->key ?: key, c->runtime, c->id, c->name, c->image, c->image_id, c->ns, c->pod};
	const size_t n = sizeof(texts) / sizeof(texts[0]);
	sqlite3_stmt *s;
	int r;

	if (!texts[0]) {
		*ret_id = 0;
		return 0;
	}
	r = store_texts_fit(texts, n);
	if (r == 0)
		r = store_prepare(store, STATEMENT_CONTAINER_PUT, put, &s);
	if (r != 0)
		return r;
	for (size_t i = 0; i < n; i++)
		bind_text(s, (int)i + 1, texts[i]);
	sqlite3_bind_int64(s, (int)n + 1, c->start_ns);
	return store_run_for_id(store, s, ret_id);
}
