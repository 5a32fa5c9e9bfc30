/* Queues between the threads of a walk: one lock, taken once for a batch. */
#include "base/clock.h"
#include "snapshot/walk_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LARGE_SIZE (UINT64_C(1024) << 10) /* bytes; of files that come first, the largest first */
#define TAKE_JOBS  32u                    /* small files taken at once by a hasher */
#define TAKE_BYTES (UINT64_C(128) << 10)  /* bytes in them */

void jobs_init(struct jobs *jobs)
{
	jobs->first = NULL;
	jobs->end = &jobs->first;
	jobs->n = 0;
}

void jobs_push(struct jobs *jobs, struct job *job)
{
	job->next = NULL;
	*jobs->end = job;
	jobs->end = &job->next;
	jobs->n++;
}

struct job *jobs_pop(struct jobs *jobs)
{
	struct job *job = jobs->first;

	if (!job)
		return NULL;
	jobs->first = job->next;
	if (!jobs->first)
		jobs->end = &jobs->first;
	jobs->n--;
	job->next = NULL;
	return job;
}

void jobs_move(struct jobs *from, struct jobs *to)
{
	if (!from->first)
		return;
	*to->end = from->first;
	to->end = from->end;
	to->n += from->n;
	jobs_init(from);
}

void jobs_clear(struct jobs *jobs)
{
	struct job *job;

	while ((job = jobs_pop(jobs)))
		job_free(job);
}

struct job *job_new(const char *path)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->text_size = strlen(path) + 1;
	job->entry.path = malloc(job->text_size);
	if (!job->entry.path) {
		free(job);
		return NULL;
	}
	memcpy(job->entry.path, path, job->text_size);
	return job;
}

void job_free(struct job *job)
{
	while (job) {
		struct job *next = job->siblings;

		entry_done(&job->entry);
		free(job);
		job = next;
	}
}

int walk_queues_init(struct walk *walk)
{
	pthread_condattr_t attr;

	jobs_init(&walk->seen);
	jobs_init(&walk->done);
	if (pthread_mutex_init(&walk->lock, NULL) != 0 || pthread_condattr_init(&attr) != 0)
		return -ENOMEM;
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&walk->news, &attr);
	(void)pthread_cond_init(&walk->work, &attr);
	(void)pthread_cond_init(&walk->room, &attr);
	(void)pthread_condattr_destroy(&attr);
	return 0;
}

void walk_queues_done(struct walk *walk)
{
	jobs_clear(&walk->seen);
	jobs_clear(&walk->done);
	while (walk->n_heap > 0)
		job_free(walk->heap[--walk->n_heap]);
	(void)pthread_cond_destroy(&walk->news);
	(void)pthread_cond_destroy(&walk->work);
	(void)pthread_cond_destroy(&walk->room);
	(void)pthread_mutex_destroy(&walk->lock);
}

/*
 * The heap.
 */
static bool comes_before(const struct job *a, const struct job *b)
{
	uint64_t size_a = a->entry.size >= LARGE_SIZE ? a->entry.size : 0;
	uint64_t size_b = b->entry.size >= LARGE_SIZE ? b->entry.size : 0;

	return size_a != size_b ? size_a > size_b : a->number < b->number;
}

static void heap_push(struct walk *walk, struct job *job)
{
	size_t at = walk->n_heap++;

	while (at > 0) {
		size_t parent = (at - 1) / 2;

		if (!comes_before(job, walk->heap[parent]))
			break;
		walk->heap[at] = walk->heap[parent];
		at = parent;
	}
	walk->heap[at] = job;
}

static struct job *heap_pop(struct walk *walk)
{
	struct job *top = walk->heap[0], *last = walk->heap[--walk->n_heap];
	size_t at = 0, n = walk->n_heap;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < n && comes_before(walk->heap[child + 1], walk->heap[child]))
			child++;
		if (child >= n || !comes_before(walk->heap[child], last))
			break;
		walk->heap[at] = walk->heap[child];
		at = child;
	}
	if (n > 0)
		walk->heap[at] = last;
	return top;
}

/* The first; with it others, where they are small, so that the lock is not what takes time. */
static void take_work(struct walk *walk, struct jobs *work)
{
	size_t share = walk->n_heap / walk->n_threads + 1;
	uint64_t bytes = 0;

	while (walk->n_heap > 0 && work->n < share && work->n < TAKE_JOBS) {
		struct job *job = heap_pop(walk);

		bytes += job->entry.size;
		jobs_push(work, job);
		if (bytes >= TAKE_BYTES)
			break;
	}
}

/*
 * The scanner's side.
 */
static bool has_room(const struct walk *walk, size_t n, size_t bytes)
{
	return walk->alive == 0 ||
	       (walk->alive + n <= WINDOW_JOBS && walk->alive_bytes + bytes <= WINDOW_BYTES);
}

bool walk_give_seen(struct walk *walk, struct jobs *batch)
{
	size_t n = batch->n, bytes = 0;
	bool cancelled;

	for (const struct job *job = batch->first; job; job = job->next)
		bytes += job->text_size;
	pthread_mutex_lock(&walk->lock);
	while (!walk->cancelled && !has_room(walk, n, bytes)) {
		walk->scanner_waits = true;
		pthread_cond_signal(&walk->news);
		pthread_cond_wait(&walk->room, &walk->lock);
	}
	walk->scanner_waits = false;
	cancelled = walk->cancelled;
	if (!cancelled && n > 0) {
		walk->alive += n;
		walk->alive_bytes += bytes;
		jobs_move(batch, &walk->seen);
		pthread_cond_signal(&walk->news);
	}
	pthread_mutex_unlock(&walk->lock);
	if (cancelled)
		jobs_clear(batch);
	return !cancelled;
}

void walk_end_scan(struct walk *walk, int error)
{
	pthread_mutex_lock(&walk->lock);
	walk->scanned = true;
	walk->scan_error = error;
	pthread_cond_signal(&walk->news);
	pthread_mutex_unlock(&walk->lock);
}

/*
 * The hashers' side.
 */
bool walk_exchange(struct walk *walk, struct jobs *done, struct jobs *ret_work)
{
	jobs_init(ret_work);
	pthread_mutex_lock(&walk->lock);
	jobs_move(done, &walk->done);
	/* The caller's thread is woken for many at once: waking it costs as much as a small file.
	 */
	walk->hungry++;
	if (walk->done.n >= BATCH_JOBS || walk->n_heap == 0)
		pthread_cond_signal(&walk->news);
	while (walk->n_heap == 0 && !walk->finished)
		pthread_cond_wait(&walk->work, &walk->lock);
	walk->hungry--;
	if (!walk->finished)
		take_work(walk, ret_work);
	pthread_mutex_unlock(&walk->lock);
	return ret_work->n > 0;
}

/*
 * The side of the caller's thread.
 */
void walk_give_work(struct walk *walk, struct jobs *work, size_t released, size_t released_bytes)
{
	struct job *job;
	bool more = work->n > 0;

	if (!more && released == 0)
		return;
	pthread_mutex_lock(&walk->lock);
	while ((job = jobs_pop(work)))
		heap_push(walk, job);
	walk->alive -= released;
	walk->alive_bytes -= released_bytes;
	if (more)
		pthread_cond_broadcast(&walk->work);
	if (released > 0) {
		walk->scanner_waits = false; /* until it has seen that this is not enough */
		pthread_cond_signal(&walk->room);
	}
	pthread_mutex_unlock(&walk->lock);
}

static bool is_stuck(const struct walk *walk)
{
	return walk->scanner_waits && walk->n_heap == 0 && walk->hungry > 0;
}

void walk_take(struct walk *walk, int64_t until_ns, bool ordered, struct news *ret_news)
{
	struct timespec until = {.tv_sec = until_ns / NS_PER_SEC, .tv_nsec = until_ns % NS_PER_SEC};

	jobs_init(&ret_news->seen);
	jobs_init(&ret_news->done);
	pthread_mutex_lock(&walk->lock);
	while (walk->seen.n == 0 && walk->done.n == 0 && !(walk->scanned && walk->alive == 0) &&
	        !(ordered && is_stuck(walk)))
		if (pthread_cond_timedwait(&walk->news, &walk->lock, &until) == ETIMEDOUT)
			break;
	jobs_move(&walk->seen, &ret_news->seen);
	jobs_move(&walk->done, &ret_news->done);
	ret_news->scanned = walk->scanned;
	ret_news->ended = walk->scanned && walk->alive == 0;
	ret_news->stuck = ret_news->seen.n == 0 && ret_news->done.n == 0 && is_stuck(walk);
	pthread_mutex_unlock(&walk->lock);
}

void walk_cancel(struct walk *walk)
{
	pthread_mutex_lock(&walk->lock);
	walk->cancelled = true;
	pthread_cond_broadcast(&walk->room);
	pthread_mutex_unlock(&walk->lock);
}

void walk_finish(struct walk *walk)
{
	pthread_mutex_lock(&walk->lock);
	walk->finished = true;
	pthread_cond_broadcast(&walk->work);
	pthread_mutex_unlock(&walk->lock);
}
