/*
 * Opening and looking beneath a directory that somebody else may be changing: no link is followed,
 * no automount woken, and a path longer than the kernel takes at once is walked in pieces.
 */
#pragma once

#include "core/entry.h"

#include <sys/stat.h>

/*
 * openat2(2) of an entry's path ("/usr/bin/env") beneath @root_fd, without links of any kind;
 * @flags get O_CLOEXEC, O_NOFOLLOW and O_NOCTTY. O_NOATIME is dropped where it is not allowed. A
 * descriptor, or -errno: -ELOOP for a link on the way.
 */
int beneath_open(int root_fd, const char *path, int flags);
/* The same for one name in the directory @dir_fd. */
int beneath_open_name(int dir_fd, const char *name, int flags);

/* What statx(2) tells of one file. */
struct look {
	struct file_identity identity;
	uint32_t mode; /* with the type's bits */
	uint32_t uid, gid, links;
	uint32_t rdev_major, rdev_minor;
	uint64_t mount; /* the mount's id; the device number before Linux 5.8 */
};

/* Of @name in @dir_fd, which is not followed; or of @dir_fd itself when @name is "". 0 or -errno.
 */
int look_at(int dir_fd, const char *name, struct look *ret_look);

/* Everything of an entry that statx(2) tells; all else is left alone. */
void look_fill(const struct look *look, struct entry *entry);
/* The file handle of @name in @dir_fd, or of @dir_fd when it is "". None (size 0) is no error. */
void look_handle(int dir_fd, const char *name, struct entry *entry);

enum filesystem_kind {
	FILESYSTEM_UNKNOWN = 0,
	FILESYSTEM_LOCAL,  /* on a disk or in memory of this kernel: its clock stamps the changes */
	FILESYSTEM_REMOTE, /* a server or another program answers: its times prove nothing */
	FILESYSTEM_KERNEL, /* proc, sysfs and their like: no files at all */
};

/* By the type of the filesystem that holds @fd; what is not known counts as REMOTE. */
enum filesystem_kind filesystem_kind_of(int fd);
