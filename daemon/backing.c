/*
 * Handles are decoded on a mount that lies outside every overlay; the path of the decoded inode
 * is read from /proc/self/fd, which is a walk over dentries in memory and opens nothing.
 */
#include "daemon/backing.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "daemon/kernel_abi.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

struct backing_table {
	pthread_rwlock_t lock;
	size_t n;
	struct backing *entries[BACKING_MAX];
};

int backing_table_new(struct backing_table **ret_table)
{
	struct backing_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	pthread_rwlock_init(&table->lock, NULL);
	*ret_table = table;
	return 0;
}

struct backing *backing_ref(struct backing *backing)
{
	if (backing)
		backing->refs++;
	return backing;
}

void backing_unref(struct backing *backing)
{
	if (!backing || --backing->refs > 0)
		return;
	cleanup_closep(&backing->mount_fd);
	free(backing->mountpoint);
	free(backing->fstype);
	free(backing);
}

void backing_table_free(struct backing_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n; i++)
		backing_unref(table->entries[i]);
	pthread_rwlock_destroy(&table->lock);
	free(table);
}

static struct backing *find_locked(struct backing_table *table, dev_t dev)
{
	for (size_t i = 0; i < table->n; i++)
		if (table->entries[i]->dev == dev)
			return table->entries[i];
	return NULL;
}

struct backing *backing_find(struct backing_table *table, dev_t dev)
{
	struct backing *found;

	pthread_rwlock_rdlock(&table->lock);
	found = backing_ref(find_locked(table, dev));
	pthread_rwlock_unlock(&table->lock);
	return found;
}

static void unref_tablep(struct libmnt_table **table)
{
	mnt_unref_table(*table);
}

static void free_iterp(struct libmnt_iter **iter)
{
	mnt_free_iter(*iter);
}

/* The best mount of @dev in our namespace: of the whole filesystem before one of a subtree. */
static struct libmnt_fs *best_mount(struct libmnt_table *mounts, dev_t dev)
{
	_cleanup_(free_iterp) struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs = NULL, *best = NULL;

	while (iter && mnt_table_next_fs(mounts, iter, &fs) == 0) {
		if (mnt_fs_get_devno(fs) != dev)
			continue;
		if (!strcmp(mnt_fs_get_root(fs) ?: "", "/"))
			return fs;
		if (!best)
			best = fs;
	}
	return best;
}

static int set_from_mount(struct backing *backing, struct libmnt_fs *fs)
{
	struct stat st;

	backing->mountpoint = strdup(mnt_fs_get_target(fs) ?: "");
	backing->fstype = strdup(mnt_fs_get_fstype(fs) ?: "");
	if (!backing->mountpoint || !backing->fstype)
		return -ENOMEM;
	backing->mount_fd =
	        open(backing->mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME);
	if (backing->mount_fd < 0)
		return -errno;
	if (fstat(backing->mount_fd, &st) < 0)
		return -errno;
	return st.st_dev == backing->dev ? 0 : -ESTALE; /* something is mounted over it */
}

static int set_from_fd(struct backing *backing, int fd)
{
	char link[32];

	free(backing->mountpoint);
	free(backing->fstype);
	cleanup_closep(&backing->mount_fd);
	backing->mount_fd = -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	backing->fstype = strdup("");
	if (!backing->fstype)
		return -ENOMEM;
	backing->mount_fd = open(link, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME);
	if (backing->mount_fd < 0)
		return -errno;
	return file_readlink_at(AT_FDCWD, link, &backing->mountpoint);
}

static int backing_new(int fd, dev_t dev, struct backing **ret_backing)
{
	_cleanup_(backing_unrefp) struct backing *backing = calloc(1, sizeof(*backing));
	_cleanup_(unref_tablep) struct libmnt_table *mounts = NULL;
	struct libmnt_fs *fs;
	int r;

	if (!backing)
		return -ENOMEM;
	backing->refs = 1;
	backing->dev = dev;
	backing->mount_fd = -1;
	mounts = mnt_new_table_from_file("/proc/self/mountinfo");
	if (!mounts)
		return -EIO;
	fs = best_mount(mounts, dev);
	r = fs ? set_from_mount(backing, fs) : -ENOENT;
	backing->host = r == 0;
	if (r < 0)
		r = set_from_fd(backing, fd);
	if (r < 0)
		return r;
	*ret_backing = TAKE_PTR(backing);
	return 0;
}

int backing_get(struct backing_table *table, int fd, struct backing **ret_backing)
{
	_cleanup_(backing_unrefp) struct backing *fresh = NULL;
	struct backing *found;
	struct stat st;
	int r = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	found = backing_find(table, st.st_dev);
	if (!found) {
		r = backing_new(fd, st.st_dev, &fresh);
		if (r < 0)
			return r;
		pthread_rwlock_wrlock(&table->lock);
		found = find_locked(table, st.st_dev);
		if (!found && table->n < BACKING_MAX)
			found = table->entries[table->n++] = TAKE_PTR(fresh);
		backing_ref(found);
		pthread_rwlock_unlock(&table->lock);
	}
	if (!found)
		return -ENOSPC;
	*ret_backing = found;
	return 0;
}

void backing_each(struct backing_table *table, void (*fn)(struct backing *backing, void *userdata),
        void *userdata)
{
	pthread_rwlock_rdlock(&table->lock);
	for (size_t i = 0; i < table->n; i++)
		fn(table->entries[i], userdata);
	pthread_rwlock_unlock(&table->lock);
}

void backing_sweep(struct backing_table *table)
{
	size_t kept = 0;

	/* References are only made under the lock, so one that stands at ours stays there. */
	pthread_rwlock_wrlock(&table->lock);
	for (size_t i = 0; i < table->n; i++) {
		struct backing *backing = table->entries[i];

		if (!backing->host && backing->refs == 1)
			backing_unref(backing);
		else
			table->entries[kept++] = backing;
	}
	table->n = kept;
	pthread_rwlock_unlock(&table->lock);
}

union handle_buffer {
	struct file_handle handle;
	char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

int backing_open_by_handle(
        const struct backing *backing, int type, const uint8_t *data, size_t size, int flags)
{
	union handle_buffer buffer;
	int fd;

	if (size > MAX_HANDLE_SZ)
		return -EINVAL;
	buffer.handle.handle_bytes = (unsigned int)size;
	buffer.handle.handle_type = type;
	memcpy(buffer.handle.f_handle, data, size);
	fd = open_by_handle_at(backing->mount_fd, &buffer.handle, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The kernel's mark on the path of an unlinked file is not part of its name. */
static void strip_deleted(char *path, int fd)
{
	static const char mark[] = " (deleted)";
	size_t n = strlen(path), m = sizeof(mark) - 1;
	struct stat st;

	if (n > m && !strcmp(path + n - m, mark) && fstat(fd, &st) == 0 && st.st_nlink == 0)
		path[n - m] = '\0';
}

int backing_path_by_handle(const struct backing *backing, int type, const uint8_t *data,
        size_t size, char **ret_path, int *ret_fd)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	char link[32];
	int r;

	fd = backing_open_by_handle(backing, type, data, size, O_PATH);
	if (fd < 0)
		return fd;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	r = file_readlink_at(AT_FDCWD, link, &path);
	if (r < 0)
		return r;
	strip_deleted(path, fd);
	*ret_path = TAKE_PTR(path);
	if (ret_fd)
		*ret_fd = TAKE_FD(fd);
	return 0;
}

int backing_path_of(const struct backing *backing, int fd, char **ret_path)
{
	union handle_buffer buffer;
	int mount_id;

	buffer.handle.handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(fd, "", &buffer.handle, &mount_id, AT_EMPTY_PATH) < 0)
		return -errno;
	return backing_path_by_handle(backing, buffer.handle.handle_type, buffer.handle.f_handle,
	        buffer.handle.handle_bytes, ret_path, NULL);
}

int file_look(int fd, struct file_look *ret_look)
{
	struct statx sx;

	/* DONT_SYNC: a FUSE server is never asked, so it can never keep us waiting. */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
	            STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID_UNIQUE, &sx) < 0)
		return -errno;
	*ret_look = (struct file_look){
	        .identity = file_identity_from(&sx),
	        .mode = sx.stx_mode,
	        .links = sx.stx_nlink,
	        .uid = sx.stx_uid,
	        .mount_id = sx.stx_mask & STATX_MNT_ID_UNIQUE ? sx.stx_mnt_id : 0,
	};
	return 0;
}

int file_identity_of(int fd, struct file_identity *ret_identity, mode_t *ret_mode)
{
	struct file_look look = {0};
	int r = file_look(fd, &look);

	if (r < 0)
		return r;
	*ret_identity = look.identity;
	*ret_mode = look.mode;
	return 0;
}
