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
#include "base/file.h"
#include "core/mountinfo.h"
#include "core/overlay.h"
#include "daemon/kernel_abi.h"
#include "daemon/log.h"
#include "daemon/sighting.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#define MOUNTINFO_MAX (64u * 1024u * 1024u) /* bytes: fs.mount-max lines of 640 bytes */

struct mounts {
	struct mounts_context context;
	struct storage_paths storage;
	pthread_mutex_t scan_lock; /* one scan at a time; generations are ordered by it */
	uint64_t generation;
	ino_t own_ns;
	struct pidns_table *pidns;
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
	pthread_mutex_destroy(&m->scan_lock);
	free(m);
}

size_t mounts_storage(const struct mounts *m, const char *const **ret_paths)
{
	*ret_paths = (const char *const *)m->storage.canonical;
	return m->storage.n;
}

/* A mount namespace, seen through one of its tasks. */
struct view {
	pid_t pid; /* 0: our own */
	enum mounter mounter;
};

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

static void sight(struct mounts *m, const struct view *view, const struct mountinfo_line *line)
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
	m->context.found(overlay, line->mountpoint, view->pid, r > 0, m->context.userdata);
	overlay_unref(m->context.overlays, overlay);
}

static int read_table(pid_t pid, char **ret_text, size_t *ret_size)
{
	char path[48];

	if (pid == 0)
		return file_read_at(
		        AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, ret_text, ret_size);
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)pid);
	return file_read_at(AT_FDCWD, path, MOUNTINFO_MAX, ret_text, ret_size);
}

static int scan_view(struct mounts *m, const struct view *view)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	const char *cursor, *end;
	int r = read_table(view->pid, &text, &size);

	if (r < 0)
		return r;
	cursor = text;
	end = text + size;
	for (;;) {
		struct mountinfo_line line = {0};

		r = mountinfo_next(&cursor, end, &line);
		if (r == 0)
			return 0;
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			continue;
		if (!strcmp(line.fstype, "overlay"))
			sight(m, view, &line);
		mountinfo_line_done(&line);
	}
}

/*
 * The root of a task.
 */
struct root {
	dev_t dev;
	uint64_t mount_id;
	bool unique;
};

static int root_stat(pid_t pid, struct root *ret_root)
{
	char path[48];
	struct statx sx;

	/* A magic link: no lookup on the filesystem; DONT_SYNC: no question to a FUSE server. */
	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_MNT_ID_UNIQUE, &sx) < 0)
		return -errno;
	ret_root->dev = makedev(sx.stx_dev_major, sx.stx_dev_minor);
	ret_root->unique = (sx.stx_mask & STATX_MNT_ID_UNIQUE) != 0;
	if (!ret_root->unique && statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_MNT_ID, &sx) < 0)
		return -errno;
	ret_root->mount_id = sx.stx_mnt_id;
	return 0;
}

/* The options of the mount that is the task's root, by its own mount table. */
static int root_options(pid_t pid, uint64_t mount_id, bool unique, char **ret_options)
{
	_cleanup_free_ char *text = NULL;
	const char *cursor, *end;
	struct statx sx;
	char path[48];
	size_t size;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	if (unique) {
		if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_MNT_ID, &sx) < 0)
			return -errno;
		mount_id = sx.stx_mnt_id;
	}
	r = read_table(pid, &text, &size);
	if (r < 0)
		return r;
	cursor = text;
	end = text + size;
	for (;;) {
		struct mountinfo_line line = {0};

		r = mountinfo_next(&cursor, end, &line);
		if (r == 0)
			return -ENOENT;
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			continue;
		if (line.id == mount_id && !strcmp(line.fstype, "overlay"))
			*ret_options = TAKE_PTR(line.options);
		mountinfo_line_done(&line);
		if (*ret_options)
			return 0;
	}
}

static struct overlay *root_verified(struct mounts *m, pid_t pid, const struct root *root)
{
	_cleanup_free_ char *options = NULL;
	struct overlay *overlay;

	if (root_options(pid, root->mount_id, root->unique, &options) < 0)
		return NULL;
	overlay = overlays_by_dev(m->context.overlays, root->dev);
	if (overlay && !strcmp(overlay->options, options))
		return overlay;
	overlay_unref(m->context.overlays, overlay);
	return NULL;
}

static void root_bind(struct mounts *m, pid_t pid, const struct root *root, struct overlay *overlay)
{
	pidns_learn(m->pidns, pid, overlay);
	if (root->unique)
		overlays_bind_mount(m->context.overlays, overlay, root->mount_id);
}

/* Inode numbers of namespaces looked at in one scan. */
struct seen {
	ino_t *items;
	size_t n, room;
};

static bool seen_add(struct seen *seen, ino_t ino)
{
	for (size_t i = 0; i < seen->n; i++)
		if (seen->items[i] == ino)
			return false;
	if (seen->n == seen->room) {
		size_t room = seen->room ? seen->room * 2 : 64;
		ino_t *grown = realloc(seen->items, room * sizeof(*grown));

		if (!grown)
			return true; /* looked at twice rather than never */
		seen->items = grown;
		seen->room = room;
	}
	seen->items[seen->n++] = ino;
	return true;
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
static void learn_root(struct mounts *m, pid_t pid)
{
	struct root root;
	struct overlay *overlay;

	if (root_stat(pid, &root) < 0 || major(root.dev) != 0)
		return;
	overlay = root_verified(m, pid, &root);
	if (!overlay)
		return;
	root_bind(m, pid, &root, overlay);
	overlay_unref(m->context.overlays, overlay);
}

static void scan_others(struct mounts *m)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	struct seen seen = {0};
	size_t n = 0;
	struct dirent *entry;

	seen_add(&seen, m->own_ns);
	while (proc && n < MOUNTS_TASKS_MAX && (entry = readdir(proc))) {
		pid_t pid = pid_of_name(entry->d_name);
		char path[48];
		struct stat st;

		if (pid == 0)
			continue;
		n++;
		snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
		if (stat(path, &st) < 0 || !seen_add(&seen, st.st_ino))
			continue;
		if (scan_view(m, &(struct view){.pid = pid, .mounter = ns_mounter(pid)}) == 0)
			learn_root(m, pid);
	}
	free(seen.items);
}

size_t mounts_scan(struct mounts *m)
{
	size_t n;

	pthread_mutex_lock(&m->scan_lock);
	m->generation++;
	if (scan_view(m, &(struct view){.mounter = MOUNTER_HOST}) == 0) {
		scan_others(m);
		if (overlays_sweep(m->context.overlays, m->generation) > 0) {
			pidns_sweep(m->pidns);
			backing_sweep(m->context.backings);
			m->context.swept(m->context.userdata);
		}
	}
	n = overlays_count(m->context.overlays);
	pthread_mutex_unlock(&m->scan_lock);
	return n;
}

void mounts_scan_own(struct mounts *m)
{
	pthread_mutex_lock(&m->scan_lock);
	m->generation++;
	(void)scan_view(m, &(struct view){.mounter = MOUNTER_HOST});
	pthread_mutex_unlock(&m->scan_lock);
}

int mounts_scan_task(struct mounts *m, pid_t pid)
{
	int r;

	pthread_mutex_lock(&m->scan_lock);
	r = scan_view(m, &(struct view){.pid = pid, .mounter = ns_mounter(pid)});
	pthread_mutex_unlock(&m->scan_lock);
	return r;
}

struct overlay *mounts_root_known(struct mounts *m, pid_t pid, dev_t *ret_root_dev, bool *ret_known)
{
	struct overlay *overlay;
	struct root root;

	*ret_root_dev = 0;
	*ret_known = false;
	if (root_stat(pid, &root) < 0)
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

struct overlay *mounts_root_of(struct mounts *m, pid_t pid, dev_t *ret_root_dev)
{
	struct overlay *overlay;
	struct root root;
	bool known;

	overlay = mounts_root_known(m, pid, ret_root_dev, &known);
	if (overlay || known || root_stat(pid, &root) < 0)
		return overlay;
	overlay = root_verified(m, pid, &root);
	if (!overlay && mounts_scan_task(m, pid) == 0)
		overlay = root_verified(m, pid, &root);
	if (overlay)
		root_bind(m, pid, &root, overlay);
	return overlay;
}

struct pidns_table *mounts_pidns(struct mounts *m)
{
	return m->pidns;
}
