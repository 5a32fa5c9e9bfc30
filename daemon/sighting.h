/*
 * From a line of a mount table to a registered overlay: options parsed, layer directories opened,
 * resolved to canonical paths, and judged.
 */
#pragma once

#include "config/config.h"
#include "daemon/overlays.h"
#include "daemon/views.h"

#define STORAGE_PATHS_MAX (CONFIG_LIST_MAX + 16u)

/* Directories of runtimes that hold layers. */
struct storage_paths {
	char **paths;              /* as configured, or the defaults that exist */
	char **canonical;          /* the same, as backing.h tells them */
	struct backing **backings; /* and where: a path means nothing without it; references */
	size_t n;
};

/* Directories that do not exist are left out. 0 or -ENOMEM. */
int storage_paths_init(
        struct storage_paths *paths, const struct config *config, struct backing_table *backings);
void storage_paths_done(struct storage_paths *paths);

struct sighting_source {
	pid_t pid; /* a task of the namespace it was seen in; 0: our own */
	enum mounter mounter;
	dev_t dev;
	const char *mountpoint, *options; /* of the mount table, options verbatim */
	uint64_t generation;
	const struct storage_paths *storage;
	struct backing_table *backings;
	const struct dev_set *fuse; /* filesystems whose servers must not be asked */
};

/* 0 known, 1 new, or -errno. @ret_overlay is a reference. */
int sighting_register(const struct sighting_source *source, struct overlays *overlays,
        struct overlay **ret_overlay);
