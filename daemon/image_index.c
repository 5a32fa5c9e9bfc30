/*
 * A walk by directory descriptors that never follows a link and never opens a file: names and
 * sizes are enough. Layers are the runtimes' own directories, which containers cannot write.
 */
#include "daemon/image_index.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

struct entry {
	uint64_t size;
	char *path; /* below the layer, starts with '/' */
};

struct index {
	struct entry *entries; /* by size, then path */
	size_t n, room;
};

struct image_indexer {
	pthread_mutex_t lock;
};

void image_index_free(void *userdata)
{
	struct index *index = userdata;

	if (!index)
		return;
	for (size_t i = 0; i < index->n; i++)
		free(index->entries[i].path);
	free(index->entries);
	free(index);
}

int image_indexer_new(struct image_indexer **ret_indexer)
{
	struct image_indexer *indexer = calloc(1, sizeof(*indexer));

	if (!indexer)
		return -ENOMEM;
	pthread_mutex_init(&indexer->lock, NULL);
	*ret_indexer = indexer;
	return 0;
}

void image_indexer_free(struct image_indexer *indexer)
{
	if (!indexer)
		return;
	pthread_mutex_destroy(&indexer->lock);
	free(indexer);
}

static void add_entry(struct index *index, const char *dir, const char *name, uint64_t size)
{
	char *path;

	if (index->n >= IMAGE_INDEX_FILES_MAX)
		return;
	if (index->n == index->room) {
		size_t room = index->room ? index->room * 2 : 1024;
		struct entry *grown = realloc(index->entries, room * sizeof(*grown));

		if (!grown)
			return;
		index->entries = grown;
		index->room = room;
	}
	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return;
	index->entries[index->n++] = (struct entry){.size = size, .path = path};
}

static void walk(struct index *index, int dirfd, const char *path, unsigned int depth);

static void walk_entry(
        struct index *index, int dirfd, const char *path, const char *name, unsigned int depth)
{
	_cleanup_free_ char *below = NULL;
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (S_ISREG(st.st_mode) && (st.st_mode & 0111) && st.st_size > 0)
		add_entry(index, path, name, (uint64_t)st.st_size);
	if (!S_ISDIR(st.st_mode) || depth >= IMAGE_INDEX_DEPTH_MAX)
		return;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NOATIME);
	if (fd < 0 || asprintf(&below, "%s/%s", path, name) < 0) {
		below = NULL;
		return;
	}
	walk(index, TAKE_FD(fd), below, depth + 1);
}

/* @dirfd is taken. */
static void walk(struct index *index, int dirfd, const char *path, unsigned int depth)
{
	_cleanup_closedir_ DIR *dir = fdopendir(dirfd);
	struct dirent *entry;

	if (!dir) {
		close(dirfd);
		return;
	}
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (!strcmp(name, ".") || !strcmp(name, ".."))
			continue;
		if (entry->d_type != DT_REG && entry->d_type != DT_DIR &&
		        entry->d_type != DT_UNKNOWN)
			continue;
		walk_entry(index, dirfd, path, name, depth);
	}
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return strcmp(x->path, y->path);
}

static const struct index *layer_index(struct layer *layer)
{
	struct index *index = layer->index;
	int fd;

	if (index)
		return index;
	index = calloc(1, sizeof(*index));
	if (!index)
		return NULL;
	fd = layer_open(layer);
	if (fd >= 0)
		walk(index, fd, "", 0);
	if (index->n > 0)
		qsort(index->entries, index->n, sizeof(index->entries[0]), compare_entries);
	layer->index = index;
	return index;
}

void image_indexer_prepare(struct image_indexer *indexer, const struct overlay *overlay)
{
	for (size_t i = 0; i < overlay->n_lowers; i++) {
		pthread_mutex_lock(&indexer->lock);
		(void)layer_index(overlay->lowers[i]);
		pthread_mutex_unlock(&indexer->lock);
	}
}

/* The first entry of @size; n when there is none. */
static size_t lower_bound(const struct index *index, uint64_t size)
{
	size_t low = 0, high = index->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->entries[middle].size < size)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static size_t add_candidates(const struct layer *layer, const struct index *index, uint64_t size,
        struct image_candidate *candidates, size_t n)
{
	_cleanup_close_ int dir = -1;

	for (size_t i = lower_bound(index, size);
	        i < index->n && index->entries[i].size == size && n < IMAGE_CANDIDATES_MAX; i++) {
		const char *below = index->entries[i].path + 1;
		_cleanup_close_ int fd = -1;
		char *path;

		if (dir < 0)
			dir = layer_open(layer);
		fd = openat(dir, below, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		path = fd < 0 ? NULL : strdup(index->entries[i].path);
		if (path)
			candidates[n++] = (struct image_candidate){.fd = TAKE_FD(fd), .path = path};
	}
	return n;
}

size_t image_indexer_candidates(struct image_indexer *indexer, const struct overlay *overlay,
        uint64_t size, struct image_candidate *ret_candidates)
{
	size_t n = 0;

	pthread_mutex_lock(&indexer->lock);
	for (size_t i = 0; i < overlay->n_lowers; i++) {
		const struct index *index = layer_index(overlay->lowers[i]);

		if (index)
			n = add_candidates(overlay->lowers[i], index, size, ret_candidates, n);
	}
	pthread_mutex_unlock(&indexer->lock);
	return n;
}

void image_candidates_done(struct image_candidate *candidates, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		cleanup_closep(&candidates[i].fd);
		free(candidates[i].path);
	}
}
