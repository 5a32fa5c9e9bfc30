/*
 * Which filesystems carry marks. Those of guard.paths, with all of their mounts. In mode backing:
 * the filesystems that hold the layers, with the host's own mounts of them silenced first. In mode
 * overlay: each overlay. auto: backing where the kernel reports execs there (6.5), overlay for
 * whatever has a layer elsewhere.
 */
#pragma once

#include "config/config.h"
#include "daemon/fan_groups.h"
#include "daemon/faults.h"
#include "daemon/hostfs.h"
#include "daemon/kernel.h"
#include "daemon/mounts.h"

struct guard;

struct guard_context {
	const struct config *config;
	const struct fan_groups *groups;
	const struct kernel_features *kernel;
	struct backing_table *backings;
	struct overlays *overlays;
	struct hostfs_table *hosts;
	struct faults *faults;
};

int guard_new(const struct guard_context *context, struct guard **ret_guard);
void guard_free(struct guard *guard);

/* The kind in force: BACKING or OVERLAY. */
enum mark_kind guard_kind(const struct guard *guard);

/*
 * Marks the filesystems of the storage directories (backing only). 0, or the first -errno: a
 * storage directory that cannot be guarded is a reason not to start.
 */
int guard_storage(struct guard *guard, const char *const *paths, size_t n);

/* Makes sure that @overlay is guarded, whichever way. Idempotent; counts FAULT_MARK on failure. */
void guard_overlay(struct guard *guard, struct overlay *overlay, const char *mountpoint, pid_t via);

/* @overlay is the root of @pid, and what is mounted there is guarded: its birth mark goes. */
void guard_born(struct guard *guard, struct overlay *overlay, pid_t pid);

/*
 * Silences our own mounts of the filesystem @dev, before it is marked, unless it is guarded for the
 * host. 0 or -errno.
 */
int guard_silence_host(const struct fan_groups *groups, struct hostfs_table *hosts, dev_t dev);

/*
 * Marks the filesystems of guard.paths, those that were mounted anew once more. True when one has
 * come or gone.
 */
bool guard_hosts(struct guard *guard);

/* Calls @fn for each marked filesystem. */
void guard_each(struct guard *guard,
        void (*fn)(const char *fstype, enum mark_kind kind, const char *path, void *userdata),
        void *userdata);
