/*
 * Filesystems inside containers that are no overlay: tmpfs, /dev/shm, bind mounts, volumes. Their
 * superblocks are marked through /proc/PID/root of a task in the container, so that what is dropped
 * there is asked about like anything else. What cannot hold a program (proc, sysfs, cgroup ...) is
 * left alone; FUSE and network filesystems are refused by their type (refuser.h): a server that
 * stalls would keep whoever opens a file of it waiting.
 */
#pragma once

#include "daemon/backing.h"
#include "daemon/fan_groups.h"
#include "daemon/faults.h"
#include "daemon/hostfs.h"
#include "daemon/refuser.h"
#include "daemon/task.h"
#include "daemon/views.h"

#include <stdint.h>

#define VOLUMES_MAX 65536u /* filesystems remembered */

enum volume_kind {
	VOLUME_UNKNOWN = 0, /* treated as PLAIN */
	VOLUME_PLAIN,
	VOLUME_FUSE,
	VOLUME_SERVED, /* network filesystems and their like: refused in the same way */
	VOLUME_PSEUDO, /* holds no programs */
};

enum volume_kind volume_kind_of(const char *fstype);

struct volumes;

struct volumes_context {
	const struct fan_groups *groups;
	struct backing_table *backings;
	struct hostfs_table *hosts; /* never silenced */
	struct faults *faults;
	const struct refuser *refuser;
	/* The verdict on everything of a FUSE mount, as @via sees it. Must not call back. */
	enum verdict (*refuse)(const char *mountpoint, pid_t via, void *userdata);
	void *userdata;
};

int volumes_new(const struct volumes_context *context, struct volumes **ret_volumes);
void volumes_free(struct volumes *volumes);

/* A line of a container's mount table. */
struct volume_sighting {
	dev_t dev;
	const char *fstype, *mountpoint; /* as the task @via sees it */
	pid_t via;                       /* 0: we ourselves */
	uint64_t generation;
};

/* Guards it if it is not yet. True when it is guarded, or holds no programs. */
bool volumes_guard(struct volumes *volumes, const struct volume_sighting *sighting);

/* What is mounted in our own namespace: silenced there before it is marked. *@devs is taken. */
void volumes_set_host(struct volumes *volumes, struct dev_set *devs);
/* Still seen in @generation; and those that were not are forgotten. */
void volumes_touch(struct volumes *volumes, dev_t dev, uint64_t generation);
void volumes_sweep(struct volumes *volumes, uint64_t generation);

bool volumes_have_served(const struct volumes *volumes);
/* Whether the memory of tasks may be read: not once any container has had a FUSE mount. */
enum task_memory volumes_memory(const struct volumes *volumes);

/* Calls @fn for each under the lock. */
void volumes_each(struct volumes *volumes,
        void (*fn)(enum volume_kind kind, const char *fstype, const char *path, void *userdata),
        void *userdata);
