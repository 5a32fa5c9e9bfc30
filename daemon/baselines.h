/*
 * The digests of all current snapshots, as verdicts ask for them: by scope, without SQLite. Each
 * snapshot becomes an index once: its executables' digests, sorted, in a file without a name in the
 * state directory. Digests are evenly spread, so that a lookup reads one or two pages of it,
 * whatever its size; nothing is loaded. Immutable once made; the next set shares the indexes that
 * still hold.
 */
#pragma once

#include "core/facts.h"
#include "store/baselines.h"

struct baselines;

/*
 * All that is current in @store. @before (NULL: none) gives what it shares. 0, STORE_E_* or -errno.
 */
int baselines_load(struct store *store, const char *state_dir, struct baselines *before,
        struct baselines **ret_baselines);
struct baselines *baselines_ref(struct baselines *baselines);
void baselines_unref(struct baselines *baselines);

enum baseline_answer {
	BASELINE_UNSET = 0,
	BASELINE_UNKNOWN, /* no snapshot of that scope has the digest */
	BASELINE_KNOWN,
	BASELINE_FAILED, /* an index could not be read: nobody vouches, and a fault is to be counted
	                  */
};

/* For a file in a container; and for one of a guarded host filesystem, by its UUID. */
enum baseline_answer baselines_ask_container(const struct baselines *baselines,
        const struct digest *digest, const struct container_info *container);
enum baseline_answer baselines_ask_filesystem(
        const struct baselines *baselines, const struct digest *digest, const char *uuid);
/* True when at least one snapshot vouches on the filesystem. */
bool baselines_have_filesystem(const struct baselines *baselines, const char *uuid);
