/* Snapshots as rows: their words, reading them, finding them by what people type. */
#include "store/baselines_internal.h"

#include "base/cleanup.h"
#include "base/strtab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GENERATION "baseline.generation"

static const char *const kind_names[_SNAPSHOT_KIND_MAX] = {
        [SNAPSHOT_UNSET] = "unset",
        [SNAPSHOT_IMAGE] = "image",
        [SNAPSHOT_CONTAINER] = "container",
        [SNAPSHOT_ARCHIVE] = "archive",
        [SNAPSHOT_ROOTFS] = "rootfs",
        [SNAPSHOT_HOST] = "host",
        [SNAPSHOT_IMPORT] = "import",
        [SNAPSHOT_LAYER] = "layer",
};

static const char *const scope_names[_SNAPSHOT_SCOPE_MAX] = {
        [SCOPE_NONE] = "none",
        [SCOPE_IMAGE] = "image",
        [SCOPE_CONTAINER] = "container",
        [SCOPE_FILESYSTEM] = "filesystem",
};

static const char *const state_names[_SNAPSHOT_STATE_MAX] = {
        [SNAPSHOT_BUILDING] = "building",
        [SNAPSHOT_CURRENT] = "current",
        [SNAPSHOT_SUPERSEDED] = "superseded",
        [SNAPSHOT_REMOVED] = "removed",
};

const char *snapshot_kind_name(enum snapshot_kind kind)
{
	return strtab_name(kind_names, _SNAPSHOT_KIND_MAX, (int)kind);
}

const char *snapshot_scope_name(enum snapshot_scope scope)
{
	return strtab_name(scope_names, _SNAPSHOT_SCOPE_MAX, (int)scope);
}

const char *snapshot_state_name(enum snapshot_state state)
{
	return strtab_name(state_names, _SNAPSHOT_STATE_MAX, (int)state);
}

enum snapshot_kind snapshot_kind_from_name(const char *name)
{
	int value = strtab_value(kind_names, _SNAPSHOT_KIND_MAX, name);

	return value > 0 ? (enum snapshot_kind)value : SNAPSHOT_UNSET;
}

enum snapshot_scope snapshot_scope_from_name(const char *name)
{
	int value = strtab_value(scope_names, _SNAPSHOT_SCOPE_MAX, name);

	return value > 0 ? (enum snapshot_scope)value : SCOPE_NONE;
}

void snapshot_info_done(struct snapshot_info *info)
{
	free(info->name);
	free(info->scope_value);
	free(info->image_id);
	free(info->root);
	memset(info, 0, sizeof(*info));
}

/*
 * Rows.
 */

/* A scope has a value, and no scope has none. */
static bool scope_agrees(const struct snapshot_info *info)
{
	const bool valued = info->scope_value && *info->scope_value;

	return info->scope == SCOPE_NONE ? !info->scope_value
	                                 : valued && info->kind != SNAPSHOT_LAYER;
}

int snapshot_check(const struct snapshot_info *info)
{
	const char *const texts[] = {info->name, info->scope_value, info->image_id, info->root};

	if (info->kind <= SNAPSHOT_UNSET || info->kind >= _SNAPSHOT_KIND_MAX ||
	        info->scope < SCOPE_NONE || info->scope >= _SNAPSHOT_SCOPE_MAX || !info->name ||
	        !*info->name || !scope_agrees(info) || (info->root && *info->root != '/') ||
	        info->created_ns < 0 || info->by_uid < -1 || info->by_uid > UINT32_MAX)
		return -EINVAL;
	return store_texts_fit(texts, sizeof(texts) / sizeof(texts[0]));
}

void snapshot_bind_totals(sqlite3_stmt *s, int at, const struct snapshot_info *info)
{
	const uint64_t totals[] = {info->entries, info->files, info->executables, info->bytes,
	        info->hashed, info->hashed_bytes, info->unreadable, info->mutable_files};
	const int n = (int)(sizeof(totals) / sizeof(totals[0]));

	for (int i = 0; i < n; i++)
		sqlite3_bind_int64(
		        s, at + i, totals[i] > INT64_MAX ? INT64_MAX : (int64_t)totals[i]);
	bind_digest(s, at + n, info->has_digest, &info->digest);
}

static uint64_t read_total(sqlite3_stmt *s, int at, bool *ok)
{
	return (uint64_t)column_int(s, at, 0, INT64_MAX, ok);
}

static bool read_info(sqlite3_stmt *s, struct snapshot_info *info)
{
	bool ok = true;

	info->id = column_int(s, 0, 1, INT64_MAX, &ok);
	info->kind = (enum snapshot_kind)column_int(s, 1, 1, _SNAPSHOT_KIND_MAX - 1, &ok);
	info->name = column_text(s, 2, TEXT_MAX, &ok);
	info->scope = (enum snapshot_scope)column_int(s, 3, 0, _SNAPSHOT_SCOPE_MAX - 1, &ok);
	info->scope_value = column_text(s, 4, TEXT_MAX, &ok);
	info->image_id = column_text(s, 5, TEXT_MAX, &ok);
	info->root = column_text(s, 6, TEXT_MAX, &ok);
	info->all_files = column_int(s, 7, 0, 1, &ok) != 0;
	info->state = (enum snapshot_state)column_int(s, 8, 0, _SNAPSHOT_STATE_MAX - 1, &ok);
	info->created_ns = column_int(s, 9, 0, INT64_MAX, &ok);
	info->by_uid = column_int(s, 10, -1, UINT32_MAX, &ok);
	info->entries = read_total(s, 11, &ok);
	info->files = read_total(s, 12, &ok);
	info->executables = read_total(s, 13, &ok);
	info->bytes = read_total(s, 14, &ok);
	info->hashed = read_total(s, 15, &ok);
	info->hashed_bytes = read_total(s, 16, &ok);
	info->unreadable = read_total(s, 17, &ok);
	info->mutable_files = read_total(s, 18, &ok);
	info->has_digest = column_digest(s, 19, &info->digest, &ok);
	return ok && snapshot_check(info) == 0;
}

int snapshot_step(struct store *store, sqlite3_stmt *s, struct snapshot_info *ret_info)
{
	struct snapshot_info info = {0};
	int code = sqlite3_step(s);
	int r = code == SQLITE_DONE ? STORE_E_NOTFOUND : store_result(store, code);

	if (r == 0 && !read_info(s, &info))
		r = STORE_E_CORRUPT;
	sqlite3_reset(s);
	if (r == 0)
		*ret_info = info;
	else
		snapshot_info_done(&info);
	return r;
}

int snapshot_step_id(struct store *store, sqlite3_stmt *s, int64_t *ret_id)
{
	bool ok = true;
	int64_t id = 0;
	int code = sqlite3_step(s);
	int r = code == SQLITE_DONE ? STORE_E_NOTFOUND : store_result(store, code);

	if (r == 0)
		id = column_int(s, 0, 1, INT64_MAX, &ok);
	sqlite3_reset(s);
	if (r == 0 && !ok)
		return STORE_E_CORRUPT;
	if (r == 0)
		*ret_id = id;
	return r;
}

int snapshot_there(struct store *store, int64_t id)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_SNAPSHOT_THERE,
	        "SELECT id FROM snapshot WHERE id = ?1 AND state IN (0, 1, 2)", &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	return snapshot_step_id(store, s, &id);
}

int store_snapshot_get(struct store *store, int64_t id, struct snapshot_info *ret_info)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_SNAPSHOT_GET,
	        "SELECT " SNAPSHOT_COLUMNS " FROM snapshot WHERE id = ?1 AND state IN (1, 2)", &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	return snapshot_step(store, s, ret_info);
}

static int next_snapshot(struct store *store, int64_t before, struct snapshot_info *ret_info)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_SNAPSHOT_NEXT,
	        "SELECT " SNAPSHOT_COLUMNS " FROM snapshot WHERE id < ?1 AND state IN (1, 2) AND "
	        "kind <> ?2 ORDER BY id DESC LIMIT 1",
	        &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, before);
	sqlite3_bind_int(s, 2, SNAPSHOT_LAYER);
	return snapshot_step(store, s, ret_info);
}

int store_snapshots(struct store *store,
        int (*fn)(const struct snapshot_info *info, void *userdata), void *userdata)
{
	int64_t before = INT64_MAX;
	int r = 0;

	while (r == 0) {
		_cleanup_(snapshot_info_done) struct snapshot_info info = {0};

		r = next_snapshot(store, before, &info);
		if (r == STORE_E_NOTFOUND)
			return 0;
		if (r == 0) {
			before = info.id;
			r = fn(&info, userdata);
		}
	}
	return r;
}

/*
 * Finding.
 */

/* The one kind that has snapshots of that name. */
static int kind_of_name(struct store *store, const char *name, enum snapshot_kind *ret_kind)
{
	bool ok = true;
	int64_t first = 0, last = 0;
	sqlite3_stmt *s;
	int code, r;

	r = store_prepare(store, STATEMENT_SNAPSHOT_KINDS,
	        "SELECT min(kind), max(kind) FROM snapshot WHERE name = ?1 AND state IN (1, 2) AND "
	        "kind <> ?2 HAVING count(*) > 0",
	        &s);
	if (r != 0)
		return r;
	bind_text(s, 1, name);
	sqlite3_bind_int(s, 2, SNAPSHOT_LAYER);
	code = sqlite3_step(s);
	r = code == SQLITE_DONE ? STORE_E_NOTFOUND : store_result(store, code);
	if (r == 0) {
		first = column_int(s, 0, 1, _SNAPSHOT_KIND_MAX - 1, &ok);
		last = column_int(s, 1, 1, _SNAPSHOT_KIND_MAX - 1, &ok);
	}
	sqlite3_reset(s);
	if (r != 0)
		return r;
	*ret_kind = (enum snapshot_kind)first;
	if (!ok)
		return STORE_E_CORRUPT;
	return first == last ? 0 : -ENOTUNIQ;
}

/* The current one, or the @nth before it. */
static int nth_of_kind(struct store *store, enum snapshot_kind kind, const char *name, int64_t nth,
        struct snapshot_info *ret_info)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_SNAPSHOT_NTH,
	        "SELECT " SNAPSHOT_COLUMNS " FROM snapshot WHERE name = ?1 AND kind = ?2 AND "
	        "state = ?3 ORDER BY published DESC, id DESC LIMIT 1 OFFSET ?4",
	        &s);

	if (r != 0)
		return r;
	bind_text(s, 1, name);
	sqlite3_bind_int(s, 2, (int)kind);
	sqlite3_bind_int(s, 3, nth == 0 ? SNAPSHOT_CURRENT : SNAPSHOT_SUPERSEDED);
	sqlite3_bind_int64(s, 4, nth == 0 ? 0 : nth - 1);
	return snapshot_step(store, s, ret_info);
}

/* "NAME" first: references have colons, and a name may begin with what is a kind. */
static int find_name(
        struct store *store, const char *text, int64_t nth, struct snapshot_info *ret_info)
{
	_cleanup_free_ char *word = NULL;
	const char *colon = strchr(text, ':');
	enum snapshot_kind kind;
	int r = kind_of_name(store, text, &kind);

	if (r == 0)
		return nth_of_kind(store, kind, text, nth, ret_info);
	if (r != STORE_E_NOTFOUND || !colon)
		return r;
	word = strndup(text, (size_t)(colon - text));
	if (!word)
		return -ENOMEM;
	kind = snapshot_kind_from_name(word);
	if (kind == SNAPSHOT_UNSET || kind == SNAPSHOT_LAYER)
		return STORE_E_NOTFOUND;
	return nth_of_kind(store, kind, colon + 1, nth, ret_info);
}

static bool is_shown(struct snapshot_info *info)
{
	if (info->kind != SNAPSHOT_LAYER)
		return true;
	snapshot_info_done(info);
	return false;
}

static int find_id(struct store *store, const char *text, struct snapshot_info *ret_info)
{
	int64_t id;
	int r = store_number_parse(text, &id) ? store_snapshot_get(store, id, ret_info)
	                                      : STORE_E_NOTFOUND;

	return r == 0 && !is_shown(ret_info) ? STORE_E_NOTFOUND : r;
}

int store_snapshot_find(struct store *store, const char *text, struct snapshot_info *ret_info)
{
	_cleanup_free_ char *name = NULL;
	const char *at = strrchr(text, '@');
	int64_t nth;
	int r = find_id(store, text, ret_info);

	if (r == STORE_E_NOTFOUND)
		r = find_name(store, text, 0, ret_info);
	if (r != STORE_E_NOTFOUND || !at || !store_number_parse(at + 1, &nth))
		return r;
	name = strndup(text, (size_t)(at - text));
	return name ? find_name(store, name, nth, ret_info) : -ENOMEM;
}

static int select_layer(struct store *store, const char *diff_id, bool all_files, int64_t *ret_id)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_SNAPSHOT_LAYER,
	        "SELECT id FROM snapshot WHERE name = ?1 AND kind = ?2 AND state = 1 AND "
	        "all_files >= ?3",
	        &s);

	if (r != 0)
		return r;
	bind_text(s, 1, diff_id);
	sqlite3_bind_int(s, 2, SNAPSHOT_LAYER);
	sqlite3_bind_int(s, 3, all_files);
	return snapshot_step_id(store, s, ret_id);
}

/* Asked for again behind the lock: who removes it has the lock until it is marked. */
int store_snapshot_layer(struct store *store, const char *diff_id, bool all_files, int64_t *ret_id)
{
	int64_t id, again;
	int fd, r = select_layer(store, diff_id, all_files, &id);

	if (r == 0 && !sqlite3_db_readonly(store->db, "main")) {
		r = builder_presence(store, &fd);
		if (r == 0)
			r = presence_take(fd, id, PRESENCE_SHARED);
		if (r == 1)
			return STORE_E_NOTFOUND;
		if (r == 0)
			r = select_layer(store, diff_id, all_files, &again);
		if (r == 0 && again != id)
			r = STORE_E_NOTFOUND;
	}
	if (r == 0)
		*ret_id = id;
	return r;
}

/*
 * The generation.
 */
int store_baseline_generation(struct store *store, int64_t *ret_generation)
{
	return store_setting_number(store, GENERATION, ret_generation);
}

int store_baseline_changed(struct store *store)
{
	return store_setting_count_up(store, GENERATION);
}
