/*
 * The root directory of a task: which mount it is, and the options of the overlay that is mounted
 * there by the task's own mount table.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MOUNTINFO_MAX (64u * 1024u * 1024u) /* bytes: fs.mount-max lines of 640 bytes */

struct task_root {
	dev_t dev;
	uint64_t mount_id;
	bool unique; /* mount_id is never reused (Linux 6.8) */
};

/* A look that opens nothing and asks no FUSE server. 0 or -errno. */
int task_root_look(pid_t pid, struct task_root *ret_root);
/* The options of the overlay at @root, verbatim; the caller frees. -ENOENT when it is none. */
int task_root_options(pid_t pid, const struct task_root *root, char **ret_options);

/* The mount table of @pid (0: our own); the caller frees. 0, -E2BIG past MOUNTINFO_MAX, or -errno.
 */
int task_mounts_read(pid_t pid, char **ret_text, size_t *ret_size);

/*
 * The directory of an overlay that the mount behind @fd shows, by the mount table of @pid: "/" for
 * all of it. NULL when it cannot be told; the caller frees.
 */
char *task_mount_root(pid_t pid, int fd);

/*
 * An O_PATH descriptor of @path as @pid (0: we ourselves) sees it, by a walk over what the kernel
 * has in memory: where that leads through a FUSE filesystem its server is not asked. Mount points
 * and layers in use are always in memory. @resolve: further RESOLVE_* of openat2(2). -EAGAIN when
 * something is not in memory, or -errno.
 */
int task_open_cached(pid_t pid, const char *path, uint64_t resolve);
