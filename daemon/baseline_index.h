/*
 * The digests of one snapshot in a file without a name, sorted, 32 bytes each. SHA-256 spreads
 * evenly, so that where a digest would stand is known nearly exactly: a lookup reads a few pages of
 * the file, whatever its size, and nothing of it is kept in memory. Digests that somebody picked so
 * that they do not spread cost a binary search, no more.
 *
 * Read with pread(2), never mmap(2): a failing disk would be a SIGBUS.
 */
#pragma once

#include "core/types.h"

#include <stddef.h>
#include <stdint.h>

struct baseline_index;

enum baseline_answer {
	BASELINE_UNSET = 0,
	BASELINE_UNKNOWN, /* no snapshot of that scope has the digest */
	BASELINE_KNOWN,
	BASELINE_FAILED, /* an index could not be read, and none that could has it: nobody vouches,
	                    and a fault is to be counted */
};

/* An empty one, whose file is made in the directory @dir with the first digest. 0 or -ENOMEM. */
int baseline_index_new(const char *dir, struct baseline_index **ret_index);
struct baseline_index *baseline_index_ref(struct baseline_index *index);
void baseline_index_unref(struct baseline_index *index);

/*
 * Appends. 0; -EILSEQ when they are not in strictly ascending order, over all calls; -EFBIG past
 * BASELINE_DIGESTS_MAX; -ENOSPC or another -errno of the file. After a failure only unref.
 */
#define BASELINE_DIGESTS_MAX 100000000u /* 3.2 GB */
int baseline_index_add(struct baseline_index *index, const struct digest *digests, size_t n);
/* Once after the last: from here on it is immutable and can be asked. 0 or -errno. */
int baseline_index_finish(struct baseline_index *index);

uint64_t baseline_index_count(const struct baseline_index *index);
/* UNKNOWN, KNOWN or FAILED. By any thread. */
enum baseline_answer baseline_index_ask(
        const struct baseline_index *index, const struct digest *digest);
/* The same, and how many pages it read (@ret_pages); for tests. */
enum baseline_answer baseline_index_ask_counted(
        const struct baseline_index *index, const struct digest *digest, unsigned int *ret_pages);
