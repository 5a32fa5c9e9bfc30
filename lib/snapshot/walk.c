/* The caller's side of a walk: what is known, what is to be read, what is handed over. */
#include "snapshot/walk.h"

#include "base/clock.h"
#include "snapshot/walk_internal.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define PROGRESS_NS (200 * NS_PER_MSEC)
#define STACK_SIZE  ((size_t)256 * 1024) /* bytes; scanner and hashers keep little on it */

struct caller {
	struct walk *walk;
	const struct walk_options *options;
	struct walk_totals totals;
	struct links *links;
	struct jobs work;  /* to be handed out */
	struct job **ring; /* WINDOW_JOBS; done, by number, and waiting for those before them */
	uint64_t next;     /* the number that leaves next */
	bool ordered;      /* else all leave as they come */
	size_t released, released_bytes; /* jobs that have gone */
	uint64_t files, files_total;
	int64_t start_ns, progress_ns;
	int error; /* 0, or what ends the walk */
};

static void report(struct caller *c, bool scanned)
{
	int64_t now_ns = clock_monotonic_ns();
	struct walk_progress progress = {
	        .entries = c->walk->entries,
	        .files = c->files,
	        .bytes = c->walk->bytes_read,
	        .files_total = c->files_total,
	        .bytes_total = c->walk->bytes_total,
	        .complete = scanned,
	        .elapsed_ns = now_ns - c->start_ns,
	};

	if (!c->options->progress || now_ns < c->progress_ns)
		return;
	/* A file that changes is read more than once. */
	if (progress.bytes_total < progress.bytes)
		progress.bytes_total = progress.bytes;
	c->progress_ns = now_ns + PROGRESS_NS;
	c->options->progress(&progress, c->options->userdata);
}

static void count(struct caller *c, const struct job *job)
{
	const struct entry *entry = &job->entry;

	c->totals.entries++;
	c->totals.files += entry->type == ENTRY_FILE;
	c->totals.executables += (entry->flags & ENTRY_EXECUTABLE) != 0;
	c->totals.bytes += entry->content == CONTENT_KNOWN ? entry->size : 0;
}

static bool is_wanted(const struct walk_options *options, const struct entry *entry)
{
	return options->all_files || options->all_entries || entry->flags & ENTRY_EXECUTABLE ||
	       entry->content == CONTENT_UNREADABLE || entry->content == CONTENT_MUTABLE;
}

static void deliver(struct caller *c, struct job *job)
{
	const struct walk_options *options = c->options;

	c->files += job->read;
	c->totals.unreadable += job->problem == WALK_UNREADABLE;
	c->totals.mutable_files += job->problem == WALK_MUTABLE;
	c->totals.too_long += job->problem == WALK_TOO_LONG;
	if (job->hashed) {
		c->totals.hashed++;
		c->totals.hashed_bytes += job->entry.size;
	}
	if (job->problem != WALK_PROBLEM_UNSET && options->problem)
		options->problem(job->entry.path, job->problem, job->error, options->userdata);
	if (job->vanished || !is_wanted(options, &job->entry))
		return;
	count(c, job);
	c->error = options->add(&job->entry, options->userdata);
}

/* The job ends here. */
static void finish_job(struct caller *c, struct job *job)
{
	if (c->error == 0 && job->fatal != 0)
		c->error = job->fatal;
	if (c->error == 0)
		deliver(c, job);
	c->released++;
	c->released_bytes += job->text_size;
	job_free(job);
}

/* What follows from what the caller has filled in, and from what was seen now. */
static void recall(struct entry *entry)
{
	entry->content = CONTENT_KNOWN;
	entry->flags &= ENTRY_IMA;
	if (entry->kind == EXEC_KIND_OTHER || entry->kind == EXEC_KIND_UNKNOWN)
		entry->kind = entry->mode & 0111 ? EXEC_KIND_OTHER : EXEC_KIND_UNKNOWN;
	if (entry->kind != EXEC_KIND_UNKNOWN)
		entry->flags |= ENTRY_EXECUTABLE;
	entry->settled = true;
}

/* False: it is to be read. */
static bool is_known(struct caller *c, struct job *job)
{
	int r = c->options->known ? c->options->known(&job->entry, c->options->userdata) : 0;

	if (r != 0 && r != 1)
		c->error = r;
	if (r == 1 && job->read)
		recall(&job->entry);
	return r != 0 || !job->read;
}

static void read_later(struct caller *c, struct job *job)
{
	c->files_total++;
	if (c->options->all_files || job->entry.mode & 0111)
		c->walk->bytes_total += job->entry.size;
	jobs_push(&c->work, job);
}

/*
 * What is not to be read goes to @done as it is: the caller asks for many, then adds many, which a
 * database likes better than turns.
 */
static void handle_seen(struct caller *c, struct job *job, struct jobs *done)
{
	enum links_answer answer = LINKS_READ;

	if (c->error != 0 || job->vanished || is_known(c, job)) {
		jobs_push(done, job);
		return;
	}
	if (job->linked)
		answer = links_ask(&c->links, job);
	if (answer == LINKS_ANSWERED)
		jobs_push(done, job);
	else if (answer == LINKS_READ)
		read_later(c, job);
}

static void drain_ring(struct caller *c)
{
	for (;;) {
		struct job **slot = &c->ring[c->next % WINDOW_JOBS], *job = *slot;

		if (!job)
			return;
		*slot = NULL;
		c->next++;
		finish_job(c, job);
	}
}

static void leave(struct caller *c, struct job *job)
{
	if (!c->ordered) {
		finish_job(c, job);
		return;
	}
	c->ring[job->number % WINDOW_JOBS] = job;
	drain_ring(c);
}

/* Order costs too much, or there is no use for it. */
static void give_up_order(struct caller *c)
{
	c->ordered = false;
	for (size_t i = 0; i < WINDOW_JOBS; i++) {
		struct job *job = c->ring[(c->next + i) % WINDOW_JOBS];

		c->ring[(c->next + i) % WINDOW_JOBS] = NULL;
		if (job)
			finish_job(c, job);
	}
}

static void handle_done(struct caller *c, struct job *job)
{
	struct jobs answered, again;
	struct job *sibling;

	jobs_init(&answered);
	jobs_init(&again);
	links_settle(job, &answered, &again);
	leave(c, job);
	while ((sibling = jobs_pop(&answered)))
		leave(c, sibling);
	while ((sibling = jobs_pop(&again))) {
		if (c->error != 0)
			leave(c, sibling);
		else
			read_later(c, sibling);
	}
}

static void hand_out(struct caller *c)
{
	walk_give_work(c->walk, &c->work, c->released, c->released_bytes);
	c->released = c->released_bytes = 0;
}

/* Small steps, so that hashers never wait for the caller's disk longer than needed. */
static void handle_all(struct caller *c, struct news *news)
{
	struct job *job;
	size_t n = 0;

	/* First what gives the others work. */
	while ((job = jobs_pop(&news->seen))) {
		handle_seen(c, job, &news->done);
		if (++n % BATCH_JOBS == 0)
			hand_out(c);
	}
	hand_out(c);
	while ((job = jobs_pop(&news->done))) {
		handle_done(c, job);
		if (++n % BATCH_JOBS == 0) {
			hand_out(c);
			report(c, news->scanned);
		}
	}
	if (c->ordered && news->stuck)
		give_up_order(c);
	hand_out(c);
}

static bool is_stopped(const struct walk_options *options)
{
	return options->stop && *options->stop;
}

static void run(struct caller *c)
{
	struct news news = {.ended = false};

	while (!news.ended) {
		walk_take(c->walk, clock_monotonic_ns() + PROGRESS_NS, c->ordered, &news);
		if (c->error == 0 && is_stopped(c->options))
			c->error = -ECANCELED;
		/* The scanner and the hashers give up what they have; it still comes round. */
		if (c->error != 0 && !c->walk->cancelled)
			walk_cancel(c->walk);
		if (c->error != 0 && c->ordered)
			give_up_order(c);
		handle_all(c, &news);
		if (c->error == 0)
			report(c, news.scanned);
	}
	if (c->error == 0)
		c->error = c->walk->scan_error;
}

static unsigned int count_cores(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < 1 ? 1 : (unsigned int)n;
}

struct threads {
	pthread_t ids[WALK_THREADS_MAX + 1];
	unsigned int n;
};

static int start(struct threads *threads, void *(*fn)(void *), struct walk *walk)
{
	pthread_attr_t attr;
	int r = pthread_attr_init(&attr);

	if (r != 0)
		return -r;
	(void)pthread_attr_setstacksize(&attr, STACK_SIZE);
	r = pthread_create(&threads->ids[threads->n], &attr, fn, walk);
	(void)pthread_attr_destroy(&attr);
	if (r != 0)
		return -r;
	threads->n++;
	return 0;
}

/* Hashers first: without one nothing would come round. Signals are for the caller's thread. */
static int start_all(struct threads *threads, struct walk *walk)
{
	sigset_t all, before;
	int r = 0;

	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	while (r == 0 && threads->n < walk->n_threads)
		r = start(threads, walk_hash_thread, walk);
	if (threads->n > 0)
		walk->n_threads = threads->n;
	r = threads->n > 0 ? start(threads, walk_scan_thread, walk) : r;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

static int walk(struct caller *c)
{
	struct threads threads = {.n = 0};
	int r = start_all(&threads, c->walk);

	if (r == 0)
		run(c);
	walk_finish(c->walk);
	for (unsigned int i = 0; i < threads.n; i++)
		(void)pthread_join(threads.ids[i], NULL);
	return r < 0 ? r : c->error;
}

int walk_tree(const struct walk_options *options, struct walk_totals *ret_totals)
{
	struct walk *state = calloc(1, sizeof(*state));
	struct caller c = {.walk = state,
	        .options = options,
	        .ring = calloc(WINDOW_JOBS, sizeof(c.ring[0])),
	        .ordered = true,
	        .start_ns = clock_monotonic_ns()};
	int r;

	*ret_totals = (struct walk_totals){0};
	if (!state || !c.ring) {
		free(state);
		free(c.ring);
		return -ENOMEM;
	}
	state->options = options;
	state->n_threads = options->threads ?: count_cores();
	if (state->n_threads > WALK_THREADS_MAX)
		state->n_threads = WALK_THREADS_MAX;
	jobs_init(&c.work);
	r = walk_queues_init(state);
	if (r == 0) {
		r = walk(&c);
		walk_queues_done(state);
	}
	links_free(c.links);
	free(c.ring);
	free(state);
	*ret_totals = c.totals;
	return r;
}
