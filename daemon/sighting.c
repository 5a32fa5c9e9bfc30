/*
 * A layer directory is opened with O_PATH only: nothing is read, and a FUSE server or an automount
 * below it is not woken. Entries of `lowerdir` are often symbolic links (overlay/l/ABC, to keep the
 * option short) or relative to the runtime's storage, where it had changed to before the mount.
 */
#include "daemon/sighting.h"

#include "base/cleanup.h"
#include "core/overlay.h"
#include "daemon/log.h"
#include "daemon/task_root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* The runtimes' defaults; k3s and RKE2 keep a containerd of their own. */
static const char *const default_storage[] = {
        "/var/lib/containers/storage",
        "/var/lib/docker",
        "/var/lib/containerd",
        "/var/lib/rancher/k3s/agent/containerd",
        "/var/lib/rancher/rke2/agent/containerd",
};

/* Below a storage directory, where relative lowerdir entries start. */
static const char *const relative_bases[] = {"overlay", "overlay2", "."};

/* Rootless podman keeps its layers here, below a home directory. */
#define ROOTLESS_STORAGE "/.local/share/containers/storage/"

static int storage_add(
        struct storage_paths *paths, const char *path, struct backing_table *backings)
{
	_cleanup_free_ char *copy = NULL, *canonical = NULL;
	_cleanup_close_ int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(backing_unrefp) struct backing *backing = NULL;

	if (fd < 0)
		return 0;
	if (backing_get(backings, fd, &backing) < 0 || backing_path_of(backing, fd, &canonical) < 0)
		return 0;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	paths->paths[paths->n] = TAKE_PTR(copy);
	paths->canonical[paths->n] = TAKE_PTR(canonical);
	paths->backings[paths->n++] = TAKE_PTR(backing);
	return 0;
}

int storage_paths_init(
        struct storage_paths *paths, const struct config *config, struct backing_table *backings)
{
	const char *const *source = (const char *const *)config->storage;
	size_t n = config->n_storage;
	int r = 0;

	if (n == 0) {
		source = default_storage;
		n = sizeof(default_storage) / sizeof(default_storage[0]);
	}
	paths->paths = calloc(n, sizeof(paths->paths[0]));
	paths->canonical = calloc(n, sizeof(paths->canonical[0]));
	paths->backings = calloc(n, sizeof(paths->backings[0]));
	if (!paths->paths || !paths->canonical || !paths->backings)
		r = -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++) {
		size_t before = paths->n;

		r = storage_add(paths, source[i], backings);
		if (r == 0 && paths->n == before && config->n_storage > 0)
			log_warning("guard.storage: %s: cannot be opened; what appears there is "
			            "guarded "
			            "by overlay marks",
			        source[i]);
	}
	return r;
}

void storage_paths_done(struct storage_paths *paths)
{
	for (size_t i = 0; i < paths->n; i++) {
		free(paths->paths[i]);
		free(paths->canonical[i]);
		backing_unref(paths->backings[i]);
	}
	free(paths->backings);
	free(paths->paths);
	free(paths->canonical);
	memset(paths, 0, sizeof(*paths));
}

static int open_dir(const char *prefix, const char *path)
{
	_cleanup_free_ char *full = NULL;
	int fd;

	if (asprintf(&full, "%s%s", prefix, path) < 0) {
		full = NULL;
		return -ENOMEM;
	}
	fd = open(full, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int open_relative(const struct storage_paths *storage, const char *path)
{
	for (size_t i = 0; i < storage->n; i++) {
		for (size_t j = 0; j < sizeof(relative_bases) / sizeof(relative_bases[0]); j++) {
			_cleanup_free_ char *base = NULL;
			int fd;

			if (asprintf(&base, "%s/%s/", storage->paths[i], relative_bases[j]) < 0) {
				base = NULL;
				return -ENOMEM;
			}
			fd = open_dir(base, path);
			if (fd >= 0)
				return fd;
		}
	}
	return -ENOENT;
}

/* Where the namespace of the mount has it; else where we have it (a runtime mounts from a
 * namespace that its container's tasks have left). */
static int open_layer(const struct sighting_source *source, const char *path)
{
	int fd = -ENOENT;

	if (path[0] != '/')
		return open_relative(source->storage, path);
	if (source->pid > 0) {
		char root[48];

		/* A layer in use is in memory; a walk to the disk could be one to a FUSE server. */
		fd = task_open_cached(source->pid, path, 0);
		if (fd >= 0 || source->fuse->n > 0)
			return fd;
		snprintf(root, sizeof(root), "/proc/%d/root", (int)source->pid);
		fd = open_dir(root, path);
	}
	return fd >= 0 ? fd : open_dir("", path);
}

static bool is_served_by_fuse(const struct sighting_source *source, int fd)
{
	struct file_look look = {0};

	return file_look(fd, &look) < 0 || dev_set_has(source->fuse, look.identity.dev);
}

static int read_handle(int fd, struct layer_handle *ret_handle)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} buffer = {.handle = {.handle_bytes = MAX_HANDLE_SZ}};
	int mount_id;

	if (name_to_handle_at(fd, "", &buffer.handle, &mount_id, AT_EMPTY_PATH) < 0)
		return -errno;
	ret_handle->type = buffer.handle.handle_type;
	ret_handle->size = buffer.handle.handle_bytes;
	memcpy(ret_handle->data, buffer.handle.f_handle, buffer.handle.handle_bytes);
	return 0;
}

/* sighted_done() frees, also what a failure has left. */
static int resolve(
        const struct sighting_source *source, const char *path, struct sighted_layer *ret_layer)
{
	_cleanup_close_ int fd = open_layer(source, path);
	char *canonical = NULL;
	int r;

	if (fd < 0)
		return fd;
	if (is_served_by_fuse(source, fd))
		return -EOPNOTSUPP;
	r = backing_get(source->backings, fd, &ret_layer->backing);
	if (r == 0)
		r = read_handle(fd, &ret_layer->handle);
	if (r == 0)
		r = backing_path_of(ret_layer->backing, fd, &canonical);
	if (r == 0)
		ret_layer->path = canonical;
	return r;
}

static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (n == 1)
		return true; /* "/" */
	return !strncmp(path, dir, n) && (path[n] == '/' || !path[n]);
}

/*
 * A layer vouches when the host mounted the overlay. Otherwise it must lie in the runtimes'
 * storage, on the storage's own filesystem: any user namespace can spell that path on a tmpfs.
 */
static bool is_trusted(const struct sighting_source *source, const struct sighted_layer *layer)
{
	if (source->mounter == MOUNTER_HOST)
		return true;
	for (size_t i = 0; i < source->storage->n; i++)
		if (layer->backing == source->storage->backings[i] &&
		        below(layer->path, source->storage->canonical[i]))
			return true;
	return layer->backing->host &&
	       (below(layer->path, "/home") || below(layer->path, "/root")) &&
	       strstr(layer->path, ROOTLESS_STORAGE "overlay/");
}

struct resolved {
	struct sighted_layer upper, work;
	struct sighted_layer *lowers;
	size_t n;
	bool complete;
};

static void sighted_done(struct sighted_layer *layer)
{
	char *path = (char *)(uintptr_t)layer->path;

	free(path);
	backing_unref(layer->backing);
}

static void resolved_done(struct resolved *r)
{
	sighted_done(&r->upper);
	sighted_done(&r->work);
	for (size_t i = 0; i < r->n; i++)
		sighted_done(&r->lowers[i]);
	free(r->lowers);
}

static int resolve_all(const struct sighting_source *source, const struct overlay_options *options,
        struct resolved *ret)
{
	ret->lowers = calloc(options->n_lowers, sizeof(ret->lowers[0]));
	if (!ret->lowers)
		return -ENOMEM;
	ret->complete = true;
	if (options->upper && resolve(source, options->upper, &ret->upper) < 0)
		ret->complete = false;
	/* overlayfs writes to "work" below workdir, which containers see even less of */
	if (options->work)
		(void)resolve(source, options->work, &ret->work);
	for (size_t i = 0; i < options->n_lowers; i++) {
		struct sighted_layer *lower = &ret->lowers[ret->n];

		if (resolve(source, options->lowers[i], lower) < 0) {
			ret->complete = false;
			sighted_done(lower);
			*lower = (struct sighted_layer){0};
			continue;
		}
		lower->trusted = is_trusted(source, lower);
		ret->n++;
	}
	return 0;
}

int sighting_register(const struct sighting_source *source, struct overlays *overlays,
        struct overlay **ret_overlay)
{
	_cleanup_(overlay_options_done) struct overlay_options options = {0};
	_cleanup_(resolved_done) struct resolved resolved = {0};
	struct overlay_sighting sighting;
	int r;

	r = overlay_options_parse(source->options, true, &options);
	if (r < 0)
		return r;
	r = resolve_all(source, &options, &resolved);
	if (r < 0)
		return r;
	sighting = (struct overlay_sighting){
	        .dev = source->dev,
	        .mounter = source->mounter,
	        .mountpoint = source->mountpoint,
	        .options = source->options,
	        .upper = resolved.upper,
	        .work = resolved.work,
	        .lowers = resolved.lowers,
	        .n_lowers = resolved.n,
	        .complete = resolved.complete,
	        .userxattr = options.userxattr,
	        .generation = source->generation,
	};
	return overlays_sight(overlays, &sighting, ret_overlay);
}
