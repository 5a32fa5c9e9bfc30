/* Signed lists and the keys that they are believed by, as `status` and `explain` show them. */
#pragma once

#include "tools/print.h"

#include <jansson.h>

/* `allowlists` and `trust` of the daemon's status; a daemon that says neither has none. */
void lists_print(const struct tool *tool, const json_t *status);
/* `allowlists` of the answer to `explain`: the lists that have a program. */
void lists_print_naming(const struct tool *tool, const json_t *lists);
