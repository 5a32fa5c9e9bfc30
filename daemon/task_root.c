/* /proc/PID/root is a magic link: following it is no lookup on the filesystem that it leads to. */
#include "daemon/task_root.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "core/mountinfo.h"
#include "daemon/kernel_abi.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define CACHED_TRIES 16u

int task_root_look(pid_t pid, struct task_root *ret_root)
{
	char path[48];
	struct statx sx;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_MNT_ID_UNIQUE, &sx) < 0)
		return -errno;
	ret_root->dev = makedev(sx.stx_dev_major, sx.stx_dev_minor);
	ret_root->unique = (sx.stx_mask & STATX_MNT_ID_UNIQUE) != 0;
	if (!ret_root->unique && statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_MNT_ID, &sx) < 0)
		return -errno;
	ret_root->mount_id = sx.stx_mnt_id;
	return 0;
}

int task_mounts_read(pid_t pid, char **ret_text, size_t *ret_size)
{
	char path[48];

	if (pid == 0)
		return file_read_at(
		        AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, ret_text, ret_size);
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)pid);
	return file_read_at(AT_FDCWD, path, MOUNTINFO_MAX, ret_text, ret_size);
}

/* The id that mount tables use, which is not the unique one. */
static int table_id(pid_t pid, const struct task_root *root, uint64_t *ret_id)
{
	struct statx sx;
	char path[48];

	*ret_id = root->mount_id;
	if (!root->unique)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_MNT_ID, &sx) < 0)
		return -errno;
	*ret_id = sx.stx_mnt_id;
	return 0;
}

/* The line of an overlay in the task's own mount table; the caller is done with it. */
static int overlay_line(pid_t pid, uint64_t id, struct mountinfo_line *ret_line)
{
	_cleanup_free_ char *text = NULL;
	const char *cursor, *end;
	size_t size;
	int r = task_mounts_read(pid, &text, &size);

	if (r < 0)
		return r;
	cursor = text;
	end = text + size;
	for (;;) {
		struct mountinfo_line line = {0};

		r = mountinfo_next(&cursor, end, &line);
		if (r == 0)
			return -ENOENT;
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			continue;
		if (line.id == id && !strcmp(line.fstype, "overlay")) {
			*ret_line = line;
			return 0;
		}
		mountinfo_line_done(&line);
	}
}

int task_root_options(pid_t pid, const struct task_root *root, char **ret_options)
{
	struct mountinfo_line line = {0};
	uint64_t id;
	int r = table_id(pid, root, &id);

	if (r == 0)
		r = overlay_line(pid, id, &line);
	if (r < 0)
		return r;
	*ret_options = TAKE_PTR(line.options);
	mountinfo_line_done(&line);
	return *ret_options ? 0 : -ENOMEM;
}

char *task_mount_root(pid_t pid, int fd)
{
	struct mountinfo_line line = {0};
	struct statx sx;
	char *root;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &sx) < 0 ||
	        overlay_line(pid, sx.stx_mnt_id, &line) < 0)
		return NULL;
	root = TAKE_PTR(line.root);
	mountinfo_line_done(&line);
	return root;
}

int task_open_cached(pid_t pid, const char *path, uint64_t resolve)
{
	struct open_how how = {
	        .flags = O_PATH | O_CLOEXEC,
	        .resolve = RESOLVE_CACHED | RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
	};
	_cleanup_close_ int root = -1;
	char link[48] = "/";
	int fd = -EAGAIN;

	if (pid > 0)
		snprintf(link, sizeof(link), "/proc/%d/root", (int)pid);
	root = open(link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	/* A walk without locks also fails when somebody renames beside it. */
	for (unsigned int i = 0; i < CACHED_TRIES && fd == -EAGAIN; i++) {
		fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd < 0)
			fd = -errno;
	}
	return fd;
}
