/*
 * Subjects and keys of a list. Subjects are written as they come. Their keys come in no order, and
 * an index over them would have a page written for nearly each: they wait in memory, are sorted
 * once and written as a few hundred rows. SQLite's own sorter would keep them in memory too (no
 * temporary files, store.c), at three times the size, and again in each process that loads the
 * list.
 */
#include "store/allowlists_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_START 4096u /* room for keys at first; doubles */

struct allowlist_build {
	int64_t id;
	struct digest *keys;
	size_t n, room;
};

void allowlist_build_free(struct allowlist_build *build)
{
	if (!build)
		return;
	free(build->keys);
	free(build);
}

int allowlist_build_start(struct store *store, int64_t id)
{
	store->build = calloc(1, sizeof(*store->build));
	if (!store->build)
		return -ENOMEM;
	store->build->id = id;
	return 0;
}

static int keep_key(struct allowlist_build *build, const struct digest *key)
{
	if (build->n == build->room) {
		size_t room = build->room ? 2 * build->room : KEYS_START;
		struct digest *keys = reallocarray(build->keys, room, sizeof(*keys));

		if (!keys)
			return -ENOMEM;
		build->keys = keys;
		build->room = room;
	}
	build->keys[build->n++] = *key;
	return 0;
}

int store_allowlist_add(struct store *store, int64_t id, const struct statement_subject *subject,
        const struct digest *key)
{
	struct allowlist_build *build = store->build;
	sqlite3_stmt *s;
	int r;

	if (!build || build->id != id)
		return -EINVAL;
	if (build->n == STATEMENT_SUBJECTS_MAX)
		return -E2BIG;
	if (strnlen(subject->name, STATEMENT_TEXT_MAX + 1) > STATEMENT_TEXT_MAX)
		return -EMSGSIZE;
	r = store_prepare(store, STATEMENT_ALLOWLIST_SUBJECT_ADD,
	        "INSERT INTO allowlist_subject (id, name, sha256) VALUES (?1, ?2, ?3)", &s);
	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, first_of_list(id) + (int64_t)build->n);
	bind_text(s, 2, subject->name);
	bind_digest(s, 3, true, &subject->digest);
	r = store_run(store, s);
	return r == 0 ? keep_key(build, key) : r;
}

/*
 * Keys.
 */
static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct digest));
}

static void sort(struct allowlist_build *build)
{
	size_t n = 0;

	qsort(build->keys, build->n, sizeof(*build->keys), compare);
	for (size_t i = 0; i < build->n; i++)
		if (n == 0 || compare(&build->keys[n - 1], &build->keys[i]) != 0)
			build->keys[n++] = build->keys[i];
	build->n = n;
}

static int write_row(struct store *store, int64_t id, const struct digest *keys, size_t n)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_ALLOWLIST_KEYS_ADD,
	        "INSERT INTO allowlist_keys (id, keys) VALUES (?1, ?2)", &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_blob(s, 2, keys, (int)(n * sizeof(*keys)), SQLITE_STATIC);
	return store_run(store, s);
}

static int write_keys(struct store *store, const struct allowlist_build *build)
{
	int64_t id = first_of_list(build->id);
	int r = 0;

	for (size_t i = 0; i < build->n && r == 0; i += ALLOWLIST_KEYS_ROW) {
		size_t n = build->n - i;

		r = write_row(store, id++, &build->keys[i],
		        n < ALLOWLIST_KEYS_ROW ? n : ALLOWLIST_KEYS_ROW);
	}
	return r;
}

static int write_counts(struct store *store, const struct allowlist_build *build, uint64_t subjects)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_ALLOWLIST_FINISH,
	        "UPDATE allowlist SET subjects = ?2, keys = ?3 WHERE id = ?1", &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, build->id);
	sqlite3_bind_int64(s, 2, (int64_t)subjects);
	sqlite3_bind_int64(s, 3, (int64_t)build->n);
	return store_run(store, s);
}

int store_allowlist_finish(struct store *store, int64_t id, uint64_t subjects)
{
	struct allowlist_build *build = store->build;
	int r;

	if (!build || build->id != id || build->n != subjects || subjects == 0)
		return -EINVAL;
	sort(build);
	r = write_keys(store, build);
	if (r == 0)
		r = write_counts(store, build, subjects);
	if (r == 0)
		allowlist_build_free(TAKE_PTR(store->build));
	return r;
}

/*
 * Reading. What a list counts stands in its own row: one row of keys less is seen.
 */
static int prepare_range(struct store *store, enum store_statement which, const char *sql,
        int64_t id, sqlite3_stmt **ret)
{
	int r = store_prepare(store, which, sql, ret);

	if (r == 0)
		sqlite3_bind_int64(*ret, 1, id);
	return r;
}

/* "subjects" or "keys" of the list. */
static int read_count(struct store *store, int64_t id, bool of_keys, int64_t *ret_n)
{
	_cleanup_(statement_donep) sqlite3_stmt *s = NULL;
	bool ok = true;
	int code, r = store_prepare_once(
	                  store, "SELECT subjects, keys FROM allowlist WHERE id = ?1", &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	code = sqlite3_step(s);
	if (code != SQLITE_ROW)
		return store_result(store, code) ?: STORE_E_NOTFOUND;
	*ret_n = column_int(s, of_keys, 1, STATEMENT_SUBJECTS_MAX, &ok);
	return ok ? 0 : STORE_E_CORRUPT;
}

struct key_walk {
	int64_t next; /* id of the row */
	int64_t n;
	struct digest last;
};

/* The keys of a row, in their order after what came before; NULL for one that cannot be. */
static const struct digest *read_keys(sqlite3_stmt *s, struct key_walk *walk, size_t *ret_n)
{
	bool ok = true, is_blob = sqlite3_column_type(s, 1) == SQLITE_BLOB;
	const struct digest *keys = is_blob ? sqlite3_column_blob(s, 1) : NULL;
	size_t size = keys ? (size_t)sqlite3_column_bytes(s, 1) : 0, n = size / sizeof(*keys);

	(void)column_int(s, 0, walk->next, walk->next, &ok);
	if (!ok || n == 0 || size % sizeof(*keys) != 0 || n > ALLOWLIST_KEYS_ROW)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if ((walk->n > 0 || i > 0) && compare(&walk->last, &keys[i]) >= 0)
			return NULL;
		walk->last = keys[i];
	}
	walk->next++;
	walk->n += (int64_t)n;
	*ret_n = n;
	return keys;
}

int store_allowlist_keys(struct store *store, int64_t id,
        int (*each)(const struct digest *keys, size_t n, void *userdata), void *userdata)
{
	struct key_walk walk = {.next = first_of_list(id)};
	sqlite3_stmt *s;
	int64_t wanted = 0;
	int code = SQLITE_DONE, r = read_count(store, id, true, &wanted);

	if (r == 0)
		r = prepare_range(store, STATEMENT_ALLOWLIST_KEYS,
		        "SELECT id, keys FROM allowlist_keys WHERE id >= ?1 << 20 AND "
		        "id < (?1 + 1) << 20 ORDER BY id",
		        id, &s);
	if (r != 0)
		return r;
	while (r == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
		size_t n = 0;
		const struct digest *keys = read_keys(s, &walk, &n);

		r = keys && walk.n <= wanted ? each(keys, n, userdata) : STORE_E_CORRUPT;
	}
	if (r == 0)
		r = store_result(store, code);
	sqlite3_reset(s);
	return r == 0 && walk.n != wanted ? STORE_E_CORRUPT : r;
}

/* One subject of a row; @ret_name is the caller's to free. */
static bool read_subject(sqlite3_stmt *s, int64_t id, struct statement_subject *ret_subject)
{
	bool ok = true;

	(void)column_int(s, 0, id, id, &ok);
	ret_subject->name = column_text(s, 1, STATEMENT_TEXT_MAX, &ok);
	ok &= column_digest(s, 2, &ret_subject->digest, &ok);
	return ok && ret_subject->name && !statement_name_fault(ret_subject->name);
}

int store_allowlist_subjects(struct store *store, int64_t id, const struct digest *digest,
        int (*each)(const struct statement_subject *subject, void *userdata), void *userdata)
{
	sqlite3_stmt *s;
	int64_t wanted = 0, n = 0;
	int code = SQLITE_DONE, r = read_count(store, id, false, &wanted);

	if (r == 0)
		r = prepare_range(store, STATEMENT_ALLOWLIST_SUBJECTS,
		        "SELECT id, name, sha256 FROM allowlist_subject WHERE id >= ?1 << 20 AND "
		        "id < (?1 + 1) << 20 AND (?2 IS NULL OR sha256 = ?2) ORDER BY id",
		        id, &s);
	if (r != 0)
		return r;
	bind_digest(s, 2, digest != NULL, digest);
	while (r == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
		struct statement_subject subject = {0};
		int64_t row = digest ? sqlite3_column_int64(s, 0) : first_of_list(id) + n;

		n++;
		r = read_subject(s, row, &subject) && n <= wanted ? each(&subject, userdata)
		                                                  : STORE_E_CORRUPT;
		free(subject.name);
	}
	if (r == 0)
		r = store_result(store, code);
	sqlite3_reset(s);
	return r == 0 && !digest && n != wanted ? STORE_E_CORRUPT : r;
}
