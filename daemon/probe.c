/*
 * Two kinds of event reach this place: the real inode (a mark on the filesystem of the layers), or
 * the overlay's inode (a mark on the overlay). Both end as the same facts.
 *
 * Nothing is decided by a name: the canonical path of the decoded inode only tells the layer's
 * directory. An upper inode carries the handle of the lower inode that it was copied up from in an
 * extended attribute that overlayfs hides from the container (trusted.overlay.origin, or
 * user.overlay.origin on mounts with userxattr, where overlayfs hides that one).
 */
#include "daemon/probe_internal.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "core/overlay.h"
#include "daemon/kernel_abi.h"
#include "daemon/lookup.h"
#include "daemon/pidns.h"
#include "daemon/task.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#define ORIGIN_XATTR_MAX 256 /* bytes: struct ovl_fb with the largest handle is 149 */

void probe_result_done(struct probe_context *c, struct probe_result *result)
{
	cleanup_closep(&result->real_fd);
	cleanup_closep(&result->lower_fd);
	overlay_unref(c->overlays, result->overlay);
	hostfs_unref(result->host);
	free(result->path);
	free(result->host_path);
	*result = (struct probe_result){.real_fd = -1, .lower_fd = -1};
}

char *probe_event_path(int fd)
{
	char link[32], *path = NULL;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return file_readlink_at(AT_FDCWD, link, &path) < 0 ? NULL : path;
}

char *probe_path_in(const struct overlay *overlay, int fd)
{
	_cleanup_free_ char *path = probe_event_path(fd);
	size_t n = overlay ? strlen(overlay->mountpoint) : 0;

	if (path && n > 1 && !strncmp(path, overlay->mountpoint, n) && path[n] == '/')
		return strdup(path + n);
	return TAKE_PTR(path);
}

static int set_layer_path(struct probe_result *result, size_t prefix)
{
	const char *inside = result->host_path + prefix;

	result->path = strdup(*inside ? inside : "/");
	return result->path ? 0 : -ENOMEM;
}

static void locate(struct probe_context *c, const struct backing *backing, const char *path,
        const struct overlay *asking, struct layer_hit *ret_hit)
{
	const struct layer_query query = {.backing = backing, .path = path, .asking = asking};

	overlays_locate(c->overlays, &query, ret_hit);
}

/*
 * The lower inode of a copied-up file, if it lies in a layer of @overlay: opened for reading.
 */
static int open_lower(struct probe_context *c, const struct overlay *overlay,
        const struct overlay_handle *handle, char **ret_path, const struct backing **ret_backing)
{
	const struct backing *tried = NULL;

	for (size_t i = 0; i < overlay->n_lowers; i++) {
		const struct backing *backing = overlay->lowers[i]->backing;
		_cleanup_free_ char *path = NULL;
		_cleanup_close_ int fd = -1;
		struct layer_hit hit;

		if (backing == tried)
			continue;
		tried = backing;
		fd = backing_open_by_handle(backing, handle->real_type, handle->real,
		        handle->real_size, O_RDONLY | O_NONBLOCK);
		if (fd < 0 || backing_path_of(backing, fd, &path) < 0)
			continue;
		locate(c, backing, path, overlay, &hit);
		overlay_unref(c->overlays, hit.overlay);
		if (hit.role != LAYER_LOWER)
			continue;
		*ret_path = TAKE_PTR(path);
		*ret_backing = backing;
		return TAKE_FD(fd);
	}
	return -ENOENT;
}

static int set_lower(
        struct probe_context *c, const struct overlay_handle *handle, struct probe_result *result)
{
	_cleanup_free_ char *path = NULL;
	const struct backing *found;
	mode_t mode;

	result->lower_fd = open_lower(c, result->overlay, handle, &path, &found);
	if (result->lower_fd < 0)
		return result->lower_fd;
	return file_identity_of(result->lower_fd, &result->lower_identity, &mode);
}

/* An upper inode: dropped, or copied up from a lower one. */
void probe_classify_upper(struct probe_context *c, int fd, struct probe_result *result)
{
	uint8_t value[ORIGIN_XATTR_MAX];
	struct overlay_handle handle;
	ssize_t n = fgetxattr(fd,
	        result->overlay->userxattr ? "user.overlay.origin" : "trusted.overlay.origin",
	        value, sizeof(value));

	if (n < 0) {
		result->origin = errno == ENODATA ? ORIGIN_DROPPED : ORIGIN_UNKNOWN;
		return;
	}
	/* It was copied up; without its lower file there is nothing that it could equal. */
	result->origin = ORIGIN_MODIFIED;
	if (overlay_origin_parse(value, (size_t)n, &handle) != OVERLAY_HANDLE_LOWER)
		return;
	if (set_lower(c, &handle, result) < 0)
		return;
	result->origin = ORIGIN_UNKNOWN;
	result->compare = true;
}

static bool is_host_task(pid_t pid)
{
	return !task_in_other_pid_ns(pid) && !task_in_other_mnt_ns(pid);
}

/*
 * A file in no layer of the asking container, on a filesystem that holds layers. The host's own
 * programs reach us only from private mount namespaces (many systemd services have one); a
 * container's are told by its root, its pid namespace, which it cannot leave, or its cgroup, which
 * the host gave it. On a guarded host filesystem whatever is in no known container is the host's:
 * what runs in a chroot, in a system container, or in namespaces of its own.
 */
static void classify_outside(struct probe_context *c, pid_t pid, struct probe_result *result)
{
	struct cgroup_container claimed;

	if (!result->overlay)
		result->overlay = pidns_overlay_of(mounts_pidns(c->mounts), pid);
	if (!result->overlay)
		result->host = hostfs_find(c->hosts, (dev_t)result->identity.dev);
	if (result->host) {
		result->origin = ORIGIN_HOST;
		result->other_image = false;
		return;
	}
	if (!result->overlay && task_cgroup(pid, &claimed) == CGROUP_HOST) {
		result->origin = ORIGIN_UNGUARDED;
		return;
	}
	/* The runtime's own init comes from the host, by a bind mount. */
	if (!c->config->guard_volumes || runtime_init_has(c->inits, &result->identity))
		result->origin = ORIGIN_UNGUARDED;
	else
		result->origin = ORIGIN_VOLUME;
}

/* @asking is taken. */
static int classify_real(struct probe_context *c, const struct backing *backing, int fd, pid_t pid,
        struct overlay *asking, struct probe_result *result)
{
	struct layer_hit hit;
	int r = backing_path_of(backing, fd, &result->host_path);

	if (r < 0) {
		overlay_unref(c->overlays, asking);
		return r;
	}
	locate(c, backing, result->host_path, asking, &hit);
	result->overlay = asking;
	if (hit.role == LAYER_UPPER) {
		overlay_unref(c->overlays, asking);
		result->overlay = hit.overlay;
		result->upper = true;
		r = set_layer_path(result, hit.prefix);
		if (r == 0 && result->overlay)
			probe_classify_upper(c, fd, result);
		return r;
	}
	if (hit.role == LAYER_LOWER) {
		result->origin = ORIGIN_IMAGE;
		return set_layer_path(result, hit.prefix);
	}
	result->other_image = hit.role == LAYER_LOWER_OTHER;
	result->path = probe_path_in(asking, fd);
	classify_outside(c, pid, result);
	return 0;
}

/*
 * Overlay inodes.
 */
union handle_buffer {
	struct file_handle handle;
	char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

static int overlay_handle_of(int fd, union handle_buffer *buffer, struct overlay_handle *ret_handle,
        enum overlay_handle_result *ret_result)
{
	int mount_id;

	buffer->handle.handle_bytes = MAX_HANDLE_SZ;
	/* Before 6.5 the flag is unknown, before 6.6 an overlay has no handles. */
	if (name_to_handle_at(fd, "", &buffer->handle, &mount_id, AT_EMPTY_PATH | AT_HANDLE_FID) <
	        0)
		return errno == EINVAL || errno == EOPNOTSUPP ? -ENOTSUP : -errno;
	if (buffer->handle.handle_type != OVERLAY_HANDLE_TYPE)
		return -ENOTSUP; /* overlay on overlay, or rootless: it does not tell its layer */
	*ret_result = overlay_handle_parse(
	        buffer->handle.f_handle, buffer->handle.handle_bytes, ret_handle);
	return 0;
}

static int set_upper(
        struct probe_context *c, const struct overlay_handle *handle, struct probe_result *result)
{
	const struct overlay *overlay = result->overlay;
	struct layer_hit hit;
	mode_t mode;
	int r;

	if (!overlay->upper)
		return -ENOENT;
	result->real_fd = backing_open_by_handle(overlay->upper->backing, handle->real_type,
	        handle->real, handle->real_size, O_RDONLY | O_NONBLOCK);
	if (result->real_fd < 0)
		return result->real_fd;
	r = file_identity_of(result->real_fd, &result->identity, &mode);
	if (r == 0)
		r = backing_path_of(overlay->upper->backing, result->real_fd, &result->host_path);
	if (r < 0)
		return r;
	locate(c, overlay->upper->backing, result->host_path, overlay, &hit);
	overlay_unref(c->overlays, hit.overlay);
	return hit.role == LAYER_UPPER ? set_layer_path(result, hit.prefix) : -ENOENT;
}

/* The lower inode behind an overlay inode: untouched when it has the same birth and change time. */
static int compare_lower(
        struct probe_context *c, const struct overlay_handle *handle, struct probe_result *result)
{
	const struct file_identity *lower = &result->lower_identity, *seen = &result->identity;
	_cleanup_free_ char *path = NULL;
	const struct backing *found = NULL;
	struct layer_hit hit;
	mode_t mode;
	int r;

	result->lower_fd = open_lower(c, result->overlay, handle, &path, &found);
	if (result->lower_fd < 0)
		return result->lower_fd;
	r = file_identity_of(result->lower_fd, &result->lower_identity, &mode);
	if (r < 0)
		return r;
	locate(c, found, path, result->overlay, &hit);
	result->host_path = TAKE_PTR(path);
	r = set_layer_path(result, hit.prefix);
	if (r < 0)
		return r;
	if (lower->ctime_ns == seen->ctime_ns && lower->btime_ns == seen->btime_ns &&
	        lower->btime_ns != 0) {
		result->origin = ORIGIN_IMAGE;
		return 0;
	}
	result->upper = true;
	result->compare = true;
	return 0;
}

/*
 * The real inode of a copied-up file, where it still has the path of its lower file: on it a lease
 * sees mappings, too, which on the overlay's inode it does not.
 */
static void find_copied_up(struct probe_result *result)
{
	mode_t mode;

	if (!result->compare || !result->path)
		return;
	result->real_fd = lookup_upper(result->overlay, result->path, &result->identity);
	if (result->real_fd >= 0)
		(void)file_identity_of(result->real_fd, &result->identity, &mode);
}

int probe_classify_overlay(struct probe_context *c, int fd, struct probe_result *result)
{
	enum overlay_handle_result kind = OVERLAY_HANDLE_UNCHECKED;
	struct overlay_handle handle;
	union handle_buffer buffer;
	int r = overlay_handle_of(fd, &buffer, &handle, &kind);

	if (r < 0)
		return r;
	switch (kind) {
	case OVERLAY_HANDLE_UPPER:
		result->upper = true;
		r = set_upper(c, &handle, result);
		if (r == 0)
			result->origin = ORIGIN_DROPPED;
		return r;
	case OVERLAY_HANDLE_LOWER:
		return compare_lower(c, &handle, result);
	default:
		return -EBADMSG;
	}
}

struct overlay *probe_overlay_of(struct probe_context *c, int fd, dev_t dev)
{
	struct overlay *overlay = overlays_by_dev(c->overlays, dev);
	struct statfs fs;

	if (overlay || fstatfs(fd, &fs) < 0)
		return overlay;
	return overlays_by_fsid(c->overlays, &fs.f_fsid);
}

static bool is_overlay(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == ABI_OVERLAYFS_MAGIC;
}

/* The first exec of a container: what is mounted in it is guarded before the answer. */
static void see_birth(struct probe_context *c, pid_t pid, const struct overlay *overlay)
{
	dev_t root_dev;

	if (overlay && !overlay->born)
		overlay_unref(c->overlays, mounts_root_of(c->mounts, pid, &root_dev));
}

/* What an overlay event leaves open is settled as unknown, which nobody vouches for. */
static int probe_overlay(
        struct probe_context *c, int fd, pid_t pid, bool full, struct probe_result *result)
{
	int r;

	result->overlay = probe_overlay_of(c, fd, (dev_t)result->identity.dev);
	if (!result->overlay && full && mounts_scan_task(c->mounts, pid) == 0)
		result->overlay = probe_overlay_of(c, fd, (dev_t)result->identity.dev);
	if (!full && (!result->overlay || !result->overlay->born))
		return 0;
	if (full)
		see_birth(c, pid, result->overlay);
	result->settled = full;
	r = result->overlay ? probe_classify_overlay(c, fd, result) : -ENOENT;
	if (r == -ENOTSUP && !full)
		return 0; /* by path, on the pool */
	if (r == -ENOTSUP)
		r = probe_by_path(c, fd, pid, result);
	else if (r == 0 && full)
		find_copied_up(result);
	if (r < 0) {
		result->origin = ORIGIN_UNKNOWN;
		result->compare = false;
		faults_count(c->faults, FAULT_LAYER_UNKNOWN);
	}
	if (!result->path)
		result->path = probe_event_path(fd);
	result->settled |= result->origin == ORIGIN_IMAGE;
	result->by_overlay = true;
	return 0;
}

static int probe_backing(struct probe_context *c, const struct backing *backing, int fd, pid_t pid,
        struct probe_result *result)
{
	struct overlay *asking;
	dev_t root_dev;
	int r;

	bool outside;

	asking = mounts_root_of(c->mounts, pid, &root_dev);
	outside = !asking;
	r = classify_real(c, backing, fd, pid, asking, result);
	result->settled = true;
	if (r < 0) {
		result->origin = ORIGIN_UNKNOWN;
		if (outside)
			result->host = hostfs_find(c->hosts, backing->dev);
	}
	return 0;
}

/* The next program of this layer in this overlay needs no decoding. */
static void bind_layer(struct probe_context *c, const struct backing *backing, int fd,
        const struct probe_result *result)
{
	const struct layer_query query = {
	        .backing = backing, .path = result->host_path, .asking = result->overlay};
	_cleanup_free_ char *path = result->mount_id ? probe_event_path(fd) : NULL;

	if (path)
		overlays_bind_layer(c->overlays, &query, path, result->mount_id);
}

static int probe_backing_quick(struct probe_context *c, const struct backing *backing, int fd,
        pid_t pid, struct probe_result *result)
{
	struct overlay *asking;
	struct layer_hit hit;
	dev_t root_dev;
	bool known;
	int r;

	asking = mounts_root_known(c->mounts, pid, &root_dev, &known);
	if (!known)
		return 0;
	result->overlay = asking;
	r = backing_path_of(backing, fd, &result->host_path);
	if (r < 0)
		return r;
	locate(c, backing, result->host_path, asking, &hit);
	overlay_unref(c->overlays, hit.overlay);
	if (hit.role == LAYER_LOWER) {
		result->origin = ORIGIN_IMAGE;
		bind_layer(c, backing, fd, result);
	} else if (hit.role == LAYER_NONE && !asking && is_host_task(pid) &&
	           !hostfs_is_guarded(c->hosts, backing->dev))
		result->origin = ORIGIN_UNGUARDED;
	else
		return 0;
	result->settled = true;
	return hit.role == LAYER_LOWER ? set_layer_path(result, hit.prefix) : 0;
}

int probe_begin(int fd, struct probe_result *result)
{
	struct file_look look = {0};
	int r;

	*result = (struct probe_result){.real_fd = -1, .lower_fd = -1};
	r = file_look(fd, &look);
	if (r < 0)
		return r;
	result->identity = look.identity;
	result->mode = look.mode;
	result->mount_id = look.mount_id;
	return 0;
}

/*
 * The shortest way, for nearly every first exec: what was opened through a layer's own mount is of
 * that layer. The task is not looked at, as it is not for a program that the kernel remembers.
 */
static bool probe_by_mount(struct probe_context *c, struct probe_result *result)
{
	result->settled = result->mount_id &&
	                  overlays_is_lower_mount(c->overlays, result->mount_id, &result->loader);
	if (result->settled)
		result->origin = ORIGIN_IMAGE;
	return result->settled;
}

int probe_quick(struct probe_context *c, int fd, pid_t pid, struct probe_result *ret_result)
{
	_cleanup_(backing_unrefp) struct backing *backing = NULL;
	int r = probe_begin(fd, ret_result);

	if (r < 0 || probe_by_mount(c, ret_result))
		return r;
	/* An overlay of several filesystems shows the device number of a layer: ask the type. */
	if (is_overlay(fd))
		return probe_overlay(c, fd, pid, false, ret_result);
	backing = backing_find(c->backings, (dev_t)ret_result->identity.dev);
	return backing ? probe_backing_quick(c, backing, fd, pid, ret_result) : 0;
}

/* A filesystem that holds no layers: it is marked because a container has it mounted. */
static int probe_volume(struct probe_context *c, int fd, pid_t pid, struct probe_result *result)
{
	dev_t root_dev;

	result->overlay = mounts_root_of(c->mounts, pid, &root_dev);
	result->path = probe_path_in(result->overlay, fd);
	classify_outside(c, pid, result);
	result->settled = true;
	return 0;
}

int probe_full(struct probe_context *c, int fd, pid_t pid, struct probe_result *ret_result)
{
	_cleanup_(backing_unrefp) struct backing *backing = NULL;
	int r = probe_begin(fd, ret_result);

	if (r < 0)
		return r;
	if (is_overlay(fd))
		return probe_overlay(c, fd, pid, true, ret_result);
	backing = backing_find(c->backings, (dev_t)ret_result->identity.dev);
	r = backing ? probe_backing(c, backing, fd, pid, ret_result)
	            : probe_volume(c, fd, pid, ret_result);
	/* A mark for the host asks about the containers on its filesystem, too. */
	if (!ret_result->host && !c->config->guard_containers)
		ret_result->origin = ORIGIN_UNGUARDED;
	return r;
}

static int created_in_overlay(struct probe_context *c, int fd, struct probe_result *result)
{
	enum overlay_handle_result kind = OVERLAY_HANDLE_UNCHECKED;
	struct overlay_handle handle;
	union handle_buffer buffer;
	int r;

	result->overlay = probe_overlay_of(c, fd, (dev_t)result->identity.dev);
	if (!result->overlay)
		return -ENOENT;
	result->upper = true;
	r = overlay_handle_of(fd, &buffer, &handle, &kind);
	if (r == -ENOTSUP)
		r = probe_created_by_path(c, fd, result);
	else if (r == 0)
		r = kind == OVERLAY_HANDLE_UPPER ? set_upper(c, &handle, result) : -ENOENT;
	if (r < 0 && !result->path)
		result->path = probe_event_path(
		        fd); /* copied up, or nested: known by the overlay's inode */
	return 0;
}

static int created_on_host(struct probe_context *c, int fd, struct probe_result *result)
{
	result->host = hostfs_find(c->hosts, (dev_t)result->identity.dev);
	if (!result->host)
		return -ENOENT;
	result->origin = ORIGIN_HOST;
	result->path = probe_event_path(fd);
	return result->path ? 0 : -ENOENT;
}

static int created_in_volume(
        struct probe_context *c, int fd, pid_t pid, struct probe_result *result)
{
	dev_t root_dev;
	bool known;

	result->overlay = mounts_root_known(c->mounts, pid, &root_dev, &known);
	if (!result->overlay)
		return created_on_host(c, fd, result);
	if (!c->config->guard_volumes)
		return -ENOENT;
	result->origin = ORIGIN_VOLUME;
	result->path = probe_path_in(result->overlay, fd);
	return result->path ? 0 : -ENOENT;
}

int probe_created(struct probe_context *c, int fd, pid_t pid, struct probe_result *ret_result)
{
	_cleanup_(backing_unrefp) struct backing *backing = NULL;
	struct layer_hit hit;
	int r = probe_begin(fd, ret_result);

	if (r < 0)
		return r;
	if (is_overlay(fd))
		return created_in_overlay(c, fd, ret_result);
	backing = backing_find(c->backings, (dev_t)ret_result->identity.dev);
	if (!backing)
		return created_in_volume(c, fd, pid, ret_result);
	r = backing_path_of(backing, fd, &ret_result->host_path);
	if (r < 0)
		return r;
	locate(c, backing, ret_result->host_path, NULL, &hit);
	if (hit.role != LAYER_UPPER || !hit.overlay) {
		overlay_unref(c->overlays, hit.overlay);
		return created_in_volume(c, fd, pid, ret_result);
	}
	ret_result->overlay = hit.overlay;
	ret_result->upper = true;
	return set_layer_path(ret_result, hit.prefix);
}
