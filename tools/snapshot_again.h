/* Looking again at what a snapshot was made of. */
#pragma once

#include "snapshot/compare.h"
#include "tools/snapshot_report.h"

/*
 * Compares what is there now with the snapshot in @report->before, and fills the rest of it. @keep:
 * differences, 0 for as many as a report shows. Reads everything again: times are what an intruder
 * puts back. 0, or an exit code after saying what is wrong.
 */
int snapshot_again(const struct tool *tool, const struct call *call, struct store *store,
        uint32_t keep, struct report *report);

/* Whether the entries in the database are those that were recorded. The same exit codes. */
int snapshot_check_digest(const struct call *call, struct store *store, struct report *report);

/* True when there is a directory to look at again. */
bool snapshot_has_place(const struct snapshot_info *info);

/* True of an image, in storage or in an archive: it has no tree, and nothing is accepted into it.
 */
bool snapshot_is_image(const struct snapshot_info *info);
/* snapshot_again() of those. @compare has the snapshot, and is finished by the caller. */
int snapshot_image_again(const struct tool *tool, const struct call *call, struct compare *compare,
        struct report *report);
