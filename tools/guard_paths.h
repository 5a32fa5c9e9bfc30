/* What the daemon says of guard.paths, for people: docs/control.md, `status` and `mode`. */
#pragma once

#include "tools/print.h"

/* A table of the paths of `status`; nothing when there are none. */
void guard_paths_print(const struct tool *tool, const json_t *paths);

/*
 * On stderr, what keeps paths from being enforced, and the programs that nobody knows. Returns how
 * many paths.
 */
size_t guard_paths_complain(const json_t *paths);
