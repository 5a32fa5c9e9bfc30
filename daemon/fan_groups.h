/*
 * The fanotify groups, created in this one place and handed on as descriptors, so that a guardian
 * process can hold them while the deciding part restarts.
 *
 *  verdicts   FAN_CLASS_CONTENT, permission events for execs, unlimited queue and marks
 *  creations  FAN_CLASS_NOTIF, CLOSE_WRITE in containers
 *  births     FAN_CREATE by file handle: who creates files; -1 where it cannot be had
 *  mounts     FAN_REPORT_MNT of our mount namespace and of containers'; -1 where the kernel lacks
 * it (before 6.15)
 *
 * Descriptors are close-on-exec and the daemon never forks: a child that inherited the verdict
 * group would keep it alive, and its waiters blocked, after our death.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/fanotify.h>
#include <sys/types.h>

struct fan_groups {
	int verdicts;
	int creations;
	int births;
	int mounts;
};

#define FAN_GROUPS_NONE ((struct fan_groups){-1, -1, -1, -1})

/*
 * 0, or -errno: -EPERM without CAP_SYS_ADMIN, -ENOSYS or -EINVAL when the kernel has no
 * permission events, -EMFILE when the user's groups are used up (fs.fanotify.max_user_groups).
 */
int fan_groups_open(struct fan_groups *ret_groups);
void fan_groups_close(struct fan_groups *groups);

/* Marks the filesystem of @path in both groups. 0 or -errno. */
int fan_groups_mark_filesystem(const struct fan_groups *groups, const char *path);
/* The same without births, which the host has too many of. */
int fan_groups_mark_host(const struct fan_groups *groups, const char *path);
int fan_groups_unmark_filesystem(const struct fan_groups *groups, const char *path);
/* Asks about execs of an overlay, beside whatever else is marked; and no more. */
int fan_groups_mark_execs(const struct fan_groups *groups, const char *path);
int fan_groups_unmark_execs(const struct fan_groups *groups, const char *path);
/* Tells of mounts in the mount namespace @ns_fd (/proc/PID/ns/mnt), too [6.15]. 0 or -errno. */
int fan_groups_watch_mounts(const struct fan_groups *groups, int ns_fd);
/* Silences one mount: execs and closes through it raise nothing [6.0]. Before any mark of its
 * filesystem, so that no host exec is ever asked about. 0 or -errno. */
int fan_groups_ignore_mount(const struct fan_groups *groups, const char *path);
/* Takes that back; -ENOENT when it was not silenced. */
int fan_groups_heed_mount(const struct fan_groups *groups, const char *path);
/*
 * Lets the kernel remember that the inode of @fd may be executed: no event for it until it is
 * written, evicted, or forgotten. Only for inodes that no container can write (lower layers), or
 * under a lease (held.h): a store through a mapping does not clear it [6.0].
 */
void fan_groups_remember(const struct fan_groups *groups, int fd);
/* Takes that back for one inode, and for all. */
void fan_groups_recall(const struct fan_groups *groups, int fd);
void fan_groups_forget(const struct fan_groups *groups);
/* Drops every mark: what runs from now on is not asked about. */
void fan_groups_flush(const struct fan_groups *groups);

/* One event, whatever group it came from. Descriptors are the receiver's. */
struct fan_event {
	uint64_t mask;
	int fd;    /* FAN_NOFD when the kernel could not open one */
	int pidfd; /* FAN_NOPIDFD: the process is gone; FAN_EPIDFD: none could be opened */
	pid_t pid;
};

#define FAN_READ_SIZE 4096u /* bytes a read: installs at most 128 descriptors and pidfds */

/*
 * Reads pending events into @buffer (FAN_READ_SIZE bytes, aligned as struct
 * fanotify_event_metadata) and returns the bytes read, 0 when none is pending, or -errno.
 */
ssize_t fan_groups_read(int group, void *buffer);
/* Takes the next event out of what fan_groups_read() gave; false at the end. */
bool fan_groups_next(const void **cursor, size_t *left, struct fan_event *ret_event);

/* Answers a permission event by descriptor number; the descriptor must still be open. 0 or -errno.
 */
int fan_groups_answer(int group, int fd, bool allow);
