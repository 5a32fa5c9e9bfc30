/*
 * A block is a stretch of the snapshot without gaps: a path between its ends that is not in it is
 * nowhere. Past its end the next one is read, and everywhere else one begins at the path that is
 * asked for.
 */
#include "snapshot/cursor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_ROWS 256u

struct cursor {
	struct store *store;
	int64_t id;
	struct entry rows[BLOCK_ROWS];
	size_t n, at;
	char *after;        /* the block begins after this path; NULL: at the first */
	bool last;          /* nothing comes after it */
	struct entry found; /* of a path that was looked up alone */
};

int cursor_new(struct store *store, int64_t id, struct cursor **ret_cursor)
{
	struct cursor *cursor = calloc(1, sizeof(*cursor));

	if (!cursor)
		return -ENOMEM;
	cursor->store = store;
	cursor->id = id;
	*ret_cursor = cursor;
	return 0;
}

static void clear(struct cursor *cursor)
{
	while (cursor->n > 0)
		entry_done(&cursor->rows[--cursor->n]);
	cursor->at = 0;
	cursor->last = false;
}

void cursor_free(struct cursor *cursor)
{
	if (!cursor)
		return;
	clear(cursor);
	entry_done(&cursor->found);
	free(cursor->after);
	free(cursor);
}

#define BLOCK_FULL 1

static int add_row(const struct entry *entry, int64_t entry_id, void *userdata)
{
	struct cursor *cursor = userdata;
	int r;

	(void)entry_id;
	r = entry_copy(entry, &cursor->rows[cursor->n]);
	if (r < 0)
		return r;
	return ++cursor->n == BLOCK_ROWS ? BLOCK_FULL : 0;
}

/* The block after @after, which is copied. */
static int load(struct cursor *cursor, const char *after)
{
	char *copy = strdup(after);
	int r;

	if (!copy)
		return -ENOMEM;
	free(cursor->after);
	cursor->after = copy;
	clear(cursor);
	r = store_entries(cursor->store, cursor->id, copy, add_row, cursor);
	cursor->last = r == 0;
	return r == BLOCK_FULL ? 0 : r;
}

#define OUTSIDE 2000 /* no answer: the path lies past either end of the block */

/* 0, STORE_E_NOTFOUND, or OUTSIDE. */
static int search(struct cursor *cursor, const char *path, const struct entry **ret_entry)
{
	/* Backwards, but within: from its beginning. */
	if (cursor->at > 0 && entry_path_compare(path, cursor->rows[cursor->at - 1].path) <= 0)
		cursor->at = 0;
	if (cursor->at == 0 && cursor->after && entry_path_compare(path, cursor->after) <= 0)
		return OUTSIDE;
	for (; cursor->at < cursor->n; cursor->at++) {
		const struct entry *row = &cursor->rows[cursor->at];
		int order = entry_path_compare(row->path, path);

		if (order == 0)
			*ret_entry = row;
		if (order >= 0)
			return order == 0 ? 0 : STORE_E_NOTFOUND;
	}
	return cursor->last ? STORE_E_NOTFOUND : OUTSIDE;
}

/* Alone; what comes after it is likely to be asked for next. */
static int jump(struct cursor *cursor, const char *path, const struct entry **ret_entry)
{
	int r;

	entry_done(&cursor->found);
	r = store_entry_find(cursor->store, cursor->id, path, &cursor->found, NULL);
	if (r == 0)
		*ret_entry = &cursor->found;
	if (r == 0 || r == STORE_E_NOTFOUND) {
		int s = load(cursor, path);

		return s == 0 ? r : s;
	}
	return r;
}

int cursor_find(struct cursor *cursor, const char *path, const struct entry **ret_entry)
{
	int r = search(cursor, path, ret_entry);

	if (r != OUTSIDE)
		return r;
	if (cursor->n > 0 && cursor->at == cursor->n) {
		r = load(cursor, cursor->rows[cursor->n - 1].path);
		if (r == 0)
			r = search(cursor, path, ret_entry);
		if (r != OUTSIDE)
			return r;
	}
	return jump(cursor, path, ret_entry);
}
