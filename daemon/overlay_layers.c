/*
 * Layers by filesystem and path, and the mounts that show them.
 *
 * The second is what makes an image program cheap: one statx(2) of the event's descriptor tells the
 * mount that it was opened through, and overlayfs has one of its own for each layer. Such a mount
 * is bound once, after the inode was decoded, and only when the path in the mount is the tail that
 * the canonical path has below the layer: then the mount's root is the layer, and whatever comes
 * through it lies inside. An upper layer that is made below a lower one would lie inside, too: each
 * new writer makes all bindings be found out again.
 */
#include "daemon/overlays_internal.h"

#include "base/cleanup.h"

#include <stdatomic.h>
#include <string.h>

struct layer_entry *layer_find(
        const struct overlays *o, const struct backing *backing, const char *path, size_t size)
{
	struct path_entry *at = NULL;
	struct layer_entry *entry;

	HASH_FIND(hh, o->paths, path, size, at);
	for (entry = at ? at->first : NULL; entry; entry = entry->next)
		if (entry->layer.backing == backing)
			return entry;
	return NULL;
}

static struct path_entry *path_get(struct overlays *o, const char *path)
{
	struct path_entry *at = NULL;

	HASH_FIND(hh, o->paths, path, strlen(path), at);
	if (at)
		return at;
	at = calloc(1, sizeof(*at));
	if (!at || !(at->path = strdup(path))) {
		free(at);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, o->paths, at->path, strlen(at->path), at);
	return at;
}

static void path_put(struct overlays *o, struct path_entry *at)
{
	if (at->first)
		return;
	HASH_DEL(o->paths, at); /* NOLINT: the analyser loses uthash's own list */
	free(at->path);
	free(at);
}

static struct layer_entry *layer_add(struct overlays *o, const struct sighted_layer *sighted)
{
	struct path_entry *at = path_get(o, sighted->path);
	struct layer_entry *entry = at ? calloc(1, sizeof(*entry)) : NULL;

	if (!entry) {
		if (at)
			path_put(o, at);
		return NULL;
	}
	entry->layer.path = at->path;
	entry->layer.backing = backing_ref(sighted->backing);
	entry->layer.entry = entry;
	entry->at = at;
	entry->next = at->first;
	at->first = entry;
	return entry;
}

struct layer *layer_get(struct overlays *o, const struct sighted_layer *sighted)
{
	struct layer_entry *entry =
	        layer_find(o, sighted->backing, sighted->path, strlen(sighted->path));

	if (!entry)
		entry = layer_add(o, sighted);
	if (!entry)
		return NULL;
	/* A directory that was made anew at the same path: the last sighting knows. */
	entry->layer.handle = sighted->handle;
	entry->layer.refs++;
	return &entry->layer;
}

static void drop_mount(struct overlays *o, struct layer_mount **link)
{
	struct layer_mount *mount = *link;

	*link = mount->next;
	mount->entry->n_mounts--;
	HASH_DEL(o->layer_mounts, mount); /* NOLINT: the analyser loses uthash's own list */
	free(mount);
}

void layer_put(struct overlays *o, struct layer *layer)
{
	struct layer_entry *entry, **link;

	if (!layer || --layer->refs > 0)
		return;
	entry = layer->entry;
	for (link = &entry->at->first; *link != entry; link = &(*link)->next)
		;
	*link = entry->next;
	while (entry->mounts)
		drop_mount(o, &entry->mounts);
	path_put(o, entry->at);
	if (layer->index && o->free_index)
		o->free_index(layer->index);
	backing_unref(layer->backing);
	free(entry);
}

void layer_set_writer(struct overlays *o, struct layer *layer, struct overlay *overlay)
{
	struct layer_entry *entry;

	if (!layer)
		return;
	entry = layer->entry;
	layer->n_upper++;
	entry->writer = overlay;
	o->writers++;
}

void layer_clear_writer(struct layer *layer, const struct overlay *overlay)
{
	struct layer_entry *entry;

	if (!layer)
		return;
	entry = layer->entry;
	layer->n_upper--;
	if (entry->writer == overlay)
		entry->writer = NULL;
}

bool layer_is_lower_of(const struct overlay *overlay, const struct layer *layer)
{
	for (size_t i = 0; overlay && i < overlay->n_lowers; i++)
		if (overlay->lowers[i] == layer)
			return true;
	return false;
}

/*
 * Mounts of layers.
 */
static void drop_oldest_mount(struct overlays *o, struct layer_entry *entry)
{
	struct layer_mount **link = &entry->mounts;

	while (*link && (*link)->next)
		link = &(*link)->next;
	if (*link)
		drop_mount(o, link);
}

static void bind_locked(struct overlays *o, struct layer_entry *entry, uint64_t mount_id)
{
	struct layer_mount *mount = NULL;

	HASH_FIND(hh, o->layer_mounts, &mount_id, sizeof(mount_id), mount);
	if (mount) {
		mount->writers = o->writers;
		return;
	}
	if (entry->n_mounts >= LAYER_MOUNTS_MAX)
		drop_oldest_mount(o, entry);
	mount = calloc(1, sizeof(*mount));
	if (!mount)
		return;
	mount->mount_id = mount_id;
	mount->entry = entry;
	mount->writers = o->writers;
	mount->next = entry->mounts;
	entry->mounts = mount;
	entry->n_mounts++;
	HASH_ADD(hh, o->layer_mounts, mount_id, sizeof(mount->mount_id), mount);
}

void overlays_bind_layer(struct overlays *o, const struct layer_query *query,
        const char *mount_path, uint64_t mount_id)
{
	size_t size = strlen(query->path), tail = strlen(mount_path);
	struct layer_entry *entry;

	if (tail == 0 || tail > size || strcmp(query->path + size - tail, mount_path) != 0)
		return;
	pthread_rwlock_wrlock(&o->lock);
	entry = layer_find(o, query->backing, query->path, size - tail);
	if (entry && entry->layer.trusted && entry->layer.n_upper == 0 &&
	        layer_is_lower_of(query->asking, &entry->layer))
		bind_locked(o, entry, mount_id);
	pthread_rwlock_unlock(&o->lock);
}

void overlays_note_loader(struct overlays *o, uint64_t mount_id, uint64_t ino)
{
	struct layer_mount *mount = NULL;

	pthread_rwlock_wrlock(&o->lock);
	HASH_FIND(hh, o->layer_mounts, &mount_id, sizeof(mount_id), mount);
	if (mount)
		mount->entry->loader = ino;
	pthread_rwlock_unlock(&o->lock);
}

bool overlays_is_lower_mount(struct overlays *o, uint64_t mount_id, uint64_t *ret_loader)
{
	struct layer_mount *mount = NULL;
	bool lower;

	pthread_rwlock_rdlock(&o->lock);
	HASH_FIND(hh, o->layer_mounts, &mount_id, sizeof(mount_id), mount);
	lower = mount && mount->writers == o->writers && mount->entry->layer.trusted;
	*ret_loader = lower ? mount->entry->loader : 0;
	pthread_rwlock_unlock(&o->lock);
	return lower;
}
