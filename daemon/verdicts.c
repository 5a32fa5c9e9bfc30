/*
 * The reading thread and the registry of requests under way. A request is answered exactly once,
 * by whoever claims it first: the pool, the deadline, or the end of the daemon. Its descriptor is
 * closed after the answer and after the pool has let go of it, never before: the number is what
 * the kernel knows the waiting exec by.
 */
#include "daemon/verdicts.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "daemon/exec_request.h"
#include "daemon/loader.h"
#include "daemon/threads.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>

struct verdicts {
	struct verdicts_context context;
	struct exec_shared shared;
	int wake;
	atomic_bool stopping;
	bool reading, timing;
	pthread_t reader, timer;
	_Atomic uint64_t events;
	pid_t self;
};

int verdicts_new(const struct verdicts_context *context, struct verdicts **ret_verdicts)
{
	struct verdicts *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return -ENOMEM;
	v->context = *context;
	v->self = getpid();
	v->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = v->wake < 0 ? -errno : exec_shared_init(&v->shared, &v->context);
	if (r < 0) {
		cleanup_closep(&v->wake);
		free(v);
		return r;
	}
	*ret_verdicts = v;
	return 0;
}

void verdicts_free(struct verdicts *v)
{
	if (!v)
		return;
	exec_shared_done(&v->shared);
	cleanup_closep(&v->wake);
	free(v);
}

/* By name; where a layer's loader is known, by its number, unless each one is to be seen. */
static bool may_be_loader(const struct verdicts *v, const struct fan_event *event,
        const struct probe_result *probe, const struct ruling *ruling)
{
	if (probe->by_overlay && v->context.real_events)
		return false;
	if (probe->loader != 0 && !ruling_config(ruling)->guard_loaders)
		return probe->loader == probe->identity.ino;
	return loader_is_one(event->fd);
}

/* Answers at once what needs no digest: the image's own programs and the host's. */
static bool settle(struct verdicts *v, const struct fan_event *event, struct ruling *ruling)
{
	struct exec_facts facts = {0};
	struct probe_result probe;
	struct policy_decision decision = {0};
	struct policy_input input = {.facts = &facts};
	bool settled;

	if (probe_quick(&v->context.probe, event->fd, event->pid, &probe) < 0)
		probe.settled = false;
	/* The pool takes note of who becomes a writer. */
	if (trusted_watching(v->context.trusted) &&
	        trusted_is_candidate(v->context.trusted, event->fd))
		probe.settled = false;
	facts.origin = probe.settled ? probe.origin : ORIGIN_UNKNOWN;
	settled = policy_is_settled_without_digest(&facts, ruling_denylist_empty(ruling));
	if (settled) {
		input.now_ns = clock_realtime_ns();
		ruling_decide(ruling, &input, &decision);
		settled = decision.verdict == VERDICT_ALLOW;
	}
	/* A loader may be all that shows of a program: the pool asks the task. */
	settled = settled &&
	          (probe.origin != ORIGIN_IMAGE || !may_be_loader(v, event, &probe, ruling));
	if (settled && fan_groups_answer(v->context.groups->verdicts, event->fd, true) < 0)
		faults_count(v->context.faults, FAULT_REPLY);
	/* A program of the image, by its real inode: the kernel need not ask again. */
	if (settled && probe.origin == ORIGIN_IMAGE && !probe.by_overlay)
		fan_groups_remember(v->context.groups, event->fd);
	probe_result_done(&v->context.probe, &probe);
	if (settled)
		exec_shared_count(&v->shared, VERDICT_ALLOW);
	return settled;
}

static void handle(struct verdicts *v, const struct fan_event *event)
{
	struct ruling *ruling;
	bool settled;

	if (event->mask & FAN_Q_OVERFLOW)
		return;
	atomic_fetch_add(&v->events, 1);
	/* Of our own: it must not wait for us. */
	if (event->fd >= 0 && event->pid == v->self) {
		(void)fan_groups_answer(v->context.groups->verdicts, event->fd, true);
		close(event->fd);
		return;
	}
	if (event->fd < 0) {
		faults_count(v->context.faults, FAULT_EVENT_FD);
		return;
	}
	ruling = rulings_hold(v->context.rulings);
	settled = settle(v, event, ruling);
	ruling_ref(ruling);
	rulings_release(v->context.rulings, ruling);
	if (settled) {
		close(event->fd);
		ruling_unref(ruling);
		return;
	}
	exec_request_begin(&v->shared, event, ruling);
}

static void read_all(struct verdicts *v)
{
	_Alignas(struct fanotify_event_metadata) char buffer[FAN_READ_SIZE];
	struct fan_event event;

	for (;;) {
		ssize_t n = fan_groups_read(v->context.groups->verdicts, buffer);
		const void *cursor = buffer;
		size_t left = n > 0 ? (size_t)n : 0;

		if (n < 0)
			faults_count(v->context.faults, FAULT_READ);
		if (n <= 0)
			return;
		while (fan_groups_next(&cursor, &left, &event))
			handle(v, &event);
	}
}

static void *reader_main(void *userdata)
{
	struct verdicts *v = userdata;
	struct pollfd fds[] = {
	        {.fd = v->context.groups->verdicts, .events = POLLIN},
	        {.fd = v->wake, .events = POLLIN},
	};

	thread_hurry(); /* an exec waits for this thread */
	while (!v->stopping) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		read_all(v);
	}
	read_all(v); /* the marks are gone: this is the last of it */
	return NULL;
}

static void *timer_main(void *userdata)
{
	struct verdicts *v = userdata;

	exec_shared_expire(&v->shared);
	return NULL;
}

int verdicts_start(struct verdicts *v)
{
	int r = -pthread_create(&v->timer, NULL, timer_main, v);

	if (r < 0)
		return r;
	v->timing = true;
	r = -pthread_create(&v->reader, NULL, reader_main, v);
	v->reading = r == 0;
	return r;
}

void verdicts_stop(struct verdicts *v, unsigned int grace_ms)
{
	uint64_t one = 1;

	v->stopping = true;
	(void)!write(v->wake, &one, sizeof(one));
	if (v->reading)
		pthread_join(v->reader, NULL);
	exec_shared_end(&v->shared, grace_ms);
	if (v->timing)
		pthread_join(v->timer, NULL);
	v->reading = v->timing = false;
}

void verdicts_count(struct verdicts *v, enum verdict verdict)
{
	atomic_fetch_add(&v->events, 1);
	exec_shared_count(&v->shared, verdict);
}

void verdicts_counters(struct verdicts *v, struct verdicts_counters *ret_counters)
{
	exec_shared_counters(&v->shared, ret_counters);
	ret_counters->events = v->events;
}
