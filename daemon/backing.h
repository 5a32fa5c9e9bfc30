/*
 * Filesystems that hold layers. For each: a descriptor on a mount of it in our namespace, by which
 * file handles are decoded, and the coordinates in which the host paths of its inodes are told.
 *
 * A path here is always the canonical one: what the kernel says about the decoded inode, whatever
 * bind mount or symbolic link led to it. Two paths are comparable when they come from here.
 *
 * Entries are counted by reference: layers hold one, and so does whoever looks one up. A filesystem
 * that is mounted in our namespace stays in the table; one that was only reached through another
 * namespace goes when no layer needs it any more (backing_sweep), so that it can be unmounted.
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
	_Atomic unsigned int refs;
	bool host; /* mounted in our namespace */
	dev_t dev;
	int mount_fd; /* O_RDONLY | O_DIRECTORY (open_by_handle_at refuses O_PATH) on a mount of it,
	                 outside every overlay */
	char *mountpoint; /* in our namespace */
	char *fstype;
	_Atomic bool marked; /* permission mark in place (guard's business) */
};

struct backing_table;

int backing_table_new(struct backing_table **ret_table);
void backing_table_free(struct backing_table *table);

struct backing *backing_ref(struct backing *backing);
void backing_unref(struct backing *backing);
static inline void backing_unrefp(struct backing **backing)
{
	backing_unref(*backing);
}

/* Lets go of filesystems that nobody needs. */
void backing_sweep(struct backing_table *table);

/* The entry of @dev as a reference, or NULL. */
struct backing *backing_find(struct backing_table *table, dev_t dev);

/*
 * The entry of the filesystem that @fd (any descriptor on it) lies on, made when it is new. @fd's
 * filesystem is looked up in our own mount table; when it is not mounted there, @fd itself (an
 * O_PATH directory, duplicated) serves. @ret_backing is a reference. 0, -ENOSPC past BACKING_MAX,
 * or -errno.
 */
int backing_get(struct backing_table *table, int fd, struct backing **ret_backing);

/* Calls @fn for each entry under a read lock: no call back into the table. */
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

/* One statx(2) of a descriptor. 0 or -errno. */
struct file_look {
	struct file_identity identity;
	mode_t mode;
	uint32_t links;
	uint32_t uid;      /* of the owner */
	uint64_t mount_id; /* unique, never reused; 0 where the kernel has none (before 6.8) */
};

int file_look(int fd, struct file_look *ret_look);
/* Of it, identity and mode. */
int file_identity_of(int fd, struct file_identity *ret_identity, mode_t *ret_mode);
