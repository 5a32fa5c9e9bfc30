/*
 * A path leads to another filesystem when its own is unmounted: to the one below, which nobody
 * asked to guard. So a path is bound to the UUID that it led to first. Another one that is mounted
 * there later is guarded, too, but only where it is mounted at the path itself; and it is reported
 * only until somebody looks whether it may be enforced.
 */
#include "daemon/hostfs.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "daemon/log.h"
#include "daemon/volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NOT_CONFIGURED "not in the configuration any more: restart execwardd to let go of it"

struct host_path {
	char *path;
	enum mode mode;
	bool configured; /* still, after a reload */
	bool bound;      /* first_uuid and first_dev tell where it led to first */
	char first_uuid[FILESYSTEM_UUID_SIZE];
	dev_t first_dev;
	bool cleared; /* of what it was bound to: kept over an umount */
	struct hostfs *fs;
	char *why; /* nothing is guarded there, and why */
};

struct hostfs_table {
	pthread_mutex_t looking; /* one look at a time; before lock */
	pthread_rwlock_t lock;
	struct host_path *paths;
	size_t n;
};

/*
 * One filesystem.
 */
struct hostfs *hostfs_ref(struct hostfs *fs)
{
	if (fs)
		atomic_fetch_add(&fs->refs, 1);
	return fs;
}

void hostfs_unref(struct hostfs *fs)
{
	if (!fs || atomic_fetch_sub(&fs->refs, 1) > 1)
		return;
	free(fs->fstype);
	free(fs->path);
	free(fs);
}

/*
 * An operator's report or learn holds everywhere, so that one word ends all denials. An operator's
 * enforce leaves a path alone for which the configuration says otherwise.
 */
enum mode hostfs_wanted(const struct hostfs *fs, const struct ruling *ruling, int64_t now_ns)
{
	const struct mode_override *o = ruling_override(ruling);
	bool overridden = o->mode != MODE_UNSET && (o->until_ns == 0 || now_ns < o->until_ns);
	enum mode mode = fs->mode;

	if (mode == MODE_UNSET || (overridden && o->mode != MODE_ENFORCE))
		mode = ruling_mode(ruling, now_ns);
	return mode;
}

enum mode hostfs_mode(const struct hostfs *fs, const struct ruling *ruling, int64_t now_ns)
{
	enum mode mode = hostfs_wanted(fs, ruling, now_ns);

	if (mode == MODE_LEARN)
		return MODE_LEARN;
	return mode == MODE_ENFORCE && fs->cleared ? MODE_ENFORCE : MODE_REPORT;
}

void hostfs_soften(const struct hostfs *fs, struct policy_decision *decision)
{
	if (fs->cleared || decision->verdict != VERDICT_DENY)
		return;
	decision->verdict = VERDICT_WOULD_DENY;
	decision->mode = MODE_REPORT;
}

void hostfs_decide_fault(const struct hostfs *fs, const struct ruling *ruling, int64_t now_ns,
        struct policy_decision *ret_decision)
{
	struct policy_settings settings = ruling_config(ruling)->policy;

	settings.mode = hostfs_mode(fs, ruling, now_ns);
	policy_decide_fault(&settings, ret_decision);
	hostfs_soften(fs, ret_decision);
}

/*
 * The table.
 */
int hostfs_table_new(const struct config *config, struct hostfs_table **ret_table)
{
	struct hostfs_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	pthread_mutex_init(&t->looking, NULL);
	pthread_rwlock_init(&t->lock, NULL);
	t->paths = calloc(config->n_paths + 1, sizeof(t->paths[0]));
	for (size_t i = 0; t->paths && i < config->n_paths; i++) {
		struct host_path *path = &t->paths[t->n++];

		path->path = strdup(config->paths[i].path);
		path->mode = config->paths[i].mode;
		path->configured = true;
		if (!path->path) {
			hostfs_table_free(t);
			return -ENOMEM;
		}
	}
	if (!t->paths) {
		hostfs_table_free(t);
		return -ENOMEM;
	}
	*ret_table = t;
	return 0;
}

void hostfs_table_free(struct hostfs_table *t)
{
	if (!t)
		return;
	for (size_t i = 0; t->paths && i < t->n; i++) {
		free(t->paths[i].path);
		free(t->paths[i].why);
		hostfs_unref(t->paths[i].fs);
	}
	free(t->paths);
	pthread_rwlock_destroy(&t->lock);
	pthread_mutex_destroy(&t->looking);
	free(t);
}

size_t hostfs_count(const struct hostfs_table *t)
{
	return t ? t->n : 0;
}

static struct hostfs *find_locked(const struct hostfs_table *t, dev_t dev)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->paths[i].fs && t->paths[i].fs->dev == dev)
			return t->paths[i].fs;
	return NULL;
}

struct hostfs *hostfs_find(struct hostfs_table *t, dev_t dev)
{
	struct hostfs *found;

	if (!t || t->n == 0)
		return NULL;
	pthread_rwlock_rdlock(&t->lock);
	found = hostfs_ref(find_locked(t, dev));
	pthread_rwlock_unlock(&t->lock);
	return found;
}

bool hostfs_is_guarded(struct hostfs_table *t, dev_t dev)
{
	_cleanup_(hostfs_unrefp) struct hostfs *fs = hostfs_find(t, dev);

	return fs != NULL;
}

void hostfs_configure(struct hostfs_table *t, const struct config *config)
{
	pthread_rwlock_wrlock(&t->lock);
	for (size_t i = 0; i < t->n; i++) {
		struct host_path *path = &t->paths[i];

		path->configured = false;
		path->mode = MODE_REPORT;
		for (size_t k = 0; k < config->n_paths && !path->configured; k++) {
			path->configured = !strcmp(path->path, config->paths[k].path);
			if (path->configured)
				path->mode = config->paths[k].mode;
		}
	}
	/* Of several paths on one filesystem the first speaks. */
	for (size_t i = t->n; i-- > 0;)
		if (t->paths[i].fs)
			t->paths[i].fs->mode = t->paths[i].mode;
	pthread_rwlock_unlock(&t->lock);
}

/*
 * Looks.
 */
static void unref_tablep(struct libmnt_table **table)
{
	mnt_unref_table(*table);
}

/* Of a mount of @dev in our namespace; the caller frees. Subvolumes of btrfs have no such mount. */
static char *fstype_of(dev_t dev)
{
	_cleanup_(unref_tablep) struct libmnt_table *mounts =
	        mnt_new_table_from_file("/proc/self/mountinfo");
	struct libmnt_fs *fs = mounts ? mnt_table_find_devno(mounts, dev, MNT_ITER_BACKWARD) : NULL;

	return strdup(fs ? mnt_fs_get_fstype(fs) ?: "" : "");
}

/* Why a filesystem of this type cannot be guarded; NULL when it can. */
static const char *type_problem(const char *fstype)
{
	if (!*fstype)
		return "its type cannot be told (a btrfs subvolume?)";
	if (!strcmp(fstype, "overlay"))
		return "it is an overlay, whose layers lie elsewhere";
	switch (volume_kind_of(fstype)) {
	case VOLUME_FUSE:
	case VOLUME_SERVED:
		return "its server could keep everybody waiting (FUSE, or a network)";
	case VOLUME_PSEUDO:
		return "it holds no programs";
	default:
		return NULL;
	}
}

/* Said without the lock, which verdicts wait for. */
static void set_why(struct hostfs_table *t, struct host_path *path, const char *why)
{
	char *before = path->why;

	if (before ? why && !strcmp(before, why) : !why)
		return;
	pthread_rwlock_wrlock(&t->lock);
	path->why = why ? strdup(why) : NULL;
	pthread_rwlock_unlock(&t->lock);
	free(before);
	if (why)
		log_warning("guard.paths: %s: not guarded: %s", path->path, why);
}

/* What lies at the path now; a descriptor (O_PATH), or -1 with @ret_why set. */
static int open_path(const struct host_path *path, struct stat *ret_stat, const char **ret_why)
{
	_cleanup_close_ int fd = open(path->path, O_PATH | O_CLOEXEC);

	if (fd < 0 || fstat(fd, ret_stat) < 0) {
		*ret_why = strerrordesc_np(errno) ?: "it cannot be opened";
		return -1;
	}
	return TAKE_FD(fd);
}

/* "" when it has none. @fd is an O_PATH descriptor. */
static void read_uuid(int fd, char ret_uuid[FILESYSTEM_UUID_SIZE])
{
	_cleanup_close_ int readable = -1;
	char link[32];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	readable = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (readable < 0 || filesystem_uuid(readable, ret_uuid) < 0)
		ret_uuid[0] = '\0';
}

static struct hostfs *hostfs_new(const struct host_path *path, int fd, dev_t dev)
{
	struct hostfs *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return NULL;
	atomic_init(&fs->refs, 1);
	fs->dev = dev;
	fs->mode = path->mode;
	fs->path = strdup(path->path);
	fs->fstype = fstype_of(dev);
	if (!fs->path || !fs->fstype) {
		hostfs_unref(fs);
		return NULL;
	}
	if (!type_problem(fs->fstype))
		read_uuid(fd, fs->uuid);
	return fs;
}

static bool is_mount_root(int fd)
{
	struct statx sx;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &sx) == 0 &&
	       (sx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* Whether @fs is what the path was about; a first look binds it. */
static bool bind_path(struct host_path *path, int fd, const struct hostfs *fs)
{
	bool same = *fs->uuid ? !strcmp(fs->uuid, path->first_uuid) : fs->dev == path->first_dev;

	if (path->bound && same)
		return true;
	if (path->bound && !is_mount_root(fd))
		return false;
	if (path->bound)
		log_warning("guard.paths: %s: another filesystem (%s) is mounted there: reported "
		            "only, until `execward reload`",
		        path->path, *fs->uuid ? fs->uuid : "without a UUID");
	path->bound = true;
	path->cleared = false;
	path->first_dev = fs->dev;
	memcpy(path->first_uuid, fs->uuid, sizeof(path->first_uuid));
	return true;
}

static void drop(struct hostfs_table *t, struct host_path *path)
{
	struct hostfs *fs = path->fs;
	bool elsewhere = false;

	if (!fs)
		return;
	pthread_rwlock_wrlock(&t->lock);
	path->cleared = fs->cleared;
	path->fs = NULL;
	for (size_t i = 0; i < t->n; i++)
		elsewhere = elsewhere || t->paths[i].fs == fs;
	fs->retired = !elsewhere;
	pthread_rwlock_unlock(&t->lock);
	hostfs_unref(fs);
}

/* @fs is taken. */
static void set(struct hostfs_table *t, struct host_path *path, struct hostfs *fs)
{
	struct hostfs *known;

	pthread_rwlock_wrlock(&t->lock);
	known = find_locked(t, fs->dev);
	if (known)
		hostfs_ref(known);
	else
		fs->cleared = path->cleared;
	path->fs = known ?: fs;
	pthread_rwlock_unlock(&t->lock);
	if (known)
		hostfs_unref(fs);
}

static int mark_fd(const struct hostfs *fs, int fd, bool fresh, hostfs_mark_fn mark, void *userdata)
{
	char link[32];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return mark(fs, link, fresh, userdata);
}

/* Device numbers are used again: by another disk that is mounted at the same place. */
static bool is_same(const struct hostfs *fs, int fd, dev_t dev)
{
	char uuid[FILESYSTEM_UUID_SIZE];

	if (fd < 0 || fs->dev != dev)
		return false;
	read_uuid(fd, uuid);
	return !strcmp(uuid, fs->uuid);
}

/* A path whose filesystem is not known yet, or is another one. */
static const char *look_anew(struct hostfs_table *t, struct host_path *path, int fd, dev_t dev,
        hostfs_mark_fn mark, void *userdata)
{
	_cleanup_(hostfs_unrefp) struct hostfs *fs = hostfs_new(path, fd, dev);
	const char *problem = fs ? type_problem(fs->fstype) : "out of memory";
	struct hostfs *published;
	int r;

	if (problem)
		return problem;
	if (!bind_path(path, fd, fs))
		return "its filesystem is not mounted";
	set(t, path, TAKE_PTR(fs)); /* known before its first event */
	published = path->fs;
	r = mark_fd(published, fd, true, mark, userdata);
	if (r < 0) {
		drop(t, path);
		return strerrordesc_np(-r) ?: "it cannot be marked";
	}
	if (published->guarded_ns == 0)
		published->guarded_ns = clock_realtime_ns();
	log_info("guarding %s (%s, %s) for the host", path->path, published->fstype,
	        *published->uuid ? published->uuid : "without a UUID");
	return NULL;
}

static bool look_at(
        struct hostfs_table *t, struct host_path *path, hostfs_mark_fn mark, void *userdata)
{
	const struct hostfs *before = path->fs;
	const char *why = NULL;
	struct stat st = {0};
	_cleanup_close_ int fd = open_path(path, &st, &why);

	if (path->fs && !is_same(path->fs, fd, st.st_dev))
		drop(t, path);
	if (fd >= 0 && path->fs) {
		/* Mounted anew under the same number, it has no mark: setting one costs nothing. */
		if (mark_fd(path->fs, fd, false, mark, userdata) < 0)
			why = "it cannot be marked";
	} else if (fd >= 0) {
		why = look_anew(t, path, fd, st.st_dev, mark, userdata);
	}
	set_why(t, path, why);
	return path->fs != before;
}

bool hostfs_look(struct hostfs_table *t, hostfs_mark_fn mark, void *userdata)
{
	bool changed = false;

	if (!t || t->n == 0)
		return false;
	pthread_mutex_lock(&t->looking);
	for (size_t i = 0; i < t->n; i++)
		changed = look_at(t, &t->paths[i], mark, userdata) || changed;
	pthread_mutex_unlock(&t->looking);
	return changed;
}

void hostfs_each(struct hostfs_table *t, void (*fn)(const struct hostfs_row *row, void *userdata),
        void *userdata)
{
	if (!t)
		return;
	pthread_rwlock_rdlock(&t->lock);
	for (size_t i = 0; i < t->n; i++) {
		const struct host_path *path = &t->paths[i];

		fn(&(struct hostfs_row){.path = path->path,
		           .fs = path->fs,
		           .mode = path->mode,
		           .why = path->configured ? path->why : NOT_CONFIGURED},
		        userdata);
	}
	pthread_rwlock_unlock(&t->lock);
}
