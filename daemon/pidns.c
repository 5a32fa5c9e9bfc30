/*
 * A table by namespace inode. The overlay is remembered by device number and options, not by a
 * reference: the registry alone decides how long an overlay lives.
 */
#include "daemon/pidns.h"

#include "base/cleanup.h"
#include "daemon/kernel_abi.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include <uthash.h>

struct pidns_entry {
	ino_t ino;
	int fd;
	dev_t overlay_dev;
	char *options;
	UT_hash_handle hh;
};

struct pidns_table {
	pthread_mutex_t lock;
	struct overlays *overlays;
	struct pidns_entry *entries;
	ino_t own;
};

int pidns_table_new(struct overlays *overlays, struct pidns_table **ret_table)
{
	struct pidns_table *table = calloc(1, sizeof(*table));
	struct stat st;

	if (!table)
		return -ENOMEM;
	pthread_mutex_init(&table->lock, NULL);
	table->overlays = overlays;
	table->own = stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : ABI_PID_INIT_INO;
	*ret_table = table;
	return 0;
}

static void entry_remove(struct pidns_table *table, struct pidns_entry *entry)
{
	HASH_DEL(table->entries, entry);
	cleanup_closep(&entry->fd);
	free(entry->options);
	free(entry);
}

void pidns_table_free(struct pidns_table *table)
{
	struct pidns_entry *entry, *next;

	if (!table)
		return;
	HASH_ITER(hh, table->entries, entry, next)
	entry_remove(table, entry);
	pthread_mutex_destroy(&table->lock);
	free(table);
}

static int open_pidns(pid_t pid, ino_t *ret_ino)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	*ret_ino = st.st_ino;
	return TAKE_FD(fd);
}

void pidns_learn(struct pidns_table *table, pid_t pid, struct overlay *overlay)
{
	_cleanup_close_ int fd = -1;
	struct pidns_entry *entry = NULL;
	ino_t ino = 0;

	fd = open_pidns(pid, &ino);
	if (fd < 0 || ino == table->own)
		return;
	pthread_mutex_lock(&table->lock);
	HASH_FIND(hh, table->entries, &ino, sizeof(ino), entry);
	if (!entry && HASH_COUNT(table->entries) < PIDNS_MAX &&
	        (entry = calloc(1, sizeof(*entry)))) {
		entry->ino = ino;
		entry->fd = TAKE_FD(fd);
		entry->overlay_dev = overlay->dev;
		entry->options = strdup(overlay->options);
		HASH_ADD(hh, table->entries, ino, sizeof(entry->ino), entry);
	}
	pthread_mutex_unlock(&table->lock);
}

static struct overlay *entry_overlay(
        const struct pidns_table *table, const struct pidns_entry *entry)
{
	struct overlay *overlay = overlays_by_dev(table->overlays, entry->overlay_dev);

	if (overlay && entry->options && !strcmp(overlay->options, entry->options))
		return overlay;
	overlay_unref(table->overlays, overlay);
	return NULL;
}

struct overlay *pidns_overlay_of(struct pidns_table *table, pid_t pid)
{
	struct overlay *overlay = NULL;
	struct stat st;
	ino_t ino = 0;
	int fd = open_pidns(pid, &ino);

	for (unsigned int depth = 0; fd >= 0 && depth <= PIDNS_DEPTH_MAX && ino != table->own;
	        depth++) {
		struct pidns_entry *entry = NULL;
		int parent;

		pthread_mutex_lock(&table->lock);
		HASH_FIND(hh, table->entries, &ino, sizeof(ino), entry);
		overlay = entry ? entry_overlay(table, entry) : NULL;
		pthread_mutex_unlock(&table->lock);
		if (overlay)
			break;
		parent = ioctl(fd, NS_GET_PARENT);
		close(fd);
		fd = parent;
		if (fd < 0 || fstat(fd, &st) < 0)
			break;
		ino = st.st_ino;
	}
	cleanup_closep(&fd);
	return overlay;
}

void pidns_sweep(struct pidns_table *table)
{
	struct pidns_entry *entry, *next;

	pthread_mutex_lock(&table->lock);
	HASH_ITER(hh, table->entries, entry, next)
	{
		struct overlay *overlay = entry_overlay(table, entry);

		if (!overlay)
			entry_remove(table, entry);
		overlay_unref(table->overlays, overlay);
	}
	pthread_mutex_unlock(&table->lock);
}
