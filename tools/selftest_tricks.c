/*
 * The techniques (rows of the threat matrix). Each drops content of its own under a name of its
 * own, so that no two are the same program to the daemon, in this run or another.
 */
#include "tools/selftest.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static size_t payload_size(void)
{
	return (size_t)(selftest_payload_end - selftest_payload_data);
}

static int write_all(int fd, const void *data, size_t size)
{
	return write(fd, data, size) == (ssize_t)size ? 0 : -1;
}

/* The payload with something of its own behind it: the loader does not care, the digest does. */
static int write_payload(int fd, const struct selftest_try *try)
{
	static const char mark[] = "dropped by ";

	if (write_all(fd, selftest_payload_data, payload_size()) < 0 ||
	        write_all(fd, mark, sizeof(mark) - 1) < 0 ||
	        write_all(fd, try->path, strlen(try->path)) < 0)
		return -1;
	return fchmod(fd, 0755);
}

static int drop(struct selftest_try *try, const char *path)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);

	try->step = "drop";
	return fd < 0 ? -1 : write_payload(fd, try);
}

/* A second name on the way to try->path. */
static void side_path(const struct selftest_try *try, char ret_path[SELFTEST_PATH_SIZE + 5])
{
	snprintf(ret_path, SELFTEST_PATH_SIZE + 5, "%s.tmp", try->path);
}

static int exec_path(struct selftest_try *try, const char *path)
{
	char *argv[] = {try->path, NULL}, *envp[] = {NULL};

	try->step = "exec";
	execve(path, argv, envp);
	return errno;
}

static int exec_fd(struct selftest_try *try, int fd)
{
	char *argv[] = {try->path, NULL}, *envp[] = {NULL};

	try->step = "exec";
	syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
	return errno;
}

static int run_image(struct selftest_try *try)
{
	return exec_path(try, try->path);
}

static int run_drop(struct selftest_try *try)
{
	return drop(try, try->path) < 0 ? errno : exec_path(try, try->path);
}

static int drop_and_open(struct selftest_try *try, int flags)
{
	return drop(try, try->path) < 0 ? -1 : open(try->path, flags | O_CLOEXEC);
}

static int run_execveat(struct selftest_try *try)
{
	int fd = drop_and_open(try, O_RDONLY);

	return fd < 0 ? errno : exec_fd(try, fd);
}

static int run_opath(struct selftest_try *try)
{
	int fd = drop_and_open(try, O_PATH);

	return fd < 0 ? errno : exec_fd(try, fd);
}

static int run_proc_fd(struct selftest_try *try)
{
	int fd = drop_and_open(try, O_PATH);
	char path[32];

	if (fd < 0)
		return errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return exec_path(try, path);
}

static int run_rename(struct selftest_try *try)
{
	char side[SELFTEST_PATH_SIZE + 5];

	side_path(try, side);
	if (drop(try, side) < 0 || rename(side, try->path) < 0)
		return errno;
	return exec_path(try, try->path);
}

static int run_link(struct selftest_try *try)
{
	char side[SELFTEST_PATH_SIZE + 5];

	side_path(try, side);
	if (drop(try, side) < 0 || link(side, try->path) < 0)
		return errno;
	return exec_path(try, try->path);
}

static int run_tmpfile(struct selftest_try *try)
{
	int fd = open(try->trick->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0755);

	try->step = "O_TMPFILE";
	if (fd < 0 && errno == EOPNOTSUPP)
		try->step = SELFTEST_NO_TMPFILE;
	/* Named by AT_EMPTY_PATH: that wants no /proc. */
	if (fd < 0 || write_payload(fd, try) < 0 ||
	        linkat(fd, "", AT_FDCWD, try->path, AT_EMPTY_PATH) < 0)
		return errno;
	close(fd);
	return exec_path(try, try->path);
}

static int run_unlinked(struct selftest_try *try)
{
	int fd = drop_and_open(try, O_RDONLY);

	if (fd < 0 || unlink(try->path) < 0)
		return errno;
	return exec_fd(try, fd);
}

static int run_directory(struct selftest_try *try)
{
	try->step = "mkdir";
	return mkdir(try->trick->dir, 0755) < 0 ? errno : run_drop(try);
}

static int run_edit_write(struct selftest_try *try)
{
	int fd = open(try->path, O_WRONLY | O_APPEND | O_CLOEXEC);

	try->step = "edit";
	if (fd < 0 || write_all(fd, "edited", strlen("edited")) < 0)
		return errno;
	close(fd);
	return exec_path(try, try->path);
}

static int run_edit_mmap(struct selftest_try *try)
{
	int fd = open(try->path, O_RDWR | O_CLOEXEC);
	uint8_t *data;

	try->step = "edit";
	if (fd < 0)
		return errno;
	data = mmap(NULL, payload_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		return errno;
	data[9] ^= 1; /* padding of e_ident, elf(5): any value is accepted */
	munmap(data, payload_size());
	close(fd);
	return exec_path(try, try->path);
}

static int run_edit_truncate(struct selftest_try *try)
{
	int fd = open(try->path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	try->step = "edit";
	if (fd < 0 || write_payload(fd, try) < 0)
		return errno;
	close(fd);
	return exec_path(try, try->path);
}

static int run_touch(struct selftest_try *try)
{
	try->step = "chmod";
	if (chmod(try->path, 0711) < 0 || utimensat(AT_FDCWD, try->path, NULL, 0) < 0)
		return errno;
	return exec_path(try, try->path);
}

static int run_script(struct selftest_try *try)
{
	FILE *script = fopen(try->path, "wxe");

	try->step = "drop";
	if (!script)
		return errno;
	fprintf(script, "#!%s\n# %s\n", try->image, try->path);
	if (fchmod(fileno(script), 0755) < 0 || fclose(script) == EOF)
		return errno;
	return exec_path(try, try->path);
}

static int run_copy(struct selftest_try *try)
{
	_cleanup_close_ int from = open(try->image, O_RDONLY | O_CLOEXEC);
	int to = open(try->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	uint8_t data[65536];
	ssize_t n;

	try->step = "copy";
	if (from < 0 || to < 0)
		return errno;
	n = read(from, data, sizeof(data));
	if (n <= 0 || write_all(to, data, (size_t)n) < 0 || fchmod(to, 0755) < 0)
		return errno;
	close(to);
	return exec_path(try, try->path);
}

/* The same file by way of another mount, in a namespace that the daemon has never looked into. */
static int run_namespace(struct selftest_try *try)
{
	char path[SELFTEST_PATH_SIZE];

	if (drop(try, try->path) < 0)
		return errno;
	try->step = "bind mount";
	if (unshare(CLONE_NEWNS) < 0 || mount(try->trick->dir, "/mnt", NULL, MS_BIND, NULL) < 0)
		return errno;
	snprintf(path, sizeof(path), "/mnt%s", strrchr(try->path, '/'));
	return exec_path(try, path);
}

/* row, name, dir, file, reason, run, in_image, needs_proc, nameless */
const struct selftest_trick selftest_tricks[] = {
        {"-", "a program of the image", "/bin", "image", NULL, run_image, true, false, false},
        {"1", "drop, execve", "/bin", "execve", "dropped", run_drop, false, false, false},
        {"1", "drop, execveat of a descriptor", "/bin", "execveat", "dropped", run_execveat, false,
                false, false},
        {"1", "drop, execveat of an O_PATH descriptor", "/bin", "opath", "dropped", run_opath,
                false, false, false},
        {"1", "drop, execve of /proc/self/fd/N", "/bin", "procfd", "dropped", run_proc_fd, false,
                true, false},
        {"2", "drop, rename over an image program", "/bin", "renamed", "dropped", run_rename, true,
                false, false},
        {"2", "drop, hard link", "/bin", "linked", "dropped", run_link, false, false, false},
        {"2", "O_TMPFILE, linkat", "/bin", "tmpfile", "dropped", run_tmpfile, false, false, false},
        {"2", "drop, unlink, run what is open", "/bin", "unlinked", "dropped", run_unlinked, false,
                false, true},
        {"2", "drop into a new directory", "/new", "directory", "dropped", run_directory, false,
                false, false},
        {"3", "edit an image program: write", "/bin", "written", "modified", run_edit_write, true,
                false, false},
        {"3", "edit an image program: mmap", "/bin", "mapped", "modified", run_edit_mmap, true,
                false, false},
        {"3", "edit an image program: truncate, write", "/bin", "truncated", "modified",
                run_edit_truncate, true, false, false},
        {"4", "chmod and touch an image program", "/bin", "touched", NULL, run_touch, true, false,
                false},
        {"5", "drop a script with #!", "/bin", "script", "dropped", run_script, false, false,
                false},
        {"6", "drop, bind mount in a new namespace", "/bin", "namespace", "dropped", run_namespace,
                false, false, false},
        {"-", "copy an image program to another name", "/bin", "copy", "dropped_copy", run_copy,
                false, false, false},
};

const size_t selftest_n_tricks = sizeof(selftest_tricks) / sizeof(selftest_tricks[0]);
