/*
 * A bounded first-in first-out queue of pointers between threads (mutex and condition). It never
 * blocks a producer: a full queue is an answer, not a wait. The queue does not own its items.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;

/* @capacity in items, at least 1. 0 or -ENOMEM. */
int queue_new(size_t capacity, struct queue **ret_queue);
void queue_free(struct queue *queue);

/* False when full or closed; the caller keeps the item then. */
bool queue_push(struct queue *queue, void *item);

/*
 * Takes the oldest item, waiting up to @timeout_ns (negative: for ever). NULL on timeout, or when
 * the queue is closed and empty.
 */
void *queue_pop(struct queue *queue, int64_t timeout_ns);

/* Wakes every waiter; further pushes fail, what is queued can still be popped. */
void queue_close(struct queue *queue);
bool queue_closed(struct queue *queue);
size_t queue_length(struct queue *queue);
