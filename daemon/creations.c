/*
 * An event is a descriptor on what was written and the pid of who closed it. What the file is costs
 * three microseconds to ask, who the writer is a few dozen, and the writer may be gone first: so
 * files that cannot be executed are sorted out, then the writer is read, then everything else.
 *
 * A wait for the watcher (creations_drain) is a number: the thread notes the number asked for,
 * reads until the group is empty, and publishes it.
 */
#include "daemon/creations.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "daemon/fan_groups.h"
#include "daemon/task.h"
#include "daemon/threads.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#define DROP_TRIES_MAX 4u /* looks at a drop that is still changing */

struct creations {
	struct creations_context context;
	int wake;
	atomic_bool stopping;
	bool started;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t drained;
	uint64_t requested, completed;
	_Atomic uint64_t count;
};

/* The digest of one drop, on the pool. */
struct drop_job {
	struct pool_job job; /* first: the pool hands it back */
	struct creations *creations;
	int fd;
	struct hashing hashing;
	struct file_identity identity;
	unsigned int tries;
};

int creations_new(const struct creations_context *context, struct creations **ret_creations)
{
	struct creations *c = calloc(1, sizeof(*c));
	pthread_condattr_t attr;

	if (!c)
		return -ENOMEM;
	c->context = *context;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->drained, &attr);
	pthread_condattr_destroy(&attr);
	c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->wake < 0) {
		creations_free(c);
		return -errno;
	}
	*ret_creations = c;
	return 0;
}

void creations_free(struct creations *c)
{
	if (!c)
		return;
	cleanup_closep(&c->wake);
	pthread_cond_destroy(&c->drained);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

uint64_t creations_count(const struct creations *c)
{
	return c->count;
}

/*
 * Digests.
 */
static void drop_job_free(struct drop_job *job)
{
	hashing_done(&job->hashing);
	cleanup_closep(&job->fd); /* ends the lease, too */
	free(job);
}

static void report_digest(
        const struct drop_job *job, const struct digest *digest, bool mutable_file)
{
	const struct creations_context *c = &job->creations->context;
	struct record *record = record_new(RECORD_DROP_DIGEST);

	if (!record) {
		faults_count(c->faults, FAULT_MEMORY);
		return;
	}
	record->facts.identity = job->identity;
	record->mutable_file = mutable_file;
	if (!mutable_file) {
		record->facts.digest = *digest;
		record->facts.has_digest = true;
	}
	(void)recorder_push(c->recorder, record);
}

/*
 * The event comes while the writer's close is under way, and a chmod often follows: a file that was
 * still changing is looked at again, after whoever else waits for the pool.
 */
static bool retry(struct drop_job *job)
{
	mode_t mode;

	if (++job->tries >= DROP_TRIES_MAX || file_identity_of(job->fd, &job->identity, &mode) < 0)
		return false;
	hashing_release(&job->hashing);
	hashing_done(&job->hashing);
	hashing_init(&job->hashing, job->creations->context.cache, job->fd, &job->identity, true);
	return true;
}

static enum pool_step drop_step(struct pool_job *pool_job)
{
	struct drop_job *job = (struct drop_job *)pool_job;
	struct digest digest;

	if (job->creations->stopping) {
		/* As with a full pool: the digest is made when the file runs. */
		drop_job_free(job);
		return POOL_DONE;
	}
	switch (hashing_step(&job->hashing, &digest)) {
	case HASH_AGAIN:
		return POOL_AGAIN;
	case HASH_DONE:
		report_digest(job, &digest, false);
		break;
	case HASH_MUTABLE:
		if (retry(job))
			return POOL_AGAIN;
		report_digest(job, NULL, true);
		break;
	default:
		report_digest(job, NULL, true);
		break;
	}
	drop_job_free(job);
	return POOL_DONE;
}

/* @fd is taken. */
static void submit_digest(struct creations *c, int fd, const struct file_identity *identity)
{
	struct drop_job *job;

	if (identity->size > CREATION_HASH_MAX || !(job = calloc(1, sizeof(*job)))) {
		close(fd);
		return;
	}
	job->job = (struct pool_job){.step = drop_step, .priority = POOL_DROP};
	job->creations = c;
	job->fd = fd;
	job->identity = *identity;
	hashing_init(&job->hashing, c->context.cache, fd, identity, true);
	/* A full pool costs nothing: the digest is made when the file runs. */
	if (!pool_submit(c->context.pool, &job->job))
		drop_job_free(job);
}

/*
 * Events.
 */
static bool may_execute(int fd, enum exec_kind *ret_kind)
{
	uint8_t head[4];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		return false;
	n = pread(fd, head, sizeof(head), 0);
	*ret_kind = n > 0 ? exec_kind_of(head, (size_t)n) : EXEC_KIND_OTHER;
	return *ret_kind != EXEC_KIND_OTHER || (st.st_mode & 0111);
}

static void take_facts(struct creations *c, struct record *record, struct probe_result *probe)
{
	struct exec_facts *f = &record->facts;

	f->time_ns = clock_realtime_ns();
	f->origin = probe->origin;
	f->upper = probe->upper;
	f->identity = probe->identity;
	f->path = TAKE_PTR(probe->path);
	f->host_path = TAKE_PTR(probe->host_path);
	f->has_container = probe->overlay && overlay_info(c->context.probe.overlays, probe->overlay,
	                                             &f->container) == 0;
}

static void handle(struct creations *c, struct fan_event *event)
{
	struct probe_context context = c->context.probe;
	struct probe_result probe;
	struct file_identity identity;
	struct record *record;
	enum exec_kind kind;
	int fd;

	if (!may_execute(event->fd, &kind))
		return;
	record = record_new(RECORD_DROP);
	if (!record) {
		faults_count(c->context.faults, FAULT_MEMORY);
		return;
	}
	record->writer_gone = task_read_writer(event->pid, event->pidfd,
	                              volumes_memory(context.volumes), &record->writer) < 0;
	if (record->writer_gone)
		record->writer_gone =
		        births_find(c->context.births, event->pid, &record->writer) < 0;
	if (probe_created(&context, event->fd, event->pid, &probe) < 0) {
		probe_result_done(&context, &probe);
		record_free(record);
		return;
	}
	atomic_fetch_add(&c->count, 1);
	if (record->writer_gone) {
		record->writer = (struct process_info){.pid = event->pid, .uid = -1};
		faults_count(c->context.faults, FAULT_WRITER_GONE);
	}
	record->facts.kind = kind;
	identity = probe.identity;
	fd = probe.real_fd >= 0 ? TAKE_FD(probe.real_fd) : TAKE_FD(event->fd);
	take_facts(c, record, &probe);
	probe_result_done(&context, &probe);
	(void)recorder_push(c->context.recorder, record);
	submit_digest(c, fd, &identity);
}

static void read_all(struct creations *c)
{
	_Alignas(struct fanotify_event_metadata) char buffer[FAN_READ_SIZE];
	struct fan_event event;

	for (;;) {
		ssize_t n = fan_groups_read(c->context.group, buffer);
		const void *cursor = buffer;
		size_t left = n > 0 ? (size_t)n : 0;

		if (n <= 0)
			return;
		while (fan_groups_next(&cursor, &left, &event)) {
			if (event.mask & FAN_Q_OVERFLOW)
				faults_count(c->context.faults, FAULT_QUEUE_OVERFLOW);
			if (event.fd >= 0)
				handle(c, &event);
			cleanup_closep(&event.fd);
			cleanup_closep(&event.pidfd);
		}
	}
}

static void *creations_main(void *userdata)
{
	struct creations *c = userdata;
	struct pollfd fds[] = {
	        {.fd = c->context.group, .events = POLLIN},
	        {.fd = c->wake, .events = POLLIN},
	};

	thread_hurry(); /* writers are often gone within a millisecond */
	while (!c->stopping) {
		uint64_t requested, ignored;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		(void)!read(c->wake, &ignored, sizeof(ignored));
		pthread_mutex_lock(&c->lock);
		requested = c->requested;
		pthread_mutex_unlock(&c->lock);
		read_all(c);
		pthread_mutex_lock(&c->lock);
		c->completed = requested;
		pthread_cond_broadcast(&c->drained);
		pthread_mutex_unlock(&c->lock);
	}
	return NULL;
}

int creations_start(struct creations *c)
{
	int r = -pthread_create(&c->thread, NULL, creations_main, c);

	c->started = r == 0;
	return r;
}

static void wake(struct creations *c)
{
	uint64_t one = 1;

	(void)!write(c->wake, &one, sizeof(one));
}

void creations_stop(struct creations *c)
{
	if (!c || !c->started)
		return;
	c->stopping = true;
	wake(c);
	pthread_join(c->thread, NULL);
	c->started = false;
}

bool creations_drain(struct creations *c, unsigned int timeout_ms)
{
	int64_t at_ns = clock_monotonic_ns() + (int64_t)timeout_ms * NS_PER_MSEC;
	struct timespec at = {.tv_sec = at_ns / NS_PER_SEC, .tv_nsec = at_ns % NS_PER_SEC};
	bool drained;
	uint64_t mine;
	int r = 0;

	pthread_mutex_lock(&c->lock);
	mine = ++c->requested;
	wake(c);
	while (c->completed < mine && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&c->drained, &c->lock, &at);
	drained = c->completed >= mine;
	pthread_mutex_unlock(&c->lock);
	return drained;
}
