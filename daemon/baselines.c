/*
 * Where snapshots vouch are four tables, sorted by what is asked for: an image's id, the last
 * component of its reference (which all ways to write one share; those of one name are told apart
 * one by one), a container's key, a filesystem's UUID.
 */
#include "daemon/baselines.h"

#include "base/cleanup.h"
#include "core/image.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LOAD_TRIES 8u /* each costs a snapshot that somebody removes meanwhile */

/* A snapshot that vouches. */
struct source {
	struct snapshot_info info; /* what is compared of it: not its name, nor its root */
	struct baseline_index *index;
	bool settled; /* nothing was changed in the database while it was read */
};

struct row {
	char *key;
	const struct source *source;
};

enum table_kind {
	TABLE_IMAGE_ID = 0,
	TABLE_IMAGE_NAME,
	TABLE_CONTAINER,
	TABLE_FILESYSTEM,
	_TABLE_MAX,
};

struct table {
	struct row *rows; /* by key */
	size_t n;
};

struct baselines {
	atomic_uint refs;
	struct source *sources; /* by id */
	size_t n, room;
	struct table tables[_TABLE_MAX];
	struct baselines_totals totals;
};

DEFINE_FREEP(baselines, baselines_unref)

struct baselines *baselines_ref(struct baselines *baselines)
{
	if (baselines)
		atomic_fetch_add(&baselines->refs, 1);
	return baselines;
}

void baselines_unref(struct baselines *b)
{
	if (!b || atomic_fetch_sub(&b->refs, 1) > 1)
		return;
	for (int kind = 0; kind < _TABLE_MAX; kind++) {
		for (size_t i = 0; i < b->tables[kind].n; i++)
			free(b->tables[kind].rows[i].key);
		free(b->tables[kind].rows);
	}
	for (size_t i = 0; i < b->n; i++) {
		snapshot_info_done(&b->sources[i].info);
		baseline_index_unref(b->sources[i].index);
	}
	free(b->sources);
	free(b);
}

/*
 * Scope.
 */
static bool same_text(const char *a, const char *b)
{
	return a && b && *a && !strcmp(a, b);
}

/* An id is exact; a reference can mean another image tomorrow, and speaks where one id is missing.
 */
static bool is_image(const struct snapshot_info *info, const struct container_info *container)
{
	if (info->image_id && container->image_id)
		return same_text(info->image_id, container->image_id);
	return image_ref_matches(info->scope_value, container->image);
}

bool baselines_scope_holds(const struct snapshot_info *info, const struct exec_facts *facts)
{
	const struct container_info *container = facts->has_container ? &facts->container : NULL;

	switch (info->scope) {
	case SCOPE_IMAGE:
		return container && is_image(info, container);
	case SCOPE_CONTAINER:
		return container && same_text(info->scope_value, container->key);
	case SCOPE_FILESYSTEM:
		return !container && facts->origin == ORIGIN_HOST &&
		       same_text(info->scope_value, facts->filesystem);
	default:
		return false;
	}
}

/*
 * Loading.
 */
struct loading {
	struct store *store;
	const char *state_dir;
	const struct baselines *before;
	struct baselines *set;
};

/* The fields that are compared; the rest of a row is not kept. */
static int copy_info(const struct snapshot_info *info, struct snapshot_info *ret_copy)
{
	struct snapshot_info copy = {
	        .id = info->id,
	        .kind = info->kind,
	        .scope = info->scope,
	        .entries = info->entries,
	        .executables = info->executables,
	        .has_digest = info->has_digest,
	        .digest = info->digest,
	        .scope_value = info->scope_value ? strdup(info->scope_value) : NULL,
	        .image_id = info->image_id ? strdup(info->image_id) : NULL,
	};

	if ((info->scope_value && !copy.scope_value) || (info->image_id && !copy.image_id)) {
		snapshot_info_done(&copy);
		return -ENOMEM;
	}
	*ret_copy = copy;
	return 0;
}

static bool vouches_somewhere(const struct snapshot_info *info)
{
	return info->state == SNAPSHOT_CURRENT && info->scope > SCOPE_NONE &&
	       info->scope < _SNAPSHOT_SCOPE_MAX && (info->scope_value || info->image_id);
}

static int take_snapshot(const struct snapshot_info *info, void *userdata)
{
	struct loading *loading = userdata;
	struct baselines *set = loading->set;
	int r;

	if (!vouches_somewhere(info))
		return 0;
	if (set->n >= BASELINE_SNAPSHOTS_MAX)
		return -E2BIG;
	if (set->n == set->room) {
		size_t room = set->room ? set->room * 2 : 16;
		struct source *grown = realloc(set->sources, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		set->sources = grown;
		set->room = room;
	}
	set->sources[set->n] = (struct source){0};
	r = copy_info(info, &set->sources[set->n].info);
	if (r == 0)
		set->n++;
	return r;
}

static int compare_sources(const void *a, const void *b)
{
	const struct source *x = a, *y = b;

	return x->info.id < y->info.id ? -1 : x->info.id > y->info.id;
}

/* The index of the set before, when it was made of the very same entries. */
static struct baseline_index *index_before(const struct baselines *before, const struct source *now)
{
	const struct source *old =
	        before && before->n > 0
	                ? bsearch(now, before->sources, before->n, sizeof(*now), compare_sources)
	                : NULL;

	if (!old || !old->settled || !old->info.has_digest || !now->info.has_digest ||
	        old->info.entries != now->info.entries ||
	        old->info.executables != now->info.executables ||
	        !digest_equal(&old->info.digest, &now->info.digest))
		return NULL;
	return baseline_index_ref(old->index);
}

static int take_digests(const struct digest *digests, size_t n, void *userdata)
{
	int r = baseline_index_add(userdata, digests, n);

	return r == -EILSEQ ? STORE_E_CORRUPT : r;
}

static int make_index(const struct loading *loading, struct source *source)
{
	int r = baseline_index_new(loading->state_dir, &source->index);

	if (r == 0)
		r = store_snapshot_digests(
		        loading->store, source->info.id, take_digests, source->index);
	return r == 0 ? baseline_index_finish(source->index) : r;
}

static int make_indexes(const struct loading *loading)
{
	struct baselines *set = loading->set;
	int r = 0;

	for (size_t i = 0; i < set->n && r == 0; i++) {
		struct source *source = &set->sources[i];

		source->index = index_before(loading->before, source);
		source->settled = source->index != NULL;
		set->totals.shared += source->settled;
		if (!source->index)
			r = make_index(loading, source);
	}
	return r;
}

/* "web" of "docker.io/library/web:1", "web@sha256:..." */
static char *name_of_image(const char *reference)
{
	const char *slash = strrchr(reference, '/');
	const char *name = slash ? slash + 1 : reference;

	return strndup(name, strcspn(name, ":@"));
}

static int add_row(
        struct baselines *set, enum table_kind kind, char *key, const struct source *source)
{
	struct table *table = &set->tables[kind];

	if (!key)
		return -ENOMEM;
	if (!table->rows)
		table->rows = calloc(set->n, sizeof(table->rows[0]));
	if (!table->rows) {
		free(key);
		return -ENOMEM;
	}
	table->rows[table->n++] = (struct row){.key = key, .source = source};
	return 0;
}

static int add_rows(struct baselines *set, const struct source *source)
{
	const struct snapshot_info *info = &source->info;
	int r = 0;

	switch (info->scope) {
	case SCOPE_IMAGE:
		if (info->image_id)
			r = add_row(set, TABLE_IMAGE_ID, strdup(info->image_id), source);
		if (r == 0 && info->scope_value)
			r = add_row(
			        set, TABLE_IMAGE_NAME, name_of_image(info->scope_value), source);
		return r;
	case SCOPE_CONTAINER:
	case SCOPE_FILESYSTEM:
		if (!info->scope_value)
			return 0;
		return add_row(set,
		        info->scope == SCOPE_CONTAINER ? TABLE_CONTAINER : TABLE_FILESYSTEM,
		        strdup(info->scope_value), source);
	default:
		return 0;
	}
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return strcmp(x->key, y->key);
}

static int make_tables(struct baselines *set)
{
	int r = 0;

	for (size_t i = 0; i < set->n && r == 0; i++) {
		const struct source *source = &set->sources[i];

		r = add_rows(set, source);
		set->totals.snapshots++;
		set->totals.by_scope[source->info.scope]++;
		set->totals.digests += baseline_index_count(source->index);
	}
	for (int kind = 0; kind < _TABLE_MAX; kind++)
		if (set->tables[kind].n > 1)
			qsort(set->tables[kind].rows, set->tables[kind].n, sizeof(struct row),
			        compare_rows);
	return r;
}

/* What was made while somebody else changed the database is not shared with the next set. */
static int settle(struct store *store, struct baselines *set)
{
	int64_t after;
	int r = store_baseline_generation(store, &after);

	for (size_t i = 0; i < set->n && r == 0 && after == set->totals.generation; i++)
		set->sources[i].settled = true;
	return r;
}

static int load_once(struct store *store, const char *state_dir, struct baselines *before,
        struct baselines **ret_baselines)
{
	_cleanup_(baselines_unrefp) struct baselines *set = calloc(1, sizeof(*set));
	struct loading loading = {
	        .store = store, .state_dir = state_dir, .before = before, .set = set};
	int r;

	if (!set)
		return -ENOMEM;
	atomic_init(&set->refs, 1);
	r = store_baseline_generation(store, &set->totals.generation);
	if (r == 0)
		r = store_snapshots(store, take_snapshot, &loading);
	if (r == 0 && set->n > 1)
		qsort(set->sources, set->n, sizeof(set->sources[0]), compare_sources);
	if (r == 0)
		r = make_indexes(&loading);
	if (r == 0)
		r = make_tables(set);
	if (r == 0)
		r = settle(store, set);
	if (r == 0)
		*ret_baselines = TAKE_PTR(set);
	return r;
}

int baselines_load(struct store *store, const char *state_dir, struct baselines *before,
        struct baselines **ret_baselines)
{
	int r = STORE_E_NOTFOUND;

	/* A snapshot that was removed between the list and its digests: the next list lacks it. */
	for (unsigned int try = 0; try < LOAD_TRIES && r == STORE_E_NOTFOUND; try++)
		r = load_once(store, state_dir, before, ret_baselines);
	return r == STORE_E_NOTFOUND ? STORE_E_BUSY : r;
}

/*
 * Asking.
 */

/* The first row of that key; n when there is none. */
static size_t first_row(const struct table *table, const char *key)
{
	size_t low = 0, high = table->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(table->rows[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* One that has it is enough; one that cannot be read makes "unknown" a failure. */
static enum baseline_answer merge(enum baseline_answer a, enum baseline_answer b)
{
	if (a == BASELINE_KNOWN || b == BASELINE_KNOWN)
		return BASELINE_KNOWN;
	return a == BASELINE_UNKNOWN && b == BASELINE_UNKNOWN ? BASELINE_UNKNOWN : BASELINE_FAILED;
}

/* @container: NULL where the key alone decides. */
static enum baseline_answer ask_table(const struct table *table, const char *key,
        const struct digest *digest, const struct container_info *container)
{
	enum baseline_answer answer = BASELINE_UNKNOWN;

	if (!key || !*key)
		return BASELINE_UNKNOWN;
	for (size_t i = first_row(table, key);
	        i < table->n && !strcmp(table->rows[i].key, key) && answer != BASELINE_KNOWN; i++) {
		const struct source *source = table->rows[i].source;

		if (!container || is_image(&source->info, container))
			answer = merge(answer, baseline_index_ask(source->index, digest));
	}
	return answer;
}

enum baseline_answer baselines_ask_container(const struct baselines *b, const struct digest *digest,
        const struct container_info *container)
{
	_cleanup_free_ char *name = NULL;
	enum baseline_answer answer;

	if (!b || b->n == 0)
		return BASELINE_UNKNOWN;
	answer = ask_table(&b->tables[TABLE_IMAGE_ID], container->image_id, digest, NULL);
	if (answer != BASELINE_KNOWN)
		answer = merge(answer,
		        ask_table(&b->tables[TABLE_CONTAINER], container->key, digest, NULL));
	if (answer == BASELINE_KNOWN || !container->image)
		return answer;
	name = name_of_image(container->image);
	if (!name)
		return BASELINE_FAILED;
	return merge(answer, ask_table(&b->tables[TABLE_IMAGE_NAME], name, digest, container));
}

enum baseline_answer baselines_ask_filesystem(
        const struct baselines *b, const struct digest *digest, const char *uuid)
{
	return b ? ask_table(&b->tables[TABLE_FILESYSTEM], uuid, digest, NULL) : BASELINE_UNKNOWN;
}

bool baselines_have_filesystem(const struct baselines *b, const char *uuid)
{
	const struct table *table = b ? &b->tables[TABLE_FILESYSTEM] : NULL;
	size_t at;

	if (!table || !uuid || !*uuid)
		return false;
	at = first_row(table, uuid);
	return at < table->n && !strcmp(table->rows[at].key, uuid);
}

void baselines_totals(const struct baselines *b, struct baselines_totals *ret_totals)
{
	*ret_totals = b ? b->totals : (struct baselines_totals){0};
}
