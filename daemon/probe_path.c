/*
 * Overlay inodes whose layer no handle tells: before Linux 6.6, and on rootless overlays. The path
 * is where to look (lookup.h); what is found counts when it is the same inode.
 */
#include "daemon/probe_internal.h"

#include "base/cleanup.h"
#include "daemon/lookup.h"
#include "daemon/task_root.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define CREATED_TRIES_MAX 4u /* looks at a new file that is still changing */

/*
 * An upper file is what its own attribute says. Where that leads to no lower file, the one of its
 * path is what it may equal, and without one it was dropped.
 */
static int classify_found_upper(
        struct probe_context *c, struct lookup *lookup, struct probe_result *result)
{
	uint64_t number = result->identity.ino;
	struct file_identity found;
	mode_t mode;

	if (file_identity_of(lookup->fd, &found, &mode) < 0)
		return -EIO;
	result->upper = true;
	probe_classify_upper(c, lookup->fd, result);
	if (!result->compare && result->origin != ORIGIN_DROPPED && lookup->lower_fd >= 0) {
		result->lower_fd = TAKE_FD(lookup->lower_fd);
		if (file_identity_of(result->lower_fd, &result->lower_identity, &mode) < 0)
			return -EIO;
		result->origin = ORIGIN_UNKNOWN;
		result->compare = true;
	} else if (!result->compare && result->origin == ORIGIN_UNKNOWN)
		result->origin = ORIGIN_DROPPED;
	/* Copied up, it keeps the number of its lower file. */
	if (!lookup_same_number(number, found.ino) &&
	        !(result->compare && lookup_same_number(number, result->lower_identity.ino)))
		return -ENOENT;
	if (lookup->metacopy)
		return 0; /* read through the overlay, which knows where the content is */
	result->real_fd = TAKE_FD(lookup->fd);
	result->identity = found;
	return 0;
}

/* The directory that is mounted where @fd was opened: a bind mount of a part of the overlay. */
static enum lookup_result lookup_mounted(
        int fd, pid_t pid, const char *path, struct probe_result *result, struct lookup *ret_lookup)
{
	_cleanup_free_ char *root = pid > 0 ? task_mount_root(pid, fd) : NULL;

	if (!root || !strcmp(root, "/"))
		return LOOKUP_UNKNOWN;
	return lookup_real(result->overlay, root, path, &result->identity, ret_lookup);
}

/* Where no handle tells the layer. */
int probe_by_path(struct probe_context *c, int fd, pid_t pid, struct probe_result *result)
{
	_cleanup_free_ char *path = probe_event_path(fd);
	struct lookup lookup;
	enum lookup_result found;
	int r = 0;

	if (!path)
		return -ENOENT;
	found = lookup_real(result->overlay, "", path, &result->identity, &lookup);
	if (found == LOOKUP_UNKNOWN)
		found = lookup_mounted(fd, pid, path, result, &lookup);
	if (found == LOOKUP_UNKNOWN)
		return -ENOENT;
	result->path = lookup.path;
	if (found == LOOKUP_LOWER)
		result->origin = ORIGIN_IMAGE;
	else
		r = classify_found_upper(c, &lookup, result);
	cleanup_closep(&lookup.fd);
	cleanup_closep(&lookup.lower_fd);
	return r;
}

/* The writer goes on, with a chmod or a rename: between two looks it is another file by its times.
 */
int probe_created_by_path(struct probe_context *c, int fd, struct probe_result *result)
{
	struct stat st;
	int r = -ENOENT;

	for (unsigned int i = 0; i < CREATED_TRIES_MAX && r < 0; i++) {
		cleanup_closep(&result->lower_fd);
		result->lower_fd = -1;
		free(TAKE_PTR(result->path));
		result->compare = false;
		if (fstat(fd, &st) < 0 || st.st_nlink == 0)
			return -ENOENT;
		r = file_identity_of(fd, &result->identity, &result->mode);
		if (r == 0)
			r = probe_by_path(c, fd, 0, result);
	}
	return r;
}
