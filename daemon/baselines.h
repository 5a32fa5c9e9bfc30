/*
 * The digests of all current snapshots, as verdicts ask for them: by scope, without SQLite. Each
 * snapshot that vouches anywhere becomes an index once (baseline_index.h); nothing of it is kept in
 * memory but where it vouches. Immutable once made; the next set shares the indexes that still
 * hold. NULL is a set without a snapshot.
 */
#pragma once

#include "core/facts.h"
#include "daemon/baseline_index.h"
#include "store/baselines.h"

#define BASELINE_SNAPSHOTS_MAX 8192u /* each with a descriptor; LimitNOFILE is 1,048,576 */

struct baselines;

/*
 * All that is current in @store. @before (NULL: none) gives what it shares. 0, STORE_E_*, -E2BIG
 * past BASELINE_SNAPSHOTS_MAX, or another -errno.
 */
int baselines_load(struct store *store, const char *state_dir, struct baselines *before,
        struct baselines **ret_baselines);
struct baselines *baselines_ref(struct baselines *baselines);
void baselines_unref(struct baselines *baselines);

/* For a file in a container; and for one of a guarded host filesystem, by its UUID. */
enum baseline_answer baselines_ask_container(const struct baselines *baselines,
        const struct digest *digest, const struct container_info *container);
enum baseline_answer baselines_ask_filesystem(
        const struct baselines *baselines, const struct digest *digest, const char *uuid);
/* True when at least one snapshot vouches on the filesystem. */
bool baselines_have_filesystem(const struct baselines *baselines, const char *uuid);

/* Whether a snapshot vouches where @facts say that the file lies, whatever digests it has. */
bool baselines_scope_holds(const struct snapshot_info *info, const struct exec_facts *facts);

struct baselines_totals {
	uint64_t snapshots; /* that vouch somewhere */
	uint64_t digests;   /* of all of them; one in two snapshots counts twice */
	uint64_t by_scope[_SNAPSHOT_SCOPE_MAX];
	uint64_t shared;    /* snapshots whose index is the set's before */
	int64_t generation; /* of the database, when they were read */
};
void baselines_totals(const struct baselines *baselines, struct baselines_totals *ret_totals);
