/*
 * The heads of all layers lie in a heap by path, of equal paths the upper layer first. What is in a
 * directory follows it directly, so that a stack of the directories around the path of now is all
 * that has to be remembered: for each, from which layer on nothing beneath it is to be seen.
 */
#include "snapshot/merge.h"

#include "base/cleanup.h"
#include "snapshot/merge_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Beneath a directory, layers from @limit on are hidden. */
struct shade {
	size_t path_size; /* of the directory, a beginning of merge.path; 0: the root */
	size_t limit;
};

struct merge {
	const struct merge_options *options;
	struct merge_stream *streams;
	const struct entry **heads; /* by layer */
	size_t *heap;               /* layers */
	size_t n_heap;
	char path[ENTRY_PATH_MAX + 1]; /* of now */
	struct shade shades[ENTRY_PATH_MAX / 2 + 1];
	size_t n_shades;
	struct walk_totals totals;
};

static void merge_free(struct merge *merge)
{
	if (!merge)
		return;
	for (size_t i = 0; merge->streams && i < merge->options->n_layers; i++)
		merge_stream_done(&merge->streams[i]);
	free(merge->streams);
	free(merge->heads);
	free(merge->heap);
	free(merge);
}
DEFINE_FREEP(merge, merge_free)

/*
 * The heap.
 */
static bool is_before(const struct merge *merge, size_t a, size_t b)
{
	int order = entry_path_compare(merge->heads[a]->path, merge->heads[b]->path);

	return order < 0 || (order == 0 && a < b);
}

static void swap(size_t *a, size_t *b)
{
	size_t c = *a;

	*a = *b;
	*b = c;
}

static void sift_down(struct merge *merge, size_t at)
{
	for (;;) {
		size_t first = at;

		for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
			if (child < merge->n_heap &&
			        is_before(merge, merge->heap[child], merge->heap[first]))
				first = child;
		if (first == at)
			return;
		swap(&merge->heap[at], &merge->heap[first]);
		at = first;
	}
}

/* The first of the heap goes on to its next entry, or out. */
static int advance(struct merge *merge)
{
	size_t layer = merge->heap[0];
	int r = merge_stream_next(&merge->streams[layer], &merge->heads[layer]);

	if (r != 0)
		return r;
	if (!merge->heads[layer])
		merge->heap[0] = merge->heap[--merge->n_heap];
	sift_down(merge, 0);
	return 0;
}

/*
 * One path.
 */
static bool is_beneath(const char *path, const char *directory, size_t size)
{
	return !strncmp(path, directory, size) && path[size] == '/';
}

/* Leaves the directories that @path is not in; from which layer on it is hidden. */
static size_t enter(struct merge *merge, const char *path)
{
	while (merge->n_shades > 0 &&
	        !is_beneath(path, merge->path, merge->shades[merge->n_shades - 1].path_size))
		merge->n_shades--;
	return merge->n_shades > 0 ? merge->shades[merge->n_shades - 1].limit
	                           : merge->options->n_layers;
}

static bool is_wanted(const struct merge *merge, const struct entry *entry)
{
	if (entry->type == ENTRY_WHITEOUT || !strcmp(entry->path, "/"))
		return false;
	/* As walk_tree(): what cannot be told to be harmless is kept, too. */
	return merge->options->all_files || (entry->flags & ENTRY_EXECUTABLE) ||
	       entry->content == CONTENT_UNREADABLE || entry->content == CONTENT_MUTABLE;
}

static int show(struct merge *merge, const struct entry *entry)
{
	struct entry shown = *entry;
	struct walk_totals *totals = &merge->totals;

	if (!is_wanted(merge, entry))
		return 0;
	totals->entries++;
	totals->files += entry->type == ENTRY_FILE;
	totals->executables += (entry->flags & ENTRY_EXECUTABLE) != 0;
	totals->bytes += entry->content == CONTENT_KNOWN ? entry->size : 0;
	totals->unreadable += entry->content == CONTENT_UNREADABLE;
	totals->mutable_files += entry->content == CONTENT_MUTABLE;
	shown.flags &= ~(unsigned int)ENTRY_OPAQUE;
	shown.identity = (struct file_identity){0};
	shown.handle_size = 0;
	shown.handle_type = 0;
	shown.settled = false;
	return merge->options->add(&shown, merge->options->userdata);
}

/* From which layer on nothing is to be seen beneath @entry of @layer, or SIZE_MAX. */
static size_t limit_of(const struct entry *entry, size_t layer)
{
	if (entry->type != ENTRY_DIRECTORY)
		return layer;
	return entry->flags & ENTRY_OPAQUE ? layer + 1 : SIZE_MAX;
}

/*
 * All that the layers have of one path, the uppermost first: that is what is seen. Directories
 * beneath it are merged with it down to the first that is opaque, or no directory.
 */
static int step(struct merge *merge)
{
	const char *first = merge->heads[merge->heap[0]]->path;
	size_t limit = enter(merge, first), around = limit, size = strlen(first);
	bool shown = false;
	int r = 0;

	if (size > ENTRY_PATH_MAX)
		return -EMSGSIZE;
	memcpy(merge->path, first, size + 1);
	while (r == 0 && merge->n_heap > 0) {
		size_t layer = merge->heap[0];
		const struct entry *entry = merge->heads[layer];

		if (strcmp(entry->path, merge->path) != 0)
			break;
		if (layer < limit) {
			size_t closed = limit_of(entry, layer);

			if (!shown)
				r = show(merge, entry);
			shown = true;
			if (closed < limit)
				limit = closed;
		}
		if (r == 0)
			r = advance(merge);
	}
	if (r == 0 && limit < around)
		merge->shades[merge->n_shades++] = (struct shade){
		        .path_size = strcmp(merge->path, "/") ? size : 0,
		        .limit = limit,
		};
	return r;
}

/*
 * All.
 */
static int start(struct merge *merge)
{
	const struct merge_options *o = merge->options;
	size_t n = o->n_layers;
	int r = 0;

	merge->streams = calloc(n, sizeof(*merge->streams));
	merge->heads = calloc(n, sizeof(*merge->heads));
	merge->heap = calloc(n, sizeof(*merge->heap));
	if (n > 0 && (!merge->streams || !merge->heads || !merge->heap))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		merge_stream_init(&merge->streams[i], o->store, o->layers[i], MERGE_BYTES / n);
	for (size_t i = 0; i < n && r == 0; i++) {
		r = merge_stream_first(&merge->streams[i], &merge->heads[i]);
		if (r == 0 && merge->heads[i])
			merge->heap[merge->n_heap++] = i;
	}
	for (size_t i = merge->n_heap; r == 0 && i-- > 0;)
		sift_down(merge, i);
	return r;
}

int merge_layers(const struct merge_options *options, struct walk_totals *ret_totals)
{
	_cleanup_(merge_freep) struct merge *merge = calloc(1, sizeof(*merge));
	int r;

	if (!merge)
		return -ENOMEM;
	merge->options = options;
	if (options->n_layers > MERGE_LAYERS_MAX)
		return -E2BIG;
	r = start(merge);
	while (r == 0 && merge->n_heap > 0)
		r = options->stop && *options->stop ? -ECANCELED : step(merge);
	if (r == 0)
		*ret_totals = merge->totals;
	return r;
}
