/*
 * Names a container from the runtimes' own files, without any socket (docs/formats.md, "Who is in
 * that container"). The overlay decides which container it is; the cgroup of a process only helps
 * where the files cannot tell. A file that is missing, unreadable or malformed costs a name, never
 * a verdict. Everything read is bounded and hostile: an image's labels are in these files.
 *
 * How each runtime is found from the overlay:
 *  podman, cri-o  upper is <storage>/overlay/<layer>/diff; overlay-containers/containers.json and
 *                 volatile-containers.json name the container whose "layer" that is. cri-o's have
 *                 <run>/overlay-containers/<id>/userdata/config.json with io.kubernetes.cri-o.*
 *  docker         upper is <docker>/overlay2/<mount-id>/diff; image/overlay2/layerdb/mounts/<id>/
 *                 mount-id holds that name; containers/<id>/config.v2.json names it
 *  containerd     the mount point is <run>/io.containerd.runtime.v2.task/<namespace>/<id>/rootfs;
 *                 config.json beside it has the annotations. nerdctl too (namespace default).
 */
#pragma once

#include "config/config.h"
#include "core/cgroup.h"
#include "core/facts.h"

#define METADATA_FILE_MAX (16u * 1024u * 1024u) /* bytes; containers.json of 10,000 containers */

struct metadata_query {
	const char *upper;              /* canonical host path of the upper directory; may be NULL */
	const char *const *mountpoints; /* where the overlay is mounted in the host's namespace */
	size_t n_mountpoints;
	const struct cgroup_container *cgroup; /* of a process in it; NULL when unknown */
};

enum metadata_result {
	METADATA_UNCHECKED = 0,
	METADATA_NAMED,    /* at least id and runtime are filled */
	METADATA_PARTIAL,  /* only what the cgroup claims is known (id, runtime) */
	METADATA_NONE,     /* no runtime knows this overlay */
	METADATA_BROKEN,   /* a file that should have told is unreadable or malformed; filled as far as known */
};

/*
 * Fills @ret_info (container_info_done), except ->key, which stays NULL. @config's runtime
 * directories are read. Opens files: never called by a deciding thread.
 */
enum metadata_result metadata_lookup(const struct config *config,
	const struct metadata_query *query, struct container_info *ret_info);

/* Parsers, for tests and the fuzzer. Each returns METADATA_NAMED, METADATA_NONE or METADATA_BROKEN. */
enum metadata_result metadata_parse_docker(
	const char *text, size_t size, struct container_info *ret_info);
/* @layer: the directory name of the layer to look for. */
enum metadata_result metadata_parse_podman(
	const char *text, size_t size, const char *layer, struct container_info *ret_info);
/* OCI bundle config.json: containerd CRI, nerdctl and cri-o annotations. */
enum metadata_result metadata_parse_oci(
	const char *text, size_t size, struct container_info *ret_info);
