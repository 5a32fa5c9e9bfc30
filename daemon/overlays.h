/*
 * Every overlay that is known, and the layers it is made of. An overlay is a container as far as
 * verdicts are concerned; what runtimes call it is only a name (metadata.h).
 *
 * Which layer an inode lies in is told by its filesystem and its canonical path there (backing.h):
 * the kernel's own account of the decoded inode. A directory that is the upper (or work) layer of
 * any overlay makes all below it upper, whatever else it is: a nested overlay whose lower layer
 * lies in a container's upper layer gains nothing.
 *
 * A lower layer vouches only when its overlay was mounted from the host, or when the layer lies in
 * the runtimes' storage: a container's own user namespace may mount overlays of anything.
 *
 * Overlays are immutable but for their container's name, and counted by reference.
 */
#pragma once

#include "core/facts.h"
#include "daemon/backing.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/vfs.h>

#define OVERLAYS_MAX       16384u /* overlays known at a time */
#define OVERLAY_MOUNTS_MAX 64u    /* unique mount ids remembered per overlay */
#define LAYER_MOUNTS_MAX   256u /* mounts remembered per layer: one for each overlay that has it */

enum mounter {
	MOUNTER_UNKNOWN = 0,
	MOUNTER_HOST,    /* seen in a mount namespace of the initial user namespace */
	MOUNTER_FOREIGN, /* only ever seen in user namespaces below */
};

const char *mounter_name(enum mounter mounter);

/* A directory as name_to_handle_at(2) tells it: how it is opened again, whatever its path is. */
struct layer_handle {
	int type;
	unsigned int size; /* bytes of data */
	uint8_t data[128]; /* MAX_HANDLE_SZ */
};

struct layer {
	unsigned int refs;       /* under the registry's lock */
	char *path;              /* canonical host path */
	struct backing *backing; /* a reference */
	struct layer_handle handle;
	unsigned int n_upper; /* overlays that write here (upper or work) */
	bool trusted;         /* vouches as a lower layer: of the host's or in storage */
	void *index;          /* image_index.h; owned there, freed through overlays_new()'s hook */
	void *entry;          /* registry internal */
};

struct overlay {
	_Atomic unsigned int refs;
	dev_t dev; /* of the superblock; reused by the kernel after umount */
	enum mounter mounter;
	char *mountpoint; /* one of them, in the namespace where it was found */
	struct layer *upper,
	        *work; /* NULL for a read-only overlay, or when it could not be resolved */
	struct layer **lowers;
	size_t n_lowers;
	bool userxattr;      /* overlayfs keeps its attributes under user.overlay. */
	fsid_t fsid;         /* of statfs(2), set with the mark: tells it when st_dev does not */
	bool complete;       /* every layer could be resolved */
	char *options;       /* as the kernel gave them: equal text and dev are the same overlay */
	_Atomic bool marked; /* overlay mark in place (guard.h) */
	_Atomic bool born;   /* a task has it as root, whose volumes are guarded */
	_Atomic bool birth_marked;  /* its first exec will be seen (guard.h) */
	_Atomic bool retired;       /* unmounted, as far as the last scan could see */
	_Atomic int64_t guarded_ns; /* CLOCK_REALTIME: writes are seen since then; 0: not yet */
	uint64_t seen;              /* generation of the last scan that saw it */
	struct container_info info; /* under the registry's lock: use overlay_info() */
	_Atomic bool named;
	_Atomic unsigned int naming_attempts; /* naming.h */
};

struct overlays;

/* @free_index releases a layer's index; may be NULL. 0 or -ENOMEM. */
int overlays_new(void (*free_index)(void *index), struct overlays **ret_overlays);
void overlays_free(struct overlays *overlays);

/* A layer as a scan found it; the path is borrowed. */
struct sighted_layer {
	const char *path; /* canonical; NULL: there is none */
	struct backing *backing;
	struct layer_handle handle;
	bool trusted; /* lower layers: in storage, or mounted from the host */
};

/* What a scan found out about one overlay; texts are borrowed. */
struct overlay_sighting {
	dev_t dev;
	enum mounter mounter;
	const char *mountpoint;
	const char *options; /* superblock options, verbatim */
	struct sighted_layer upper, work;
	const struct sighted_layer *lowers;
	size_t n_lowers;
	bool complete;
	bool userxattr;
	uint64_t generation;
};

/*
 * Adds an overlay, or refreshes the known one of the same dev and options. One of the same dev but
 * other options is what the kernel reused the number for: the old one is removed. So is one that
 * could only be resolved in part, when this sighting is complete.
 * 0 (known), 1 (added), -ENOSPC past OVERLAYS_MAX, -ENOMEM. @ret_overlay is a reference.
 */
int overlays_sight(struct overlays *overlays, const struct overlay_sighting *sighting,
        struct overlay **ret_overlay);

/*
 * The cheap way for an overlay that is known: marks it as seen and returns a reference, or NULL
 * when this sighting would tell more than is known and needs overlays_sight().
 */
struct overlay *overlays_touch(struct overlays *overlays, dev_t dev, const char *options,
        enum mounter mounter, uint64_t generation);

/* Marks the overlay of @dev as seen. */
void overlays_touch_dev(struct overlays *overlays, dev_t dev, uint64_t generation);

/* Forgets overlays whose last sighting is older than @generation. Returns how many. */
size_t overlays_sweep(struct overlays *overlays, uint64_t generation);

struct overlay *overlay_ref(struct overlay *overlay);
void overlay_unref(struct overlays *overlays, struct overlay *overlay);

/* References, or NULL. */
struct overlay *overlays_by_dev(struct overlays *overlays, dev_t dev);
/* By statfs(2), for overlays whose layers lie on several filesystems; set by guard.h. */
struct overlay *overlays_by_fsid(struct overlays *overlays, const fsid_t *fsid);
/* By a mount's unique id (never reused), once overlays_bind_mount() has tied it. */
struct overlay *overlays_by_mount(struct overlays *overlays, uint64_t mount_id);
void overlays_bind_mount(struct overlays *overlays, struct overlay *overlay, uint64_t mount_id);

/* Opens the directory of a layer; O_RDONLY | O_DIRECTORY. A descriptor or -errno. */
int layer_open(const struct layer *layer);

/* The layer a canonical path lies in. */
enum layer_role {
	LAYER_NONE = 0, /* in no layer */
	LAYER_UPPER,
	LAYER_LOWER,       /* of the asking overlay, and it vouches */
	LAYER_LOWER_OTHER, /* lower, but of no layer of the asking overlay */
};

struct layer_hit {
	enum layer_role role;
	struct overlay *overlay; /* UPPER: whose; a reference, or NULL */
	size_t prefix;           /* bytes of the path that are the layer's directory */
	struct layer *layer;     /* LOWER: borrowed as long as the asking overlay is referenced */
};

struct layer_query {
	const struct backing *backing; /* the filesystem: a path means nothing without it */
	const char *path;              /* canonical */
	const struct overlay *asking;  /* of the process that execs; may be NULL */
};

void overlays_locate(
        struct overlays *overlays, const struct layer_query *query, struct layer_hit *ret_hit);

/*
 * Remembers that the mount @mount_id (STATX_MNT_ID_UNIQUE) shows a lower layer of query->asking and
 * nothing else, when that is so: @mount_path is the path of query->path within the mount.
 */
void overlays_bind_layer(struct overlays *overlays, const struct layer_query *query,
        const char *mount_path, uint64_t mount_id);
/*
 * Whether what is opened through @mount_id is of a lower layer that vouches. @ret_loader is the
 * inode number of the dynamic loader in it, as noted last; 0 when none has been seen yet.
 */
bool overlays_is_lower_mount(struct overlays *overlays, uint64_t mount_id, uint64_t *ret_loader);
void overlays_note_loader(struct overlays *overlays, uint64_t mount_id, uint64_t ino);

/* A copy of the container's name as it is known now. 0 or -ENOMEM. */
int overlay_info(
        struct overlays *overlays, const struct overlay *overlay, struct container_info *ret_info);
/* Publishes a name; @info is taken. */
void overlay_set_info(
        struct overlays *overlays, struct overlay *overlay, struct container_info *info);

/* Calls @fn with each overlay (borrowed) under a read lock: no call back into the registry. */
void overlays_each(struct overlays *overlays,
        void (*fn)(const struct overlay *overlay, void *userdata), void *userdata);
size_t overlays_count(struct overlays *overlays);
