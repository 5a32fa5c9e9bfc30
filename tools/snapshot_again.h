/* Looking again at what a snapshot was made of. */
#pragma once

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

/* True when there is a place to look at again. */
bool snapshot_has_place(const struct snapshot_info *info);
