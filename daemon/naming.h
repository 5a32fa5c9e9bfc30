/*
 * Gives overlays the names that runtimes have for them (metadata.h): once when they appear, and a
 * few more times when a verdict needs a name that was not there yet.
 */
#pragma once

#include "daemon/faults.h"
#include "daemon/overlays.h"
#include "daemon/ruling.h"

#include <sys/types.h>

#define NAMING_ATTEMPTS_MAX 8u /* per overlay: one that no runtime knows stays without a name */

/*
 * @pid: a task of the container whose cgroup may help; 0 when none is known. Reads files: not on a
 * deciding thread.
 */
void naming_try(struct overlays *overlays, const struct config *config, struct faults *faults,
        struct overlay *overlay, pid_t pid);
