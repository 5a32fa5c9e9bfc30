/*
 * The creation watcher: every executable that is closed after writing in a container's upper layer
 * becomes a drop on record, with who wrote it. It has a thread of its own that does nothing else,
 * because a writer is often gone a moment later; what was missed is said, never guessed.
 */
#pragma once

#include "daemon/births.h"
#include "daemon/faults.h"
#include "daemon/hashing.h"
#include "daemon/pool.h"
#include "daemon/probe.h"
#include "daemon/recorder.h"
#include "daemon/trusted.h"

#include <stdint.h>

#define CREATION_HASH_MAX (256u * 1024u * 1024u) /* bytes; a larger drop is hashed when it runs */

struct creations;

struct creations_context {
	int group; /* borrowed */
	struct probe_context probe;
	struct hash_cache *cache;
	struct births *births;
	struct pool *pool;
	struct recorder *recorder;
	struct faults *faults;
	struct trusted *trusted;
};

int creations_new(const struct creations_context *context, struct creations **ret_creations);
int creations_start(struct creations *creations);
void creations_stop(struct creations *creations);
void creations_free(struct creations *creations);

/*
 * Waits until everything that was closed before this call has been seen, at most @timeout_ms.
 * False when it could not be waited for. Not for what the watcher itself calls.
 */
bool creations_drain(struct creations *creations, unsigned int timeout_ms);

uint64_t creations_count(const struct creations *creations);
