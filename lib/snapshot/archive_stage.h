/*
 * A layer that comes as a stream of names in any order, as what a runtime would make of it on a
 * disk: the last of one path wins, a file takes the place of a whole directory, what lies beneath a
 * link lies where that leads, within the layer, and directories that nobody named are there. Then
 * each entry has its parents as directories in the same layer, which merge.h relies on.
 */
#pragma once

#include "base/cleanup.h"
#include "snapshot/image_fault.h"
#include "snapshot/walk.h"
#include "store/baselines.h"

#define STAGE_ENTRIES_MAX  10000000u /* of a layer */
#define STAGE_SYMLINKS_MAX 40u       /* followed on one path; MAXSYMLINKS of the kernel */
#define STAGE_E_TOO_LONG   96        /* a path past ENTRY_PATH_MAX: nothing was added */

struct stage;

/* Begins a snapshot from @info, which is BUILDING until somebody publishes or removes it. */
int stage_new(struct store *store, const struct snapshot_info *info, const char *what,
        struct image_fault *fault, struct stage **ret_stage);
void stage_free(struct stage *stage); /* the snapshot stays as it is */
DEFINE_FREEP(stage, stage_free)

int64_t stage_id(const struct stage *stage);
const struct walk_totals *stage_totals(const struct stage *stage); /* entries, files, bytes, ... */

/*
 * Paths are entry_path_valid(). All return 0, STAGE_E_TOO_LONG, SOURCE_E_CORRUPT with a message,
 * STORE_E_* or -errno.
 */
int stage_add(struct stage *stage, const struct entry *entry);
int stage_whiteout(struct stage *stage, const char *path); /* lower layers' @path is not seen */
int stage_opaque(struct stage *stage, const char *path);   /* nor what they have in it */
/* Another name for the file @target, with mode and owner of @header, as both have them then. */
int stage_link(struct stage *stage, const char *target, const struct entry *header);
