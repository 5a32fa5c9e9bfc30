/*
 * Leases that have done their work, but for one thing: an exec that was let through because of them
 * may not be where the kernel itself denies writers. They are held until it is (passing.h), by a
 * thread of their own, in which nobody waits but who wants to write such a file.
 *
 * The kernel ends a lease that somebody waits for after 45 s (fs.lease-break-time), whatever we do.
 */
#pragma once

#include "daemon/faults.h"

#include <stdint.h>
#include <sys/types.h>

/* Before anybody is looked at: an exec rarely takes longer, and then one look is enough. */
#define LINGERING_FIRST_MS 20u
/* How long a lease is held at most: 5 s less than the kernel's own default. */
#define LINGERING_MAX_MS 40000u

struct lingering;
struct lingering_look;

/* Part of what holds the descriptor; all but @tgid and @release is lingering.c's. */
struct lingering_item {
	pid_t tgid; /* whose exec it is; 0: anybody's, by a mark that is gone */
	void (*release)(struct lingering_item *item); /* ends the lease, and frees */
	int64_t due_ns, until_ns;                     /* CLOCK_MONOTONIC */
	struct lingering_look *look;
	struct lingering_item *next;
};

int lingering_new(struct faults *faults, struct lingering **ret_lingering);
int lingering_start(struct lingering *lingering);
/* Takes @item; never fails. After lingering_stop() it is released at once. */
void lingering_add(struct lingering *lingering, struct lingering_item *item);
/* Releases all: guarding has ended. */
void lingering_stop(struct lingering *lingering);
void lingering_free(struct lingering *lingering);
