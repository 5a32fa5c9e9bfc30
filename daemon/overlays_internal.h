/* The registry's tables; for overlays.c and overlay_layers.c only. All under the registry's lock.
 */
#pragma once

#include "daemon/overlays.h"

#include <pthread.h>

#include <uthash.h>

/* The layers of one path: paths of different filesystems may be spelt alike, in other namespaces.
 */
struct path_entry {
	char *path;
	struct layer_entry *first;
	UT_hash_handle hh;
};

struct layer_entry {
	struct layer layer;
	struct overlay *writer; /* the overlay that has it as upper or work; borrowed */
	struct path_entry *at;
	struct layer_entry *next;
	struct layer_mount *mounts; /* newest first */
	unsigned int n_mounts;
	uint64_t loader; /* inode number of its dynamic loader; 0: none seen yet */
};

/*
 * A mount that shows a layer and nothing else: overlayfs clones one for each layer of each overlay,
 * and its id is never reused. What is opened through it lies in the layer.
 */
struct layer_mount {
	uint64_t mount_id;
	struct layer_entry *entry;
	uint64_t writers; /* generation of writers in which this was found out */
	struct layer_mount *next;
	UT_hash_handle hh;
};

struct dev_entry {
	dev_t dev;
	struct overlay *overlay; /* a reference */
	UT_hash_handle hh;
};

struct mount_entry {
	uint64_t mount_id;
	struct overlay *overlay; /* borrowed: removed with the overlay's dev_entry */
	UT_hash_handle hh;
};

struct overlays {
	pthread_rwlock_t lock;
	void (*free_index)(void *index);
	struct path_entry *paths;
	struct dev_entry *devs;
	struct mount_entry *mounts;
	struct layer_mount *layer_mounts;
	uint64_t writers; /* moves whenever a directory becomes an upper layer */
};

struct layer_entry *layer_find(const struct overlays *overlays, const struct backing *backing,
        const char *path, size_t size);
/* A reference, made when it is new; NULL without memory. */
struct layer *layer_get(struct overlays *overlays, const struct sighted_layer *sighted);
void layer_put(struct overlays *overlays, struct layer *layer);
void layer_set_writer(struct overlays *overlays, struct layer *layer, struct overlay *overlay);
void layer_clear_writer(struct layer *layer, const struct overlay *overlay);
bool layer_is_lower_of(const struct overlay *overlay, const struct layer *layer);
