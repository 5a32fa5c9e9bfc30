/*
 * Threads that work in steps, so that a 50 GB file and a 1 KiB script share them fairly: a job runs
 * for one step and goes to the end of its queue again until it is done. Verdicts come before the
 * digests of drops, which get every eighth turn so that they are never starved. A job of many steps
 * goes on in the idle class: programs that run beside it come first, and on a machine without a
 * moment to spare such a file meets its deadline.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum pool_step {
	POOL_UNSET = 0, /* treated as done */
	POOL_AGAIN,     /* another step, after whoever waits */
	POOL_DONE,      /* the job is the callee's no more: it has freed or handed it on */
};

enum pool_priority { POOL_VERDICT = 0, POOL_DROP, _POOL_PRIORITIES };

struct pool;

/* Embedded in whatever is to be worked on; the memory stays the job's until step says DONE. */
struct pool_job {
	enum pool_step (*step)(struct pool_job *job);
	enum pool_priority priority;
	struct pool_job *next; /* the pool's */
	unsigned int steps;    /* the pool's; 0 */
};

/*
 * @threads 1..64; @limits: jobs that may be in the pool at a time, by priority. 0 or -errno.
 */
int pool_new(unsigned int threads, const size_t limits[_POOL_PRIORITIES], struct pool **ret_pool);
/* False when the limit is reached or the pool is ending: the job stays the caller's. */
bool pool_submit(struct pool *pool, struct pool_job *job);
/* Waits until there is none of @priority, at most @timeout_ms; false when some are left. */
bool pool_drain(struct pool *pool, enum pool_priority priority, unsigned int timeout_ms);
size_t pool_length(struct pool *pool, enum pool_priority priority);
/* Finishes what is queued (jobs are expected to hurry), then frees. */
void pool_free(struct pool *pool);
