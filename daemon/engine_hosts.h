/*
 * Host filesystems put together: marks, proofs (preflight.h), and what is said of them. A path may
 * be enforced once it has been shown that what is needed there is known; it stays so until another
 * mode is in force when somebody asks for enforce again, or its baseline is gone.
 */
#pragma once

#include "daemon/engine.h"

struct engine_hosts;

/* @config is looked at, nothing is marked yet. 0 or -ENOMEM. */
int engine_hosts_new(const struct config *config, struct engine_hosts **ret_hosts);
void engine_hosts_free(struct engine_hosts *hosts);
struct hostfs_table *engine_hosts_table(struct engine_hosts *hosts);

/* Marks what is there, and proves what is to be enforced: before READY is said. */
void engine_hosts_start(struct engine *engine);
/* Our mounts have changed. On the thread that watches them. */
void engine_hosts_look(struct engine *engine);

/*
 * Around a change of mode or configuration (@config: NULL when it is the same). Afterwards what is
 * to be enforced, and was not, is proved: seconds.
 */
void engine_hosts_before(struct engine *engine);
void engine_hosts_after(struct engine *engine, const struct config *config);
/* Other baselines are about to come into force: a path that has none any more is not enforced. */
void engine_hosts_keep(struct engine *engine, struct baselines *baselines);
