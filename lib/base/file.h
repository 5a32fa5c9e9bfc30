/*
 * Whole files, bounded on the way in and atomic on the way out.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * Reads all of @path (relative to @dirfd, AT_FDCWD for the working directory) into fresh memory
 * that ends with a NUL not counted in @ret_size. /proc files, whose size is 0, are read to their
 * end. O_NOFOLLOW | O_NONBLOCK: a link or a FIFO as last component is refused.
 * Returns 0; -EFBIG past @max_bytes; -EINVAL when it is no regular file; another -errno.
 * The caller frees *ret_data with free().
 */
int file_read_at(int dirfd, const char *path, size_t max_bytes, char **ret_data, size_t *ret_size);

/*
 * Like file_read_at(), but keeps the first @max_bytes of a longer file instead of refusing it.
 */
int file_read_head_at(
        int dirfd, const char *path, size_t max_bytes, char **ret_data, size_t *ret_size);

/* All that a descriptor still has to give, of any kind: a pipe too. The same returns. */
int file_read_fd(int fd, size_t max_bytes, char **ret_data, size_t *ret_size);

/* readlinkat(2) into fresh memory, without a limit on the length below 64 KiB. 0 or -errno. */
int file_readlink_at(int dirfd, const char *path, char **ret_target);

/*
 * Writes @data to a temporary name beside @path, syncs it, renames it over @path and syncs the
 * directory: readers see the old file or the new one. 0 or -errno, and nothing is left behind.
 */
int file_write_atomic(const char *path, const void *data, size_t size, mode_t mode);
