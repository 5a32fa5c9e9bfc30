/*
 * Filesystems that hold layers. For each: a descriptor on a mount of it in our namespace, by which
 * file handles are decoded, and the coordinates in which the host paths of its inodes are told.
 *
 * A path here is always the canonical one: what the kernel says about the decoded inode, whatever
 * bind mount or symbolic link led to it. Two paths are comparable when they come from here.
 *
 * The table only grows (a handful of entries), so entries may be used without a reference. Reads
 * take a read lock; nothing here waits for anything but that lock and the filesystem's own caches.
 */
#pragma once

#include "core/facts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define BACKING_MAX 256u /* filesystems; more is no container host */

struct backing {
	dev_t dev;
	int mount_fd;     /* O_RDONLY | O_DIRECTORY (open_by_handle_at refuses O_PATH) on a mount of it, outside every overlay */
	char *mountpoint; /* in our namespace */
	char *fstype;
	_Atomic bool marked; /* permission mark in place (guard's business) */
};

struct backing_table;

int backing_table_new(struct backing_table **ret_table);
void backing_table_free(struct backing_table *table);

/* The entry of @dev, or NULL. Borrowed for the table's life. */
struct backing *backing_find(struct backing_table *table, dev_t dev);

/*
 * The entry of the filesystem that @fd (any descriptor on it) lies on, made when it is new. @fd's
 * filesystem is looked up in our own mount table; when it is not mounted there, @fd itself (an
 * O_PATH directory, duplicated) serves. 0, -ENOSPC past BACKING_MAX, or -errno.
 */
int backing_get(struct backing_table *table, int fd, struct backing **ret_backing);

/* Calls @fn for each entry in order of registration, without a lock held. */
void backing_each(struct backing_table *table, void (*fn)(struct backing *backing, void *userdata),
	void *userdata);

/*
 * The canonical host path of an inode of @backing, by its file handle (@type, @size bytes of
 * @data). The caller frees. 0, -ESTALE when no such inode exists, or -errno. @ret_fd, when not
 * NULL, receives an O_PATH descriptor of the inode.
 */
int backing_path_by_handle(const struct backing *backing, int type, const uint8_t *data,
	size_t size, char **ret_path, int *ret_fd);
/* The same for an open descriptor on @backing. */
int backing_path_of(const struct backing *backing, int fd, char **ret_path);

/* Opens the inode of a handle for reading, by which a lease and a digest see the real file. */
int backing_open_by_handle(
	const struct backing *backing, int type, const uint8_t *data, size_t size, int flags);

/* statx(2) of a descriptor as an identity, with the mode. 0 or -errno. */
int file_identity_of(int fd, struct file_identity *ret_identity, mode_t *ret_mode);
