/* Where a path of dpkg's database is on the disk: merged directories and diversions. */
#pragma once

#include "core/entry.h"
#include "snapshot/packages_text.h"

#define DIVERSIONS_MAX 10000u

struct dpkg_paths {
	unsigned int merged; /* bits: which of the directories of packages_paths.c is a link */
	struct {
		char *from, *to; /* on the disk */
		char *package;
	} * diversions;
	size_t n;
};

/* Looks for the links below @root_fd, reads @diversions. 0 or -ENOMEM. */
int dpkg_paths_init(int root_fd, const struct slice *diversions, struct dpkg_paths *ret_paths);
void dpkg_paths_done(struct dpkg_paths *paths);

/*
 * Where @package's file @path, with or without its leading slash, is. False for what is no path of
 * an entry.
 */
bool dpkg_path(const struct dpkg_paths *paths, const struct slice *package,
        const struct slice *path, char ret_path[ENTRY_PATH_MAX + 1]);
