/*
 * The digests that trusted writers vouch for, each within a scope: a bounded set that grows as it
 * is filled and, when it is full, forgets its older half. A forgotten digest is vouched for no
 * more until its file is written again: nobody is allowed by what is not here.
 *
 * Not locked: trusted.c, which owns it, has a lock.
 */
#pragma once

#include "core/types.h"
#include "store/baselines.h"

#include <stdint.h>

/* Entries of 48 bytes at a load of 3/4 at most, in two halves: 48 MiB when both are full. */
#define TRUSTED_DIGESTS_HALF 393216u
#define TRUSTED_DIGESTS_MAX  (2 * TRUSTED_DIGESTS_HALF)

/* Where a digest holds. */
struct trusted_scope {
	enum snapshot_scope kind; /* CONTAINER or FILESYSTEM */
	const char *value;        /* the container's key, the filesystem's UUID; borrowed */
};

struct trusted_entry {
	struct digest key;  /* SHA-256 of digest and scope: trusted_digests.c */
	int64_t expires_ns; /* CLOCK_REALTIME; 0: the place is empty */
	uint32_t writer;    /* trusted.c's number of the writer */
	uint32_t created_s; /* CLOCK_REALTIME, seconds */
};

struct trusted_digests;

/* @half: entries of each half, TRUSTED_DIGESTS_HALF but in tests. 0 or -ENOMEM. */
int trusted_digests_new(size_t half, struct trusted_digests **ret_set);
void trusted_digests_free(struct trusted_digests *set);

/* What a digest is known by within a scope. 0 or -errno. */
int trusted_digests_key(
        const struct digest *digest, const struct trusted_scope *scope, struct digest *ret_key);
/* Adds or replaces. 0 or -ENOMEM. */
int trusted_digests_add(struct trusted_digests *set, const struct trusted_entry *entry);
/* Borrowed until the next call that adds; NULL when there is none. Expired ones are found too. */
const struct trusted_entry *trusted_digests_find(
        const struct trusted_digests *set, const struct digest *key);
size_t trusted_digests_count(const struct trusted_digests *set);
