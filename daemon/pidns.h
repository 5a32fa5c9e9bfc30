/*
 * Pid namespaces of containers. A task cannot leave its pid namespace for one above, so what runs
 * in a container's (or in one made below it) belongs to that container, whatever root, mount
 * namespace or cgroup it has given itself. Namespaces are pinned by a descriptor, so that their
 * numbers are not reused while they stand here.
 */
#pragma once

#include "daemon/overlays.h"

#include <sys/types.h>

#define PIDNS_MAX       OVERLAYS_MAX /* namespaces pinned at a time */
#define PIDNS_DEPTH_MAX 32u          /* MAX_PID_NS_LEVEL, include/linux/pid_namespace.h */

struct pidns_table;

int pidns_table_new(struct overlays *overlays, struct pidns_table **ret_table);
void pidns_table_free(struct pidns_table *table);

/* Remembers that @pid's pid namespace is that of @overlay's container; ours is never remembered. */
void pidns_learn(struct pidns_table *table, pid_t pid, struct overlay *overlay);
/* The container by the pid namespace of @pid or one above: a reference, or NULL. */
struct overlay *pidns_overlay_of(struct pidns_table *table, pid_t pid);
/* Lets go of namespaces whose overlay is gone. */
void pidns_sweep(struct pidns_table *table);
