/* The entries of one snapshot, one at a time, in order. */
#pragma once

#include "store/baselines.h"

struct merge_stream {
	struct store *store;
	int64_t id;
	size_t max_bytes; /* to hold; one entry is always held */
	struct entry *rows;
	size_t n, at, allocated, bytes;
	bool last; /* nothing comes after what is held */
};

void merge_stream_init(
        struct merge_stream *stream, struct store *store, int64_t id, size_t max_bytes);
void merge_stream_done(struct merge_stream *stream);
/* The first, then the next. 0 with an entry, borrowed until the next call, or NULL at the end. */
int merge_stream_first(struct merge_stream *stream, const struct entry **ret_entry);
int merge_stream_next(struct merge_stream *stream, const struct entry **ret_entry);
