/*
 * The self-test: techniques of the threat matrix, tried in a scratch overlay that the running
 * daemon guards.
 */
#pragma once

#include "tools/verbs.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

extern const uint8_t selftest_payload_data[], selftest_payload_end[];

#define SELFTEST_EXIT 42 /* what the payload exits with */

/* The overlay, in a mount namespace of the calling process. */
struct selftest_box {
	char *dir; /* a tmpfs with lower, upper, work, merged */
};

/* Enters a mount namespace and builds the box below @runtime_dir. 0, or an exit code after a
 * message that says which step failed. */
int selftest_box_make(const char *runtime_dir, struct selftest_box *ret_box);
void selftest_box_done(struct selftest_box *box);

/* How a try ended. */
struct selftest_outcome {
	bool ran;    /* the payload ran */
	int error;   /* errno of what failed, when it did not */
	const char *step; /* "exec", or what came before it; static */
};

/* One technique: runs inside the overlay (chroot), execs, never returns when the exec works. */
struct selftest_trick {
	const char *row, *name;
	const char *path; /* of the program, unique: its event is found by it */
	bool must_run;    /* the image's own: no false alarm */
	const char *reason; /* of the event that is expected; NULL when it must run */
	/* Prepares and execs. Returns the errno with *step set when something failed. */
	int (*run)(const struct selftest_trick *trick, const char **step);
};

extern const struct selftest_trick selftest_tricks[];
extern const size_t selftest_n_tricks;

/* Forks, chroots to the box and tries. */
struct selftest_outcome selftest_try(const struct selftest_box *box, const struct selftest_trick *trick);
