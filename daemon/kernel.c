/*
 * Features are tried, not looked up by release: distributions backport. The child does everything
 * that touches mounts and reports one byte a feature through a pipe; when it dies, what it did
 * not report stays "unprobed".
 */
#include "daemon/kernel.h"

#include "base/cleanup.h"
#include "daemon/kernel_abi.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PROBE_TIMEOUT_MS 5000

/* Without rows the other way is as safe, and slower. */
static const struct kernel_feature_row rows[_KERNEL_FEATURE_MAX] = {
        [KERNEL_PERMISSION_EVENTS] = {"permission_events", "5.0",
                "nothing can be denied: execwardd does not start",
                "Linux 5.0 or later, built with CONFIG_FANOTIFY_ACCESS_PERMISSIONS",
                {1, 2, 3, 5, 6, 7}},
        [KERNEL_BACKING_EVENTS] = {"backing_events", "6.5",
                "each overlay is marked as it appears: its first execs may come before its mark",
                "Linux 6.5 or later", {1, 2, 5, 25}},
        [KERNEL_OVERLAY_HANDLES] = {"overlay_handles", "6.6",
                "overlay marks look for the origin of a file by its path: without a name it is "
                "unknown, never trusted",
                "Linux 6.6 or later", {4}},
        [KERNEL_MOUNT_IGNORE] = {"mount_ignore", "6.0",
                "execs of the host on the storage filesystem are asked about, and allowed",
                "Linux 6.0 or later", {0}},
        [KERNEL_MOUNT_EVENTS] = {"mount_events", "6.15",
                "new mounts are seen through poll on mountinfo, 0.2 ms later",
                "Linux 6.15 or later", {6, 25}},
        [KERNEL_UNIQUE_MOUNT_ID] = {"unique_mount_id", "6.8",
                "the root of a task is checked against its mount table at each exec",
                "Linux 6.8 or later", {0}},
        [KERNEL_PIDFD] = {"pidfd", "5.15", "the writer of a drop is told by pid alone",
                "Linux 5.15 or later", {21}},
        [KERNEL_EXEC_DENIES_WRITE] = {"exec_denies_write", "all but 6.11 and 6.12",
                "a file can be written while it starts", "Linux 6.13 or later, or before 6.11",
                {9, 10}},
        [KERNEL_LEASES] = {"leases", "2.4 (fs.leases-enable)",
                "a file can change between digest and exec",
                "sysctl -w fs.leases-enable=1, then systemctl restart execwardd", {9, 10}},
        [KERNEL_FINE_CTIME] = {"fine_ctime", "6.13",
                "a digest of a file changed within the last clock tick is not remembered",
                "Linux 6.13 or later", {0}},
};

const struct kernel_feature_row *kernel_feature_row(enum kernel_feature feature)
{
	return &rows[feature];
}

bool kernel_has(const struct kernel_features *features, enum kernel_feature feature)
{
	return features->present[feature] == KERNEL_PRESENT;
}

static enum kernel_presence presence(bool present)
{
	return present ? KERNEL_PRESENT : KERNEL_ABSENT;
}

static int make_file(const char *path)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);

	if (fd < 0)
		return -errno;
	return write(fd, "\1", 1) == 1 ? 0
	                               : -EIO; /* neither ELF nor #!: exec opens it, then ENOEXEC */
}

static int make_scratch(void)
{
	static const char *const dirs[] = {"lower", "upper", "work", "merged"};

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	if (mount("execward-probe", "/proc", "tmpfs", 0, "mode=0700,size=64k") < 0 ||
	        chdir("/proc") < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (mkdir(dirs[i], 0700) < 0)
			return -errno;
	if (make_file("lower/image") < 0 || make_file("plain") < 0)
		return -EIO;
	if (mount("overlay", "merged", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work") <
	        0)
		return -errno;
	return make_file("merged/drop");
}

/* Execs @path in a child of its own; the errno of the exec. */
static int try_exec(const char *path)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (pid == 0) {
		char *argv[] = {NULL};

		execve(path, argv, argv);
		_exit(errno & 0xff);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

static enum kernel_presence probe_backing(void)
{
	_cleanup_close_ int group =
	        fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY);
	struct fanotify_event_metadata event[8];

	if (group < 0 || fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN_EXEC,
	                         AT_FDCWD, ".") < 0)
		return KERNEL_UNPROBED;
	try_exec("merged/image");
	return presence(read(group, event, sizeof(event)) > 0);
}

static enum kernel_presence probe_ignore(void)
{
	_cleanup_close_ int group = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC, O_RDONLY);

	if (group < 0)
		return KERNEL_UNPROBED;
	return presence(fanotify_mark(group,
	                        FAN_MARK_ADD | FAN_MARK_MOUNT | FAN_MARK_IGNORE |
	                                FAN_MARK_IGNORED_SURV_MODIFY,
	                        FAN_OPEN_EXEC, AT_FDCWD, ".") == 0);
}

/* The mask alone is what is asked about: nothing is executed while this group lives. */
static enum kernel_presence probe_permission(void)
{
	_cleanup_close_ int group = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY);

	if (group < 0)
		return KERNEL_ABSENT;
	return presence(
	        fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN_EXEC_PERM, AT_FDCWD, "plain") == 0);
}

static enum kernel_presence probe_handles(void)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} buffer = {.handle = {.handle_bytes = MAX_HANDLE_SZ}};
	int mount_id;

	return presence(name_to_handle_at(AT_FDCWD, "merged/drop", &buffer.handle, &mount_id,
	                        AT_HANDLE_FID) == 0);
}

static enum kernel_presence probe_deny_write(void)
{
	_cleanup_close_ int fd = open("plain", O_WRONLY | O_CLOEXEC);

	return fd < 0 ? KERNEL_UNPROBED : presence(try_exec("./plain") == ETXTBSY);
}

static enum kernel_presence probe_leases(void)
{
	_cleanup_close_ int reader = open("merged/drop", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int writer = -1;
	bool granted;

	if (reader < 0)
		return KERNEL_UNPROBED;
	granted = fcntl(reader, F_SETLEASE, F_RDLCK) == 0;
	(void)fcntl(reader, F_SETLEASE, F_UNLCK);
	writer = open("merged/drop", O_WRONLY | O_CLOEXEC);
	if (writer < 0)
		return KERNEL_UNPROBED;
	return presence(granted && fcntl(reader, F_SETLEASE, F_RDLCK) < 0 && errno == EAGAIN);
}

static enum kernel_presence probe_ctime(void)
{
	_cleanup_close_ int fd = open("plain", O_RDWR | O_CLOEXEC);
	struct stat before, after;

	for (int i = 0; fd >= 0 && i < 16; i++) {
		if (fstat(fd, &before) < 0 || pwrite(fd, "\1", 1, 0) != 1 || fstat(fd, &after) < 0)
			return KERNEL_UNPROBED;
		if (before.st_ctim.tv_sec == after.st_ctim.tv_sec &&
		        before.st_ctim.tv_nsec == after.st_ctim.tv_nsec)
			return KERNEL_ABSENT;
	}
	return fd < 0 ? KERNEL_UNPROBED : KERNEL_PRESENT;
}

static void probe_scratch(struct kernel_features *f)
{
	f->probe_errno = -make_scratch();
	if (f->probe_errno)
		return;
	f->present[KERNEL_PERMISSION_EVENTS] = probe_permission();
	f->present[KERNEL_BACKING_EVENTS] = probe_backing();
	f->present[KERNEL_MOUNT_IGNORE] = probe_ignore();
	f->present[KERNEL_OVERLAY_HANDLES] = probe_handles();
	f->present[KERNEL_EXEC_DENIES_WRITE] = probe_deny_write();
	f->present[KERNEL_LEASES] = probe_leases();
	f->present[KERNEL_FINE_CTIME] = probe_ctime();
}

static enum kernel_presence probe_group(unsigned int flags)
{
	_cleanup_close_ int group = fanotify_init(flags | FAN_CLOEXEC, O_RDONLY);

	return presence(group >= 0);
}

static enum kernel_presence probe_mount_id(void)
{
	struct statx sx;

	if (statx(AT_FDCWD, "/", AT_STATX_DONT_SYNC, STATX_MNT_ID_UNIQUE, &sx) < 0)
		return KERNEL_ABSENT;
	return presence((sx.stx_mask & STATX_MNT_ID_UNIQUE) != 0);
}

static void read_report(int fd, struct kernel_features *ret)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	struct kernel_features report;

	if (poll(&pfd, 1, PROBE_TIMEOUT_MS) == 1 &&
	        read(fd, &report, sizeof(report)) == (ssize_t)sizeof(report))
		*ret = report;
}

void kernel_probe(struct kernel_features *ret)
{
	int pipe_fds[2];
	pid_t pid;

	memset(ret, 0, sizeof(*ret));
	ret->probe_errno = EIO;
	if (pipe2(pipe_fds, O_CLOEXEC) == 0) {
		pid = fork();
		if (pid == 0) {
			struct kernel_features report = {0};

			probe_scratch(&report);
			_exit(write(pipe_fds[1], &report, sizeof(report)) < 0);
		}
		close(pipe_fds[1]);
		if (pid > 0) {
			read_report(pipe_fds[0], ret);
			(void)kill(pid, SIGKILL);
			(void)waitpid(pid, NULL, 0);
		}
		close(pipe_fds[0]);
	}
	ret->present[KERNEL_MOUNT_EVENTS] = probe_group(FAN_CLASS_NOTIF | FAN_REPORT_MNT);
	ret->present[KERNEL_PIDFD] = probe_group(FAN_CLASS_CONTENT | FAN_REPORT_PIDFD);
	ret->present[KERNEL_UNIQUE_MOUNT_ID] = probe_mount_id();
}
