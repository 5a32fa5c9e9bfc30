/*
 * What is on record of trusted writers: read at start, and swept, since what a container's package
 * manager has unpacked means nothing once the container is gone.
 */
#include "daemon/trusted_internal.h"

#include "base/clock.h"
#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int load_row(const struct provenance *row, void *userdata)
{
	struct trusted *t = userdata;
	const struct trusted_scope scope = {.kind = row->scope, .value = row->scope_value};
	struct trusted_entry entry = {
	        .expires_ns = row->expires_ns,
	        .created_s = (uint32_t)(row->created_ns / NS_PER_SEC),
	};
	int r;

	if (row->expires_ns <= clock_realtime_ns() || !row->scope_value)
		return 0;
	r = trusted_digests_key(&row->digest, &scope, &entry.key);
	if (r < 0)
		return r;
	pthread_mutex_lock(&t->lock);
	if (trusted_writer_number(t, row->writer, &row->writer_digest, &entry.writer) == 0)
		r = trusted_digests_add(t->digests, &entry);
	pthread_mutex_unlock(&t->lock);
	return r;
}

int trusted_load(struct trusted *t, struct store *store)
{
	return store_provenances(store, load_row, t);
}

/*
 * The upper directory of an overlay. Gone only when the directory that holds it and its like is
 * there: storage may just not be mounted.
 */
static bool is_gone(const char *key)
{
	_cleanup_free_ char *path = strdup(key);
	char *slash;

	if (!path || access(path, F_OK) == 0 || errno != ENOENT)
		return false;
	for (unsigned int i = 0; i < 2; i++) {
		slash = strrchr(path, '/');
		if (!slash || slash == path)
			return false;
		*slash = '\0';
	}
	return access(path, F_OK) == 0;
}

struct sweep {
	struct store *store;
	char *key; /* asked about last: rows of a container mostly follow each other */
	bool gone;
};

static int sweep_row(const struct provenance *row, void *userdata)
{
	struct provenance ended = *row;
	struct sweep *sweep = userdata;

	/* What has been replaced comes once more, at the end. */
	if (row->scope != SCOPE_CONTAINER || row->expires_ns <= clock_realtime_ns())
		return 0;
	if (!sweep->key || strcmp(sweep->key, row->scope_value) != 0) {
		free(sweep->key);
		sweep->key = strdup(row->scope_value);
		sweep->gone = sweep->key && is_gone(sweep->key);
	}
	if (!sweep->gone)
		return 0;
	ended.expires_ns = ended.created_ns; /* the next prune takes it */
	return store_provenance_add(sweep->store, &ended);
}

int trusted_sweep(struct store *store)
{
	struct sweep sweep = {.store = store};
	int r = store_provenances(store, sweep_row, &sweep);

	free(sweep.key);
	return r;
}
