/*
 * Records are written in batches: one transaction for what has piled up, at most BATCH_MAX. The
 * database may be slow, full or broken: alerts go to the outputs all the same, and what could not
 * be stored is counted.
 */
#include "daemon/recorder.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/queue.h"
#include "core/alert.h"
#include "daemon/log.h"
#include "daemon/trusted.h"
#include "daemon/windows.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BATCH_MAX      512u
#define PRUNE_EVERY_NS (60 * NS_PER_SEC)
#define SWEEP_EVERY_NS (3600 * NS_PER_SEC)
#define FLUSH_EVERY_NS (200 * NS_PER_MSEC) /* counts of repeats reach the database this often */
#define HOSTNAME_MAX   256u

struct recorder {
	struct recorder_context context;
	struct store *store;
	struct queue *queue;
	struct windows *windows;
	bool started;
	pthread_t thread;
	char hostname[HOSTNAME_MAX];
	uint64_t sequence;
	int64_t next_prune_ns, next_sweep_ns;
	bool store_failing;
	bool learned; /* in the batch that is being written */
	_Atomic uint64_t alerts;

	pthread_mutex_t lock;
	pthread_cond_t flushed;
	uint64_t pushed, written, reserved;
	void (*follow)(const char *line, void *userdata);
	void *follow_userdata;
};

int recorder_new(
        const struct recorder_context *context, struct store *store, struct recorder **ret_recorder)
{
	struct recorder *r = calloc(1, sizeof(*r));
	pthread_condattr_t attr;
	int error;

	if (!r) {
		store_free(store);
		return -ENOMEM;
	}
	r->context = *context;
	r->store = store;
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->flushed, &attr);
	pthread_condattr_destroy(&attr);
	if (gethostname(r->hostname, sizeof(r->hostname) - 1) < 0)
		strcpy(r->hostname, "localhost");
	error = queue_new(RECORDER_QUEUE_MAX, &r->queue);
	if (error == 0)
		error = windows_new(RECORDER_WINDOWS_MAX, &r->windows);
	if (error < 0) {
		recorder_free(r);
		return error;
	}
	*ret_recorder = r;
	return 0;
}

void recorder_free(struct recorder *r)
{
	if (!r)
		return;
	windows_free(r->windows);
	queue_free(r->queue);
	store_free(r->store);
	pthread_cond_destroy(&r->flushed);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

uint64_t recorder_alerts(const struct recorder *r)
{
	return r->alerts;
}

void recorder_follow(
        struct recorder *r, void (*fn)(const char *line, void *userdata), void *userdata)
{
	pthread_mutex_lock(&r->lock);
	r->follow = fn;
	r->follow_userdata = userdata;
	pthread_mutex_unlock(&r->lock);
}

bool recorder_push(struct recorder *r, struct record *record)
{
	bool pushed;

	pthread_mutex_lock(&r->lock);
	pushed = queue_push(r->queue, record);
	if (pushed)
		r->pushed++;
	pthread_mutex_unlock(&r->lock);
	if (!pushed) {
		faults_count(r->context.faults, FAULT_RECORDER_FULL);
		record_free(record);
	}
	return pushed;
}

void recorder_reserve(struct recorder *r)
{
	pthread_mutex_lock(&r->lock);
	r->reserved++;
	pthread_mutex_unlock(&r->lock);
}

void recorder_unreserve(struct recorder *r)
{
	pthread_mutex_lock(&r->lock);
	r->reserved--;
	pthread_cond_broadcast(&r->flushed);
	pthread_mutex_unlock(&r->lock);
}

bool recorder_flush(struct recorder *r, unsigned int timeout_ms)
{
	int64_t at_ns = clock_monotonic_ns() + (int64_t)timeout_ms * NS_PER_MSEC;
	struct timespec at = {.tv_sec = at_ns / NS_PER_SEC, .tv_nsec = at_ns % NS_PER_SEC};
	uint64_t mine;
	int error = 0;
	bool done;

	pthread_mutex_lock(&r->lock);
	while (r->reserved > 0 && error != ETIMEDOUT)
		error = pthread_cond_timedwait(&r->flushed, &r->lock, &at);
	mine = r->pushed;
	while (r->written < mine && error != ETIMEDOUT)
		error = pthread_cond_timedwait(&r->flushed, &r->lock, &at);
	done = r->written >= mine;
	pthread_mutex_unlock(&r->lock);
	return done;
}

/* A failing database is said once, and once more when it works again. */
static bool stored(struct recorder *r, int result, const char *what)
{
	if (result == 0) {
		if (r->store_failing)
			log_notice("the database works again");
		r->store_failing = false;
		return true;
	}
	faults_count(r->context.faults, FAULT_STORE);
	if (!r->store_failing)
		log_error("database: %s: %s", what, store_error(r->store));
	r->store_failing = true;
	return false;
}

/*
 * Drops.
 */
static void write_drop(struct recorder *r, const struct record *record)
{
	const struct exec_facts *f = &record->facts;
	struct store_drop drop = {
	        .identity = f->identity,
	        .container_key = f->has_container ? f->container.key : NULL,
	        .container = f->has_container ? &f->container : NULL,
	        .path = f->path ?: "",
	        .host_path = f->host_path,
	        .kind = f->kind,
	        .writer_gone = record->writer_gone,
	        .writer_pid = record->writer.pid,
	        .writer_uid = record->writer.uid,
	        .writer_exe = record->writer.exepath,
	        .writer_cmdline = record->writer.cmdline,
	        .time_ns = f->time_ns,
	};
	int64_t id;

	(void)stored(r, store_drop_add(r->store, &drop, &id), "drop");
}

static void write_drop_digest(struct recorder *r, const struct record *record)
{
	_cleanup_(drop_info_done) struct drop_info drop = {0};
	int error = store_drop_find(r->store, &record->facts.identity, &drop);

	if (error == 0)
		error = store_drop_set_digest(r->store, drop.id, &record->facts.identity,
		        &record->facts.digest, record->mutable_file);
	if (error != STORE_E_NOTFOUND) /* written again, or removed, meanwhile */
		(void)stored(r, error, "digest of a drop");
}

static void write_provenance(struct recorder *r, const struct record *record)
{
	const struct provenance row = {
	        .digest = record->facts.digest,
	        .scope = record->scope,
	        .scope_value = record->scope_value,
	        .path = record->facts.path,
	        .writer = record->writer.exepath,
	        .writer_digest = record->writer_digest,
	        .created_ns = record->facts.time_ns,
	        .expires_ns = record->expires_ns,
	};

	/* Short of memory: it was counted, and holds until we end. */
	if (row.scope_value && row.path && row.writer)
		(void)stored(r, store_provenance_add(r->store, &row), "trusted writer");
}

/*
 * Events.
 */
static void emit(struct recorder *r, const char *line, bool critical)
{
	atomic_fetch_add(&r->alerts, 1);
	sinks_write(r->context.sinks, line, critical);
	pthread_mutex_lock(&r->lock);
	if (r->follow)
		r->follow(line, r->follow_userdata);
	pthread_mutex_unlock(&r->lock);
}

static int32_t utc_offset(int64_t time_ns)
{
	time_t t = (time_t)(time_ns / NS_PER_SEC);
	struct tm tm;

	return localtime_r(&t, &tm) ? (int32_t)tm.tm_gmtoff : 0;
}

static bool is_critical(enum verdict verdict)
{
	return verdict == VERDICT_DENY || verdict == VERDICT_WOULD_DENY;
}

static int64_t store_event_of(struct recorder *r, const struct record *record, const char *uid,
        const struct drop_info *drop, const char *line)
{
	const struct exec_facts *f = &record->facts;
	struct store_event event = {
	        .uid = uid,
	        .time_ns = f->time_ns,
	        .verdict = record->decision.verdict,
	        .reason = record->decision.reason,
	        .origin = f->origin,
	        .container = f->has_container ? &f->container : NULL,
	        .path = f->path ?: "",
	        .has_digest = f->has_digest,
	        .digest = f->digest,
	        .drop_id = drop->known ? drop->id : 0,
	        .count = 1,
	        .last_ns = f->time_ns,
	        .alert = line,
	};
	int64_t id = 0;

	return stored(r, store_event_add(r->store, &event, &id), "event") ? id : 0;
}

static void learn(struct recorder *r, const struct record *record)
{
	const struct exec_facts *f = &record->facts;
	char buffer[RULING_SCOPE_SIZE];
	const char *scope = ruling_scope(f, buffer);
	struct grant grant = {
	        .kind = GRANT_LEARNED,
	        .digest = f->digest,
	        .image = (char *)(uintptr_t)scope,
	        .path = f->path,
	        .created_ns = f->time_ns,
	};

	/* Without a scope it would vouch everywhere. */
	if (!record->decision.learn || !f->has_digest || !scope)
		return;
	r->learned |= stored(r, store_grant_add(r->store, &grant), "learned digest");
}

static void report(struct recorder *r, const struct record *record, struct drop_info *drop)
{
	_cleanup_free_ char *line = NULL;
	char uid[32];
	struct alert_input input = {
	        .facts = &record->facts,
	        .decision = &record->decision,
	        .drop = drop,
	        .hostname = r->hostname,
	        .user_name = record->facts.process.user
	                             ?: (record->facts.process.uid == 0 ? "root" : NULL),
	        .event_id = uid,
	        .fault = record->fault == FAULT_NONE ? NULL : fault_name(record->fault),
	        .count = 1,
	        .utc_offset_s = utc_offset(record->facts.time_ns),
	};
	json_t *alert;
	int64_t id;

	snprintf(uid, sizeof(uid), "%011llx-%06llx",
	        (unsigned long long)(record->facts.time_ns / NS_PER_MSEC),
	        (unsigned long long)(++r->sequence & 0xffffff));
	alert = alert_to_json(&input);
	line = alert ? alert_to_line(alert) : NULL;
	if (!line) {
		json_decref(alert);
		faults_count(r->context.faults, FAULT_MEMORY);
		return;
	}
	emit(r, line, is_critical(record->decision.verdict));
	id = store_event_of(r, record, uid, drop, line);
	windows_open(r->windows, record, line, id);
	json_decref(alert);
}

static void write_exec(struct recorder *r, const struct record *record)
{
	_cleanup_(drop_info_done) struct drop_info drop = {0};
	int64_t window_ns = (int64_t)ruling_config(record->ruling)->alert_window_ms * NS_PER_MSEC;

	if (windows_count(r->windows, record, window_ns))
		return;
	if (store_drop_find(r->store, &record->facts.identity, &drop) != 0)
		drop.known = false;
	/* The verdict's digest completes a drop that was still open when the watcher looked. */
	if (drop.known && record->facts.has_digest)
		(void)store_drop_set_digest(
		        r->store, drop.id, &record->facts.identity, &record->facts.digest, false);
	report(r, record, &drop);
	learn(r, record);
}

static void write_record(struct recorder *r, const struct record *record)
{
	switch (record->type) {
	case RECORD_EXEC:
		write_exec(r, record);
		break;
	case RECORD_DROP:
		write_drop(r, record);
		break;
	case RECORD_DROP_DIGEST:
		write_drop_digest(r, record);
		break;
	case RECORD_PROVENANCE:
		write_provenance(r, record);
		break;
	default:
		break;
	}
}

/* What a window has counted since it was last stored. */
static void store_window(const struct window_state *state, void *userdata)
{
	struct recorder *r = userdata;

	if (state->event_row != 0)
		(void)stored(r,
		        store_event_update(r->store, state->event_row, state->count, state->last_ns,
		                state->line),
		        "count of an event");
	if (state->closing)
		emit(r, state->line, is_critical(state->verdict));
}

static void prune(struct recorder *r, const struct config *config)
{
	int64_t now_ns = clock_realtime_ns();
	int64_t keep_ns = (int64_t)config->retention_days * 24 * 3600 * NS_PER_SEC;
	uint32_t removed;
	int result;

	if (now_ns < r->next_prune_ns)
		return;
	if (now_ns >= r->next_sweep_ns) {
		(void)stored(r, trusted_sweep(r->store), "retention");
		r->next_sweep_ns = now_ns + SWEEP_EVERY_NS;
	}
	(void)stored(r, store_provenance_prune(r->store, now_ns, &removed), "retention");
	result = store_prune(r->store, config->events_max, config->drops_max, now_ns - keep_ns);
	r->next_prune_ns = result == 1 ? now_ns : now_ns + PRUNE_EVERY_NS;
	if (result != 1)
		(void)stored(r, result, "retention");
}

static void write_batch(struct recorder *r, struct record *first)
{
	struct ruling *ruling = rulings_get(r->context.rulings);
	bool open = stored(r, store_begin(r->store), "begin");
	uint64_t n = 0;

	/* Windows that have ended are closed first: what follows opens new ones. */
	windows_flush(r->windows, clock_realtime_ns(), store_window, r);
	for (struct record *record = first; record;) {
		write_record(r, record);
		record_free(record);
		n++;
		record = n < BATCH_MAX ? queue_pop(r->queue, 0) : NULL;
	}
	windows_flush(r->windows, clock_realtime_ns(), store_window, r);
	if (open && !stored(r, store_commit(r->store), "commit"))
		store_rollback(r->store);
	if (r->learned)
		r->context.learned(r->context.userdata);
	r->learned = false;
	prune(r, ruling_config(ruling));
	ruling_unref(ruling);
	pthread_mutex_lock(&r->lock);
	r->written += n;
	pthread_cond_broadcast(&r->flushed);
	pthread_mutex_unlock(&r->lock);
}

static void *recorder_main(void *userdata)
{
	struct recorder *r = userdata;

	for (;;) {
		/* Without an open window there is nothing to wake up for. */
		int64_t timeout_ns = windows_pending(r->windows) ? FLUSH_EVERY_NS : -1;
		struct record *record;

		if (timeout_ns > 0 && !windows_dirty(r->windows))
			timeout_ns = windows_next_end(r->windows, clock_realtime_ns());
		record = queue_pop(r->queue, timeout_ns);
		if (!record && queue_closed(r->queue))
			break;
		write_batch(r, record);
	}
	windows_flush(r->windows, INT64_MAX, store_window, r);
	return NULL;
}

int recorder_start(struct recorder *r)
{
	int error = -pthread_create(&r->thread, NULL, recorder_main, r);

	r->started = error == 0;
	return error;
}

void recorder_stop(struct recorder *r)
{
	if (!r || !r->started)
		return;
	queue_close(r->queue);
	pthread_join(r->thread, NULL);
	r->started = false;
}
