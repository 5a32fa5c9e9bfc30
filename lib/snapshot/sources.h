/*
 * Snapshots of images, where their layers lie apart: in the storage of podman or Docker, found on
 * disk, or in an archive (docker save, podman save, an OCI layout). Each layer becomes a
 * SNAPSHOT_LAYER of its own under its diff id, so that it is hashed once for all images that have
 * it; the image's snapshot is merged from its layers. Nothing is unpacked.
 *
 * Storage belongs to root, but what is in it, and all of an archive, was written by strangers.
 */
#pragma once

#include "snapshot/walk.h"
#include "store/baselines.h"

/* Outcomes, apart from those of the store (STORE_E_*), which are passed on. */
enum {
	SOURCE_E_NOTFOUND = 64, /* no such image; no storage of that kind */
	SOURCE_E_AMBIGUOUS,     /* several images: the message lists them */
	SOURCE_E_UNSUPPORTED,   /* Docker's containerd image store, an unknown storage driver */
	SOURCE_E_CORRUPT,       /* bad data; what was staged is removed, nothing is published */
};

struct source_request {
	struct store *store; /* borrowed; read and write */
	/* A reference in any of its forms, an id or at least 12 digits of one. NULL, of archives
	 * only: the one image that is there. */
	const char *reference;
	bool all_files; /* digests of all regular files, all entries; else executables only */
	bool rehash;    /* read layers that are in the store, too */
	int64_t by_uid;
	const char
	        *name; /* what the snapshot is called; NULL: as the image, by its reference or id */
	const char *place; /* absolute path of the archive, to look again; NULL: none */
	/* Where it vouches, when scope_given; else containers of the image. */
	bool scope_given;
	enum snapshot_scope scope;
	const char *scope_value;
	const char *scope_image_id;        /* of SCOPE_IMAGE: that image's; NULL: unknown */
	unsigned int threads;              /* of walk_options */
	const volatile sig_atomic_t *stop; /* NULL, or: -ECANCELED soon after it is set */

	/* As of walk_options; @path is one of the layer. NULL where not wanted. */
	void (*problem)(const char *path, enum walk_problem problem, int error, void *userdata);
	void (*progress)(const struct walk_progress *progress, void *userdata);
	void *userdata;
};

struct source_stats {
	uint32_t layers;        /* of the image */
	uint32_t layers_hashed; /* read now */
	uint32_t layers_shared; /* read before, for this image or another */
	uint64_t too_long;      /* paths that were left out (WALK_TOO_LONG) */
};

/*
 * An image of podman's (@podman_dir, /var/lib/containers/storage) or Docker's (@docker_dir,
 * /var/lib/docker) storage; either may be NULL. 0; SOURCE_E_*, then the caller frees
 * @reterr_message, a sentence about what is wrong, with foreign text in it; STORE_E_*, -ECANCELED
 * or -errno, without a message. The caller frees @ret_info's texts.
 */
int snapshot_image(const struct source_request *request, const char *podman_dir,
        const char *docker_dir, struct snapshot_info *ret_info, struct source_stats *ret_stats,
        char **reterr_message);

/*
 * An image in the archive @fd, which may be a pipe and is read once; it may be compressed as a
 * whole (gzip, bzip2, xz, zstd). @name is what the snapshot is called when the image has no
 * reference. Answers as snapshot_image().
 */
int snapshot_archive(const struct source_request *request, int fd, const char *name,
        struct snapshot_info *ret_info, struct source_stats *ret_stats, char **reterr_message);
