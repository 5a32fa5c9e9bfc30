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
#include "daemon/task_root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

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
	_Atomic unsigned int n_served; /* of them */
	_Atomic bool fuse_seen;        /* ever */
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

/* A server elsewhere answers for these; reading an event would wait for it, too. */
static const char *const served[] = {
        "9p",
        "afs",
        "ceph",
        "cifs",
        "coda",
        "gfs2",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
};

static bool is_listed(const char *const *list, size_t n, const char *fstype)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(fstype, list[i]))
			return true;
	return false;
}

enum volume_kind volume_kind_of(const char *fstype)
{
	if (!strcmp(fstype, "fuse") || !strcmp(fstype, "fuseblk") || !strncmp(fstype, "fuse.", 5) ||
	        !strncmp(fstype, "fuseblk.", 8))
		return VOLUME_FUSE;
	if (is_listed(served, sizeof(served) / sizeof(served[0]), fstype))
		return VOLUME_SERVED;
	return is_listed(pseudo, sizeof(pseudo) / sizeof(pseudo[0]), fstype) ? VOLUME_PSEUDO
	                                                                     : VOLUME_PLAIN;
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
	v->n_served -= volume->kind != VOLUME_PLAIN;
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
		v->n_served += kind != VOLUME_PLAIN;
		HASH_ADD(hh, v->entries, dev, sizeof(volume->dev), volume);
		if (!volume->fstype || !volume->path) {
			volume_remove(v, volume);
			volume = NULL;
		}
	}
	if (volume)
		volume->seen = s->generation;
}

/* By the mark on the layers' filesystem, which we keep from being unmounted. */
static bool is_backing(struct volumes *v, const struct volume_sighting *s)
{
	_cleanup_(backing_unrefp) struct backing *backing =
	        backing_find(v->context.backings, s->dev);

	return backing && backing->marked;
}

/* The root of the mount; -ESTALE when something else is mounted over it. */
static int open_root(const struct volume_sighting *s)
{
	_cleanup_close_ int fd = -1;
	struct file_look look = {0};
	int r;

	fd = task_open_cached(s->via, s->mountpoint, RESOLVE_NO_SYMLINKS);
	if (fd < 0)
		return fd;
	r = file_look(fd, &look);
	if (r < 0)
		return r;
	return look.identity.dev == s->dev ? TAKE_FD(fd) : -ESTALE;
}

static int mark_served(struct volumes *v, const struct volume_sighting *s, const char *path)
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
	if (kind == VOLUME_PLAIN && dev_set_has(&v->host, s->dev))
		r = guard_silence_host(v->context.groups, v->context.hosts, s->dev);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return kind != VOLUME_PLAIN ? mark_served(v, s, path)
	                            : fan_groups_mark_filesystem(v->context.groups, path);
}

static bool guard_locked(struct volumes *v, const struct volume_sighting *s)
{
	enum volume_kind kind = volume_kind_of(s->fstype);
	int r;

	if (kind == VOLUME_PSEUDO || is_backing(v, s))
		return true;
	v->fuse_seen = v->fuse_seen || kind == VOLUME_FUSE;
	r = mark(v, s, kind);
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

bool volumes_have_served(const struct volumes *v)
{
	return v && v->n_served > 0;
}

/* A mapping outlives its mount: what was seen once stays true. */
enum task_memory volumes_memory(const struct volumes *v)
{
	return v && v->fuse_seen ? TASK_MEMORY_LEAVE : TASK_MEMORY_READ;
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
