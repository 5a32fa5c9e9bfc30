/*
 * What a handle has under construction. Entries wait in memory and are written in one go, since a
 * write lock that is held from one entry to the next would be held while gigabytes are hashed.
 *
 * They are written in the order of their paths, and their digests later in an order of their own:
 * neighbours share pages, and a page that is written once for many rows costs a disk as little as
 * one that is written for one. So what waits is as much as memory allows, in whatever order it
 * came.
 */
#include "store/baselines_internal.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAITING_BYTES   (12u * 1024u * 1024u)
#define ROW_BYTES_MAX   (sizeof(struct waiting) + 3 * (TEXT_MAX + 1) + sizeof(max_align_t))
#define EXECUTABLES_MAX (128u * 1024u) /* 6 MiB */
#define GROW_MIN        1024u          /* slots of a first allocation */
#define LOOK_ROWS       64u            /* between two looks at the clock */

/*
 * A batch in order needs few pages at a time (KiB). The log is taken in when it is long enough for
 * a page to be in it many times (pages), and gives the room back (bytes).
 */
#define TUNING                                                                                     \
	"PRAGMA cache_size = -8192; PRAGMA wal_autocheckpoint = 16384; "                           \
	"PRAGMA journal_size_limit = 16777216"

/* Its texts follow it; of the handle there is as much as it has. */
struct waiting {
	int64_t snapshot;
	struct entry entry;
};

struct builder {
	int presence;
	char *memory; /* WAITING_BYTES, on first use */
	size_t used;  /* bytes of it */
	struct waiting **rows;
	size_t first, end, slots;       /* those that wait; of the array */
	struct executable *executables; /* of entries that are written */
	size_t n_executables, executable_slots;
};

static void builder_freep(struct builder **builder)
{
	builder_free(*builder);
}

void builder_free(struct builder *builder)
{
	if (!builder)
		return;
	free(builder->memory);
	free(builder->rows);
	free(builder->executables);
	if (builder->presence >= 0)
		close(builder->presence);
	free(builder);
}

static int builder_of(struct store *store, struct builder **ret_builder)
{
	_cleanup_(builder_freep) struct builder *builder = NULL;
	int r;

	if (!store->builder) {
		builder = calloc(1, sizeof(*builder));
		if (!builder)
			return -ENOMEM;
		builder->presence = -1;
		r = presence_open(store, &builder->presence);
		if (r == 0)
			r = store_execute(store, TUNING);
		if (r != 0)
			return r;
		store->builder = TAKE_PTR(builder);
	}
	*ret_builder = store->builder;
	return 0;
}

int builder_presence(struct store *store, int *ret_fd)
{
	struct builder *builder;
	int r = builder_of(store, &builder);

	if (r == 0)
		*ret_fd = builder->presence;
	return r;
}

void builder_leave(struct store *store, int64_t id)
{
	if (store->builder)
		presence_drop(store->builder->presence, id);
}

void builder_stay(struct store *store, int64_t id)
{
	if (store->builder)
		(void)presence_take(store->builder->presence, id, PRESENCE_SHARED);
}

void builder_forget(struct store *store, int64_t id)
{
	struct builder *builder = store->builder;
	size_t kept;

	if (!builder)
		return;
	kept = builder->first;
	for (size_t i = builder->first; i < builder->end; i++)
		if (builder->rows[i]->snapshot != id)
			builder->rows[kept++] = builder->rows[i];
	builder->end = kept;
	kept = 0;
	for (size_t i = 0; i < builder->n_executables; i++)
		if (builder->executables[i].snapshot != id)
			builder->executables[kept++] = builder->executables[i];
	builder->n_executables = kept;
	builder_leave(store, id);
}

#define PAUSE_MS 2 /* twice what others wait between two tries: store.c */

void store_give_way(void)
{
	const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};

	nanosleep(&pause, NULL);
}

/*
 * Writing executables.
 */
static int flush_executables(struct store *store)
{
	struct builder *builder = store->builder;
	size_t done = 0;
	int r = 0;

	executables_sort(builder->executables, builder->n_executables);
	while (r == 0 && done < builder->n_executables) {
		size_t n = 0;

		r = executables_insert(
		        store, builder->executables + done, builder->n_executables - done, &n);
		done += n;
	}
	builder->n_executables -= done;
	if (done > 0 && builder->n_executables > 0)
		memmove(builder->executables, builder->executables + done,
		        builder->n_executables * sizeof(*builder->executables));
	return r;
}

static int room_for_executables(struct store *store, struct builder *builder)
{
	struct executable *grown;
	size_t slots = builder->executable_slots ? builder->executable_slots : GROW_MIN;

	if (builder->n_executables + BASELINE_BATCH > EXECUTABLES_MAX)
		return flush_executables(store);
	while (slots < builder->n_executables + BASELINE_BATCH)
		slots *= 2;
	if (slots == builder->executable_slots)
		return 0;
	grown = reallocarray(builder->executables, slots, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	builder->executables = grown;
	builder->executable_slots = slots;
	return 0;
}

/*
 * Writing entries.
 */
static int in_order(const void *a, const void *b)
{
	const struct waiting *x = *(struct waiting *const *)a, *y = *(struct waiting *const *)b;

	if (x->snapshot != y->snapshot)
		return x->snapshot < y->snapshot ? -1 : 1;
	return entry_path_compare(x->entry.path, y->entry.path);
}

/* Under the write lock: it stays so until the commit. */
static int check_building(struct store *store, int64_t id, bool *ret_layer)
{
	sqlite3_stmt *s;
	int64_t kind;
	int r = store_prepare(store, STATEMENT_SNAPSHOT_BUILDING,
	        "SELECT kind FROM snapshot WHERE id = ?1 AND state = 0", &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	r = snapshot_step_id(store, s, &kind);
	if (r == 0)
		*ret_layer = kind == SNAPSHOT_LAYER;
	return r;
}

static int insert(struct store *store, const struct waiting *row)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_ENTRY_ADD,
	        "INSERT INTO entry (snapshot, " ENTRY_COLUMNS ") VALUES (" ENTRY_VALUES ")", &s);

	if (r != 0)
		return r;
	entry_bind(s, row->snapshot, &row->entry);
	r = store_run(store, s);
	sqlite3_clear_bindings(s);
	return r;
}

static void note_executable(struct store *store, const struct waiting *row)
{
	struct builder *builder = store->builder;

	if (row->entry.content != CONTENT_KNOWN || !(row->entry.flags & ENTRY_EXECUTABLE))
		return;
	builder->executables[builder->n_executables++] = (struct executable){
	        .snapshot = row->snapshot,
	        .entry = sqlite3_last_insert_rowid(store->db),
	        .digest = row->entry.digest,
	};
}

/* In a transaction: rows from the first on, as many as a batch has or has time for. */
static int insert_some(struct store *store, size_t *ret_end)
{
	const struct builder *builder = store->builder;
	const int64_t started_ns = clock_monotonic_ns();
	int64_t snapshot = 0;
	bool layer = false;
	size_t i;
	int r = 0;

	for (i = builder->first; i < builder->end && i - builder->first < BASELINE_BATCH; i++) {
		const struct waiting *row = builder->rows[i];

		if ((i - builder->first) % LOOK_ROWS == LOOK_ROWS - 1 &&
		        clock_monotonic_ns() - started_ns > BASELINE_BATCH_MS * NS_PER_MSEC)
			break;
		if (row->snapshot != snapshot)
			r = check_building(store, snapshot = row->snapshot, &layer);
		if (r == 0)
			r = insert(store, row);
		if (r != 0)
			return r;
		if (!layer)
			note_executable(store, row);
	}
	*ret_end = i;
	return 0;
}

static int flush_batch(struct store *store)
{
	struct builder *builder = store->builder;
	size_t end = 0, executables;
	int r = room_for_executables(store, builder);

	executables = builder->n_executables;
	if (r == 0)
		r = store_begin(store);
	if (r != 0)
		return r;
	r = store_end(store, insert_some(store, &end));
	if (r == 0)
		builder->first = end;
	else
		builder->n_executables = executables;
	return r;
}

static int flush_entries(struct store *store)
{
	struct builder *builder = store->builder;
	int r = 0;

	if (builder->end > builder->first)
		qsort(builder->rows + builder->first, builder->end - builder->first,
		        sizeof(struct waiting *), in_order);
	while (r == 0 && builder->first < builder->end) {
		r = flush_batch(store);
		if (builder->first < builder->end)
			store_give_way();
	}
	if (r == 0)
		builder->first = builder->end = builder->used = 0;
	return r;
}

int builder_flush(struct store *store)
{
	const struct builder *builder = store->builder;
	int r;

	if (!builder || (builder->first == builder->end && builder->n_executables == 0))
		return 0;
	r = ungrouped(store);
	if (r == 0)
		r = flush_entries(store);
	return r == 0 ? flush_executables(store) : r;
}

/*
 * Waiting.
 */

/* Room comes first: an entry that was refused may be given again. */
static int room_for_one(struct store *store, struct builder *builder)
{
	struct waiting **grown;
	size_t slots = builder->slots ? 2 * builder->slots : GROW_MIN;

	if (!builder->memory)
		builder->memory = malloc(WAITING_BYTES);
	if (!builder->memory)
		return -ENOMEM;
	if (builder->used + ROW_BYTES_MAX > WAITING_BYTES)
		return flush_entries(store);
	if (builder->end < builder->slots)
		return 0;
	grown = reallocarray(builder->rows, slots, sizeof(struct waiting *));
	if (!grown)
		return -ENOMEM;
	builder->rows = grown;
	builder->slots = slots;
	return 0;
}

/* The copy, which moves *@at past itself. */
static char *put_text(char **at, const char *text)
{
	char *copy = *at;
	size_t size;

	if (!text)
		return NULL;
	size = strlen(text) + 1;
	memcpy(copy, text, size);
	*at += size;
	return copy;
}

static void put(struct builder *builder, int64_t id, const struct entry *entry)
{
	const size_t fixed = offsetof(struct entry, handle) + entry->handle_size;
	struct waiting *row = (struct waiting *)(void *)(builder->memory + builder->used);
	char *at = (char *)&row->entry + fixed;
	size_t used;

	row->snapshot = id;
	memcpy(&row->entry, entry, fixed);
	row->entry.path = put_text(&at, entry->path);
	row->entry.target = put_text(&at, entry->target);
	row->entry.package = put_text(&at, entry->package);
	used = (size_t)(at - builder->memory);
	builder->used = (used + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
	builder->rows[builder->end++] = row;
}

int store_snapshot_add(struct store *store, int64_t id, const struct entry *entry)
{
	struct builder *builder;
	int r = ungrouped(store);

	if (r == 0)
		r = entry_check(entry);
	if (r == 0)
		r = builder_of(store, &builder);
	if (r == 0)
		r = room_for_one(store, builder);
	if (r == 0)
		put(builder, id, entry);
	return r;
}
