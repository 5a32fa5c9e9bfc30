/*
 * From a permission event to an answer. Events are read and settled by one thread when that needs
 * nothing but the kernel's own tables; whatever needs a digest, a look for overlays or a wait for
 * the creation watcher goes to the pool. Every request has a deadline, after which on_failure
 * answers. The record is made after the answer.
 */
#pragma once

#include "daemon/creations.h"
#include "daemon/fan_groups.h"
#include "daemon/faults.h"
#include "daemon/hashing.h"
#include "daemon/held.h"
#include "daemon/image_index.h"
#include "daemon/lingering.h"
#include "daemon/pool.h"
#include "daemon/probe.h"
#include "daemon/recorder.h"
#include "daemon/ruling.h"
#include "daemon/trusted.h"

#include <stdint.h>

struct verdicts;

struct verdicts_context {
	bool real_events; /* each exec raises an event of the real inode, whatever else it raises */
	const struct fan_groups *groups;
	struct rulings *rulings;
	struct probe_context probe;
	struct hash_cache *cache;
	struct image_indexer *indexer;
	struct pool *pool;
	struct held *held;
	struct lingering *lingering;
	struct creations *creations;
	struct trusted *trusted;
	struct recorder *recorder;
	struct faults *faults;
};

struct verdicts_counters {
	uint64_t events; /* permission events read */
	uint64_t allow, deny, would_deny;
	uint64_t pending;
};

int verdicts_new(const struct verdicts_context *context, struct verdicts **ret_verdicts);
/* Starts reading. 0 or -errno. */
int verdicts_start(struct verdicts *verdicts);
/*
 * Ends: what is queued is read and answered, what is under way gets up to @grace_ms, then
 * on_failure. Marks must be gone (fan_groups_flush), or the queue may never be empty.
 */
void verdicts_stop(struct verdicts *verdicts, unsigned int grace_ms);
void verdicts_free(struct verdicts *verdicts);

/* Counts an event that was read, and decided, elsewhere (fuse.h). */
void verdicts_count(struct verdicts *verdicts, enum verdict verdict);
void verdicts_counters(struct verdicts *verdicts, struct verdicts_counters *ret_counters);
