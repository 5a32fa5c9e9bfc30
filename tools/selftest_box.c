/* The scratch overlay, and one try in it: a child that is killed when it hangs. */
#include "tools/selftest.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>

#define TRY_TIMEOUT_MS 15000 /* longer than any deadline that an operator would set */

static int say(const char *step)
{
	fprintf(stderr, "execward selftest: %s: %s\n", step, strerror(errno));
	return EX_OSERR;
}

static int write_program(const char *path)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	size_t size = (size_t)(selftest_payload_end - selftest_payload_data);

	if (fd < 0 || write(fd, selftest_payload_data, size) != (ssize_t)size)
		return -1;
	return fchmod(fd, 0755);
}

static int make_tree(void)
{
	static const char *const dirs[] = {"lower", "lower/bin", "upper", "work", "merged"};
	static const char *const programs[] = {"lower/bin/image", "lower/bin/touched",
		"lower/bin/edited-write", "lower/bin/edited-mmap", "lower/bin/edited-truncate",
		"lower/bin/source"};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (mkdir(dirs[i], 0755) < 0)
			return say("directories");
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (write_program(programs[i]) < 0)
			return say("programs of the image");
	return 0;
}

int selftest_box_make(const char *runtime_dir, struct selftest_box *ret_box)
{
	_cleanup_free_ char *options = NULL;
	int r;

	if (asprintf(&ret_box->dir, "%s/selftest", runtime_dir) < 0)
		return EX_OSERR;
	if (asprintf(&options, "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", ret_box->dir,
		    ret_box->dir, ret_box->dir) < 0)
		return EX_OSERR;
	if (unshare(CLONE_NEWNS) < 0)
		return say("a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return say("private mounts");
	if (mkdir(ret_box->dir, 0700) < 0 && errno != EEXIST)
		return say(ret_box->dir);
	if (mount("execward-selftest", ret_box->dir, "tmpfs", MS_NODEV, "size=16m,mode=0755") < 0)
		return say("a tmpfs");
	if (chdir(ret_box->dir) < 0)
		return say(ret_box->dir);
	r = make_tree();
	if (r == 0 && mount("overlay", "merged", "overlay", 0, options) < 0)
		r = say("an overlay");
	return r;
}

void selftest_box_done(struct selftest_box *box)
{
	if (!box->dir)
		return;
	(void)!chdir("/");
	(void)umount2(box->dir, MNT_DETACH); /* the overlay goes with it */
	(void)rmdir(box->dir);
	free(box->dir);
	box->dir = NULL;
}

struct report {
	int error;
	char step[32];
};

/* In the child: what is written to @fd says why the payload did not run. */
__attribute__((noreturn)) static void child(const struct selftest_trick *trick, int fd)
{
	struct report report = {0};
	const char *step = "chroot";

	report.error = chroot("merged") < 0 || chdir("/") < 0 ? errno : trick->run(trick, &step);
	snprintf(report.step, sizeof(report.step), "%s", step);
	(void)!write(fd, &report, sizeof(report));
	_exit(0);
}

struct selftest_outcome selftest_try(const struct selftest_box *box, const struct selftest_trick *trick)
{
	struct selftest_outcome outcome = {.error = EIO, .step = "fork"};
	struct report report = {0};
	int fds[2], status = 0;
	struct pollfd pfd;
	pid_t pid;

	(void)box;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return outcome;
	pid = fork();
	if (pid == 0)
		child(trick, fds[1]);
	close(fds[1]);
	pfd = (struct pollfd){.fd = fds[0], .events = POLLIN};
	/* The pipe is closed by a working exec: end of file without a report. */
	if (pid > 0 && poll(&pfd, 1, TRY_TIMEOUT_MS) == 1 &&
		read(fds[0], &report, sizeof(report)) == (ssize_t)sizeof(report)) {
		outcome.error = report.error;
		outcome.step = strcmp(report.step, "exec") ? "before the exec" : "exec";
	} else {
		outcome.step = "exec";
	}
	close(fds[0]);
	if (pid > 0) {
		if (pfd.revents == 0)
			(void)kill(pid, SIGKILL);
		(void)waitpid(pid, &status, 0);
		outcome.ran = WIFEXITED(status) && WEXITSTATUS(status) == SELFTEST_EXIT;
		if (outcome.ran)
			outcome.error = 0;
	}
	return outcome;
}
