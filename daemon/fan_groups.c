/*
 * All fanotify calls of the daemon. Reads are small on purpose: an event read is a descriptor
 * installed, and running out of descriptors makes the kernel deny.
 */
#include "daemon/fan_groups.h"

#include "base/cleanup.h"
#include "daemon/kernel_abi.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define EVENT_FLAGS (O_RDONLY | O_LARGEFILE | O_CLOEXEC | O_NOATIME | O_NONBLOCK)
#define INIT_FLAGS  (FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS | FAN_CLOEXEC | FAN_NONBLOCK)

static int open_group(unsigned int flags)
{
	int fd = fanotify_init(flags | INIT_FLAGS, EVENT_FLAGS);

	return fd < 0 ? -errno : fd;
}

/* FAN_REPORT_PIDFD since Linux 5.15; without it a writer whose pid was taken over is not told. */
static int open_creations(void)
{
	int fd = open_group(FAN_CLASS_NOTIF | FAN_REPORT_PIDFD);

	return fd == -EINVAL ? open_group(FAN_CLASS_NOTIF) : fd;
}

static int open_mounts_group(void)
{
	_cleanup_close_ int group = -1, ns = -1;

	group = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_MNT | FAN_CLOEXEC | FAN_NONBLOCK, 0);
	if (group < 0)
		return -errno;
	ns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return -errno;
	if (fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_MNTNS, FAN_MNT_ATTACH | FAN_MNT_DETACH, ns,
	            NULL) < 0)
		return -errno;
	return TAKE_FD(group);
}

int fan_groups_open(struct fan_groups *ret_groups)
{
	_cleanup_close_ int verdicts = -1, creations = -1;
	int births, mounts;

	/* Without pidfds: each costs an event 13 us, and who waits for us is told otherwise. */
	verdicts = open_group(FAN_CLASS_CONTENT);
	if (verdicts < 0)
		return verdicts;
	creations = open_creations();
	if (creations < 0)
		return creations;
	births = fanotify_init(
	        FAN_CLASS_NOTIF | FAN_REPORT_FID | FAN_REPORT_PIDFD | FAN_CLOEXEC | FAN_NONBLOCK,
	        0);
	mounts = open_mounts_group();
	ret_groups->verdicts = TAKE_FD(verdicts);
	ret_groups->creations = TAKE_FD(creations);
	ret_groups->births = births < 0 ? -1 : births;
	ret_groups->mounts = mounts < 0 ? -1 : mounts;
	return 0;
}

void fan_groups_close(struct fan_groups *groups)
{
	cleanup_closep(&groups->verdicts);
	cleanup_closep(&groups->creations);
	cleanup_closep(&groups->births);
	cleanup_closep(&groups->mounts);
	*groups = FAN_GROUPS_NONE;
}

static int mark_both(const struct fan_groups *groups, unsigned int flags, const char *path)
{
	if (fanotify_mark(groups->creations, flags, FAN_CLOSE_WRITE, AT_FDCWD, path) < 0)
		return -errno;
	if (fanotify_mark(groups->verdicts, flags, FAN_OPEN_EXEC_PERM, AT_FDCWD, path) < 0)
		return -errno;
	return 0;
}

int fan_groups_mark_filesystem(const struct fan_groups *groups, const char *path)
{
	int r = mark_both(groups, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, path);

	/* An overlay without nfs_export has no handles: its writers are told when they close. */
	if (r == 0 && groups->births >= 0)
		(void)fanotify_mark(groups->births, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_CREATE,
		        AT_FDCWD, path);
	return r;
}

int fan_groups_mark_host(const struct fan_groups *groups, const char *path)
{
	return mark_both(groups, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, path);
}

int fan_groups_unmark_filesystem(const struct fan_groups *groups, const char *path)
{
	return mark_both(groups, FAN_MARK_REMOVE | FAN_MARK_FILESYSTEM, path);
}

static int mark_one(int group, unsigned int flags, const char *path)
{
	return fanotify_mark(
	               group, flags | FAN_MARK_FILESYSTEM, FAN_OPEN_EXEC_PERM, AT_FDCWD, path) < 0
	               ? -errno
	               : 0;
}

int fan_groups_mark_execs(const struct fan_groups *groups, const char *path)
{
	return mark_one(groups->verdicts, FAN_MARK_ADD, path);
}

int fan_groups_unmark_execs(const struct fan_groups *groups, const char *path)
{
	return mark_one(groups->verdicts, FAN_MARK_REMOVE, path);
}

int fan_groups_watch_mounts(const struct fan_groups *groups, int ns_fd)
{
	if (groups->mounts < 0)
		return -EOPNOTSUPP;
	return fanotify_mark(groups->mounts, FAN_MARK_ADD | FAN_MARK_MNTNS,
	               FAN_MNT_ATTACH | FAN_MNT_DETACH, ns_fd, NULL) < 0
	               ? -errno
	               : 0;
}

int fan_groups_ignore_mount(const struct fan_groups *groups, const char *path)
{
	return mark_both(groups,
	        FAN_MARK_ADD | FAN_MARK_MOUNT | FAN_MARK_IGNORE | FAN_MARK_IGNORED_SURV_MODIFY,
	        path);
}

int fan_groups_heed_mount(const struct fan_groups *groups, const char *path)
{
	return mark_both(groups, FAN_MARK_REMOVE | FAN_MARK_MOUNT | FAN_MARK_IGNORE, path);
}

void fan_groups_remember(const struct fan_groups *groups, int fd)
{
	/* Evictable: the mark does not pin the inode, so nothing has to be counted or taken back.
	 */
	(void)fanotify_mark(groups->verdicts, FAN_MARK_ADD | FAN_MARK_IGNORE | FAN_MARK_EVICTABLE,
	        FAN_OPEN_EXEC_PERM, fd, NULL);
}

void fan_groups_recall(const struct fan_groups *groups, int fd)
{
	(void)fanotify_mark(
	        groups->verdicts, FAN_MARK_REMOVE | FAN_MARK_IGNORE, FAN_OPEN_EXEC_PERM, fd, NULL);
}

void fan_groups_forget(const struct fan_groups *groups)
{
	(void)fanotify_mark(groups->verdicts, FAN_MARK_FLUSH | FAN_MARK_INODE, 0, AT_FDCWD, NULL);
}

void fan_groups_flush(const struct fan_groups *groups)
{
	static const unsigned int kinds[] = {FAN_MARK_FILESYSTEM, FAN_MARK_MOUNT, FAN_MARK_INODE};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		(void)fanotify_mark(groups->verdicts, FAN_MARK_FLUSH | kinds[i], 0, AT_FDCWD, NULL);
		(void)fanotify_mark(
		        groups->creations, FAN_MARK_FLUSH | kinds[i], 0, AT_FDCWD, NULL);
	}
}

ssize_t fan_groups_read(int group, void *buffer)
{
	for (;;) {
		ssize_t n = read(group, buffer, FAN_READ_SIZE);

		if (n >= 0)
			return n;
		if (errno == EINTR)
			continue;
		return errno == EAGAIN ? 0 : -errno;
	}
}

/* The pidfd of the information records that follow an event's fixed part. */
static int event_pidfd(const char *p, size_t left)
{
	while (left >= sizeof(struct fanotify_event_info_header)) {
		struct fanotify_event_info_pidfd info;

		memcpy(&info.hdr, p, sizeof(info.hdr));
		if (info.hdr.len < sizeof(info.hdr) || info.hdr.len > left)
			break;
		if (info.hdr.info_type == FAN_EVENT_INFO_TYPE_PIDFD &&
		        info.hdr.len >= sizeof(info)) {
			memcpy(&info, p, sizeof(info));
			return info.pidfd;
		}
		p += info.hdr.len;
		left -= info.hdr.len;
	}
	return FAN_EPIDFD;
}

bool fan_groups_next(const void **cursor, size_t *left, struct fan_event *ret_event)
{
	struct fanotify_event_metadata event;

	if (*left < FAN_EVENT_METADATA_LEN)
		return false;
	/* Copied: behind a file handle of odd length the next event is not aligned. */
	memcpy(&event, *cursor, sizeof(event));
	if (event.metadata_len < FAN_EVENT_METADATA_LEN || event.event_len < event.metadata_len ||
	        event.event_len > *left)
		return false;
	ret_event->mask = event.mask;
	ret_event->fd = event.fd;
	ret_event->pid = event.pid;
	ret_event->pidfd = event_pidfd(
	        (const char *)*cursor + event.metadata_len, event.event_len - event.metadata_len);
	*left -= event.event_len;
	*cursor = (const char *)*cursor + event.event_len;
	return true;
}

int fan_groups_answer(int group, int fd, bool allow)
{
	struct fanotify_response response = {
	        .fd = fd,
	        .response = allow ? FAN_ALLOW : FAN_DENY,
	};

	if (write(group, &response, sizeof(response)) != (ssize_t)sizeof(response))
		return -errno;
	return 0;
}
