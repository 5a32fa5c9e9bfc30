/*
 * Whether a tree still is what its current snapshot says. A look that finds no difference writes
 * nothing: the snapshot stands, and the database does not grow with each night's run. It ends at
 * the first difference; then a new snapshot is built, from the start.
 */
#pragma once

#include "base/cleanup.h"
#include "snapshot/walk.h"
#include "store/baselines.h"

struct unchanged;

/*
 * @info as for build_begin(). STORE_E_NOTFOUND when no current snapshot was made in that way, for
 * that scope, so that a new one is needed anyway. unchanged_free().
 */
int unchanged_begin(
        struct store *store, const struct snapshot_info *info, struct unchanged **ret_unchanged);
/* walk_options.known and .add. Both end the walk at the first difference: UNCHANGED_E_DIFFERS. */
#define UNCHANGED_E_DIFFERS 1000
int unchanged_known(struct entry *entry, void *unchanged);
int unchanged_add(const struct entry *entry, void *unchanged);
/* After a walk that ended with 0: true with the snapshot, when it has nothing else either. */
bool unchanged_holds(struct unchanged *unchanged, struct snapshot_info *ret_info);
void unchanged_free(struct unchanged *unchanged);
DEFINE_FREEP(unchanged, unchanged_free)
