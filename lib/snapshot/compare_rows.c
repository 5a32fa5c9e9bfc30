#include "snapshot/compare_rows.h"

#include <errno.h>
#include <string.h>

#define BLOCK_ROWS 512u
#define BLOCK_FULL 1

struct compare_rows {
	struct store *store;
	int64_t snapshot;
	struct entry
	        block[BLOCK_ROWS]; /* in order, without gaps; reaches from after the path @after */
	int64_t ids[BLOCK_ROWS];
	size_t n;
	char after[ENTRY_PATH_MAX + 1]; /* "": from the first on */
	bool last;                      /* nothing comes after the block */
	struct entry alone;             /* what was looked up by itself */
};

int compare_rows_new(struct store *store, int64_t snapshot, struct compare_rows **ret_rows)
{
	struct compare_rows *rows = calloc(1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	rows->store = store;
	rows->snapshot = snapshot;
	*ret_rows = rows;
	return 0;
}

static void clear(struct compare_rows *rows)
{
	while (rows->n > 0)
		entry_done(&rows->block[--rows->n]);
	rows->last = false;
}

void compare_rows_free(struct compare_rows *rows)
{
	if (!rows)
		return;
	clear(rows);
	entry_done(&rows->alone);
	free(rows);
}

static int add_row(const struct entry *entry, int64_t id, void *userdata)
{
	struct compare_rows *rows = userdata;
	int r = entry_copy(entry, &rows->block[rows->n]);

	if (r < 0)
		return r;
	rows->ids[rows->n] = id;
	return ++rows->n == BLOCK_ROWS ? BLOCK_FULL : 0;
}

/* The block after @after, "" for the first one. */
static int load(struct compare_rows *rows, const char *after)
{
	size_t size = strlen(after);
	int r;

	if (size > ENTRY_PATH_MAX)
		return -EMSGSIZE;
	memmove(rows->after, after, size + 1);
	clear(rows);
	r = store_entries(
	        rows->store, rows->snapshot, size > 0 ? rows->after : NULL, add_row, rows);
	rows->last = r == 0;
	return r == BLOCK_FULL ? 0 : r;
}

enum place { BEFORE_BLOCK, IN_BLOCK, BEHIND_BLOCK };

static enum place place_of(const struct compare_rows *rows, const char *path)
{
	if (rows->after[0] && entry_path_compare(path, rows->after) <= 0)
		return BEFORE_BLOCK;
	if (rows->last)
		return IN_BLOCK;
	if (rows->n == 0 || entry_path_compare(path, rows->block[rows->n - 1].path) > 0)
		return BEHIND_BLOCK;
	return IN_BLOCK;
}

static int search(const struct compare_rows *rows, const char *path, const struct entry **ret_entry,
        int64_t *ret_row)
{
	size_t low = 0, high = rows->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = entry_path_compare(rows->block[middle].path, path);

		if (order == 0) {
			*ret_entry = &rows->block[middle];
			*ret_row = rows->ids[middle];
			return 0;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return STORE_E_NOTFOUND;
}

static int find_alone(struct compare_rows *rows, const char *path, const struct entry **ret_entry,
        int64_t *ret_row)
{
	int r;

	entry_done(&rows->alone);
	r = store_entry_find(rows->store, rows->snapshot, path, &rows->alone, ret_row);
	if (r == 0)
		*ret_entry = &rows->alone;
	return r;
}

/* The next block; when the path lies behind that, too, the one that follows the path. */
static int go_on(struct compare_rows *rows, const char *path)
{
	int r = load(rows, rows->n > 0 ? rows->block[rows->n - 1].path : rows->after);

	if (r == 0 && place_of(rows, path) == BEHIND_BLOCK)
		r = load(rows, path);
	return r;
}

int compare_rows_find(struct compare_rows *rows, const char *path, const struct entry **ret_entry,
        int64_t *ret_row)
{
	int r = 0;

	if (place_of(rows, path) == BEHIND_BLOCK)
		r = go_on(rows, path);
	if (r != 0)
		return r;
	return place_of(rows, path) == IN_BLOCK ? search(rows, path, ret_entry, ret_row)
	                                        : find_alone(rows, path, ret_entry, ret_row);
}
