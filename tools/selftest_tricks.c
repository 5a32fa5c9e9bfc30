/*
 * The techniques (THREATS rows 1 to 5). Each drops content of its own, so that no two are the same
 * program to the daemon.
 */
#include "tools/selftest.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static size_t payload_size(void)
{
	return (size_t)(selftest_payload_end - selftest_payload_data);
}

/* The payload and the technique's name behind it: the loader does not care, the digest does. */
static int write_payload(int fd, const char *salt)
{
	if (write(fd, selftest_payload_data, payload_size()) != (ssize_t)payload_size() ||
		write(fd, salt, strlen(salt)) != (ssize_t)strlen(salt) || fchmod(fd, 0755) < 0)
		return -1;
	return 0;
}

static int drop(const char *path, const char *salt)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);

	return fd < 0 ? -1 : write_payload(fd, salt);
}

static int exec_path(const char *path, const char **step)
{
	char *argv[] = {(char *)(uintptr_t)path, NULL}, *envp[] = {NULL};

	*step = "exec";
	execve(path, argv, envp);
	return errno;
}

static int exec_fd(int fd, const char *path, const char **step)
{
	char *argv[] = {(char *)(uintptr_t)path, NULL}, *envp[] = {NULL};

	*step = "exec";
	syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
	return errno;
}

static int run_image(const struct selftest_trick *t, const char **step)
{
	return exec_path(t->path, step);
}

static int run_drop(const struct selftest_trick *t, const char **step)
{
	*step = "drop";
	return drop(t->path, t->name) < 0 ? errno : exec_path(t->path, step);
}

static int run_execveat(const struct selftest_trick *t, const char **step)
{
	int fd;

	*step = "drop";
	if (drop(t->path, t->name) < 0)
		return errno;
	fd = open(t->path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? errno : exec_fd(fd, t->path, step);
}

static int run_opath(const struct selftest_trick *t, const char **step)
{
	int fd;

	*step = "drop";
	if (drop(t->path, t->name) < 0)
		return errno;
	fd = open(t->path, O_PATH | O_CLOEXEC);
	return fd < 0 ? errno : exec_fd(fd, t->path, step);
}

static int run_rename(const struct selftest_trick *t, const char **step)
{
	*step = "drop";
	if (drop("/bin/renamed.tmp", t->name) < 0)
		return errno;
	return rename("/bin/renamed.tmp", t->path) < 0 ? errno : exec_path(t->path, step);
}

static int run_link(const struct selftest_trick *t, const char **step)
{
	*step = "drop";
	if (drop("/bin/linked.tmp", t->name) < 0)
		return errno;
	return link("/bin/linked.tmp", t->path) < 0 ? errno : exec_path(t->path, step);
}

static int run_tmpfile(const struct selftest_trick *t, const char **step)
{
	int fd = open("/bin", O_TMPFILE | O_RDWR | O_CLOEXEC, 0755);
	int r;

	*step = "drop";
	if (fd < 0)
		return errno;
	r = write_payload(fd, t->name);
	/* Without /proc in the box the name is given by AT_EMPTY_PATH. */
	if (r == 0)
		r = linkat(fd, "", AT_FDCWD, t->path, AT_EMPTY_PATH);
	if (r < 0)
		return errno;
	close(fd);
	return exec_path(t->path, step);
}

static int run_unlinked(const struct selftest_trick *t, const char **step)
{
	int fd;

	*step = "drop";
	if (drop(t->path, t->name) < 0)
		return errno;
	fd = open(t->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || unlink(t->path) < 0)
		return errno;
	return exec_fd(fd, t->path, step);
}

static int run_directory(const struct selftest_trick *t, const char **step)
{
	*step = "drop";
	if (mkdir("/new", 0755) < 0 || drop(t->path, t->name) < 0)
		return errno;
	return exec_path(t->path, step);
}

static int run_edit_write(const struct selftest_trick *t, const char **step)
{
	int fd = open(t->path, O_WRONLY | O_APPEND | O_CLOEXEC);

	*step = "edit";
	if (fd < 0 || write(fd, t->name, strlen(t->name)) < 0)
		return errno;
	close(fd);
	return exec_path(t->path, step);
}

static int run_edit_mmap(const struct selftest_trick *t, const char **step)
{
	int fd = open(t->path, O_RDWR | O_CLOEXEC);
	uint8_t *data;

	*step = "edit";
	if (fd < 0)
		return errno;
	data = mmap(NULL, payload_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		return errno;
	data[9] ^= 1; /* padding of e_ident: any value is accepted */
	munmap(data, payload_size());
	close(fd);
	return exec_path(t->path, step);
}

static int run_edit_truncate(const struct selftest_trick *t, const char **step)
{
	int fd = open(t->path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	*step = "edit";
	if (fd < 0 || write_payload(fd, t->name) < 0)
		return errno;
	close(fd);
	return exec_path(t->path, step);
}

static int run_touch(const struct selftest_trick *t, const char **step)
{
	*step = "chmod";
	if (chmod(t->path, 0711) < 0 || utimensat(AT_FDCWD, t->path, NULL, 0) < 0)
		return errno;
	return exec_path(t->path, step);
}

static int run_script(const struct selftest_trick *t, const char **step)
{
	static const char script[] = "#!/bin/image\n";
	int fd = open(t->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);

	*step = "drop";
	if (fd < 0 || write(fd, script, sizeof(script) - 1) < 0)
		return errno;
	close(fd);
	return exec_path(t->path, step);
}

static int run_copy(const struct selftest_trick *t, const char **step)
{
	*step = "copy";
	return drop(t->path, "") < 0 ? errno : exec_path(t->path, step);
}

const struct selftest_trick selftest_tricks[] = {
	{"-", "a program of the image", "/bin/image", true, NULL, run_image},
	{"1", "drop, execve", "/bin/drop-execve", false, "dropped", run_drop},
	{"1", "drop, execveat of a descriptor", "/bin/drop-execveat", false, "dropped", run_execveat},
	{"1", "drop, execveat of an O_PATH descriptor", "/bin/drop-opath", false, "dropped", run_opath},
	{"2", "rename a drop", "/bin/drop-rename", false, "dropped", run_rename},
	{"2", "hard link to a drop", "/bin/drop-link", false, "dropped", run_link},
	{"2", "O_TMPFILE, linkat", "/bin/drop-tmpfile", false, "dropped", run_tmpfile},
	{"2", "unlinked, still open", "/bin/drop-unlinked", false, "dropped", run_unlinked},
	{"2", "in a new directory", "/new/drop-directory", false, "dropped", run_directory},
	{"3", "edit an image program by write", "/bin/edited-write", false, "modified", run_edit_write},
	{"3", "edit an image program through a mapping", "/bin/edited-mmap", false, "modified",
		run_edit_mmap},
	{"3", "truncate an image program and write", "/bin/edited-truncate", false, "modified",
		run_edit_truncate},
	{"4", "chmod and touch an image program", "/bin/touched", true, NULL, run_touch},
	{"5", "drop a script", "/bin/drop-script", false, "dropped", run_script},
	{"-", "copy of an image program under another name", "/bin/drop-copy", false, "dropped_copy",
		run_copy},
};

const size_t selftest_n_tricks = sizeof(selftest_tricks) / sizeof(selftest_tricks[0]);
