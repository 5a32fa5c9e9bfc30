/*
 * The scratch overlay, and one try in it. Everything is mounted in a mount namespace of this
 * process: however it ends, the mounts end with it, and what may stay is one empty directory. A
 * lock on that directory keeps a second self-test from removing it: rmdir(2) would take the mount
 * of the first away.
 */
#include "tools/selftest.h"

#include "base/clock.h"
#include "base/hex.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>

struct selftest_box {
	char *dir; /* NULL until it is ours to remove */
	int lock;
	bool has_proc;
	char nonce[2 * 4 + 1];
};

static int say(const char *step)
{
	int error = errno;

	fprintf(stderr, "execward selftest: %s: %s\n", step, strerror(error));
	return error == EPERM || error == EACCES ? EX_NOPERM : EX_CANTCREAT;
}

void selftest_path(const struct selftest_box *box, const struct selftest_trick *trick,
        char ret_path[SELFTEST_PATH_SIZE])
{
	snprintf(ret_path, SELFTEST_PATH_SIZE, "%s/selftest-%s-%s", trick->dir, box->nonce,
	        trick->file);
}

/* The payload with the path behind it: the loader does not care, the digest does. */
static int write_image_program(const char *path)
{
	_cleanup_free_ char *lower = NULL;
	_cleanup_close_ int fd = -1;
	size_t size = (size_t)(selftest_payload_end - selftest_payload_data);

	if (asprintf(&lower, "lower%s", path) < 0) {
		lower = NULL;
		return -1;
	}
	fd = open(lower, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	if (fd < 0 || write(fd, selftest_payload_data, size) != (ssize_t)size ||
	        write(fd, path, strlen(path)) != (ssize_t)strlen(path))
		return -1;
	return fchmod(fd, 0755); /* whatever the umask is */
}

static int make_tree(const struct selftest_box *box)
{
	static const char *const dirs[] = {
	        "lower", "lower/bin", "lower/proc", "lower/mnt", "upper", "work", "merged"};
	char path[SELFTEST_PATH_SIZE];

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (mkdir(dirs[i], 0755) < 0)
			return say(dirs[i]);
	for (size_t i = 0; i < selftest_n_tricks; i++) {
		selftest_path(box, &selftest_tricks[i], path);
		if (selftest_tricks[i].in_image && write_image_program(path) < 0)
			return say("the programs of the image");
	}
	return 0;
}

static int make_dir(const char *runtime_dir, struct selftest_box *box)
{
	_cleanup_free_ char *dir = NULL;
	uint8_t nonce[4];

	if (getrandom(nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce))
		return say("random bytes");
	hex_encode(nonce, sizeof(nonce), box->nonce);
	if (asprintf(&dir, "%s/selftest", runtime_dir) < 0) {
		dir = NULL;
		return say("memory");
	}
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return say(dir);
	box->lock = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (box->lock < 0)
		return say(dir);
	if (flock(box->lock, LOCK_EX | LOCK_NB) < 0) {
		fputs("execward selftest: another one is running\n", stderr);
		return EX_CANTCREAT;
	}
	box->dir = TAKE_PTR(dir);
	return 0;
}

/* Absolute names, as most runtimes give them: the daemon finds the layers by them. */
static int mount_overlay(const char *dir)
{
	_cleanup_free_ char *options = NULL;

	if (asprintf(&options, "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", dir, dir,
	            dir) < 0) {
		options = NULL;
		return -1;
	}
	return mount("overlay", "merged", "overlay", 0, options);
}

static char *tree_of(const struct selftest_box *box)
{
	char *tree = NULL;

	return asprintf(&tree, "%s/%s", box->dir, box->nonce) < 0 ? NULL : tree;
}

static int mount_all(struct selftest_box *box)
{
	_cleanup_free_ char *tree = NULL;
	int r;

	if (unshare(CLONE_NEWNS) < 0)
		return say("a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return say("private mounts");
	if (mount("execward-selftest", box->dir, "tmpfs", MS_NODEV, "size=16m,mode=0755") < 0)
		return say("a tmpfs");
	/* A tree of this run's own name: what the daemon remembers of another run is not about it.
	 */
	tree = tree_of(box);
	if (!tree || mkdir(tree, 0755) < 0 || chdir(tree) < 0)
		return say("a directory");
	r = make_tree(box);
	if (r != 0)
		return r;
	if (mount_overlay(tree) < 0)
		return say("an overlay");
	/* Refused in some containers: the tricks that want it are skipped then. */
	box->has_proc = mount("proc", "merged/proc", "proc", MS_NOSUID | MS_NODEV, NULL) == 0;
	return 0;
}

int selftest_box_new(const char *runtime_dir, struct selftest_box **ret_box)
{
	_cleanup_(selftest_box_freep) struct selftest_box *box = calloc(1, sizeof(*box));
	int r;

	if (!box)
		return say("memory");
	box->lock = -1;
	r = make_dir(runtime_dir, box);
	if (r == 0)
		r = mount_all(box);
	if (r == 0)
		*ret_box = TAKE_PTR(box);
	return r;
}

void selftest_box_free(struct selftest_box *box)
{
	if (!box)
		return;
	if (box->dir) {
		(void)!chdir("/");
		(void)umount2(box->dir, MNT_DETACH); /* the overlay goes with it */
		(void)rmdir(box->dir);
	}
	free(box->dir);
	cleanup_closep(&box->lock);
	free(box);
}

/*
 * One try.
 */
struct answer {
	int error;
	char step[sizeof(((struct selftest_outcome *)0)->step)];
};

static void fill_try(const struct selftest_box *box, const struct selftest_trick *trick,
        struct selftest_try *try)
{
	*try = (struct selftest_try){.trick = trick, .step = "chroot"};
	selftest_path(box, trick, try->path);
	selftest_path(box, &selftest_tricks[0], try->image); /* the first is the image's own */
}

/* In the child: a working exec closes @fd without a word. */
__attribute__((noreturn)) static void child(
        const struct selftest_box *box, const struct selftest_trick *trick, int fd)
{
	struct selftest_try try;
	struct answer answer = {0};

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	fill_try(box, trick, &try);
	answer.error = chroot("merged") < 0 || chdir("/") < 0 ? errno : trick->run(&try);
	snprintf(answer.step, sizeof(answer.step), "%s", try.step);
	(void)!write(fd, &answer, sizeof(answer));
	_exit(0);
}

/* Until the child has said or done something; false when time is up. */
static bool wait_child(int fd, int64_t until_ns)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	for (;;) {
		int64_t left_ns = until_ns - clock_monotonic_ns();
		int n = left_ns > 0 ? poll(&pfd, 1, (int)(left_ns / NS_PER_MSEC) + 1) : 0;

		if (n >= 0 || errno != EINTR)
			return n == 1;
	}
}

static void judge_child(int fd, pid_t pid, int64_t until_ns, struct selftest_outcome *outcome)
{
	struct answer answer = {0};
	bool answered = wait_child(fd, until_ns);
	ssize_t n = answered ? read(fd, &answer, sizeof(answer)) : 0;
	int status = 0;

	if (!answered) {
		(void)kill(-pid, SIGKILL);
		(void)kill(pid, SIGKILL); /* it may not be a group yet */
	}
	(void)waitpid(pid, &status, 0);
	outcome->error = answer.error;
	if (!answered)
		outcome->end = SELFTEST_HUNG;
	else if (n == (ssize_t)sizeof(answer))
		outcome->end = !strcmp(answer.step, SELFTEST_NO_TMPFILE) ? SELFTEST_SKIPPED
		               : strcmp(answer.step, "exec")             ? SELFTEST_BROKEN
		                                                         : SELFTEST_REFUSED;
	else if (WIFEXITED(status) && WEXITSTATUS(status) == SELFTEST_EXIT)
		outcome->end = SELFTEST_RAN;
	snprintf(outcome->step, sizeof(outcome->step), "%s", answer.step);
}

struct selftest_outcome selftest_try(
        const struct selftest_box *box, const struct selftest_trick *trick, int64_t until_ns)
{
	struct selftest_outcome outcome = {.end = SELFTEST_BROKEN, .step = "fork"};
	int fds[2];
	pid_t pid;

	if (trick->needs_proc && !box->has_proc)
		return (struct selftest_outcome){
		        .end = SELFTEST_SKIPPED, .step = "/proc cannot be mounted"};
	if (clock_monotonic_ns() >= until_ns)
		return (struct selftest_outcome){.end = SELFTEST_SKIPPED, .step = "time is up"};
	if (pipe2(fds, O_CLOEXEC) < 0) {
		outcome.error = errno;
		return outcome;
	}
	pid = fork();
	if (pid == 0)
		child(box, trick, fds[1]);
	outcome.error = errno;
	close(fds[1]);
	if (pid > 0)
		judge_child(fds[0], pid, until_ns, &outcome);
	close(fds[0]);
	return outcome;
}
