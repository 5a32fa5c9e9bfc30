/*
 * Creations cannot be told apart by mount, so the host's are seen too, and passed over by the root
 * of the task: a container's is an overlay or a tmpfs, on an anonymous device.
 */
#include "daemon/births.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "daemon/fan_groups.h"
#include "daemon/task.h"
#include "daemon/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

struct birth {
	pid_t pid;
	int64_t time_ns; /* CLOCK_MONOTONIC */
	struct process_info process;
};

struct births {
	int group, wake;
	const struct volumes *volumes;
	struct trusted *trusted;
	atomic_bool stopping;
	bool started;
	pthread_t thread;
	pthread_mutex_t lock;
	struct birth entries[BIRTHS_MAX]; /* by pid modulo: a newer one takes the place */
};

int births_new(int group, const struct volumes *volumes, struct trusted *trusted,
        struct births **ret_births)
{
	struct births *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->group = group;
	b->volumes = volumes;
	b->trusted = trusted;
	pthread_mutex_init(&b->lock, NULL);
	b->wake = eventfd(0, EFD_CLOEXEC);
	if (b->wake < 0) {
		births_free(b);
		return -errno;
	}
	*ret_births = b;
	return 0;
}

void births_free(struct births *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < BIRTHS_MAX; i++)
		process_info_done(&b->entries[i].process);
	cleanup_closep(&b->wake);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

static struct birth *place_of(struct births *b, pid_t pid)
{
	return &b->entries[(unsigned int)pid % BIRTHS_MAX];
}

static bool is_known(struct births *b, pid_t pid)
{
	const struct birth *birth = place_of(b, pid);
	bool known;

	pthread_mutex_lock(&b->lock);
	known = birth->pid == pid && clock_monotonic_ns() - birth->time_ns < BIRTHS_AGE_NS / 2;
	pthread_mutex_unlock(&b->lock);
	return known;
}

static bool has_container_root(pid_t pid)
{
	char path[48];
	struct statx sx;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	return statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, 0, &sx) == 0 && sx.stx_dev_major == 0;
}

static void remember(struct births *b, pid_t pid, int pidfd)
{
	struct process_info process;
	struct birth *birth = place_of(b, pid);

	if (pid <= 0 || is_known(b, pid) || !has_container_root(pid) ||
	        task_read_writer(pid, pidfd, volumes_memory(b->volumes), &process) < 0)
		return;
	pthread_mutex_lock(&b->lock);
	process_info_done(&birth->process);
	birth->pid = pid;
	birth->time_ns = clock_monotonic_ns();
	birth->process = process;
	pthread_mutex_unlock(&b->lock);
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

int births_find(struct births *b, pid_t pid, struct process_info *ret_process)
{
	const struct birth *birth = place_of(b, pid);
	int r = -ESRCH;

	pthread_mutex_lock(&b->lock);
	if (pid > 0 && birth->pid == pid && clock_monotonic_ns() - birth->time_ns < BIRTHS_AGE_NS) {
		*ret_process = (struct process_info){
		        .pid = pid,
		        .ppid = -1,
		        .uid = birth->process.uid,
		        .login_uid = -1,
		        .comm = copy(birth->process.comm),
		        .exepath = copy(birth->process.exepath),
		        .cmdline = copy(birth->process.cmdline),
		};
		r = 0;
	}
	pthread_mutex_unlock(&b->lock);
	return r;
}

static void read_all(struct births *b)
{
	_Alignas(struct fanotify_event_metadata) char buffer[FAN_READ_SIZE];
	struct fan_event event;

	for (;;) {
		ssize_t n = fan_groups_read(b->group, buffer);
		const void *cursor = buffer;
		size_t left = n > 0 ? (size_t)n : 0;

		if (n <= 0)
			return;
		while (fan_groups_next(&cursor, &left, &event)) {
			struct trusted_process ignored;

			if (trusted_watching(b->trusted))
				trusted_look(b->trusted, event.pid, event.pidfd, &ignored);
			remember(b, event.pid, event.pidfd);
			cleanup_closep(&event.pidfd);
		}
	}
}

static void *births_main(void *userdata)
{
	struct births *b = userdata;
	struct pollfd fds[] = {
	        {.fd = b->group, .events = POLLIN},
	        {.fd = b->wake, .events = POLLIN},
	};

	thread_hurry(); /* the creator is about to be gone */
	while (!b->stopping) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		read_all(b);
	}
	return NULL;
}

int births_start(struct births *b)
{
	int r;

	if (b->group < 0)
		return 0;
	r = -pthread_create(&b->thread, NULL, births_main, b);
	b->started = r == 0;
	return r;
}

void births_stop(struct births *b)
{
	uint64_t one = 1;

	if (!b || !b->started)
		return;
	b->stopping = true;
	(void)!write(b->wake, &one, sizeof(one));
	pthread_join(b->thread, NULL);
	b->started = false;
}
