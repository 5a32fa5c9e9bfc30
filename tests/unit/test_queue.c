/* The queue: order, bound, closing, timeouts, and many threads at once. */
#include "base/queue.h"

#include "base/clock.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct queue *make(size_t capacity)
{
	struct queue *queue = NULL;

	assert_int_equal(queue_new(capacity, &queue), 0);
	return queue;
}

static void test_order_and_bound(void **state)
{
	struct queue *queue = make(3);
	int items[8];

	(void)state;
	for (int round = 0; round < 10; round++) { /* past the end of the ring */
		assert_true(queue_push(queue, &items[0]));
		assert_true(queue_push(queue, &items[1]));
		assert_true(queue_push(queue, &items[2]));
		assert_false(queue_push(queue, &items[3]));
		assert_int_equal(queue_length(queue), 3);
		assert_ptr_equal(queue_pop(queue, 0), &items[0]);
		assert_true(queue_push(queue, &items[4]));
		assert_ptr_equal(queue_pop(queue, -1), &items[1]);
		assert_ptr_equal(queue_pop(queue, INT64_MAX), &items[2]);
		assert_ptr_equal(queue_pop(queue, 1), &items[4]);
		assert_null(queue_pop(queue, 0));
	}
	queue_free(queue);
	queue_free(NULL);
}

static void test_close(void **state)
{
	struct queue *queue = make(2);
	int item;

	(void)state;
	assert_false(queue_closed(queue));
	assert_true(queue_push(queue, &item));
	queue_close(queue);
	assert_true(queue_closed(queue));
	assert_false(queue_push(queue, &item));
	assert_ptr_equal(queue_pop(queue, -1), &item);
	assert_null(queue_pop(queue, -1));
	assert_null(queue_pop(queue, INT64_MAX));
	queue_free(queue);
}

static void test_timeout(void **state)
{
	struct queue *queue = make(1);
	int64_t start = clock_monotonic_ns(), waited;

	(void)state;
	assert_null(queue_pop(queue, 50 * NS_PER_MSEC));
	waited = clock_monotonic_ns() - start;
	assert_true(waited >= 50 * NS_PER_MSEC && waited < 20 * NS_PER_SEC);
	queue_free(queue);
}

static void *pop_all(void *arg)
{
	struct queue *queue = arg;
	uintptr_t sum = 0;
	void *item;

	while ((item = queue_pop(queue, -1)))
		sum += (uintptr_t)item;
	return (void *)sum;
}

struct producer {
	struct queue *queue;
	uintptr_t from, to;
	uintptr_t refused; /* how often the queue was full */
};

static void *push_all(void *arg)
{
	struct producer *producer = arg;

	for (uintptr_t i = producer->from; i < producer->to; i++)
		while (!queue_push(producer->queue, (void *)i)) {
			producer->refused++;
			sched_yield();
		}
	return NULL;
}

static void test_threads(void **state)
{
	enum { THREADS = 4, EACH = 5000 };
	struct queue *queue = make(16);
	pthread_t consumers[THREADS], producers[THREADS];
	struct producer args[THREADS];
	uintptr_t sum = 0, n = (uintptr_t)THREADS * EACH;

	(void)state;
	for (unsigned int i = 0; i < THREADS; i++) {
		args[i] = (struct producer){queue, 1 + i * EACH, 1 + (i + 1) * EACH, 0};
		assert_int_equal(pthread_create(&consumers[i], NULL, pop_all, queue), 0);
		assert_int_equal(pthread_create(&producers[i], NULL, push_all, &args[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(producers[i], NULL), 0);
	queue_close(queue);
	for (unsigned int i = 0; i < THREADS; i++) {
		void *part;

		assert_int_equal(pthread_join(consumers[i], &part), 0);
		sum += (uintptr_t)part;
	}
	assert_int_equal(sum, n * (n + 1) / 2);
	queue_free(queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_order_and_bound),
	        cmocka_unit_test(test_close),
	        cmocka_unit_test(test_timeout),
	        cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
