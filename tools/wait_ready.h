/* Waiting for a daemon that is on its way, without asking again and again. */
#pragma once

#include "tools/verbs.h"

#include <jansson.h>
#include <stdint.h>

/*
 * Until a daemon at the socket says that everything is guarded, or the clock (CLOCK_MONOTONIC) is
 * at
 * @until_ns. 0 with its status; -ETIMEDOUT; -EACCES when only root may ask; another -errno.
 */
int wait_ready(const struct tool *tool, int64_t until_ns, json_t **ret_status);
