/*
 * The walk's inside; for walk*.c only.
 *
 * One thread scans directories, some hash, the calling thread stands between them: it asks what is
 * known, hands out what is to be read, and gives entries to the caller. A file is a job that goes
 * round: scanner -> (seen) -> caller's thread -> (heap) -> hasher -> (done) -> caller's thread. All
 * jobs alive are the window, which bounds the memory of a walk whatever the tree holds; only the
 * scanner waits for room in it, so that nothing can wait in a circle.
 *
 * Jobs leave in the order of the scan, which is that of the paths, as long as that costs nothing:
 * when hashers are idle because one large file keeps the whole window waiting, order is given up.
 */
#pragma once

#include "snapshot/beneath.h"
#include "snapshot/walk.h"

#include <pthread.h>
#include <stdatomic.h>

#define WINDOW_JOBS  16384u                  /* some 600 bytes each */
#define WINDOW_BYTES (4u * 1024u * 1024u)    /* of paths and link targets in them */
#define BATCH_JOBS   64u                     /* handed on by the scanner at once */
#define SETTLE_NS    (20 * INT64_C(1000000)) /* two ticks of the slowest clock (HZ=100) */

struct job {
	struct job *next;
	uint64_t number;    /* counts up from 0 in the order of the scan */
	struct entry entry; /* owned; without a type: only a problem is told of its path */
	size_t text_size;   /* bytes of its texts, as counted in the window */
	bool read;          /* a regular file whose content may be asked for */
	bool local;         /* on a filesystem whose changes this kernel's clock stamps */
	bool linked;        /* has other names */
	bool hashed;        /* its content was read for this */
	bool vanished;      /* no entry any more */
	enum walk_problem problem;
	int error;            /* errno of the problem */
	int fatal;            /* 0 or -errno: ends the walk */
	struct link *link;    /* the slot that stands for its inode, or NULL */
	struct job *siblings; /* other names of its inode, waiting for this one */
};

/* First in, first out. */
struct jobs {
	struct job *first, **end;
	size_t n;
};

struct walk {
	const struct walk_options *options;
	unsigned int n_threads;

	pthread_mutex_t lock;
	pthread_cond_t news; /* for the caller's thread */
	pthread_cond_t work; /* for hashers */
	pthread_cond_t room; /* for the scanner */
	struct jobs seen, done;
	struct job *heap[WINDOW_JOBS]; /* large files by size, then the others in their order */
	size_t n_heap;
	bool scanner_waits;
	size_t alive, alive_bytes;
	bool scanned;   /* the scanner has ended */
	int scan_error; /* 0 or -errno */
	bool finished;  /* hashers may go */

	atomic_bool cancelled;
	atomic_uint hungry; /* hashers without work */
	atomic_uint_fast64_t bytes_read, bytes_total, entries;
};

void jobs_init(struct jobs *jobs);
void jobs_push(struct jobs *jobs, struct job *job);
struct job *jobs_pop(struct jobs *jobs); /* NULL: empty */
/* @from is empty afterwards. */
void jobs_move(struct jobs *from, struct jobs *to);
void jobs_clear(struct jobs *jobs); /* frees */

/* A job with a copy of the path. NULL without memory. */
struct job *job_new(const char *path);
void job_free(struct job *job);

int walk_queues_init(struct walk *walk);
void walk_queues_done(struct walk *walk);
/* The scanner's: waits for room. False when the walk is cancelled. @batch is empty afterwards. */
bool walk_give_seen(struct walk *walk, struct jobs *batch);
void walk_end_scan(struct walk *walk, int error);
/* The hashers': gives back what is done and waits for more. False when there will be none. */
bool walk_exchange(struct walk *walk, struct jobs *done, struct jobs *ret_work);
/* The caller's thread: hands work out, gives room back. @work is empty afterwards. */
void walk_give_work(struct walk *walk, struct jobs *work, size_t released, size_t released_bytes);
struct news {
	struct jobs seen, done;
	bool scanned; /* the scanner has ended */
	bool stuck;   /* hashers are idle, and the scanner waits for jobs to leave */
	bool ended;   /* no job is alive, and none will come */
};
/*
 * Takes what there is, waiting until @until_ns (CLOCK_MONOTONIC) for it; @ordered: also for getting
 * stuck.
 */
void walk_take(struct walk *walk, int64_t until_ns, bool ordered, struct news *ret_news);
void walk_cancel(struct walk *walk);
void walk_finish(struct walk *walk);

void *walk_scan_thread(void *walk);
void *walk_hash_thread(void *walk);

/* Files with several names (walk_links.c); used on the caller's thread only. */
struct links;
void links_free(struct links *links);
enum links_answer {
	LINKS_UNSET = 0,
	LINKS_READ,    /* nobody has read it: this job is to be */
	LINKS_WAIT,    /* taken: it comes back with the job that stands for the inode */
	LINKS_ANSWERED /* filled in */
};
enum links_answer links_ask(struct links **links, struct job *job);
/*
 * @job is done: keeps what was read for names to come, and moves its siblings to @ret_answered
 * where that holds for them, else to @ret_read.
 */
void links_settle(struct job *job, struct jobs *ret_answered, struct jobs *ret_read);
