/*
 * Mount tables are the kernel's text about names that containers choose: bounded, parsed by
 * core/mountinfo.h, and never believed about what a path is; a layer is what its directory's inode
 * decodes to (backing.h).
 *
 * An overlay seen in a namespace of the initial user namespace was mounted by the host (or by
 * somebody with CAP_SYS_ADMIN over it, who is not our adversary). One seen only in namespaces of
 * user namespaces below may be anybody's.
 */
#include "daemon/mounts.h"

#include "base/cleanup.h"
#include "core/mountinfo.h"
#include "core/overlay.h"
#include "daemon/kernel_abi.h"
#include "daemon/log.h"
#include "daemon/sighting.h"
#include "daemon/task_root.h"
#include "daemon/views.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

struct mounts {
	struct mounts_context context;
	struct storage_paths storage;
	pthread_mutex_t scan_lock;   /* one scan at a time; generations are ordered by it */
	_Atomic uint64_t generation; /* of whole looks; moved under scan_lock */
	ino_t own_ns;
	struct pidns_table *pidns;
	struct views *views; /* under scan_lock */
};

int mounts_new(const struct mounts_context *context, struct mounts **ret_mounts)
{
	struct mounts *m = calloc(1, sizeof(*m));
	struct stat st;
	int r;

	if (!m)
		return -ENOMEM;
	m->context = *context;
	pthread_mutex_init(&m->scan_lock, NULL);
	r = stat("/proc/self/ns/mnt", &st) < 0 ? -errno : 0;
	if (r == 0)
		r = pidns_table_new(context->overlays, &m->pidns);
	if (r == 0)
		r = views_new(&m->views);
	if (r == 0) {
		m->own_ns = st.st_ino;
		r = storage_paths_init(&m->storage, context->config, context->backings);
	}
	if (r < 0) {
		mounts_free(m);
		return r;
	}
	*ret_mounts = m;
	return 0;
}

void mounts_free(struct mounts *m)
{
	if (!m)
		return;
	storage_paths_done(&m->storage);
	pidns_table_free(m->pidns);
	views_free(m->views);
	pthread_mutex_destroy(&m->scan_lock);
	free(m);
}

size_t mounts_storage(const struct mounts *m, const char *const **ret_paths)
{
	*ret_paths = (const char *const *)m->storage.canonical;
	return m->storage.n;
}

/* A look at a mount namespace through one of its tasks. */
struct sight {
	pid_t pid; /* 0: our own */
	enum mounter mounter;
	struct dev_set found;  /* overlays; and, of containers, volumes */
	struct dev_set all;    /* every filesystem */
	struct dev_set fuse;   /* of them, those of FUSE */
	struct dev_set within; /* our own: ids of overlay mounts, and of what is mounted on them */
};

static void sight_done(struct sight *sight)
{
	dev_set_done(&sight->found);
	dev_set_done(&sight->all);
	dev_set_done(&sight->fuse);
	dev_set_done(&sight->within);
}

/* A look at a mount table. 0, or -ENOMEM. */
static int each_line(const char *text, size_t size,
        void (*fn)(const struct mountinfo_line *line, void *userdata), void *userdata)
{
	const char *cursor = text;
	int r;

	do {
		struct mountinfo_line line = {0};

		r = mountinfo_next(&cursor, text + size, &line);
		if (r == 1)
			fn(&line, userdata);
		mountinfo_line_done(&line);
	} while (r != 0 && r != -ENOMEM);
	return r;
}

static enum mounter ns_mounter(pid_t pid)
{
	_cleanup_close_ int ns = -1, userns = -1;
	char path[48];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return MOUNTER_FOREIGN;
	userns = ioctl(ns, NS_GET_USERNS);
	if (userns < 0 || fstat(userns, &st) < 0)
		return MOUNTER_FOREIGN; /* EPERM: the owner lies outside ours */
	return st.st_ino == ABI_USER_INIT_INO ? MOUNTER_HOST : MOUNTER_FOREIGN;
}

static void sight_line(struct mounts *m, struct sight *view, const struct mountinfo_line *line)
{
	struct sighting_source source = {
	        .pid = view->pid,
	        .mounter = view->mounter,
	        .dev = makedev(line->dev_major, line->dev_minor),
	        .mountpoint = line->mountpoint,
	        .options = line->options,
	        .generation = m->generation,
	        .storage = &m->storage,
	        .backings = m->context.backings,
	        .fuse = &view->fuse,
	};
	struct overlay *overlay = overlays_touch(
	        m->context.overlays, source.dev, line->options, view->mounter, m->generation);
	int r = 0;

	if (!overlay)
		r = sighting_register(&source, m->context.overlays, &overlay);
	if (r < 0) {
		faults_count(m->context.faults, r == -ENOMEM ? FAULT_MEMORY : FAULT_LAYER_UNKNOWN);
		return;
	}
	dev_set_add(&view->found, source.dev);
	m->context.found(overlay, line->mountpoint, view->pid, r > 0, m->context.userdata);
	overlay_unref(m->context.overlays, overlay);
}

/*
 * In our own table, too, things are mounted on overlays: for whoever works in one by chroot(2). A
 * mount comes after the one that it is mounted on.
 */
static void own_line(struct mounts *m, struct sight *view, const struct mountinfo_line *line)
{
	struct volume_sighting sighting = {
	        .dev = makedev(line->dev_major, line->dev_minor),
	        .fstype = line->fstype,
	        .mountpoint = line->mountpoint,
	        .generation = m->generation,
	};

	if (strcmp(line->fstype, "overlay") && !dev_set_has(&view->within, line->parent))
		return;
	dev_set_add(&view->within, line->id);
	if (strcmp(line->fstype, "overlay") && m->context.volumes)
		(void)volumes_guard(m->context.volumes, &sighting);
}

struct look {
	struct mounts *mounts;
	struct sight *view;
};

/* First: what is there at all, before anything of it is marked or opened. */
static void note_line(const struct mountinfo_line *line, void *userdata)
{
	struct look *look = userdata;
	dev_t dev = makedev(line->dev_major, line->dev_minor);

	dev_set_add(&look->view->all, dev);
	if (volume_kind_of(line->fstype) == VOLUME_FUSE)
		dev_set_add(&look->view->fuse, dev);
}

static void take_line(const struct mountinfo_line *line, void *userdata)
{
	struct look *look = userdata;

	if (look->view->pid == 0)
		own_line(look->mounts, look->view, line);
	if (!strcmp(line->fstype, "overlay"))
		sight_line(look->mounts, look->view, line);
}

static int scan_view(struct mounts *m, struct sight *view)
{
	_cleanup_free_ char *text = NULL;
	struct look look = {m, view};
	size_t size = 0;
	int r = task_mounts_read(view->pid, &text, &size);

	if (r == 0)
		r = each_line(text, size, note_line, &look);
	if (r < 0)
		return r;
	if (view->pid == 0 && m->context.volumes)
		volumes_set_host(m->context.volumes, &view->all);
	return each_line(text, size, take_line, &look);
}

/*
 * What is mounted in a container.
 */
struct guarding {
	struct mounts *mounts;
	pid_t pid;
	struct dev_set *found;
};

static void guard_line(const struct mountinfo_line *line, void *userdata)
{
	struct guarding *g = userdata;
	struct volume_sighting sighting = {
	        .dev = makedev(line->dev_major, line->dev_minor),
	        .fstype = line->fstype,
	        .mountpoint = line->mountpoint,
	        .via = g->pid,
	        .generation = g->mounts->generation,
	};

	if (strcmp(line->fstype, "overlay") && volumes_guard(g->mounts->context.volumes, &sighting))
		dev_set_add(g->found, sighting.dev);
}

/* Everything below the root of @pid, which is a container's. False when that could not be seen. */
static bool guard_volumes(struct mounts *m, pid_t pid, struct dev_set *found)
{
	_cleanup_free_ char *text = NULL;
	struct guarding guarding = {m, pid, found};
	size_t size = 0;

	return !m->context.volumes || (task_mounts_read(pid, &text, &size) == 0 &&
	                                      each_line(text, size, guard_line, &guarding) == 0);
}

/*
 * The root of a task.
 */
static struct overlay *root_verified(struct mounts *m, pid_t pid, const struct task_root *root)
{
	_cleanup_free_ char *options = NULL;
	struct overlay *overlay;

	if (task_root_options(pid, root, &options) < 0)
		return NULL;
	overlay = overlays_by_dev(m->context.overlays, root->dev);
	if (overlay && !strcmp(overlay->options, options))
		return overlay;
	overlay_unref(m->context.overlays, overlay);
	return NULL;
}

/* Its volumes are guarded before it is bound: whoever finds it bound need not look again. */
static void root_bind(struct mounts *m, pid_t pid, const struct task_root *root,
        struct overlay *overlay, struct dev_set *found)
{
	/* Without unique ids each exec comes here; changes are then seen by the scans alone. */
	if ((root->unique || !overlay->born) && !guard_volumes(m, pid, found))
		return; /* the next exec looks again */
	overlay->born = true;
	m->context.born(overlay, pid, m->context.userdata);
	pidns_learn(m->pidns, pid, overlay);
	if (root->unique)
		overlays_bind_mount(m->context.overlays, overlay, root->mount_id);
}

static pid_t pid_of_name(const char *name)
{
	char *end;
	long pid;

	if (!isdigit((unsigned char)name[0]))
		return 0;
	pid = strtol(name, &end, 10);
	return *end || pid <= 0 || pid > INT32_MAX ? 0 : (pid_t)pid;
}

/* A container that was running before us: its root and pid namespace, before its next exec. */
static void learn_root(struct mounts *m, pid_t pid, struct dev_set *found)
{
	struct task_root root;
	struct overlay *overlay;

	if (task_root_look(pid, &root) < 0 || major(root.dev) != 0)
		return;
	overlay = root_verified(m, pid, &root);
	if (!overlay)
		return;
	root_bind(m, pid, &root, overlay, found);
	overlay_unref(m->context.overlays, overlay);
}

/* From now on a mount there wakes us, too [6.15]. */
static void watch_view(struct mounts *m, pid_t pid)
{
	_cleanup_close_ int ns = -1;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns >= 0)
		(void)fan_groups_watch_mounts(m->context.groups, ns);
}

static void touch_all(struct mounts *m, const struct dev_set *found)
{
	for (size_t i = 0; i < found->n; i++) {
		overlays_touch_dev(m->context.overlays, found->items[i], m->generation);
		if (m->context.volumes)
			volumes_touch(m->context.volumes, found->items[i], m->generation);
	}
}

/* The whole of a namespace that is not ours. */
static void look_at(struct mounts *m, const struct view *view)
{
	struct sight sight = {.pid = view->pid, .mounter = ns_mounter(view->pid)};

	if (scan_view(m, &sight) == 0) {
		learn_root(m, view->pid, &sight.found);
		if (views_store(m->views, view, m->generation, &sight.found))
			watch_view(m, view->pid);
	}
	sight_done(&sight);
}

static void scan_task(struct mounts *m, pid_t pid, struct dev_set *seen)
{
	const struct dev_set *found;
	struct view view;
	struct stat st;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	if (stat(path, &st) < 0 || dev_set_has(seen, st.st_ino))
		return;
	dev_set_add(seen, st.st_ino);
	if (view_look(pid, &view) < 0)
		return;
	found = views_unchanged(m->views, &view, m->generation);
	if (found)
		touch_all(m, found);
	else
		look_at(m, &view);
}

static void scan_others(struct mounts *m)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	struct dev_set seen = {0}; /* inode numbers of namespaces */
	size_t n = 0;
	struct dirent *entry;

	dev_set_add(&seen, m->own_ns);
	while (proc && n < MOUNTS_TASKS_MAX && (entry = readdir(proc))) {
		pid_t pid = pid_of_name(entry->d_name);

		if (pid == 0)
			continue;
		n++;
		scan_task(m, pid, &seen);
	}
	dev_set_done(&seen);
}

static int scan_own(struct mounts *m)
{
	struct sight sight = {.mounter = MOUNTER_HOST};
	int r = scan_view(m, &sight);

	m->context.looked(m->context.userdata);
	sight_done(&sight);
	return r;
}

static void sweep(struct mounts *m)
{
	views_sweep(m->views, m->generation);
	if (m->context.volumes)
		volumes_sweep(m->context.volumes, m->generation);
	if (overlays_sweep(m->context.overlays, m->generation) == 0)
		return;
	pidns_sweep(m->pidns);
	backing_sweep(m->context.backings);
	m->context.swept(m->context.userdata);
}

size_t mounts_scan(struct mounts *m)
{
	size_t n;

	pthread_mutex_lock(&m->scan_lock);
	m->generation++;
	if (scan_own(m) == 0) {
		scan_others(m);
		sweep(m);
	}
	n = overlays_count(m->context.overlays);
	pthread_mutex_unlock(&m->scan_lock);
	return n;
}

void mounts_rescan(struct mounts *m)
{
	pthread_mutex_lock(&m->scan_lock);
	views_forget(m->views);
	pthread_mutex_unlock(&m->scan_lock);
	(void)mounts_scan(m);
}

static void changed(const struct view *now, void *userdata)
{
	struct mounts *m = userdata;

	/* Only refreshed: the entry must not go while the table is walked. */
	look_at(m, now);
}

void mounts_scan_known(struct mounts *m)
{
	pthread_mutex_lock(&m->scan_lock);
	m->generation++;
	(void)scan_own(m);
	views_each_changed(m->views, changed, m);
	pthread_mutex_unlock(&m->scan_lock);
}

int mounts_scan_task(struct mounts *m, pid_t pid)
{
	struct sight sight = {.pid = pid, .mounter = ns_mounter(pid)};
	int r;

	pthread_mutex_lock(&m->scan_lock);
	r = scan_view(m, &sight);
	sight_done(&sight);
	pthread_mutex_unlock(&m->scan_lock);
	return r;
}

struct overlay *mounts_root_known(struct mounts *m, pid_t pid, dev_t *ret_root_dev, bool *ret_known)
{
	struct overlay *overlay;
	struct task_root root;

	*ret_root_dev = 0;
	*ret_known = false;
	if (task_root_look(pid, &root) < 0)
		return NULL;
	*ret_root_dev = root.dev;
	/* Anonymous device numbers (major 0) are all an overlay can have. */
	if (major(root.dev) != 0) {
		*ret_known = true;
		return NULL;
	}
	overlay = root.unique ? overlays_by_mount(m->context.overlays, root.mount_id) : NULL;
	*ret_known = overlay != NULL;
	return overlay;
}

/* The namespace of @pid, unless it is known as it is; then the root that @pid has in it. */
static struct overlay *find_root(struct mounts *m, pid_t pid, const struct task_root *root)
{
	struct sight sight = {.pid = pid, .mounter = ns_mounter(pid)};
	struct overlay *overlay;
	struct view view;

	pthread_mutex_lock(&m->scan_lock);
	if (view_look(pid, &view) < 0)
		view = (struct view){.pid = pid, .ino = m->own_ns};
	if (view.ino != m->own_ns && !views_unchanged(m->views, &view, m->generation))
		look_at(m, &view);
	overlay = root_verified(m, pid, root);
	if (!overlay && scan_view(m, &sight) == 0)
		overlay = root_verified(m, pid, root);
	if (overlay)
		root_bind(m, pid, root, overlay, &sight.found);
	pthread_mutex_unlock(&m->scan_lock);
	sight_done(&sight);
	return overlay;
}

struct overlay *mounts_root_of(struct mounts *m, pid_t pid, dev_t *ret_root_dev)
{
	struct overlay *overlay;
	struct task_root root;
	bool known;

	overlay = mounts_root_known(m, pid, ret_root_dev, &known);
	if (overlay || known || task_root_look(pid, &root) < 0)
		return overlay;
	return find_root(m, pid, &root);
}

struct pidns_table *mounts_pidns(struct mounts *m)
{
	return m->pidns;
}
