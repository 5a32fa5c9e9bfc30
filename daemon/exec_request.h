/*
 * One exec that could not be settled at once, on its way through the pool: probe, digest, compare,
 * copies, decision, answer, record.
 */
#pragma once

#include "daemon/verdicts.h"

#include <pthread.h>
#include <stdatomic.h>

struct exec_request;

/* What all requests share. */
struct exec_shared {
	const struct verdicts_context *context;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct exec_request *first, **tail; /* unanswered, in order of their deadlines */
	size_t count;
	bool ending;
	_Atomic uint64_t verdicts[_VERDICT_MAX];
};

int exec_shared_init(struct exec_shared *shared, const struct verdicts_context *context);
void exec_shared_done(struct exec_shared *shared);

/* Takes the event's descriptors and the ruling's reference. */
void exec_request_begin(
        struct exec_shared *shared, const struct fan_event *event, struct ruling *ruling);

/* The timer's thread: answers what is past its deadline; until the end. */
void exec_shared_expire(struct exec_shared *shared);
/* Gives what is under way @grace_ms, then answers it by on_failure and ends the timer. */
void exec_shared_end(struct exec_shared *shared, unsigned int grace_ms);

void exec_shared_count(struct exec_shared *shared, enum verdict verdict);
void exec_shared_counters(struct exec_shared *shared, struct verdicts_counters *ret_counters);
