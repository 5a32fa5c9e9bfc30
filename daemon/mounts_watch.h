/*
 * The thread that is woken by mount changes: by the kernel's own events (FAN_REPORT_MNT, Linux
 * 6.15), else by libmount's monitor on mountinfo. Overlays of our namespace are looked at at once,
 * the other namespaces when it has been quiet for a moment.
 */
#pragma once

#include "daemon/mounts.h"

struct mounts_watch;

/* @group: FAN_REPORT_MNT group (borrowed) or -1. 0 or -errno. */
int mounts_watch_start(struct mounts *mounts, int group, struct mounts_watch **ret_watch);
/* Ends the thread and frees; NULL is fine. */
void mounts_watch_stop(struct mounts_watch *watch);
