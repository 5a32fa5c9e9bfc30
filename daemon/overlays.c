/*
 * Three tables under one lock: layers by path, overlays by device number, overlays by mount id.
 * Lookups take the read side and cost a hash per path component.
 */
#include "daemon/overlays_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>

const char *mounter_name(enum mounter mounter)
{
	return mounter == MOUNTER_HOST      ? "host"
	       : mounter == MOUNTER_FOREIGN ? "foreign"
	                                    : "unknown";
}

int overlays_new(void (*free_index)(void *index), struct overlays **ret_overlays)
{
	struct overlays *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	pthread_rwlock_init(&o->lock, NULL);
	o->free_index = free_index;
	*ret_overlays = o;
	return 0;
}

/*
 * Overlays.
 */
static void overlay_destroy(struct overlays *o, struct overlay *overlay)
{
	/* Write lock held: nobody else has a reference, and its layers may go. */
	layer_put(o, overlay->upper);
	layer_put(o, overlay->work);
	for (size_t i = 0; i < overlay->n_lowers; i++)
		layer_put(o, overlay->lowers[i]);
	free(overlay->lowers);
	free(overlay->mountpoint);
	free(overlay->options);
	container_info_done(&overlay->info);
	free(overlay);
}

struct overlay *overlay_ref(struct overlay *overlay)
{
	if (overlay)
		overlay->refs++;
	return overlay;
}

static void unref_locked(struct overlays *o, struct overlay *overlay)
{
	if (--overlay->refs == 0)
		overlay_destroy(o, overlay);
}

void overlay_unref(struct overlays *o, struct overlay *overlay)
{
	if (!overlay)
		return;
	/* The common case must not take the write lock: only the last reference does. */
	for (unsigned int refs = overlay->refs; refs > 1;)
		if (atomic_compare_exchange_weak(&overlay->refs, &refs, refs - 1))
			return;
	pthread_rwlock_wrlock(&o->lock);
	unref_locked(o, overlay);
	pthread_rwlock_unlock(&o->lock);
}

/* Takes an overlay out of every table; write lock held. Layers stop vouching at once. */
static void overlay_retire(struct overlays *o, struct dev_entry *entry)
{
	struct overlay *overlay = entry->overlay;
	struct mount_entry *mount, *next;

	HASH_ITER(hh, o->mounts, mount, next)
	{
		if (mount->overlay != overlay)
			continue;
		HASH_DEL(o->mounts, mount);
		free(mount);
	}
	overlay->retired = true;
	layer_clear_writer(overlay->upper, overlay);
	layer_clear_writer(overlay->work, overlay);
	HASH_DEL(o->devs, entry);
	free(entry);
	unref_locked(o, overlay);
}

void overlays_free(struct overlays *o)
{
	struct dev_entry *entry, *next;

	if (!o)
		return;
	HASH_ITER(hh, o->devs, entry, next)
	overlay_retire(o, entry);
	pthread_rwlock_destroy(&o->lock);
	free(o);
}

static bool same_overlay(const struct overlay *overlay, const struct overlay_sighting *s)
{
	return !strcmp(overlay->options, s->options) && (overlay->complete || !s->complete);
}

static int overlay_fill(
        struct overlays *o, struct overlay *overlay, const struct overlay_sighting *s)
{
	overlay->dev = s->dev;
	overlay->complete = s->complete;
	overlay->userxattr = s->userxattr;
	overlay->mountpoint = strdup(s->mountpoint);
	overlay->options = strdup(s->options);
	overlay->lowers = calloc(s->n_lowers ?: 1, sizeof(overlay->lowers[0]));
	if (!overlay->mountpoint || !overlay->options || !overlay->lowers)
		return -ENOMEM;
	if (s->upper.path && !(overlay->upper = layer_get(o, &s->upper)))
		return -ENOMEM;
	if (s->work.path && !(overlay->work = layer_get(o, &s->work)))
		return -ENOMEM;
	for (size_t i = 0; i < s->n_lowers; i++) {
		overlay->lowers[i] = layer_get(o, &s->lowers[i]);
		if (!overlay->lowers[i])
			return -ENOMEM;
		overlay->n_lowers++;
	}
	overlay->info.key = strdup(s->upper.path ?: s->mountpoint);
	return overlay->info.key ? 0 : -ENOMEM;
}

static bool is_trusted_by(const struct overlay_sighting *s, const struct layer *layer)
{
	for (size_t i = 0; i < s->n_lowers; i++)
		if (s->lowers[i].trusted && s->lowers[i].backing == layer->backing &&
		        !strcmp(s->lowers[i].path, layer->path))
			return true;
	return false;
}

/* A later sighting can only add trust: the mount is visible from the host after all. */
static void overlay_refresh(struct overlay *overlay, const struct overlay_sighting *s)
{
	overlay->seen = s->generation;
	if (overlay->mounter != MOUNTER_HOST)
		overlay->mounter = s->mounter;
	/* A path of the options may lead elsewhere than when it was mounted: same place, not same
	 * rank. */
	for (size_t i = 0; i < overlay->n_lowers; i++)
		overlay->lowers[i]->trusted |= is_trusted_by(s, overlay->lowers[i]);
}

static int overlay_add(
        struct overlays *o, const struct overlay_sighting *s, struct overlay **ret_overlay)
{
	struct overlay *overlay = calloc(1, sizeof(*overlay));
	struct dev_entry *entry = calloc(1, sizeof(*entry));
	int r = overlay && entry ? 0 : -ENOMEM;

	if (r == 0 && HASH_COUNT(o->devs) >= OVERLAYS_MAX)
		r = -ENOSPC;
	if (r == 0)
		r = overlay_fill(o, overlay, s);
	if (r < 0) {
		if (overlay)
			overlay_destroy(o, overlay);
		free(entry);
		return r;
	}
	layer_set_writer(o, overlay->upper, overlay);
	layer_set_writer(o, overlay->work, overlay);
	overlay_refresh(overlay, s);
	overlay->refs = 2; /* the table's and the caller's */
	entry->dev = s->dev;
	entry->overlay = overlay;
	HASH_ADD(hh, o->devs, dev, sizeof(entry->dev), entry);
	*ret_overlay = overlay;
	return 1;
}

int overlays_sight(
        struct overlays *o, const struct overlay_sighting *s, struct overlay **ret_overlay)
{
	struct dev_entry *entry = NULL;
	int r;

	pthread_rwlock_wrlock(&o->lock);
	HASH_FIND(hh, o->devs, &s->dev, sizeof(s->dev), entry);
	if (entry && same_overlay(entry->overlay, s)) {
		overlay_refresh(entry->overlay, s);
		*ret_overlay = overlay_ref(entry->overlay);
		r = 0;
	} else {
		if (entry)
			overlay_retire(o, entry);
		r = overlay_add(o, s, ret_overlay);
	}
	pthread_rwlock_unlock(&o->lock);
	return r;
}

struct overlay *overlays_touch(struct overlays *o, dev_t dev, const char *options,
        enum mounter mounter, uint64_t generation)
{
	struct dev_entry *entry = NULL;
	struct overlay *overlay = NULL;

	pthread_rwlock_wrlock(&o->lock);
	HASH_FIND(hh, o->devs, &dev, sizeof(dev), entry);
	if (entry && entry->overlay->complete && !strcmp(entry->overlay->options, options) &&
	        (entry->overlay->mounter == MOUNTER_HOST || mounter != MOUNTER_HOST)) {
		entry->overlay->seen = generation;
		overlay = overlay_ref(entry->overlay);
	}
	pthread_rwlock_unlock(&o->lock);
	return overlay;
}

void overlays_touch_dev(struct overlays *o, dev_t dev, uint64_t generation)
{
	struct dev_entry *entry = NULL;

	pthread_rwlock_wrlock(&o->lock);
	HASH_FIND(hh, o->devs, &dev, sizeof(dev), entry);
	if (entry)
		entry->overlay->seen = generation;
	pthread_rwlock_unlock(&o->lock);
}

size_t overlays_sweep(struct overlays *o, uint64_t generation)
{
	struct dev_entry *entry, *next;
	size_t n = 0;

	pthread_rwlock_wrlock(&o->lock);
	HASH_ITER(hh, o->devs, entry, next)
	{
		if (entry->overlay->seen >= generation)
			continue;
		overlay_retire(o, entry);
		n++;
	}
	pthread_rwlock_unlock(&o->lock);
	return n;
}

struct overlay *overlays_by_dev(struct overlays *o, dev_t dev)
{
	struct dev_entry *entry = NULL;
	struct overlay *overlay;

	pthread_rwlock_rdlock(&o->lock);
	HASH_FIND(hh, o->devs, &dev, sizeof(dev), entry);
	overlay = entry ? overlay_ref(entry->overlay) : NULL;
	pthread_rwlock_unlock(&o->lock);
	return overlay;
}

struct overlay *overlays_by_fsid(struct overlays *o, const fsid_t *fsid)
{
	static const fsid_t none;
	struct overlay *overlay = NULL;

	if (!memcmp(fsid, &none, sizeof(none)))
		return NULL;
	pthread_rwlock_rdlock(&o->lock);
	for (struct dev_entry *entry = o->devs; entry && !overlay; entry = entry->hh.next)
		if (!memcmp(&entry->overlay->fsid, fsid, sizeof(*fsid)))
			overlay = overlay_ref(entry->overlay);
	pthread_rwlock_unlock(&o->lock);
	return overlay;
}

struct overlay *overlays_by_mount(struct overlays *o, uint64_t mount_id)
{
	struct mount_entry *entry = NULL;
	struct overlay *overlay;

	pthread_rwlock_rdlock(&o->lock);
	HASH_FIND(hh, o->mounts, &mount_id, sizeof(mount_id), entry);
	overlay = entry ? overlay_ref(entry->overlay) : NULL;
	pthread_rwlock_unlock(&o->lock);
	return overlay;
}

static size_t count_mounts(const struct overlays *o, const struct overlay *overlay)
{
	size_t n = 0;

	for (const struct mount_entry *m = o->mounts; m; m = m->hh.next)
		n += m->overlay == overlay;
	return n;
}

void overlays_bind_mount(struct overlays *o, struct overlay *overlay, uint64_t mount_id)
{
	struct mount_entry *entry = NULL;
	struct dev_entry *dev = NULL;

	pthread_rwlock_wrlock(&o->lock);
	HASH_FIND(hh, o->mounts, &mount_id, sizeof(mount_id), entry);
	HASH_FIND(hh, o->devs, &overlay->dev, sizeof(overlay->dev), dev);
	if (!entry && dev && dev->overlay == overlay &&
	        count_mounts(o, overlay) < OVERLAY_MOUNTS_MAX) {
		entry = calloc(1, sizeof(*entry));
		if (entry) {
			entry->mount_id = mount_id;
			entry->overlay = overlay;
			HASH_ADD(hh, o->mounts, mount_id, sizeof(entry->mount_id), entry);
		}
	}
	pthread_rwlock_unlock(&o->lock);
}

int layer_open(const struct layer *layer)
{
	return backing_open_by_handle(layer->backing, layer->handle.type, layer->handle.data,
	        layer->handle.size, O_RDONLY | O_DIRECTORY);
}

/*
 * Where a path lies.
 */
static void consider(const struct overlay *asking, struct layer_entry *entry, size_t prefix,
        struct layer_hit *hit)
{
	if (!entry)
		return;
	if (entry->layer.n_upper > 0) {
		/* The outermost writer owns what it holds, nested overlays included. */
		if (hit->role == LAYER_UPPER)
			return;
		*hit = (struct layer_hit){
		        .role = LAYER_UPPER, .overlay = entry->writer, .prefix = prefix};
		return;
	}
	if (hit->role == LAYER_UPPER || !entry->layer.trusted)
		return;
	if (layer_is_lower_of(asking, &entry->layer))
		*hit = (struct layer_hit){
		        .role = LAYER_LOWER, .prefix = prefix, .layer = &entry->layer};
	else if (hit->role != LAYER_LOWER)
		*hit = (struct layer_hit){.role = LAYER_LOWER_OTHER, .prefix = prefix};
}

void overlays_locate(struct overlays *o, const struct layer_query *query, struct layer_hit *ret_hit)
{
	const struct backing *backing = query->backing;
	const char *path = query->path;
	struct layer_hit hit = {0};
	size_t size = strlen(path);

	pthread_rwlock_rdlock(&o->lock);
	consider(query->asking, layer_find(o, backing, "/", 1), 0, &hit);
	for (size_t i = 1; i <= size; i++)
		if (i == size || path[i] == '/')
			consider(query->asking, layer_find(o, backing, path, i), i, &hit);
	overlay_ref(hit.overlay);
	pthread_rwlock_unlock(&o->lock);
	*ret_hit = hit;
}

/*
 * Names.
 */
int overlay_info(struct overlays *o, const struct overlay *overlay, struct container_info *ret_info)
{
	int r;

	pthread_rwlock_rdlock(&o->lock);
	r = container_info_copy(&overlay->info, ret_info);
	pthread_rwlock_unlock(&o->lock);
	return r;
}

void overlay_set_info(struct overlays *o, struct overlay *overlay, struct container_info *info)
{
	pthread_rwlock_wrlock(&o->lock);
	info->key = TAKE_PTR(overlay->info.key);
	container_info_done(&overlay->info);
	overlay->info = *info;
	overlay->named = info->name != NULL;
	pthread_rwlock_unlock(&o->lock);
	memset(info, 0, sizeof(*info));
}

void overlays_each(struct overlays *o, void (*fn)(const struct overlay *overlay, void *userdata),
        void *userdata)
{
	pthread_rwlock_rdlock(&o->lock);
	for (const struct dev_entry *entry = o->devs; entry; entry = entry->hh.next)
		fn(entry->overlay, userdata);
	pthread_rwlock_unlock(&o->lock);
}

size_t overlays_count(struct overlays *o)
{
	size_t n;

	pthread_rwlock_rdlock(&o->lock);
	n = HASH_COUNT(o->devs);
	pthread_rwlock_unlock(&o->lock);
	return n;
}
