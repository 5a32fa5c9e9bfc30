/*
 * The self-test: techniques of the threat matrix, tried in a scratch overlay that the running
 * daemon guards.
 */
#pragma once

#include "base/cleanup.h"
#include "tools/verbs.h"

#include <stddef.h>
#include <stdint.h>

extern const uint8_t selftest_payload_data[], selftest_payload_end[];

#define SELFTEST_EXIT       42    /* what the payload exits with */
#define SELFTEST_TIMEOUT_MS 30000 /* for all of it */
#define SELFTEST_PATH_SIZE  96u
#define SELFTEST_NO_TMPFILE "no O_TMPFILE before Linux 6.10" /* a step that skips the try */

struct selftest_box;
struct selftest_trick;

/* One try, as the child sees it: inside the overlay, chrooted. */
struct selftest_try {
	const struct selftest_trick *trick;
	char path[SELFTEST_PATH_SIZE]; /* of the program: unique on this host, its event is found by
	                                  it */
	char image[SELFTEST_PATH_SIZE]; /* a program of the image that no trick changes */
	const char *step;               /* out: what failed; static */
};

struct selftest_trick {
	const char *row, *name;
	const char *dir, *file; /* of the program */
	const char *reason;     /* of the expected event; NULL: must run, without an event */
	/* Prepares and execs. Returns the errno of try->step. */
	int (*run)(struct selftest_try *try);
	bool in_image; /* the image has the program; else the trick makes it */
	bool needs_proc;
	bool nameless; /* without handles nobody can tell where it came from: denied all the same */
};

extern const struct selftest_trick selftest_tricks[];
extern const size_t selftest_n_tricks;

enum selftest_end {
	SELFTEST_BROKEN = 0, /* the preparation failed */
	SELFTEST_RAN,        /* the payload ran */
	SELFTEST_REFUSED,    /* its exec failed */
	SELFTEST_HUNG,       /* no answer in time; the child was killed */
	SELFTEST_SKIPPED,
};

struct selftest_outcome {
	enum selftest_end end;
	int error;     /* errno of what failed */
	char step[32]; /* what failed, or why it was skipped */
};

/*
 * Enters a mount namespace of its own, and builds the overlay below @runtime_dir. 0, or an exit
 * code after a message that says which step failed.
 */
int selftest_box_new(const char *runtime_dir, struct selftest_box **ret_box);
void selftest_box_free(struct selftest_box *box);
DEFINE_FREEP(selftest_box, selftest_box_free)

/* The path of @trick's program in the overlay; the file's name is unique on this host. */
void selftest_path(const struct selftest_box *box, const struct selftest_trick *trick,
        char ret_path[SELFTEST_PATH_SIZE]);

/* Forks, chroots into the overlay and tries, until @until_ns (CLOCK_MONOTONIC). */
struct selftest_outcome selftest_try(
        const struct selftest_box *box, const struct selftest_trick *trick, int64_t until_ns);
