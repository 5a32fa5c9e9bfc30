/*
 * The task may be gone or somewhere else when it is looked at: what cannot be read is left out. The
 * path is that of the FUSE mount, since the file's own is only known to whoever opens it.
 */
#include "daemon/refusals.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "core/mountinfo.h"
#include "daemon/log.h"
#include "daemon/task.h"
#include "daemon/task_root.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

struct refusals {
	struct verdicts_context context;
	struct verdicts *verdicts;
	const struct refuser *refuser;
	int wake;
	bool started;
	pthread_t thread;
};

int refusals_new(const struct verdicts_context *context, struct verdicts *verdicts,
        const struct refuser *refuser, struct refusals **ret_refusals)
{
	struct refusals *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->context = *context;
	r->verdicts = verdicts;
	r->refuser = refuser;
	r->wake = eventfd(0, EFD_CLOEXEC);
	if (r->wake < 0) {
		free(r);
		return -errno;
	}
	*ret_refusals = r;
	return 0;
}

void refusals_free(struct refusals *r)
{
	if (!r)
		return;
	cleanup_closep(&r->wake);
	free(r);
}

/* The first FUSE mount that the task sees; the caller frees. */
static char *fuse_mount_of(pid_t pid)
{
	_cleanup_free_ char *text = NULL;
	const char *cursor, *end;
	char *found = NULL;
	size_t size = 0;
	int r;

	if (task_mounts_read(pid, &text, &size) < 0)
		return NULL;
	cursor = text;
	end = text + size;
	do {
		struct mountinfo_line line = {0};

		r = mountinfo_next(&cursor, end, &line);
		if (r == 1 && volume_kind_of(line.fstype) >= VOLUME_FUSE &&
		        volume_kind_of(line.fstype) <= VOLUME_SERVED)
			found = TAKE_PTR(line.mountpoint);
		mountinfo_line_done(&line);
	} while (!found && r != 0 && r != -ENOMEM);
	return found;
}

static void take_facts(struct refusals *r, pid_t pid, struct exec_facts *f)
{
	struct overlays *overlays = r->context.probe.overlays;
	struct overlay *overlay;
	dev_t root_dev;

	f->time_ns = clock_realtime_ns();
	f->origin = ORIGIN_MUTABLE;
	f->executable = true; /* else the kernel would not have come this far */
	f->process = (struct process_info){.pid = pid, .ppid = -1, .uid = -1, .login_uid = -1};
	if (pid <= 0)
		return;
	if (task_read(pid, -1, TASK_MEMORY_LEAVE, &f->process) < 0)
		faults_count(r->context.faults, FAULT_TASK_GONE);
	f->path = fuse_mount_of(pid);
	overlay = mounts_root_of(r->context.probe.mounts, pid, &root_dev);
	if (overlay)
		f->has_container = overlay_info(overlays, overlay, &f->container) == 0;
	overlay_unref(overlays, overlay);
}

/* What was done stands, whatever has changed since the mark was set. */
static enum verdict verdict_of(const struct refusal *refusal, enum verdict decided)
{
	if (refusal->denied)
		return VERDICT_DENY;
	return decided == VERDICT_ALLOW ? VERDICT_ALLOW : VERDICT_WOULD_DENY;
}

static void handle(struct refusals *r, const struct refusal *refusal)
{
	struct record *record = record_new(RECORD_EXEC);
	struct policy_input input = {.now_ns = clock_realtime_ns()};

	if (!record) {
		faults_count(r->context.faults, FAULT_MEMORY);
		return;
	}
	take_facts(r, refusal->pid, &record->facts);
	record->ruling = rulings_get(r->context.rulings);
	input.facts = &record->facts;
	ruling_decide(record->ruling, &input, &record->decision);
	record->decision.verdict = verdict_of(refusal, record->decision.verdict);
	verdicts_count(r->verdicts, record->decision.verdict);
	if (record->decision.verdict == VERDICT_ALLOW)
		record_free(record);
	else
		(void)recorder_push(r->context.recorder, record);
}

static void *refusals_main(void *userdata)
{
	struct refusals *r = userdata;
	struct pollfd fds[] = {
	        {.fd = r->wake, .events = POLLIN},
	        {.fd = r->refuser->told, .events = POLLIN},
	};

	for (;;) {
		struct refusal refusal;
		ssize_t n;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (fds[0].revents)
			return NULL;
		n = recv(r->refuser->told, &refusal, sizeof(refusal), MSG_DONTWAIT);
		if (n == (ssize_t)sizeof(refusal)) {
			handle(r, &refusal);
		} else if (n == 0) {
			log_error(
			        "the process that refuses execs from FUSE is gone: such execs wait "
			        "until the daemon is restarted");
			return NULL;
		}
	}
}

int refusals_start(struct refusals *r)
{
	int error = -pthread_create(&r->thread, NULL, refusals_main, r);

	r->started = error == 0;
	return error;
}

void refusals_stop(struct refusals *r)
{
	uint64_t one = 1;

	if (!r || !r->started)
		return;
	(void)!write(r->wake, &one, sizeof(one));
	pthread_join(r->thread, NULL);
	r->started = false;
}
