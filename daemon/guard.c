/*
 * The order matters: guarded host filesystems are known before layers are looked at, so that they
 * are not silenced; of all others the host's mounts of a filesystem are ignored before the
 * filesystem is marked, so that no host exec ever waits for us. An overlay is marked after it was
 * registered, so that its events always find it.
 */
#include "daemon/guard.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "daemon/log.h"
#include "daemon/task_root.h"
#include "daemon/views.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct guard {
	struct guard_context context;
	enum mark_kind kind;
};

int guard_new(const struct guard_context *context, struct guard **ret_guard)
{
	struct guard *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->context = *context;
	g->kind = context->config->marks;
	if (g->kind == MARK_KIND_AUTO)
		g->kind = kernel_has(context->kernel, KERNEL_BACKING_EVENTS) ? MARK_KIND_BACKING
		                                                             : MARK_KIND_OVERLAY;
	*ret_guard = g;
	return 0;
}

void guard_free(struct guard *g)
{
	free(g);
}

enum mark_kind guard_kind(const struct guard *g)
{
	return g->kind;
}

static void unref_tablep(struct libmnt_table **table)
{
	mnt_unref_table(*table);
}

static void free_iterp(struct libmnt_iter **iter)
{
	mnt_free_iter(*iter);
}

/*
 * What is mounted on an overlay is a container's, also in our namespace: it is not silenced. A
 * mount comes after the one that it is mounted on.
 */
static bool is_on_overlay(struct dev_set *within, struct libmnt_fs *fs)
{
	bool overlay = !strcmp(mnt_fs_get_fstype(fs) ?: "", "overlay");
	bool inside = dev_set_has(within, (dev_t)mnt_fs_get_parent_id(fs));

	if (overlay || inside)
		dev_set_add(within, (dev_t)mnt_fs_get_id(fs));
	return inside;
}

/* Calls @fn for each of our mounts of @dev, until one returns less than 0. */
static int each_mount(const struct fan_groups *groups, dev_t dev,
        int (*fn)(const struct fan_groups *groups, const char *path))
{
	_cleanup_(dev_set_done) struct dev_set within = {0};
	_cleanup_(unref_tablep) struct libmnt_table *mounts =
	        mnt_new_table_from_file("/proc/self/mountinfo");
	_cleanup_(free_iterp) struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs = NULL;
	int r = 0;

	if (!mounts || !iter)
		return -ENOMEM;
	while (r == 0 && mnt_table_next_fs(mounts, iter, &fs) == 0) {
		struct stat st;

		if (is_on_overlay(&within, fs) || mnt_fs_get_devno(fs) != dev)
			continue;
		if (stat(mnt_fs_get_target(fs), &st) < 0 || st.st_dev != dev)
			continue; /* hidden below another mount: nobody reaches it by path */
		r = fn(groups, mnt_fs_get_target(fs));
	}
	return r;
}

int guard_silence_host(const struct fan_groups *groups, struct hostfs_table *hosts, dev_t dev)
{
	return hostfs_is_guarded(hosts, dev) ? 0 : each_mount(groups, dev, fan_groups_ignore_mount);
}

static int heed_mount(const struct fan_groups *groups, const char *path)
{
	(void)fan_groups_heed_mount(groups, path); /* it may never have been silenced */
	return 0;
}

/* A filesystem that was silenced before it became a guarded one is heard again. */
static int mark_host(const struct hostfs *fs, const char *path, bool fresh, void *userdata)
{
	struct guard *g = userdata;
	int r = fan_groups_mark_host(g->context.groups, path);

	if (r == 0 && fresh)
		r = each_mount(g->context.groups, fs->dev, heed_mount);
	if (r < 0)
		faults_count(g->context.faults, FAULT_MARK);
	return r;
}

bool guard_hosts(struct guard *g)
{
	return hostfs_look(g->context.hosts, mark_host, g);
}

static int mark_backing(struct guard *g, struct backing *backing)
{
	char path[32];
	int r;

	if (backing->marked)
		return 0;
	r = guard_silence_host(g->context.groups, g->context.hosts, backing->dev);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", backing->mount_fd);
	r = fan_groups_mark_filesystem(g->context.groups, path);
	if (r < 0)
		return r;
	backing->marked = true;
	log_info("guarding %s (%s), which holds layers", backing->mountpoint, backing->fstype);
	return 0;
}

int guard_storage(struct guard *g, const char *const *paths, size_t n)
{
	if (g->kind != MARK_KIND_BACKING || !g->context.config->guard_containers)
		return 0;
	for (size_t i = 0; i < n; i++) {
		_cleanup_close_ int fd = open(paths[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		_cleanup_(backing_unrefp) struct backing *backing = NULL;
		int r = fd < 0 ? -errno : backing_get(g->context.backings, fd, &backing);

		if (r == 0)
			r = mark_backing(g, backing);
		if (r < 0) {
			log_error("%s: cannot guard the filesystem that holds it: %s", paths[i],
			        strerror(-r));
			return r;
		}
	}
	return 0;
}

static bool all_backed(const struct overlay *overlay)
{
	if (!overlay->complete || (overlay->upper && !overlay->upper->backing->marked))
		return false;
	for (size_t i = 0; i < overlay->n_lowers; i++)
		if (!overlay->lowers[i]->backing->marked)
			return false;
	return true;
}

/* Forced backing: the filesystems of an overlay's layers are marked as they become known. */
static int mark_backings_of(struct guard *g, const struct overlay *overlay)
{
	int r = overlay->upper ? mark_backing(g, overlay->upper->backing) : 0;

	for (size_t i = 0; i < overlay->n_lowers && r == 0; i++)
		r = mark_backing(g, overlay->lowers[i]->backing);
	return r;
}

/*
 * An O_PATH descriptor of @overlay's root, by which it is marked: what a path leads to may be
 * another a moment later. Its fsid is noted where the device number may not tell it.
 */
static int reach(struct overlay *overlay, const char *mountpoint, pid_t via)
{
	_cleanup_close_ int fd = task_open_cached(via, mountpoint, RESOLVE_NO_SYMLINKS);
	struct file_look look = {0};
	struct statfs fs;
	int r;

	if (fd < 0)
		return fd;
	r = file_look(fd, &look);
	if (r < 0)
		return r;
	if (look.identity.dev != overlay->dev)
		return -ESTALE; /* something else is mounted over it here */
	/* A question that goes on to the layers: only where none is a FUSE server's (sighting.c).
	 */
	if (overlay->complete && fstatfs(fd, &fs) == 0)
		overlay->fsid = fs.f_fsid;
	return TAKE_FD(fd);
}

/* The path of an open descriptor, for fanotify_mark(2), which takes no O_PATH ones. */
#define FD_PATH_SIZE 32
static const char *fd_path(int fd, char buffer[FD_PATH_SIZE])
{
	snprintf(buffer, FD_PATH_SIZE, "/proc/self/fd/%d", fd);
	return buffer;
}

static int mark_overlay(struct guard *g, struct overlay *overlay, const char *mountpoint, pid_t via)
{
	_cleanup_close_ int fd = reach(overlay, mountpoint, via);
	char path[FD_PATH_SIZE];
	int r = fd < 0 ? fd : fan_groups_mark_filesystem(g->context.groups, fd_path(fd, path));

	if (r < 0 || !overlay->upper)
		return r;
	/* What was dropped is also reached past the overlay: by the upper directory's own path. */
	return mark_backing(g, overlay->upper->backing);
}

/*
 * A container's first exec must be seen even when the kernel remembers the program: only then are
 * its namespaces there, and its volumes can be guarded before anything of it runs.
 */
static void mark_birth(struct guard *g, struct overlay *overlay, const char *mountpoint, pid_t via)
{
	_cleanup_close_ int fd = -1;
	char path[FD_PATH_SIZE];

	if (!g->context.config->guard_volumes || overlay->born || overlay->birth_marked)
		return;
	fd = reach(overlay, mountpoint, via);
	if (fd < 0)
		return; /* hidden here: it is seen in another namespace */
	overlay->birth_marked = true;
	if (fan_groups_mark_execs(g->context.groups, fd_path(fd, path)) < 0) {
		overlay->birth_marked = false;
		faults_count(g->context.faults, FAULT_MARK);
	} else if (overlay->born && atomic_exchange(&overlay->birth_marked, false)) {
		(void)fan_groups_unmark_execs(g->context.groups, path);
	}
}

/* The task may have another root by now: only the overlay's own mark is taken away, and once. */
void guard_born(struct guard *g, struct overlay *overlay, pid_t pid)
{
	_cleanup_close_ int fd = -1;
	char path[FD_PATH_SIZE];

	if (overlay->marked || !overlay->birth_marked)
		return;
	fd = reach(overlay, "/", pid);
	if (fd >= 0 && atomic_exchange(&overlay->birth_marked, false))
		(void)fan_groups_unmark_execs(g->context.groups, fd_path(fd, path));
}

/* Who writes what in it is seen from now on. */
static void note_guarded(struct overlay *overlay)
{
	if (overlay->guarded_ns == 0)
		overlay->guarded_ns = clock_realtime_ns();
}

void guard_overlay(struct guard *g, struct overlay *overlay, const char *mountpoint, pid_t via)
{
	int r;

	if (overlay->marked || !g->context.config->guard_containers)
		return;
	if (g->kind == MARK_KIND_BACKING && all_backed(overlay)) {
		note_guarded(overlay);
		mark_birth(g, overlay, mountpoint, via);
		return;
	}
	if (g->context.config->marks == MARK_KIND_BACKING)
		r = mark_backings_of(g, overlay);
	else
		r = mark_overlay(g, overlay, mountpoint, via);
	if (r < 0) {
		/* A mount that is hidden in this namespace is seen in another. */
		faults_count(g->context.faults, FAULT_MARK);
		return;
	}
	note_guarded(overlay);
	overlay->marked = g->context.config->marks != MARK_KIND_BACKING;
}

struct each {
	void (*fn)(const char *fstype, enum mark_kind kind, const char *path, void *userdata);
	void *userdata;
};

static void each_backing(struct backing *backing, void *userdata)
{
	struct each *each = userdata;

	if (backing->marked)
		each->fn(backing->fstype, MARK_KIND_BACKING, backing->mountpoint, each->userdata);
}

static void each_overlay(const struct overlay *overlay, void *userdata)
{
	struct each *each = userdata;

	if (overlay->marked)
		each->fn("overlay", MARK_KIND_OVERLAY, overlay->mountpoint, each->userdata);
}

void guard_each(struct guard *g,
        void (*fn)(const char *fstype, enum mark_kind kind, const char *path, void *userdata),
        void *userdata)
{
	struct each each = {fn, userdata};

	backing_each(g->context.backings, each_backing, &each);
	overlays_each(g->context.overlays, each_overlay, &each);
}
