#include "tools/snapshot_written.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reading {
	struct written *written;
	const char *uuid;
	int64_t now_ns;
};

static int copy_row(const struct provenance *row, struct provenance *ret_copy)
{
	struct provenance copy = *row;

	copy.scope_value = strdup(row->scope_value);
	copy.path = strdup(row->path);
	copy.writer = strdup(row->writer);
	copy.package = row->package ? strdup(row->package) : NULL;
	if (!copy.scope_value || !copy.path || !copy.writer || (row->package && !copy.package)) {
		provenance_done(&copy);
		return -ENOMEM;
	}
	*ret_copy = copy;
	return 0;
}

static int add_row(const struct provenance *row, void *userdata)
{
	const struct reading *reading = userdata;
	struct written *w = reading->written;
	int r;

	if (row->scope != SCOPE_FILESYSTEM || strcmp(row->scope_value, reading->uuid) != 0 ||
	        row->expires_ns <= reading->now_ns)
		return 0;
	if (w->n == w->room) {
		size_t room = w->room ? w->room * 2 : 256;
		struct provenance *grown = reallocarray(w->rows, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		w->rows = grown;
		w->room = room;
	}
	r = copy_row(row, &w->rows[w->n]);
	if (r == 0)
		w->n++;
	return r;
}

static int by_digest(const void *a, const void *b)
{
	const struct provenance *x = a, *y = b;

	return memcmp(x->digest.bytes, y->digest.bytes, sizeof(x->digest.bytes));
}

int written_read(struct store *store, const char *uuid, int64_t now_ns, struct written *ret)
{
	struct reading reading = {.written = ret, .uuid = uuid, .now_ns = now_ns};
	int r = store_provenances(store, add_row, &reading);

	if (r == 0 && ret->n > 0)
		qsort(ret->rows, ret->n, sizeof(ret->rows[0]), by_digest);
	return r;
}

void written_done(struct written *written)
{
	for (size_t i = 0; i < written->n; i++)
		provenance_done(&written->rows[i]);
	free(written->rows);
	*written = (struct written){0};
}

const struct provenance *written_find(const struct written *written, const struct digest *digest)
{
	const struct provenance key = {.digest = *digest};

	return written->n == 0 ? NULL
	                       : bsearch(&key, written->rows, written->n, sizeof(written->rows[0]),
	                                 by_digest);
}
