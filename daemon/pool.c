/*
 * One lock, one condition, an intrusive list per priority: a job that goes on never needs memory.
 */
#include "daemon/pool.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>

#define BULK_STEPS 64u /* steps at ordinary priority: 256 MiB of a file */
#define DROP_TURN  8u  /* every eighth step goes to a drop when both kinds wait */

struct lane {
	struct pool_job *head, **tail;
	size_t count; /* queued or running */
	size_t limit;
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t ready;
	pthread_cond_t drained; /* a lane has nothing left */
	bool ending;
	unsigned int turn;
	struct lane lanes[_POOL_PRIORITIES];
	unsigned int n_threads;
	pthread_t threads[];
};

static void lane_push(struct lane *lane, struct pool_job *job)
{
	job->next = NULL;
	*lane->tail = job;
	lane->tail = &job->next;
}

static struct pool_job *lane_pop(struct lane *lane)
{
	struct pool_job *job = lane->head;

	if (!job)
		return NULL;
	lane->head = job->next;
	if (!lane->head)
		lane->tail = &lane->head;
	return job;
}

static struct pool_job *next_job(struct pool *pool)
{
	bool drop_first = ++pool->turn % DROP_TURN == 0;
	struct pool_job *job = lane_pop(&pool->lanes[drop_first ? POOL_DROP : POOL_VERDICT]);

	return job ?: lane_pop(&pool->lanes[drop_first ? POOL_VERDICT : POOL_DROP]);
}

/* Back again takes CAP_SYS_NICE; without it the thread stays as it is. */
static void set_bulk(bool bulk, bool *is_bulk)
{
	const struct sched_param none = {0};

	if (bulk != *is_bulk &&
	        pthread_setschedparam(pthread_self(), bulk ? SCHED_IDLE : SCHED_OTHER, &none) == 0)
		*is_bulk = bulk;
}

static void *pool_main(void *userdata)
{
	struct pool *pool = userdata;
	bool bulk = false;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct pool_job *job = next_job(pool);
		enum pool_priority priority;
		enum pool_step step;

		if (!job) {
			if (pool->ending)
				break;
			pthread_cond_wait(&pool->ready, &pool->lock);
			continue;
		}
		priority = job->priority;
		pthread_mutex_unlock(&pool->lock);
		set_bulk(job->steps++ >= BULK_STEPS, &bulk);
		step = job->step(job);
		pthread_mutex_lock(&pool->lock);
		if (step == POOL_AGAIN)
			lane_push(&pool->lanes[priority], job);
		else if (--pool->lanes[priority].count == 0)
			pthread_cond_broadcast(&pool->drained);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

int pool_new(unsigned int threads, const size_t limits[_POOL_PRIORITIES], struct pool **ret_pool)
{
	struct pool *pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->threads[0]));
	pthread_condattr_t attr;
	int r = 0;

	if (!pool)
		return -ENOMEM;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->ready, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->drained, &attr);
	pthread_condattr_destroy(&attr);
	for (size_t i = 0; i < _POOL_PRIORITIES; i++) {
		pool->lanes[i].tail = &pool->lanes[i].head;
		pool->lanes[i].limit = limits[i];
	}
	while (r == 0 && pool->n_threads < threads) {
		r = -pthread_create(&pool->threads[pool->n_threads], NULL, pool_main, pool);
		if (r == 0)
			pool->n_threads++;
	}
	if (r < 0) {
		pool_free(pool);
		return r;
	}
	*ret_pool = pool;
	return 0;
}

bool pool_submit(struct pool *pool, struct pool_job *job)
{
	struct lane *lane = &pool->lanes[job->priority];
	bool accepted;

	pthread_mutex_lock(&pool->lock);
	accepted = !pool->ending && lane->count < lane->limit;
	if (accepted) {
		lane->count++;
		lane_push(lane, job);
		pthread_cond_signal(&pool->ready);
	}
	pthread_mutex_unlock(&pool->lock);
	return accepted;
}

size_t pool_length(struct pool *pool, enum pool_priority priority)
{
	size_t n;

	pthread_mutex_lock(&pool->lock);
	n = pool->lanes[priority].count;
	pthread_mutex_unlock(&pool->lock);
	return n;
}

bool pool_drain(struct pool *pool, enum pool_priority priority, unsigned int timeout_ms)
{
	int64_t at_ns = clock_monotonic_ns() + (int64_t)timeout_ms * NS_PER_MSEC;
	struct timespec at = {.tv_sec = at_ns / NS_PER_SEC, .tv_nsec = at_ns % NS_PER_SEC};
	bool drained;
	int r = 0;

	pthread_mutex_lock(&pool->lock);
	while (pool->lanes[priority].count > 0 && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&pool->drained, &pool->lock, &at);
	drained = pool->lanes[priority].count == 0;
	pthread_mutex_unlock(&pool->lock);
	return drained;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	pthread_cond_broadcast(&pool->ready);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned int i = 0; i < pool->n_threads; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->ready);
	pthread_cond_destroy(&pool->drained);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
