/*
 * What this kernel has, probed once at start into one table; `status` and `doctor` show it. The
 * probe works on a scratch overlay on a tmpfs in a mount namespace of a child, with notification
 * marks only: it can hang nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_ROWS_MAX 8u /* of the threat matrix that one feature bears on, with the final 0 */

enum kernel_feature {
	KERNEL_PERMISSION_EVENTS, /* FAN_OPEN_EXEC_PERM */
	KERNEL_BACKING_EVENTS,    /* execs in an overlay raise on the filesystem of the layers */
	KERNEL_OVERLAY_HANDLES,   /* AT_HANDLE_FID on an overlay without nfs_export */
	KERNEL_MOUNT_IGNORE,      /* FAN_MARK_IGNORE on a mount */
	KERNEL_MOUNT_EVENTS,      /* FAN_REPORT_MNT */
	KERNEL_UNIQUE_MOUNT_ID,   /* STATX_MNT_ID_UNIQUE */
	KERNEL_PIDFD,             /* FAN_REPORT_PIDFD */
	KERNEL_EXEC_DENIES_WRITE, /* exec of a file open for writing: ETXTBSY */
	KERNEL_LEASES,            /* F_SETLEASE on a file nobody writes, refused while one does */
	KERNEL_FINE_CTIME,        /* two writes in a row have different ctimes */
	_KERNEL_FEATURE_MAX,
};

enum kernel_presence {
	KERNEL_UNPROBED = 0, /* the probe could not run: treated as absent */
	KERNEL_ABSENT,
	KERNEL_PRESENT,
};

struct kernel_features {
	enum kernel_presence present[_KERNEL_FEATURE_MAX];
	int probe_errno; /* why the scratch overlay could not be made; 0 when it could */
};

struct kernel_feature_row {
	const char *name;
	const char *since;             /* Linux release */
	const char *without;           /* what is done instead, and what that weakens */
	const char *fix;               /* the release or the setting that mends it */
	uint8_t rows[KERNEL_ROWS_MAX]; /* of docs/threats.md that hold less without it; ends with 0
	                                */
};

/* Forks once; before any fanotify group of ours exists. */
void kernel_probe(struct kernel_features *ret_features);
bool kernel_has(const struct kernel_features *features, enum kernel_feature feature);
const struct kernel_feature_row *kernel_feature_row(enum kernel_feature feature);
