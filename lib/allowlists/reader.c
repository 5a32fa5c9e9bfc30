/*
 * Running a reader. A tool forks it; the daemon, which has threads, has forked a helper before the
 * first of them, and sends it the envelope's descriptor and the pipe's end for each.
 *
 * A reader ends itself after READER_SECONDS (alarm(2), which it cannot take back): a daemon without
 * CAP_KILL could not kill a process of another user.
 */
#include "allowlists/reader_internal.h"
#include "allowlists/sandbox.h"

#include "base/clock.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define CHUNK      65536u /* bytes read at a time */
#define HELPER_FD  3      /* the helper's only descriptor, beside those that it is sent */
#define GRACE_MSEC 5000   /* beyond the reader's own alarm */

struct reader_helper {
	int socket; /* SEQPACKET of struct reader_request with two descriptors */
	pid_t pid;
};

static inline void answer_donep(struct reader_answer *answer)
{
	reader_answer_done(answer);
}

/*
 * In the child.
 */

/* As a new program would have them: nothing of ours is called, nothing is held back. */
static void reset_signals(void)
{
	struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &plain, NULL);
	plain.sa_handler = SIG_IGN; /* seen as EPIPE instead */
	(void)sigaction(SIGPIPE, &plain, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Both above what they become, so that neither is overwritten before it has been moved. */
static int place(int in, int out)
{
	int high_in = fcntl(in, F_DUPFD, HELPER_FD), high_out = fcntl(out, F_DUPFD, HELPER_FD);

	if (high_in < 0 || high_out < 0)
		return -errno;
	if (dup2(high_in, READER_IN) < 0 || dup2(high_out, READER_OUT) < 0)
		return -errno;
	return close_range(SANDBOX_SANITIZED ? HELPER_FD : READER_OUT + 1, ~0u, 0) < 0 ? -errno : 0;
}

static void be_reader(
        const struct reader_work *work, int in, int out, const struct reader_request *request)
{
	reset_signals();
	(void)prctl(PR_SET_NAME, "execward-reader");
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (place(in, out) == 0) {
		alarm(work->seconds);
		work->run(request);
	}
	_exit(0);
}

/*
 * Listening.
 */
static int wait_readable(int fd, int64_t until_ns)
{
	for (;;) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		int64_t left_ns = until_ns - clock_monotonic_ns();
		int n;

		if (left_ns <= 0)
			return -ETIMEDOUT;
		n = poll(&poll_fd, 1, (int)(left_ns / NS_PER_MSEC) + 1);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int listen_to(int fd, int64_t until_ns, struct reader_answer *answer)
{
	_cleanup_free_ char *chunk = malloc(CHUNK);

	if (!chunk)
		return -ENOMEM;
	for (;;) {
		ssize_t n;
		int r = wait_readable(fd, until_ns);

		if (r < 0)
			return r;
		n = read(fd, chunk, CHUNK);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return reader_answer_finish(answer);
		r = n > 0 ? reader_answer_feed(answer, chunk, (size_t)n) : 0;
		if (r < 0)
			return r;
	}
}

static int64_t deadline(unsigned int seconds)
{
	return clock_monotonic_ns() + seconds * NS_PER_SEC + GRACE_MSEC * NS_PER_MSEC;
}

/* Whatever it still does is of no use: it has said all, or nobody listens. */
static int end_child(pid_t pid, bool kill_it)
{
	int status = 0;

	if (kill_it)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		return -ETIMEDOUT;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPROTO;
}

int reader_read_with(const struct reader_work *work, int envelope,
        const struct reader_request *request, struct reader_answer *ret_answer)
{
	_cleanup_(answer_donep) struct reader_answer answer = {0};
	_cleanup_close_ int in = -1, out = -1;
	int ends[2], r, end;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	in = ends[0];
	out = ends[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		be_reader(work, envelope, out, request);
	close(TAKE_FD(out));
	r = listen_to(in, deadline(work->seconds), &answer);
	end = end_child(pid, r != 0 && r != -EPROTO);
	if (r == 0 || r == -EPROTO)
		r = end != 0 ? end : r;
	if (r < 0)
		return r;
	*ret_answer = answer;
	answer = (struct reader_answer){0};
	return 0;
}

/*
 * The helper.
 */
static const struct reader_work real_work = {.run = reader_run, .seconds = READER_SECONDS};

/* Two descriptors came with it, or it is none. */
static int receive(struct reader_request *request, int fds[2])
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	struct iovec data = {.iov_base = request, .iov_len = sizeof(*request)};
	struct msghdr message = {.msg_iov = &data,
	        .msg_iovlen = 1,
	        .msg_control = control.bytes,
	        .msg_controllen = sizeof(control.bytes)};
	ssize_t n;
	const struct cmsghdr *head;

	do
		n = recvmsg(HELPER_FD, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	head = CMSG_FIRSTHDR(&message);
	if (n != sizeof(*request) || message.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || !head ||
	        head->cmsg_type != SCM_RIGHTS || head->cmsg_len != CMSG_LEN(2 * sizeof(int)) ||
	        request->keys_dir[sizeof(request->keys_dir) - 1])
		return -EPROTO;
	memcpy(fds, CMSG_DATA(head), 2 * sizeof(int));
	return 0;
}

/* Until the daemon is gone. Readers are nobody's to wait for: SIGCHLD is ignored. */
static void serve(void)
{
	struct reader_request request;
	int fds[2];

	(void)signal(SIGCHLD, SIG_IGN);
	while (receive(&request, fds) == 0) {
		pid_t pid = fork();

		if (pid == 0)
			be_reader(&real_work, fds[0], fds[1], &request);
		/* Without a reader the pipe ends, and the daemon sees that. */
		close(fds[0]);
		close(fds[1]);
	}
}

/* What readers need to give up their user, and to read the keys. */
static void keep_few_capabilities(void)
{
	static const unsigned int few[] = {
	        CAP_SETUID, CAP_SETGID, CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE};
	bool had[sizeof(few) / sizeof(few[0])];

	for (size_t i = 0; i < sizeof(few) / sizeof(few[0]); i++)
		had[i] = capng_have_capability(CAPNG_PERMITTED, few[i]) == 1;
	capng_clear(CAPNG_SELECT_CAPS);
	for (size_t i = 0; i < sizeof(few) / sizeof(few[0]); i++)
		if (had[i])
			(void)capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, few[i]);
	(void)capng_apply(CAPNG_SELECT_CAPS);
}

static void be_helper(int socket, pid_t parent)
{
	reset_signals();
	(void)prctl(PR_SET_NAME, "execward-helper");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	/* 0 and 1 stay as they are: readers get theirs there. */
	if (dup2(socket, HELPER_FD) < 0 || close_range(HELPER_FD + 1, ~0u, 0) < 0)
		_exit(1);
	keep_few_capabilities();
	serve();
	_exit(0);
}

int reader_helper_start(struct reader_helper **ret_helper)
{
	struct reader_helper *helper = calloc(1, sizeof(*helper));
	pid_t parent = getpid();
	int ends[2];

	if (!helper)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		free(helper);
		return -errno;
	}
	helper->socket = ends[0];
	helper->pid = fork();
	if (helper->pid == 0)
		be_helper(ends[1], parent);
	close(ends[1]);
	if (helper->pid < 0) {
		int r = -errno;

		close(helper->socket);
		free(helper);
		return r;
	}
	*ret_helper = helper;
	return 0;
}

void reader_helper_stop(struct reader_helper *helper)
{
	if (!helper)
		return;
	close(helper->socket);
	(void)kill(helper->pid, SIGKILL);
	(void)waitpid(helper->pid, NULL, 0);
	free(helper);
}

static int ask(
        const struct reader_helper *helper, int in, int out, const struct reader_request *request)
{
	const int fds[2] = {in, out};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = {.align = {.cmsg_len = CMSG_LEN(sizeof(fds)),
	                     .cmsg_level = SOL_SOCKET,
	                     .cmsg_type = SCM_RIGHTS}};
	struct iovec data = {.iov_base = (void *)(uintptr_t)request, .iov_len = sizeof(*request)};
	const struct msghdr message = {.msg_iov = &data,
	        .msg_iovlen = 1,
	        .msg_control = control.bytes,
	        .msg_controllen = sizeof(control.bytes)};

	memcpy(CMSG_DATA(&control.align), fds, sizeof(fds));
	while (sendmsg(helper->socket, &message, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int read_by_helper(const struct reader_helper *helper, int envelope,
        const struct reader_request *request, struct reader_answer *ret_answer)
{
	_cleanup_(answer_donep) struct reader_answer answer = {0};
	_cleanup_close_ int in = -1, out = -1;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	in = ends[0];
	out = ends[1];
	r = ask(helper, envelope, out, request);
	close(TAKE_FD(out));
	if (r == 0)
		r = listen_to(in, deadline(READER_SECONDS), &answer);
	if (r < 0)
		return r;
	*ret_answer = answer;
	answer = (struct reader_answer){0};
	return 0;
}

int reader_read(struct reader_helper *helper, int envelope, const struct reader_request *request,
        struct reader_answer *ret_answer)
{
	return helper ? read_by_helper(helper, envelope, request, ret_answer)
	              : reader_read_with(&real_work, envelope, request, ret_answer);
}
