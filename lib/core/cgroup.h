/*
 * Container id, runtime and pod uid out of the text of /proc/PID/cgroup. A cgroup is something a
 * privileged container can change: use the answer to name a container, never to permit anything.
 *
 * Lines are tried in the order `0::`, name=systemd, memory, pids; components from the leaf to the
 * root, since a delegated sub-cgroup (docker-<id>.scope/init.scope) must still resolve.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define CONTAINER_ID_LEN 64u /* hex digits, in docker, podman, containerd and cri-o */
#define POD_UID_LEN      36u /* 8-4-4-4-12 */

enum cgroup_runtime {
	CGROUP_RUNTIME_UNKNOWN = 0,
	CGROUP_RUNTIME_DOCKER,
	CGROUP_RUNTIME_CONTAINERD,
	CGROUP_RUNTIME_CRIO,
	CGROUP_RUNTIME_PODMAN,
	CGROUP_RUNTIME_NERDCTL,
};

enum cgroup_result {
	CGROUP_UNCHECKED = 0,
	CGROUP_CONTAINER, /* @ret filled */
	CGROUP_HOST,      /* parsed, and no component names a container */
	CGROUP_INVALID,   /* not the text of a cgroup file */
};

struct cgroup_container {
	char id[CONTAINER_ID_LEN + 1]; /* lowercase hex */
	enum cgroup_runtime runtime;
	char pod_uid[POD_UID_LEN + 1]; /* with '-'; "" outside Kubernetes */
};

const char *cgroup_runtime_name(enum cgroup_runtime runtime);

/* @text need not end with a NUL and may hold any byte. */
enum cgroup_result cgroup_parse(const char *text, size_t size, struct cgroup_container *ret);
