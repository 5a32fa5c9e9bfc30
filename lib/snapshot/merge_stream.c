/* A stretch is read, then handed out; its last path is where the next begins. */
#include "snapshot/merge_stream.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 256u /* the store reads as many at a time */
#define FULL     1

void merge_stream_init(
        struct merge_stream *stream, struct store *store, int64_t id, size_t max_bytes)
{
	*stream = (struct merge_stream){.store = store, .id = id, .max_bytes = max_bytes};
}

static void clear(struct merge_stream *stream)
{
	while (stream->n > 0)
		entry_done(&stream->rows[--stream->n]);
	stream->at = stream->bytes = 0;
}

void merge_stream_done(struct merge_stream *stream)
{
	clear(stream);
	free(stream->rows);
	stream->rows = NULL;
	stream->allocated = 0;
}

static size_t size_of(const struct entry *entry)
{
	return sizeof(*entry) + strlen(entry->path) + (entry->target ? strlen(entry->target) : 0);
}

static int grow(struct merge_stream *stream)
{
	size_t n = stream->allocated ? 2 * stream->allocated : 4;
	struct entry *rows = reallocarray(stream->rows, n, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	stream->rows = rows;
	stream->allocated = n;
	return 0;
}

static int keep(const struct entry *entry, int64_t entry_id, void *userdata)
{
	struct merge_stream *stream = userdata;
	int r = stream->n == stream->allocated ? grow(stream) : 0;

	(void)entry_id;
	if (r == 0)
		r = entry_copy(entry, &stream->rows[stream->n]);
	if (r < 0)
		return r;
	stream->n++;
	stream->bytes += size_of(entry);
	return stream->n == ROWS_MAX || stream->bytes >= stream->max_bytes ? FULL : 0;
}

static int load(struct merge_stream *stream, const char *after, const struct entry **ret_entry)
{
	int r;

	clear(stream);
	r = store_entries(stream->store, stream->id, after, keep, stream);
	if (r != 0 && r != FULL)
		return r;
	stream->last = r == 0;
	*ret_entry = stream->n > 0 ? &stream->rows[0] : NULL;
	return 0;
}

int merge_stream_first(struct merge_stream *stream, const struct entry **ret_entry)
{
	return load(stream, NULL, ret_entry);
}

int merge_stream_next(struct merge_stream *stream, const struct entry **ret_entry)
{
	_cleanup_free_ char *after = NULL;

	if (stream->at + 1 < stream->n) {
		*ret_entry = &stream->rows[++stream->at];
		return 0;
	}
	if (stream->last || stream->n == 0) {
		*ret_entry = NULL;
		return 0;
	}
	after = TAKE_PTR(stream->rows[stream->n - 1].path);
	return load(stream, after, ret_entry);
}
