/*
 * The process has two descriptors and makes three system calls: read, sendto, and exit. It dies
 * with the daemon, and the daemon's end of the socket tells when it is gone.
 */
#include "daemon/refuser.h"

#include "base/cleanup.h"
#include "daemon/fan_groups.h"
#include "daemon/kernel_abi.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define GROUP_FLAGS (FAN_CLASS_CONTENT | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS | FAN_CLOEXEC)
#define CHILD_GROUP 0 /* its descriptors, in place of stdin and stdout */
#define CHILD_TOLD  1

static void tell(const struct fan_event *event)
{
	const struct refusal refusal = {
	        .pid = event->pid, .denied = (event->mask & FAN_OPEN_EXEC_PERM) != 0};

	/* Nobody waits: what the daemon does not take in time is denied all the same. */
	(void)!send(CHILD_TOLD, &refusal, sizeof(refusal), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void refuse(void)
{
	_Alignas(struct fanotify_event_metadata) char buffer[FAN_READ_SIZE];

	for (;;) {
		ssize_t n = read(CHILD_GROUP, buffer, sizeof(buffer));
		const void *cursor = buffer;
		size_t left = n > 0 ? (size_t)n : 0;
		struct fan_event event = {.mask = FAN_OPEN_EXEC_PERM};

		if (n < 0 && errno != EINTR && errno != EMFILE)
			return;
		/* Before Linux 6.13 the one that was denied is an error, without a name. */
		if (n < 0 && errno == EMFILE)
			tell(&event);
		while (fan_groups_next(&cursor, &left, &event))
			tell(&event);
	}
}

static int confine(int group, int told, pid_t parent)
{
	static const struct rlimit none = {0, 0};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		return -errno;
	if (dup2(group, CHILD_GROUP) < 0 || dup2(told, CHILD_TOLD) < 0)
		return -errno;
	if (close_range(CHILD_TOLD + 1, ~0u, 0) < 0)
		return -errno;
	(void)prctl(PR_SET_NAME, "execwardd-fuse");
	return setrlimit(RLIMIT_NOFILE, &none) < 0 ? -errno : 0;
}

/* FAN_REPORT_FD_ERROR [6.13] names the task whose file got no descriptor. */
static int open_group(bool *ret_names)
{
	int fd = fanotify_init(GROUP_FLAGS | FAN_REPORT_FD_ERROR, O_RDONLY | O_LARGEFILE);

	*ret_names = fd >= 0;
	if (fd < 0 && errno == EINVAL)
		fd = fanotify_init(GROUP_FLAGS, O_RDONLY | O_LARGEFILE);
	return fd < 0 ? -errno : fd;
}

int refuser_start(struct refuser *ret_refuser)
{
	_cleanup_close_ int group = -1;
	bool names;
	int told[2];
	pid_t pid, parent = getpid();

	group = open_group(&names);
	if (group < 0)
		return group;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, told) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		if (confine(group, told[1], parent) == 0)
			refuse();
		_exit(1);
	}
	close(told[1]);
	if (pid < 0) {
		close(told[0]);
		return -errno;
	}
	*ret_refuser = (struct refuser){
	        .group = TAKE_FD(group), .told = told[0], .pid = pid, .names = names};
	return 0;
}

void refuser_stop(struct refuser *r)
{
	if (r->pid > 0) {
		(void)kill(r->pid, SIGKILL);
		(void)waitpid(r->pid, NULL, 0);
	}
	cleanup_closep(&r->group);
	cleanup_closep(&r->told);
	*r = REFUSER_NONE;
}

static int mark(const struct refuser *r, unsigned int flags, uint64_t mask, const char *path)
{
	return fanotify_mark(r->group, flags | FAN_MARK_FILESYSTEM, mask, AT_FDCWD, path) < 0
	               ? -errno
	               : 0;
}

int refuser_mark(const struct refuser *r, const char *path, bool deny)
{
	int error;

	/* Without a name, what was only told could not be told from what was denied. */
	if (!deny && !r->names) {
		refuser_unmark(r, path);
		return -EOPNOTSUPP;
	}
	error = mark(r, FAN_MARK_ADD, deny ? FAN_OPEN_EXEC_PERM : FAN_OPEN_EXEC, path);

	if (error == 0)
		(void)mark(r, FAN_MARK_REMOVE, deny ? FAN_OPEN_EXEC : FAN_OPEN_EXEC_PERM, path);
	return error;
}

void refuser_unmark(const struct refuser *r, const char *path)
{
	(void)mark(r, FAN_MARK_REMOVE, FAN_OPEN_EXEC | FAN_OPEN_EXEC_PERM, path);
}

void refuser_flush(const struct refuser *r)
{
	(void)fanotify_mark(r->group, FAN_MARK_FLUSH | FAN_MARK_FILESYSTEM, 0, AT_FDCWD, NULL);
}
