/*
 * Everything here is read from the task's own words, and only ever adds an alert: a task that lies
 * about what it executes lies about that.
 */
#include "daemon/loader.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "daemon/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

/* glibc, musl and FreeBSD's way, as distributions install them. */
static const char *const names[] = {"ld-*.so*", "ld-musl-*", "ld.so", "ld.so.*", "ld64.so.*"};

static const char memfd_mark[] = "/memfd:"; /* mm/memfd.c: the name of each in /proc */

bool loader_is_one(int fd)
{
	_cleanup_free_ char *path = NULL;
	const char *name;
	char link[32];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (file_readlink_at(AT_FDCWD, link, &path) < 0)
		return false;
	name = strrchr(path, '/');
	for (size_t i = 0; name && name[1] == 'l' && i < sizeof(names) / sizeof(names[0]); i++)
		if (fnmatch(names[i], name + 1, 0) == 0)
			return true;
	return false;
}

/* The number in /proc/self/fd/N, /proc/PID/fd/N or /dev/fd/N; -1 when @path is another. */
static int fd_of_path(const char *path)
{
	int fd = -1, end = 0;

	if (sscanf(path, "/dev/fd/%d%n", &fd, &end) == 1 && !path[end])
		return fd;
	if (sscanf(path, "/proc/self/fd/%d%n", &fd, &end) == 1 && !path[end])
		return fd;
	if (sscanf(path, "/proc/%*d/fd/%d%n", &fd, &end) == 1 && !path[end])
		return fd;
	return -1;
}

static bool is_same_file(int fd, const struct file_identity *identity)
{
	struct file_look look = {0};

	/* An overlay shows the inode number and the times of the lower file. */
	return fd >= 0 && file_look(fd, &look) == 0 && look.identity.ino == identity->ino &&
	       look.identity.ctime_ns == identity->ctime_ns && look.identity.size == identity->size;
}

static enum exec_form form_of_fd(
        pid_t pid, int number, const struct file_identity *identity, char **ret_name)
{
	_cleanup_free_ char *target = NULL;
	_cleanup_close_ int fd = -1;
	char link[48];

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, number);
	if (file_readlink_at(AT_FDCWD, link, &target) < 0)
		return EXEC_FORM_UNKNOWN;
	if (!strncmp(target, memfd_mark, sizeof(memfd_mark) - 1)) {
		*ret_name = TAKE_PTR(target);
		return EXEC_FORM_MEMFD;
	}
	fd = open(link, O_PATH | O_CLOEXEC);
	return is_same_file(fd, identity) ? EXEC_FORM_LOADER : EXEC_FORM_PROGRAM;
}

static enum exec_form form_of_path(
        pid_t pid, const char *path, const struct file_identity *identity)
{
	struct open_how how = {
	        .flags = O_PATH | O_CLOEXEC,
	        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	_cleanup_close_ int root = -1, fd = -1;
	char link[48];

	/* A relative path starts at the working directory, which may lie below a chroot of it. */
	snprintf(link, sizeof(link), "/proc/%d/%s", (int)pid, path[0] == '/' ? "root" : "cwd");
	root = open(link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return EXEC_FORM_UNKNOWN;
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	return is_same_file(fd, identity) ? EXEC_FORM_LOADER : EXEC_FORM_PROGRAM;
}

enum exec_form loader_form(
        pid_t pid, enum task_memory memory, const struct file_identity *identity, char **ret_name)
{
	_cleanup_(task_exec_done) struct task_exec exec = {0};
	int number;

	if (memory != TASK_MEMORY_READ || task_read_exec(pid, &exec) < 0)
		return EXEC_FORM_UNKNOWN;
	number = exec.path[0] ? fd_of_path(exec.path) : exec.dirfd;
	return number >= 0 ? form_of_fd(pid, number, identity, ret_name)
	                   : form_of_path(pid, exec.path, identity);
}
