/*
 * What trusted writers on guarded host filesystems need of the other rooms: which filesystem a
 * device is, where it is guarded, and what its baseline knows. Asked by the creation watcher and by
 * verdicts' pool, never while a ruling is being made.
 */
#include "daemon/engine_writers.h"

#include "base/cleanup.h"
#include "daemon/baselines.h"
#include "daemon/engine_internal.h"

#include <stdio.h>
#include <string.h>

static bool host_of(uint64_t dev, struct trusted_host *ret_host, void *userdata)
{
	const struct engine *e = userdata;
	_cleanup_(hostfs_unrefp) struct hostfs *fs =
	        hostfs_find(engine_hosts_table(e->hosts), (dev_t)dev);

	/* Without a UUID there is nothing that could vouch for the writer. */
	if (!fs || !*fs->uuid)
		return false;
	_Static_assert(sizeof(fs->uuid) <= sizeof(ret_host->uuid), "a UUID fits");
	memcpy(ret_host->uuid, fs->uuid, sizeof(fs->uuid));
	ret_host->guarded_ns = fs->guarded_ns;
	return true;
}

static char *root_of(uint64_t dev, void *userdata)
{
	const struct engine *e = userdata;
	_cleanup_(hostfs_unrefp) struct hostfs *fs =
	        hostfs_find(engine_hosts_table(e->hosts), (dev_t)dev);

	return fs ? strdup(fs->path) : NULL;
}

static bool in_baseline(const struct digest *digest, const char *uuid, void *userdata)
{
	const struct engine *e = userdata;
	struct ruling *ruling = rulings_get(e->rulings);
	bool known = ruling && baselines_ask_filesystem(ruling_baselines(ruling), digest, uuid) ==
	                               BASELINE_KNOWN;

	ruling_unref(ruling);
	return known;
}

int engine_writers_new(struct engine *e, const struct probe_context *probe)
{
	const struct trusted_context context = {
	        .probe = *probe,
	        .recorder = e->recorder,
	        .host_of = host_of,
	        .root_of = root_of,
	        .in_baseline = in_baseline,
	        .userdata = e,
	};

	return trusted_new(&context, &e->trusted);
}
