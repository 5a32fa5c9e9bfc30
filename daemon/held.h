/*
 * Verdicts on files of upper layers, and of guarded host filesystems, that the kernel remembers. A
 * lower file nobody can write; an upper one anybody in the container can, and the host its own: so
 * its ignore mark stands only as long as our lease on the real inode. Whoever asks to write it
 * waits, is noticed (a signal, read by a thread that does nothing else), the mark goes, and the
 * lease when every exec that the mark let pass is beyond the kernel's own write-deny (lingering.h).
 *
 * The number of leases is bounded. When it is reached, the kind that holds more, containers or host
 * filesystems, gives one up: of it the container, or filesystem, that holds most its oldest. One
 * container cannot push out all others, nor can all of them the host, nor the host them.
 */
#pragma once

#include "daemon/fan_groups.h"
#include "daemon/hostfs.h"
#include "daemon/lingering.h"
#include "daemon/overlays.h"

#include <stdint.h>

struct held;

struct held_context {
	const struct fan_groups *groups;
	struct overlays *overlays;
	struct lingering *lingering; /* takes over the leases whose mark is gone */
	unsigned int max;            /* leases at a time; 0: nothing is held */
};

int held_new(const struct held_context *context, struct held **ret_held);
int held_start(struct held *held);
/* Lets go of everything; the marks must be gone (fan_groups_flush). */
void held_stop(struct held *held);
void held_free(struct held *held);

/* Where a file lies: in the upper layer of @overlay, or on @host, whichever is not NULL. Borrowed.
 */
struct held_place {
	struct overlay *overlay;
	struct hostfs *host;
};

/*
 * Takes *@fd, a real inode of @place that is leased by it (hashing.h), and lets the kernel remember
 * that it may run, until it is asked to be written, forgotten, @until_ns (CLOCK_REALTIME; 0 for
 * ever), or the container or filesystem goes. The caller holds the ruling that allows it
 * (rulings_hold). False when it was not taken: *@fd is as it was.
 */
bool held_keep(struct held *held, const struct held_place *place, int64_t until_ns, int *fd);

/* No mark stands after this; leases follow. */
void held_forget(struct held *held);
/* Lets go of what belongs to overlays and filesystems that are gone, and of files that have no name
 * any more. */
void held_sweep(struct held *held);

size_t held_count(struct held *held);
