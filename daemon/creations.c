/*
 * An event is a descriptor on what was written and the pid of who closed it. What the file is costs
 * three microseconds to ask, who the writer is a few dozen, and the writer may be gone first: so
 * files that cannot be executed are sorted out, then the writer is read, then everything else.
 *
 * A wait for the watcher (creations_drain) is a number: the thread notes the number asked for and
 * how many events are queued, reads that many, and publishes it. Not until the queue is empty:
 * somebody who never stops writing would keep everybody waiting.
 */
#include "daemon/creations.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "daemon/fan_groups.h"
#include "daemon/task.h"
#include "daemon/threads.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define DROP_TRIES_MAX   4u    /* looks at a drop that is still changing */
#define DRAIN_TIMEOUT_MS 1000u /* of a digest that a trusted writer is to vouch for */

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
	int64_t recorded_ns; /* mtime that the drop was recorded with */
	unsigned int tries;
	/* Of a file that only trusted writers have written; NULL: of another. */
	char *scope, *path;
	enum snapshot_scope scope_kind;
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
	free(job->scope);
	free(job->path);
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
	/* A package manager sets the times after its close: that is the same drop. */
	record->facts.identity.mtime_ns = job->recorded_ns;
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

/* Under the lease. What was closed before it was taken is in the watcher's queue by now. */
static void confirm(const struct drop_job *job, const struct digest *digest)
{
	const struct trusted_claim claim = {
	        .identity = job->identity,
	        .digest = *digest,
	        .scope = {.kind = job->scope_kind, .value = job->scope},
	        .path = job->path,
	};
	struct creations *c = job->creations;

	if (job->scope && creations_drain(c, DRAIN_TIMEOUT_MS) &&
	        hashing_still_leased(&job->hashing))
		(void)trusted_confirm(c->context.trusted, &claim);
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
		confirm(job, &digest);
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

/* What a trusted writer has closed: the digest is made for the scope of @record's file. */
static void set_scope(struct drop_job *job, const struct exec_facts *facts)
{
	struct trusted_scope scope = trusted_scope_of(facts);

	if (scope.kind == SCOPE_NONE)
		return;
	job->scope_kind = scope.kind;
	job->scope = strdup(scope.value);
	job->path = facts->path ? strdup(facts->path) : NULL;
}

/* @fd is taken. NULL when there is nothing to be hashed now. */
static struct drop_job *digest_job(
        struct creations *c, int fd, const struct exec_facts *facts, bool trusted)
{
	struct drop_job *job;

	if (facts->identity.size > CREATION_HASH_MAX || !(job = calloc(1, sizeof(*job)))) {
		close(fd);
		return NULL;
	}
	job->job = (struct pool_job){.step = drop_step, .priority = POOL_DROP};
	job->creations = c;
	job->fd = fd;
	job->identity = facts->identity;
	job->recorded_ns = facts->identity.mtime_ns;
	if (trusted)
		set_scope(job, facts);
	hashing_init(&job->hashing, c->context.cache, fd, &job->identity, true);
	return job;
}

/*
 * Events.
 */
static bool may_execute(int fd, const struct stat *st, enum exec_kind *ret_kind)
{
	uint8_t head[4];
	ssize_t n;

	if (st->st_size == 0)
		return false;
	n = pread(fd, head, sizeof(head), 0);
	*ret_kind = n > 0 ? exec_kind_of(head, (size_t)n) : EXEC_KIND_OTHER;
	return *ret_kind != EXEC_KIND_OTHER || (st->st_mode & 0111);
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

/* What lies in no container may lie on a guarded host filesystem. */
static void take_filesystem(struct creations *c, struct exec_facts *facts)
{
	struct trusted_host host = {0};

	if (facts->has_container || !trusted_watching(c->context.trusted) ||
	        !trusted_host_of(c->context.trusted, facts->identity.dev, &host))
		return;
	facts->origin = ORIGIN_HOST;
	facts->filesystem = strdup(host.uuid);
}

/* A close, as it is handled. */
struct closing {
	struct fan_event *event;
	struct stat st;
	struct trusted_process writer; /* where there are trusted ones */
	enum exec_kind kind;
};

static int real_fd_of(const struct closing *closing, const struct probe_result *probe)
{
	return probe->real_fd >= 0 ? probe->real_fd : closing->event->fd;
}

/* What cannot be executed yet may be what somebody keeps open, or mapped, until it can. */
static void note_other(struct creations *c, const struct closing *closing)
{
	struct probe_context context = c->context.probe;
	struct probe_result probe;

	if (closing->writer.kind == TRUSTED_WRITER)
		return;
	(void)probe_created(&context, closing->event->fd, closing->event->pid, &probe);
	trusted_distrust(c->context.trusted, &probe.identity);
	probe_result_done(&context, &probe);
}

static bool note_program(
        struct creations *c, const struct closing *closing, const struct probe_result *probe)
{
	struct trusted_close file;

	if (!trusted_watching(c->context.trusted))
		return false;
	file = (struct trusted_close){
	        .identity = probe->identity,
	        .owner = closing->st.st_uid,
	        .times_tell = hashing_stores_move_ctime(real_fd_of(closing, probe)),
	        .overlay = probe->upper ? probe->overlay : NULL,
	};

	return trusted_closed(c->context.trusted, &closing->writer, &file);
}

static void read_writer(struct creations *c, const struct fan_event *event, struct record *record)
{
	record->writer_gone =
	        task_read_writer(event->pid, event->pidfd, volumes_memory(c->context.probe.volumes),
	                &record->writer) < 0 &&
	        births_find(c->context.births, event->pid, &record->writer) < 0;
}

static void handle_program(struct creations *c, const struct closing *closing)
{
	struct probe_context context = c->context.probe;
	const struct fan_event *event = closing->event;
	struct record *record = record_new(RECORD_DROP);
	struct probe_result probe;
	struct drop_job *job;
	bool trusted;
	int r, fd;

	if (!record) {
		faults_count(c->context.faults, FAULT_MEMORY);
		return;
	}
	read_writer(c, event, record);
	r = probe_created(&context, event->fd, event->pid, &probe);
	trusted = note_program(c, closing, &probe);
	if (r < 0) {
		probe_result_done(&context, &probe);
		record_free(record);
		return;
	}
	atomic_fetch_add(&c->count, 1);
	if (record->writer_gone) {
		record->writer = (struct process_info){.pid = event->pid, .uid = -1};
		faults_count(c->context.faults, FAULT_WRITER_GONE);
	}
	record->facts.kind = closing->kind;
	fd = probe.real_fd >= 0 ? TAKE_FD(probe.real_fd) : TAKE_FD(closing->event->fd);
	take_facts(c, record, &probe);
	take_filesystem(c, &record->facts);
	probe_result_done(&context, &probe);
	job = digest_job(c, fd, &record->facts, trusted);
	(void)recorder_push(c->context.recorder, record);
	/* A full pool costs nothing: the digest is made when the file runs. */
	if (job && !pool_submit(c->context.pool, &job->job))
		drop_job_free(job);
}

static void handle(struct creations *c, struct fan_event *event)
{
	struct closing closing = {.event = event};
	bool program, watching = trusted_watching(c->context.trusted);

	if (fstat(event->fd, &closing.st) < 0 || !S_ISREG(closing.st.st_mode))
		return;
	program = may_execute(event->fd, &closing.st, &closing.kind);
	if (watching)
		trusted_look(c->context.trusted, event->pid, event->pidfd, &closing.writer);
	if (program)
		handle_program(c, &closing);
	else if (watching)
		note_other(c, &closing);
}

/* Each counts with its fixed part in FIONREAD, whatever follows that: fanotify(7). */
static unsigned int queued(const struct creations *c)
{
	int bytes = 0;

	if (ioctl(c->context.group, FIONREAD, &bytes) < 0 || bytes < 0)
		return UINT_MAX;
	return (unsigned int)bytes / FAN_EVENT_METADATA_LEN;
}

/* At least @wanted events, where there are so many. */
static void read_queued(struct creations *c, unsigned int wanted)
{
	_Alignas(struct fanotify_event_metadata) char buffer[FAN_READ_SIZE];
	struct fan_event event;

	for (unsigned int seen = 0; seen < wanted;) {
		ssize_t n = fan_groups_read(c->context.group, buffer);
		const void *cursor = buffer;
		size_t left = n > 0 ? (size_t)n : 0;

		if (n <= 0)
			return;
		while (fan_groups_next(&cursor, &left, &event)) {
			seen++;
			if (event.mask & FAN_Q_OVERFLOW)
				faults_count(c->context.faults, FAULT_QUEUE_OVERFLOW);
			if (event.fd >= 0)
				handle(c, &event);
			else if (trusted_watching(c->context.trusted))
				trusted_lost(c->context.trusted);
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
		read_queued(c, queued(c));
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
	pthread_mutex_lock(&c->lock);
	pthread_cond_broadcast(&c->drained);
	pthread_mutex_unlock(&c->lock);
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
	while (c->completed < mine && r != ETIMEDOUT && !c->stopping)
		r = pthread_cond_timedwait(&c->drained, &c->lock, &at);
	drained = c->completed >= mine;
	pthread_mutex_unlock(&c->lock);
	return drained;
}
