/* What the files of the reader share: what it is asked, its work, and how it is run. */
#pragma once

#include "allowlists/reader.h"
#include "allowlists/reader_frames.h"

#include <limits.h>
#include <stdint.h>

#define READER_IN  0 /* the reader's only descriptors: the envelope, */
#define READER_OUT 1 /* and the pipe */

/* Sent to the helper as it is. */
struct reader_request {
	int64_t now_ns; /* which keys have expired */
	uint32_t threshold;
	char keys_dir[PATH_MAX];
};

/*
 * One envelope. Without @helper a child of this process reads it, which must have one thread only.
 * 0 with what was said; -EPROTO, -ETIMEDOUT, what the reader failed with, or another -errno. The
 * caller calls reader_answer_done().
 */
int reader_read(struct reader_helper *helper, int envelope, const struct reader_request *request,
        struct reader_answer *ret_answer);

/* The same by another worker, and another time: for the tests of what happens to a bad one. */
struct reader_work {
	void (*run)(const struct reader_request *request); /* in the child; its return ends it */
	unsigned int seconds;
};
int reader_read_with(const struct reader_work *work, int envelope,
        const struct reader_request *request, struct reader_answer *ret_answer);

/* reader_work.c: reads READER_IN, says it all to READER_OUT. */
void reader_run(const struct reader_request *request);
