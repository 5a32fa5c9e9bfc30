/*
 * Names a container from the runtimes' own files, without any socket (docs/formats.md, "Who is in
 * that container"). The overlay decides which container it is; the cgroup of a process only helps
 * where the files cannot tell. A file that is missing, unreadable or malformed costs a name, never
 * a verdict. Everything read is bounded and hostile: an image's labels are in these files.
 *
 * A name decides which image's programs and which rules hold, so nobody may choose it: only the
 * configured directories are read, which are root's, and only for an overlay whose upper directory
 * lies exactly where that runtime puts it (or which is mounted there, in the daemon's own mount
 * namespace). The storage of a rootless user, of a Docker inside of a container, or a path that
 * ends in the right words is no runtime's: such a container has what its cgroup claims, and no
 * image.
 *
 * How each runtime is found from the overlay:
 *  podman, cri-o  upper is <storage>/overlay/<layer>/diff; overlay-containers/containers.json and
 *                 volatile-containers.json name the container whose "layer" that is. cri-o's have
 *                 <run>/overlay-containers/<id>/userdata/config.json with io.kubernetes.cri-o.*
 *  docker         upper is <docker>/overlay2/<mount-id>/diff; image/overlay2/layerdb/mounts/<id>/
 *                 mount-id holds that name; containers/<id>/config.v2.json names it. With
 *                 userns-remap all of it lies below <docker>/<uid>.<gid>. With containerd's image
 *                 store the mount point is <docker>/rootfs/<snapshotter>/<id>
 *  containerd     the mount point is <run>/io.containerd.runtime.v2.task/<namespace>/<id>/rootfs;
 *                 config.json beside it has the annotations. nerdctl too (namespace default).
 */
#pragma once

#include "config/config.h"
#include "core/cgroup.h"
#include "core/facts.h"

#include <sys/types.h>

#define METADATA_FILE_MAX (16u * 1024u * 1024u) /* bytes; containers.json of 10,000 containers */

struct metadata_query {
	const char *upper; /* canonical host path of the upper directory; may be NULL */
	const char *const *mountpoints; /* where the overlay is mounted, as some mount table says */
	size_t n_mountpoints;
	dev_t dev; /* of its superblock: what a mount point is checked against; 0: it is believed */
	const struct cgroup_container *cgroup; /* of a process in it; NULL when unknown */
};

enum metadata_result {
	METADATA_UNCHECKED = 0,
	METADATA_NAMED,   /* at least id and runtime are filled */
	METADATA_PARTIAL, /* only what the cgroup claims is known (id, runtime) */
	METADATA_NONE,    /* no runtime knows this overlay */
	METADATA_BROKEN,  /* a file that should have told is unreadable or malformed; filled as far
	                     as known */
};

/*
 * Fills @ret_info (container_info_done), except ->key, which stays NULL. @config's runtime
 * directories are read. Opens files: never called by a deciding thread.
 */
enum metadata_result metadata_lookup(const struct config *config,
        const struct metadata_query *query, struct container_info *ret_info);

/*
 * Parsers, for tests and the fuzzer. Each returns METADATA_NAMED with @ret_info filled
 * (container_info_done), METADATA_NONE or METADATA_BROKEN with it untouched.
 */
enum metadata_result metadata_parse_docker(
        const char *text, size_t size, struct container_info *ret_info);
/* @layer: the directory name of the layer to look for. */
enum metadata_result metadata_parse_podman(
        const char *text, size_t size, const char *layer, struct container_info *ret_info);
/* OCI bundle config.json: containerd CRI, nerdctl and cri-o annotations. ->id only from cri-o. */
enum metadata_result metadata_parse_oci(
        const char *text, size_t size, struct container_info *ret_info);
