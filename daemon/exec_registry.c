/* The registry of requests under way, and their deadlines. */
#include "daemon/exec_internal.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>
#include <time.h>

void exec_registry_add(struct exec_shared *s, struct exec_request *request)
{
	pthread_mutex_lock(&s->lock);
	request->link = s->tail;
	*s->tail = request;
	s->tail = &request->next;
	s->count++;
	if (s->count == 1)
		pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

bool exec_registry_remove(struct exec_shared *s, struct exec_request *request)
{
	pthread_mutex_lock(&s->lock);
	if (!request->link) {
		pthread_mutex_unlock(&s->lock);
		return false;
	}
	*request->link = request->next;
	if (request->next)
		request->next->link = request->link;
	else
		s->tail = request->link;
	request->link = NULL;
	s->count--;
	if (s->count == 0)
		pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return true;
}

/*
 * Deadlines, on the timer's thread.
 */
int exec_shared_init(struct exec_shared *s, const struct verdicts_context *context)
{
	pthread_condattr_t attr;

	memset(s, 0, sizeof(*s));
	s->context = context;
	s->tail = &s->first;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	return 0;
}

void exec_shared_done(struct exec_shared *s)
{
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
}

static void wait_until(struct exec_shared *s, int64_t at_ns)
{
	struct timespec at = {.tv_sec = at_ns / NS_PER_SEC, .tv_nsec = at_ns % NS_PER_SEC};

	if (at_ns == INT64_MAX)
		pthread_cond_wait(&s->changed, &s->lock);
	else
		pthread_cond_timedwait(&s->changed, &s->lock, &at);
}

/* The oldest request past its deadline: a reference, or NULL. Lock held. */
static struct exec_request *overdue(struct exec_shared *s, int64_t now_ns)
{
	struct exec_request *request = s->first;

	if (!request || request->deadline_ns > now_ns)
		return NULL;
	atomic_fetch_add(&request->refs, 1);
	return request;
}

void exec_shared_expire(struct exec_shared *s)
{
	pthread_mutex_lock(&s->lock);
	while (!s->ending || s->first) {
		struct exec_request *late = overdue(s, clock_monotonic_ns());

		if (!late) {
			wait_until(s, s->first ? s->first->deadline_ns : INT64_MAX);
			continue;
		}
		pthread_mutex_unlock(&s->lock);
		exec_request_answer_fault(late, FAULT_DEADLINE);
		exec_request_unref(late);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
}

void exec_shared_end(struct exec_shared *s, unsigned int grace_ms)
{
	int64_t until_ns = clock_monotonic_ns() + (int64_t)grace_ms * NS_PER_MSEC;

	pthread_mutex_lock(&s->lock);
	while (s->first && clock_monotonic_ns() < until_ns)
		wait_until(s, until_ns);
	while (s->first) {
		struct exec_request *request = s->first;

		atomic_fetch_add(&request->refs, 1);
		pthread_mutex_unlock(&s->lock);
		exec_request_answer_fault(request, FAULT_SHUTDOWN);
		exec_request_unref(request);
		pthread_mutex_lock(&s->lock);
	}
	s->ending = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

void exec_shared_count(struct exec_shared *s, enum verdict verdict)
{
	atomic_fetch_add(&s->verdicts[verdict], 1);
}

void exec_shared_counters(struct exec_shared *s, struct verdicts_counters *ret)
{
	pthread_mutex_lock(&s->lock);
	ret->pending = s->count;
	pthread_mutex_unlock(&s->lock);
	ret->allow = s->verdicts[VERDICT_ALLOW];
	ret->deny = s->verdicts[VERDICT_DENY];
	ret->would_deny = s->verdicts[VERDICT_WOULD_DENY];
}
