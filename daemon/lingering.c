/*
 * Items wait in the order in which they came, each for the same time; then they are looked at every
 * 20 ms, those of marks together: one look at all tasks serves all marks that were gone before it.
 */
#include "daemon/lingering.h"

#include "base/clock.h"
#include "daemon/passing.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

struct lingering_look {
	struct passing passing;
	size_t refs;
	bool over;
};

struct lingering {
	struct faults *faults;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool started, stopping;
	struct lingering_item *waiting, **tail; /* by due_ns */
	/* The thread's alone. */
	struct lingering_item *looked_at;
};

int lingering_new(struct faults *faults, struct lingering **ret_lingering)
{
	struct lingering *l = calloc(1, sizeof(*l));
	pthread_condattr_t attr;

	if (!l)
		return -ENOMEM;
	l->faults = faults;
	l->tail = &l->waiting;
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->changed, &attr);
	pthread_condattr_destroy(&attr);
	*ret_lingering = l;
	return 0;
}

void lingering_add(struct lingering *l, struct lingering_item *item)
{
	int64_t now_ns = clock_monotonic_ns();
	bool late;

	item->due_ns = now_ns + LINGERING_FIRST_MS * NS_PER_MSEC;
	item->until_ns = now_ns + LINGERING_MAX_MS * NS_PER_MSEC;
	item->look = NULL;
	item->next = NULL;
	pthread_mutex_lock(&l->lock);
	late = l->stopping;
	if (!late) {
		*l->tail = item;
		l->tail = &item->next;
		pthread_cond_signal(&l->changed);
	}
	pthread_mutex_unlock(&l->lock);
	if (late)
		item->release(item);
}

/*
 * Looks.
 */
static void look_unref(struct lingering_look *look)
{
	if (!look || --look->refs > 0)
		return;
	passing_done(&look->passing);
	free(look);
}

/* NULL when not all tasks could be looked at: it is tried again. */
static struct lingering_look *look_new(pid_t tgid)
{
	struct lingering_look *look = calloc(1, sizeof(*look));

	if (!look || passing_look(tgid, &look->passing) < 0) {
		free(look);
		return NULL;
	}
	look->over = look->passing.n == 0;
	return look;
}

/* @shared: the look at all tasks of this round, made when the first one needs it. */
static void look_at(struct lingering_item *item, struct lingering_look **shared)
{
	struct lingering_look *look = item->tgid > 0 ? look_new(item->tgid) : *shared;

	if (item->tgid == 0 && !look) {
		look = *shared = look_new(0);
		if (look)
			look->refs++; /* look_around()'s */
	}
	if (!look)
		return;
	look->refs++;
	item->look = look;
}

static bool is_over(const struct lingering_item *item)
{
	struct lingering_look *look = item->look;

	if (look && !look->over)
		look->over = passing_left(&look->passing) == 0;
	return look && look->over;
}

/*
 * The thread.
 */
static void release(struct lingering_item *item)
{
	look_unref(item->look);
	item->release(item);
}

/* Looks at each that is due, and again at those that were; what is over goes. */
static void look_around(struct lingering *l)
{
	struct lingering_item **link = &l->looked_at, *item;
	struct lingering_look *shared = NULL;
	int64_t now_ns = clock_monotonic_ns();
	bool over;

	while ((item = *link)) {
		if (!item->look)
			look_at(item, &shared);
		over = is_over(item);
		if (!over && now_ns < item->until_ns) {
			link = &item->next;
			continue;
		}
		if (!over)
			faults_count(l->faults, FAULT_LEASE_LATE);
		*link = item->next;
		release(item);
	}
	look_unref(shared);
}

static void wait_until(struct lingering *l, int64_t at_ns)
{
	struct timespec at = {.tv_sec = at_ns / NS_PER_SEC, .tv_nsec = at_ns % NS_PER_SEC};

	pthread_cond_timedwait(&l->changed, &l->lock, &at);
}

/* Moves what is due to those that are looked at; with the lock held. */
static void take_due(struct lingering *l)
{
	int64_t now_ns = clock_monotonic_ns();
	struct lingering_item *item;

	while ((item = l->waiting) && item->due_ns <= now_ns) {
		l->waiting = item->next;
		if (!l->waiting)
			l->tail = &l->waiting;
		item->next = l->looked_at;
		l->looked_at = item;
	}
}

static void *lingering_main(void *userdata)
{
	struct lingering *l = userdata;
	int64_t again_ns = 0, began_ns;

	pthread_mutex_lock(&l->lock);
	while (!l->stopping) {
		if (!l->waiting && !l->looked_at)
			pthread_cond_wait(&l->changed, &l->lock);
		else if (l->looked_at && again_ns > clock_monotonic_ns())
			wait_until(l, again_ns);
		else if (!l->looked_at && l->waiting->due_ns > clock_monotonic_ns())
			wait_until(l, l->waiting->due_ns);
		else {
			take_due(l);
			pthread_mutex_unlock(&l->lock);
			began_ns = clock_monotonic_ns();
			look_around(l);
			/* Looking at all tasks takes a third of a processor at most. */
			again_ns = clock_monotonic_ns() + PASSING_POLL_MS * NS_PER_MSEC +
			           2 * (clock_monotonic_ns() - began_ns);
			pthread_mutex_lock(&l->lock);
		}
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

int lingering_start(struct lingering *l)
{
	int r = -pthread_create(&l->thread, NULL, lingering_main, l);

	l->started = r == 0;
	return r;
}

static void release_all(struct lingering_item *item)
{
	while (item) {
		struct lingering_item *next = item->next;

		release(item);
		item = next;
	}
}

void lingering_stop(struct lingering *l)
{
	struct lingering_item *waiting;

	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->stopping = true;
	waiting = l->waiting;
	l->waiting = NULL;
	l->tail = &l->waiting;
	pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->lock);
	if (l->started)
		pthread_join(l->thread, NULL);
	l->started = false;
	release_all(waiting);
	release_all(l->looked_at);
	l->looked_at = NULL;
}

void lingering_free(struct lingering *l)
{
	if (!l)
		return;
	lingering_stop(l);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
