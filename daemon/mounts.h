/*
 * Finds overlays: in our own mount namespace through libmount, in the others through /proc. Runs
 * on a thread of its own that the kernel wakes at every mount change (FAN_REPORT_MNT since 6.15,
 * else poll on mountinfo through libmount's monitor), and on demand for a task whose root is an
 * overlay that nobody has seen yet.
 */
#pragma once

#include "config/config.h"
#include "daemon/faults.h"
#include "daemon/overlays.h"
#include "daemon/pidns.h"
#include "daemon/volumes.h"

#include <stdint.h>
#include <sys/types.h>

#define MOUNTS_TASKS_MAX 100000u /* processes looked at in one scan */

struct mounts;

/*
 * Called for an overlay at each sighting, @fresh at the first, before anything is decided by it: to
 * guard and to name it. @via: a task of the namespace it was seen in, 0 for our own. Runs on the
 * thread that found it, one call at a time.
 */
typedef void (*mounts_found_fn)(
        struct overlay *overlay, const char *mountpoint, pid_t via, bool fresh, void *userdata);

struct mounts_context {
	const struct config *config; /* borrowed; storage and runtime directories */
	struct backing_table *backings;
	struct overlays *overlays;
	struct faults *faults;
	const struct fan_groups *groups; /* borrowed */
	struct volumes *volumes;         /* NULL: volumes are not guarded */
	mounts_found_fn found;
	/* @overlay is the root of @pid, and what is mounted there is guarded. On any thread. */
	void (*born)(struct overlay *overlay, pid_t pid, void *userdata);
	void (*swept)(void *userdata);  /* overlays were forgotten */
	void (*looked)(void *userdata); /* at our own namespace */
	void *userdata;
};

int mounts_new(const struct mounts_context *context, struct mounts **ret_mounts);
void mounts_free(struct mounts *mounts);

/* The canonical storage directories: configured ones, or the runtimes' defaults that exist. */
size_t mounts_storage(const struct mounts *mounts, const char *const **ret_paths);

/* Looks at every namespace and forgets what is gone. Serialised; returns the overlays known. */
size_t mounts_scan(struct mounts *mounts);

/* Looks at everything anew, whether it has changed or not: a ruling has. */
void mounts_rescan(struct mounts *mounts);

/*
 * Our own namespace, where podman, Docker and containerd mount, and those known ones in which the
 * mounts have changed; forgets nothing.
 */
void mounts_scan_known(struct mounts *mounts);

/*
 * Registers the overlays that the mount namespace of @pid shows. Used for a task whose root is not
 * known. Returns 0, or -errno when its mount table cannot be read.
 */
int mounts_scan_task(struct mounts *mounts, pid_t pid);

/*
 * The overlay that is the root of @pid, verified once per mount: by its unique mount id where the
 * kernel has one (6.8), else against the task's own mount table. A reference, or NULL when the
 * root is no overlay. @ret_mount_dev is the root's device number (0 when it could not be read).
 */
struct overlay *mounts_root_of(struct mounts *mounts, pid_t pid, dev_t *ret_root_dev);
/* The same without opening anything: NULL also when a scan would be needed (*ret_known false). */
struct overlay *mounts_root_known(
        struct mounts *mounts, pid_t pid, dev_t *ret_root_dev, bool *ret_known);

/* The pid namespaces of containers, learnt with their roots. */
struct pidns_table *mounts_pidns(struct mounts *mounts);
