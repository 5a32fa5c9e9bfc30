/*
 * A request goes through the pool in phases, a step at a time; which come, its facts tell. It has
 * up to two owners, the pool and the registry of deadlines; the last one frees it.
 */
#include "daemon/exec_internal.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "daemon/loader.h"
#include "daemon/lookup.h"
#include "daemon/naming.h"
#include "daemon/task.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>

/*
 * Lifetime.
 */
void exec_request_unref(struct exec_request *request)
{
	struct probe_context probe = exec_context(request)->probe;

	if (atomic_fetch_sub(&request->refs, 1) > 1)
		return;
	hashing_done(&request->self);
	hashing_done(&request->other);
	exec_signature_done(&request->signature);
	image_candidates_done(request->candidates, request->n_candidates);
	free(request->candidates);
	probe_result_done(&probe, &request->probe);
	exec_facts_done(&request->facts);
	ruling_unref(request->ruling);
	cleanup_closep(&request->fd); /* ends the lease, too */
	free(request);
}

/*
 * Answers. False when somebody else did; the decision is in place in either case. The record is
 * announced first and made in finish().
 */
static bool request_answer(
        struct exec_request *request, const struct policy_decision *decision, enum fault fault)
{
	struct exec_shared *s = request->shared;
	enum claim expected = CLAIM_OPEN;

	recorder_reserve(s->context->recorder);
	if (!atomic_compare_exchange_strong(&request->claim, &expected, CLAIM_TAKEN)) {
		recorder_unreserve(s->context->recorder);
		while (request->claim != CLAIM_ANSWERED)
			sched_yield(); /* the other thread is between two lines */
		return false;
	}
	if (fan_groups_answer(s->context->groups->verdicts, request->fd,
	            decision->verdict != VERDICT_DENY) < 0)
		faults_count(s->context->faults, FAULT_REPLY);
	request->decision = *decision;
	request->fault = fault;
	exec_shared_count(s, decision->verdict);
	atomic_store(&request->claim, CLAIM_ANSWERED);
	if (exec_registry_remove(s, request))
		exec_request_unref(request);
	return true;
}

/* On btrfs it has an anonymous device number, like a container's. */
static bool is_own_root(dev_t root_dev)
{
	struct stat st;

	return stat("/", &st) == 0 && st.st_dev == root_dev;
}

/*
 * By the file and the task alone: the pool may be at work on the rest of the request. A root that
 * nobody knows is a container's.
 */
static void decide_fault(const struct probe_context *probe, int fd, pid_t pid,
        const struct ruling *ruling, struct policy_decision *ret_decision)
{
	_cleanup_(hostfs_unrefp) struct hostfs *host = NULL;
	int64_t now_ns = clock_realtime_ns();
	struct file_look look = {0};
	struct overlay *asking;
	dev_t root_dev;
	bool known;

	ruling_decide_fault(ruling, now_ns, ret_decision);
	if (file_look(fd, &look) < 0)
		return;
	host = hostfs_find(probe->hosts, (dev_t)look.identity.dev);
	if (!host)
		return;
	asking = mounts_root_known(probe->mounts, pid, &root_dev, &known);
	if (!asking && (known || is_own_root(root_dev)))
		hostfs_decide_fault(host, ruling, now_ns, ret_decision);
	overlay_unref(probe->overlays, asking);
}

void exec_request_answer_fault(struct exec_request *request, enum fault fault)
{
	struct policy_decision decision;

	faults_count(exec_context(request)->faults, fault);
	decide_fault(&exec_context(request)->probe, request->fd, request->pid, request->ruling,
	        &decision);
	(void)request_answer(request, &decision, fault);
}

/*
 * Facts.
 */
static void take_container(struct exec_request *request)
{
	const struct verdicts_context *c = exec_context(request);
	struct overlay *overlay = request->probe.overlay;

	if (!overlay)
		return;
	if (!overlay->named)
		naming_try(c->probe.overlays, ruling_config(request->ruling), c->faults, overlay,
		        request->pid);
	if (overlay_info(c->probe.overlays, overlay, &request->facts.container) == 0)
		request->facts.has_container = true;
}

/* Without memory for its UUID no baseline vouches. */
static void take_host(struct exec_request *request)
{
	const struct hostfs *host = request->probe.host;
	struct exec_facts *f = &request->facts;

	if (!host)
		return;
	f->guard_mode = hostfs_mode(host, request->ruling, f->time_ns);
	f->filesystem = *host->uuid ? strdup(host->uuid) : NULL;
	/* In another mount namespace the path is that one's. */
	if (!f->host_path && f->path && !task_in_other_mnt_ns(request->pid))
		f->host_path = strdup(f->path);
}

static void take_probe(struct exec_request *request)
{
	struct exec_facts *f = &request->facts;
	struct probe_result *p = &request->probe;

	f->origin = p->origin;
	f->other_image = p->other_image;
	f->upper = p->upper;
	f->executable = (p->mode & 0111) != 0;
	f->identity = p->identity;
	f->path = TAKE_PTR(p->path);
	f->host_path = TAKE_PTR(p->host_path);
	take_host(request);
	take_container(request);
}

/* A loader of the image: what is it opened for? */
static void take_form(struct exec_request *request)
{
	struct exec_facts *f = &request->facts;
	char *name = NULL;

	request->loader = f->origin == ORIGIN_IMAGE &&
	                  !(request->probe.by_overlay && exec_context(request)->real_events) &&
	                  loader_is_one(request->fd);
	if (!request->loader)
		return;
	overlays_note_loader(
	        exec_context(request)->probe.overlays, request->probe.mount_id, f->identity.ino);
	f->form = loader_form(request->pid, volumes_memory(exec_context(request)->probe.volumes),
	        &f->identity, &name);
	if (name) {
		free(f->path);
		f->path = name;
	}
}

static void take_kind(struct exec_request *request)
{
	uint8_t head[4];
	ssize_t n = pread(request->self.fd, head, sizeof(head), 0);

	if (n >= 0)
		request->facts.kind = exec_kind_of(head, (size_t)n);
}

/* The task waits for our answer: now its memory can be read. */
static void take_process(struct exec_request *request)
{
	struct exec_facts *f = &request->facts;
	enum task_memory memory;

	if (f->process.pid != 0)
		return; /* decided once before: the file changed between digest and answer */
	memory = volumes_memory(exec_context(request)->probe.volumes);
	if (task_read_waiting(request->pid, memory, &f->process) < 0) {
		f->process = (struct process_info){
		        .pid = request->pid, .ppid = -1, .uid = -1, .login_uid = -1};
		faults_count(exec_context(request)->faults, FAULT_TASK_GONE);
		return;
	}
	if (request->probe.overlay)
		f->process.user = lookup_user(request->probe.overlay, f->process.uid);
	if (memory == TASK_MEMORY_READ)
		task_read_exec_args(request->pid, &f->exec_argv0, &f->exec_argv);
}

/*
 * Phases. Each returns what the pool does next.
 */
static enum pool_step enter(struct exec_request *request, enum phase phase)
{
	request->phase = phase;
	return POOL_AGAIN;
}

static enum pool_step step_probe(struct exec_request *request)
{
	const struct verdicts_context *c = exec_context(request);
	struct probe_context probe = c->probe;
	struct probe_result *p = &request->probe;
	bool lease;

	if (probe_full(&probe, request->fd, request->pid, p) < 0) {
		faults_count(c->faults, FAULT_PROBE);
		p->origin = ORIGIN_UNKNOWN;
	}
	exec_trusted_note(request);
	take_probe(request);
	take_form(request);
	if (policy_is_settled_without_digest(
	            &request->facts, ruling_denylist_empty(request->ruling)))
		return enter(request, PHASE_DECIDE);
	if (!S_ISREG(p->mode))
		return enter(request, PHASE_DECIDE);
	/* Nobody in a container can write a lower file; everything else is leased. */
	lease = p->origin != ORIGIN_IMAGE;
	hashing_init(&request->self, c->cache, p->real_fd >= 0 ? p->real_fd : request->fd,
	        &p->identity, lease);
	take_kind(request);
	return enter(request, PHASE_SELF);
}

static enum pool_step self_done(struct exec_request *request)
{
	request->facts.has_digest = true;
	if (!request->probe.compare)
		return enter(request, PHASE_DECIDE);
	hashing_init(&request->other, exec_context(request)->cache, request->probe.lower_fd,
	        &request->probe.lower_identity, false);
	/* A file of another size cannot be equal. */
	if (request->probe.lower_identity.size != request->facts.identity.size) {
		request->facts.origin = ORIGIN_MODIFIED;
		return enter(request, PHASE_DECIDE);
	}
	return enter(request, PHASE_LOWER);
}

static enum pool_step step_self(struct exec_request *request)
{
	switch (hashing_step(&request->self, &request->facts.digest)) {
	case HASH_AGAIN:
		return POOL_AGAIN;
	case HASH_DONE:
		return self_done(request);
	case HASH_MUTABLE:
		request->facts.origin = ORIGIN_MUTABLE;
		faults_count(exec_context(request)->faults, FAULT_FILE_CHANGED);
		return enter(request, PHASE_DECIDE);
	default:
		request->facts.origin = ORIGIN_UNKNOWN;
		faults_count(exec_context(request)->faults, FAULT_HASH);
		return enter(request, PHASE_DECIDE);
	}
}

static enum pool_step step_lower(struct exec_request *request)
{
	struct digest lower;
	enum hash_state state = hashing_step(&request->other, &lower);

	if (state == HASH_AGAIN)
		return POOL_AGAIN;
	request->facts.origin = state == HASH_DONE && digest_equal(&lower, &request->facts.digest)
	                                ? ORIGIN_COPIED
	                                : ORIGIN_MODIFIED;
	hashing_done(&request->other);
	return enter(request, PHASE_DECIDE);
}

static bool start_candidate(struct exec_request *request)
{
	while (request->candidates && request->candidate < request->n_candidates) {
		int fd = request->candidates[request->candidate].fd;
		struct file_identity identity;
		mode_t mode;

		if (file_identity_of(fd, &identity, &mode) == 0 && S_ISREG(mode)) {
			hashing_init(&request->other, exec_context(request)->cache, fd, &identity,
			        false);
			return true;
		}
		request->maybe_copy = true;
		request->candidate++;
	}
	return false;
}

static enum pool_step step_copies(struct exec_request *request)
{
	struct digest digest;
	enum hash_state state;

	if (!request->compared) {
		request->compared = true;
		request->candidates = calloc(IMAGE_CANDIDATES_MAX, sizeof(request->candidates[0]));
		if (request->candidates)
			request->n_candidates = image_indexer_candidates(
			        exec_context(request)->indexer, request->probe.overlay,
			        request->facts.identity.size, request->candidates);
		request->maybe_copy =
		        !request->candidates || request->n_candidates == IMAGE_CANDIDATES_MAX;
		if (!start_candidate(request))
			return enter(request, PHASE_DECIDE);
	}
	state = hashing_step(&request->other, &digest);
	if (state == HASH_AGAIN)
		return POOL_AGAIN;
	hashing_done(&request->other);
	if (state == HASH_DONE && digest_equal(&digest, &request->facts.digest)) {
		request->facts.copy_of = TAKE_PTR(request->candidates[request->candidate].path);
		return enter(request, PHASE_DECIDE);
	}
	request->maybe_copy = request->maybe_copy || state != HASH_DONE;
	request->candidate++;
	return start_candidate(request) ? POOL_AGAIN : enter(request, PHASE_DECIDE);
}

static void decide(struct exec_request *request, struct policy_decision *ret_decision)
{
	struct policy_input input = {.facts = &request->facts, .now_ns = clock_realtime_ns()};

	request->decided_ns = input.now_ns;
	input.vouches = ruling_vouches(request->ruling, &request->facts, input.now_ns);
	if (input.vouches & VOUCH_UNREADABLE)
		faults_count(exec_context(request)->faults, FAULT_BASELINE);
	if (request->maybe_copy)
		input.vouches &= ~(unsigned int)VOUCH_BASELINE;
	input.vouches |= exec_trusted_vouches(request);
	if (request->signature.result == IMA_GOOD)
		input.vouches |= VOUCH_SIGNED;
	ruling_decide(request->ruling, &input, ret_decision);
	if (request->probe.host)
		hostfs_soften(request->probe.host, ret_decision);
}

/* Whether it is a copy of the image's own program is to be known before a baseline vouches. */
static bool copies_matter(const struct exec_request *request, const struct policy_decision *d)
{
	if (request->compared || !request->facts.has_digest || !request->probe.overlay)
		return false;
	if (d->reason == REASON_BASELINE)
		return request->facts.origin != ORIGIN_HOST;
	return d->reason == REASON_DROPPED && d->verdict != VERDICT_ALLOW;
}

/* What enters a learned list, or is reported, needs its facts; a plain allow does not. */
static bool is_quiet(const struct policy_decision *decision)
{
	return decision->verdict == VERDICT_ALLOW && decision->reason != REASON_LEARNING &&
	       decision->reason != REASON_LOADER && decision->reason != REASON_MEMFD;
}

static void request_record(struct exec_request *request)
{
	const struct verdicts_context *c = exec_context(request);
	struct record *record;

	if (is_quiet(&request->decision) && request->fault == FAULT_NONE)
		return;
	record = record_new(RECORD_EXEC);
	if (!record) {
		faults_count(c->faults, FAULT_MEMORY);
		return;
	}
	record->facts = request->facts;
	memset(&request->facts, 0, sizeof(request->facts));
	record->decision = request->decision;
	record->ruling = ruling_ref(request->ruling);
	record->fault = request->fault;
	record->by_overlay = request->probe.by_overlay;
	(void)recorder_push(c->recorder, record);
}

static enum pool_step finish(struct exec_request *request)
{
	struct recorder *recorder = exec_context(request)->recorder;

	request_record(request);
	recorder_unreserve(recorder);
	exec_request_unref(request);
	return POOL_DONE;
}

/* What an upper file's own content vouches for: the same for whoever executes it. */
static bool is_by_content(const struct policy_decision *decision)
{
	switch (decision->reason) {
	case REASON_COPIED:
	case REASON_APPROVED:
	case REASON_LEARNED:
	case REASON_BASELINE:
	case REASON_ALLOWLISTED:
	case REASON_SIGNED:
	case REASON_TRUSTED_WRITER:
		return true;
	default:
		return false;
	}
}

static int64_t vouched_until(const struct exec_request *request)
{
	switch (request->decision.reason) {
	case REASON_TRUSTED_WRITER:
		return exec_trusted_until(request);
	case REASON_SIGNED:
		return request->signature.until_ns;
	case REASON_ALLOWLISTED:
		return ruling_listed_until(request->ruling, &request->facts, request->decided_ns);
	default:
		return ruling_vouches_until(request->ruling, &request->facts, request->decided_ns);
	}
}

/* A loader that is remembered shows nothing more: not one that has just shown something. */
static bool asks_again(const struct exec_request *request)
{
	return request->loader && (ruling_config(request->ruling)->guard_loaders ||
	                                  request->facts.form == EXEC_FORM_LOADER ||
	                                  request->facts.form == EXEC_FORM_MEMFD);
}

/* The event's own descriptor has the lease, and its file lies where the verdict holds for all. */
static bool may_be_held(const struct exec_request *request)
{
	const struct probe_result *p = &request->probe;

	return request->self.leased &&
	       (p->host ? request->facts.origin == ORIGIN_HOST : p->upper && p->overlay);
}

/* Real inodes only: what a mark on an overlay's inode would miss, a lease does not see. */
static void remember_in_kernel(struct exec_request *request)
{
	const struct verdicts_context *c = exec_context(request);
	struct ruling *now;

	if (request->probe.by_overlay || request->watched)
		return;
	now = rulings_hold(c->rulings);
	/* Another ruling may deny what this one allowed. */
	if (now == request->ruling && request->facts.origin == ORIGIN_IMAGE && !asks_again(request))
		fan_groups_remember(c->groups, request->fd);
	else if (now == request->ruling && may_be_held(request) &&
	         is_by_content(&request->decision))
		(void)held_keep(c->held,
		        &(struct held_place){request->probe.overlay, request->probe.host},
		        vouched_until(request), &request->fd);
	rulings_release(c->rulings, now);
}

static void let_go(struct lingering_item *item)
{
	exec_request_unref(
	        (struct exec_request *)((char *)item - offsetof(struct exec_request, lingering)));
}

/* What makes the verdict true is held until the exec is beyond the reach of writers. */
static void allowed(struct exec_request *request)
{
	remember_in_kernel(request);
	if (!request->self.leased || request->fd < 0)
		return;
	atomic_fetch_add(&request->refs, 1);
	request->lingering = (struct lingering_item){.tgid = request->pid, .release = let_go};
	lingering_add(exec_context(request)->lingering, &request->lingering);
}

static const struct trust *trust_of(const struct exec_request *request)
{
	return believed_trust(ruling_believed(request->ruling));
}

static enum pool_step step_signature(struct exec_request *request)
{
	struct exec_facts *f = &request->facts;

	switch (exec_signature_step(&request->signature, &request->self, &f->digest,
	        trust_of(request), exec_signature_now(request->ruling))) {
	case HASH_AGAIN:
		return POOL_AGAIN;
	case HASH_MUTABLE:
		f->origin = ORIGIN_MUTABLE;
		faults_count(exec_context(request)->faults, FAULT_FILE_CHANGED);
		break;
	case HASH_FAILED:
		faults_count(exec_context(request)->faults, FAULT_HASH);
		break;
	default:
		break;
	}
	return enter(request, PHASE_DECIDE);
}

static enum pool_step step_decide(struct exec_request *request)
{
	struct policy_decision decision;

	decide(request, &decision);
	if (exec_signature_matters(&request->signature, ruling_config(request->ruling)->ima,
	            trust_of(request), &request->facts, &decision))
		return enter(request, PHASE_SIGNATURE);
	if (!is_quiet(&decision) && exec_trusted_ask(request))
		decide(request, &decision);
	if (copies_matter(request, &decision))
		return enter(request, PHASE_COPIES);
	if (!is_quiet(&decision)) {
		exec_drain(request);
		take_process(request);
	}
	/* The last look before the answer: somebody may have asked to write since the digest. */
	if (request->facts.has_digest && request->facts.origin != ORIGIN_MUTABLE &&
	        !hashing_still_leased(&request->self)) {
		request->facts.origin = ORIGIN_MUTABLE;
		return POOL_AGAIN;
	}
	if (request_answer(request, &decision, FAULT_NONE) && decision.verdict == VERDICT_ALLOW)
		allowed(request);
	return finish(request);
}

static enum pool_step request_step(struct pool_job *job)
{
	static enum pool_step (*const steps[])(struct exec_request * request) = {
	        [PHASE_PROBE] = step_probe,
	        [PHASE_SELF] = step_self,
	        [PHASE_LOWER] = step_lower,
	        [PHASE_COPIES] = step_copies,
	        [PHASE_DECIDE] = step_decide,
	        [PHASE_SIGNATURE] = step_signature,
	};
	struct exec_request *request = (struct exec_request *)job;

	if (request->claim == CLAIM_OPEN)
		return steps[request->phase](request);
	/* The deadline was faster. */
	while (request->claim != CLAIM_ANSWERED)
		sched_yield();
	return finish(request);
}

void exec_request_begin(struct exec_shared *s, const struct fan_event *event, struct ruling *ruling)
{
	struct exec_request *request = calloc(1, sizeof(*request));
	struct policy_decision decision;

	if (!request) {
		faults_count(s->context->faults, FAULT_MEMORY);
		decide_fault(&s->context->probe, event->fd, event->pid, ruling, &decision);
		(void)fan_groups_answer(
		        s->context->groups->verdicts, event->fd, decision.verdict != VERDICT_DENY);
		close(event->fd);
		ruling_unref(ruling);
		return;
	}
	request->job = (struct pool_job){.step = request_step, .priority = POOL_VERDICT};
	request->shared = s;
	request->ruling = ruling;
	request->fd = event->fd;
	request->pid = event->pid;
	request->probe = (struct probe_result){.real_fd = -1, .lower_fd = -1};
	request->facts.time_ns = clock_realtime_ns();
	request->deadline_ns =
	        clock_monotonic_ns() + (int64_t)ruling_config(ruling)->deadline_ms * NS_PER_MSEC;
	atomic_init(&request->refs, 2);
	exec_registry_add(s, request);
	if (!pool_submit(s->context->pool, &request->job)) {
		exec_request_answer_fault(request, FAULT_QUEUE_FULL);
		(void)finish(request);
	}
}
