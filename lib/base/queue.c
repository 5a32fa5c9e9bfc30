#include "base/queue.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t ready;
	bool closed;
	size_t capacity, head, length;
	void *items[];
};

int queue_new(size_t capacity, struct queue **ret_queue)
{
	struct queue *q = calloc(1, sizeof(*q) + capacity * sizeof(q->items[0]));
	pthread_condattr_t attr;

	if (!q)
		return -ENOMEM;
	q->capacity = capacity;
	pthread_mutex_init(&q->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q->ready, &attr);
	pthread_condattr_destroy(&attr);
	*ret_queue = q;
	return 0;
}

void queue_free(struct queue *q)
{
	if (!q)
		return;
	pthread_cond_destroy(&q->ready);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

bool queue_push(struct queue *q, void *item)
{
	bool pushed = false;

	pthread_mutex_lock(&q->lock);
	if (!q->closed && q->length < q->capacity) {
		q->items[(q->head + q->length) % q->capacity] = item;
		q->length++;
		pushed = true;
		pthread_cond_signal(&q->ready);
	}
	pthread_mutex_unlock(&q->lock);
	return pushed;
}

static bool wait_ready(struct queue *q, const struct timespec *deadline)
{
	while (q->length == 0 && !q->closed) {
		int r = deadline ? pthread_cond_timedwait(&q->ready, &q->lock, deadline)
		                 : pthread_cond_wait(&q->ready, &q->lock);

		if (r == ETIMEDOUT)
			break;
	}
	return q->length > 0;
}

void *queue_pop(struct queue *q, int64_t timeout_ns)
{
	struct timespec deadline;
	void *item = NULL;

	if (timeout_ns >= 0) {
		int64_t at;

		if (__builtin_add_overflow(clock_monotonic_ns(), timeout_ns, &at))
			at = INT64_MAX;
		deadline.tv_sec = at / NS_PER_SEC;
		deadline.tv_nsec = at % NS_PER_SEC;
	}
	pthread_mutex_lock(&q->lock);
	if (wait_ready(q, timeout_ns >= 0 ? &deadline : NULL)) {
		item = q->items[q->head];
		q->head = (q->head + 1) % q->capacity;
		q->length--;
	}
	pthread_mutex_unlock(&q->lock);
	return item;
}

void queue_close(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->closed = true;
	pthread_cond_broadcast(&q->ready);
	pthread_mutex_unlock(&q->lock);
}

bool queue_closed(struct queue *q)
{
	bool closed;

	pthread_mutex_lock(&q->lock);
	closed = q->closed;
	pthread_mutex_unlock(&q->lock);
	return closed;
}

size_t queue_length(struct queue *q)
{
	size_t n;

	pthread_mutex_lock(&q->lock);
	n = q->length;
	pthread_mutex_unlock(&q->lock);
	return n;
}
