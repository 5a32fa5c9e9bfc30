/*
 * A filesystem is known by its device number, which the kernel gives to another one after umount
 * when it is anonymous (tmpfs): such a one is marked anew whenever its namespace has changed. A
 * mark that is there already costs three microseconds.
 *
 * Nothing is read here: an O_PATH descriptor of the mount's root is what the mark is set on.
 */
#include "daemon/volumes.h"

#include "base/cleanup.h"
#include "daemon/guard.h"
#include "daemon/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <uthash.h>

struct volume {
	dev_t dev;
	enum volume_kind kind;
	char *fstype, *path; /* the path in the container where it was seen first */
	uint64_t seen;
	UT_hash_handle hh;
};

struct volumes {
	struct volumes_context context;
	pthread_mutex_t lock;
	struct volume *entries;
	_Atomic unsigned int n_fuse; /* of them */
	struct dev_set host;
};

/* Of the kernel's own making, without files that anybody could write (autofs only leads to others).
 */
static const char *const pseudo[] = {
        "autofs",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devpts",
        "efivarfs",
        "fusectl",
        "mqueue",
        "nsfs",
        "proc",
        "pstore",
        "resctrl",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "smackfs",
        "sysfs",
        "tracefs",
};

enum volume_kind volume_kind_of(const char *fstype)
{
	if (!strcmp(fstype, "fuse") || !strcmp(fstype, "fuseblk") || !strncmp(fstype, "fuse.", 5) ||
	        !strncmp(fstype, "fuseblk.", 8))
		return VOLUME_FUSE;
	for (size_t i = 0; i < sizeof(pseudo) / sizeof(pseudo[0]); i++)
		if (!strcmp(fstype, pseudo[i]))
			return VOLUME_PSEUDO;
	return VOLUME_PLAIN;
}

int volumes_new(const struct volumes_context *context, struct volumes **ret_volumes)
{
	struct volumes *v = calloc(1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	v->context = *context;
	pthread_mutex_init(&v->lock, NULL);
	*ret_volumes = v;
	return 0;
}

static void volume_remove(struct volumes *v, struct volume *volume)
{
	HASH_DEL(v->entries, volume);
	v->n_fuse -= volume->kind == VOLUME_FUSE;
	free(volume->fstype);
	free(volume->path);
	free(volume);
}

void volumes_free(struct volumes *v)
{
	if (!v)
		return;
	while (v->entries)
		volume_remove(v, v->entries);
	dev_set_done(&v->host);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

static struct volume *volume_find(struct volumes *v, dev_t dev)
{
	struct volume *volume = NULL;

	HASH_FIND(hh, v->entries, &dev, sizeof(dev), volume);
	return volume;
}

static void volume_add(struct volumes *v, const struct volume_sighting *s, enum volume_kind kind)
{
	struct volume *volume = volume_find(v, s->dev);

	if (volume && (strcmp(volume->fstype, s->fstype) || volume->kind != kind)) {
		volume_remove(v, volume);
		volume = NULL;
	}
	if (!volume && HASH_COUNT(v->entries) < VOLUMES_MAX &&
	        (volume = calloc(1, sizeof(*volume)))) {
		volume->dev = s->dev;
		volume->kind = kind;
		volume->fstype = strdup(s->fstype);
		volume->path = strdup(s->mountpoint);
		v->n_fuse += kind == VOLUME_FUSE;
		HASH_ADD(hh, v->entries, dev, sizeof(volume->dev), volume);
		if (!volume->fstype || !volume->path) {
			volume_remove(v, volume);
			volume = NULL;
		}
	}
	if (volume)
		volume->seen = s->generation;
}

/* Guarded already, in a way that outlives what @s may have changed. */
static bool is_guarded(struct volumes *v, const struct volume_sighting *s)
{
	_cleanup_(backing_unrefp) struct backing *backing =
	        backing_find(v->context.backings, s->dev);
	struct volume *volume;

	if (backing && backing->marked)
		return true;
	volume = volume_find(v, s->dev);
	if (!volume || major(s->dev) == 0 || volume->kind == VOLUME_FUSE ||
	        strcmp(volume->fstype, s->fstype))
		return false;
	volume->seen = s->generation;
	return true;
}

/* The root of the mount; -ESTALE when something else is mounted over it. */
static int open_root(const struct volume_sighting *s)
{
	struct open_how how = {
	        .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
	        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	_cleanup_close_ int root = -1, fd = -1;
	struct file_look look = {0};
	char path[32];

	if (s->via > 0)
		snprintf(path, sizeof(path), "/proc/%d/root", (int)s->via);
	else
		snprintf(path, sizeof(path), "/");
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, root, s->mountpoint, &how, sizeof(how));
	if (fd < 0 || file_look(fd, &look) < 0)
		return -errno;
	return look.identity.dev == s->dev ? TAKE_FD(fd) : -ESTALE;
}

static int mark_fuse(struct volumes *v, const struct volume_sighting *s, const char *path)
{
	enum verdict verdict = v->context.refuse(s->mountpoint, s->via, v->context.userdata);

	if (verdict == VERDICT_ALLOW) {
		refuser_unmark(v->context.refuser, path);
		return 0;
	}
	return refuser_mark(v->context.refuser, path, verdict != VERDICT_WOULD_DENY);
}

static int mark(struct volumes *v, const struct volume_sighting *s, enum volume_kind kind)
{
	_cleanup_close_ int fd = -1;
	char path[32];
	int r = 0;

	fd = open_root(s);
	if (fd < 0)
		return fd;
	if (kind != VOLUME_FUSE && dev_set_has(&v->host, s->dev))
		r = guard_silence_host(v->context.groups, s->dev);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return kind == VOLUME_FUSE ? mark_fuse(v, s, path)
	                           : fan_groups_mark_filesystem(v->context.groups, path);
}

static bool guard_locked(struct volumes *v, const struct volume_sighting *s)
{
	enum volume_kind kind = volume_kind_of(s->fstype);
	int r;

	if (kind == VOLUME_PSEUDO || is_guarded(v, s))
		return true;
	r = s->below_fuse ? -ELOOP : mark(v, s, kind);
	if (r == -ESTALE || r == -ENOENT)
		return true; /* hidden: nobody gets there by a path, and an umount is a change */
	if (r < 0) {
		faults_count(v->context.faults, FAULT_MARK);
		log_warning("%s in a container, of type %s: cannot be guarded: %s", s->mountpoint,
		        s->fstype, strerror(-r));
		return false;
	}
	volume_add(v, s, kind);
	return true;
}

bool volumes_guard(struct volumes *v, const struct volume_sighting *s)
{
	bool guarded;

	pthread_mutex_lock(&v->lock);
	guarded = guard_locked(v, s);
	pthread_mutex_unlock(&v->lock);
	return guarded;
}

void volumes_set_host(struct volumes *v, struct dev_set *devs)
{
	pthread_mutex_lock(&v->lock);
	dev_set_done(&v->host);
	v->host = *devs;
	*devs = (struct dev_set){0};
	pthread_mutex_unlock(&v->lock);
}

void volumes_touch(struct volumes *v, dev_t dev, uint64_t generation)
{
	struct volume *volume;

	pthread_mutex_lock(&v->lock);
	volume = volume_find(v, dev);
	if (volume)
		volume->seen = generation;
	pthread_mutex_unlock(&v->lock);
}

void volumes_sweep(struct volumes *v, uint64_t generation)
{
	struct volume *volume, *next;

	pthread_mutex_lock(&v->lock);
	HASH_ITER(hh, v->entries, volume, next)
	if (volume->seen < generation)
		volume_remove(v, volume);
	pthread_mutex_unlock(&v->lock);
}

bool volumes_have_fuse(const struct volumes *v)
{
	return v && v->n_fuse > 0;
}

enum task_memory volumes_memory(const struct volumes *v)
{
	return volumes_have_fuse(v) ? TASK_MEMORY_LEAVE : TASK_MEMORY_READ;
}

void volumes_each(struct volumes *v,
        void (*fn)(enum volume_kind kind, const char *fstype, const char *path, void *userdata),
        void *userdata)
{
	pthread_mutex_lock(&v->lock);
	for (const struct volume *volume = v->entries; volume; volume = volume->hh.next)
		fn(volume->kind, volume->fstype, volume->path, userdata);
	pthread_mutex_unlock(&v->lock);
}
