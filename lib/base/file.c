#include "base/file.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define READ_CHUNK   4096u  /* bytes; a /proc file is rarely larger */
#define LINK_MAX_LEN 65536u /* bytes; no kernel path is longer */

static int read_all(int fd, size_t max_bytes, bool truncate, char **ret_data, size_t *ret_size)
{
	_cleanup_free_ char *data = NULL;
	size_t size = 0, room = 0;

	for (;;) {
		ssize_t n;

		if (size == room) {
			char *grown;

			room = room ? room * 2 : READ_CHUNK;
			/* One more byte tells "exactly full" from "too long". */
			if (room > max_bytes)
				room = max_bytes + 1;
			grown = realloc(data, room + 1);
			if (!grown)
				return -ENOMEM;
			data = grown;
		}
		n = read(fd, data + size, room - size);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			break;
		size += (size_t)n;
		if (size > max_bytes) {
			if (!truncate)
				return -EFBIG;
			size = max_bytes;
			break;
		}
	}
	data[size] = '\0';
	*ret_data = TAKE_PTR(data);
	*ret_size = size;
	return 0;
}

int file_read_fd(int fd, size_t max_bytes, char **ret_data, size_t *ret_size)
{
	return read_all(fd, max_bytes, false, ret_data, ret_size);
}

static int read_file(int dirfd, const char *path, size_t max_bytes, bool truncate, char **ret_data,
        size_t *ret_size)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return read_all(fd, max_bytes, truncate, ret_data, ret_size);
}

int file_read_at(int dirfd, const char *path, size_t max_bytes, char **ret_data, size_t *ret_size)
{
	return read_file(dirfd, path, max_bytes, false, ret_data, ret_size);
}

int file_read_head_at(
        int dirfd, const char *path, size_t max_bytes, char **ret_data, size_t *ret_size)
{
	return read_file(dirfd, path, max_bytes, true, ret_data, ret_size);
}

int file_readlink_at(int dirfd, const char *path, char **ret_target)
{
	size_t room = 256;

	for (;;) {
		_cleanup_free_ char *target = malloc(room);
		ssize_t n;

		if (!target)
			return -ENOMEM;
		n = readlinkat(dirfd, path, target, room);
		if (n < 0)
			return -errno;
		if ((size_t)n < room) {
			target[n] = '\0';
			*ret_target = TAKE_PTR(target);
			return 0;
		}
		if (room >= LINK_MAX_LEN)
			return -ENAMETOOLONG;
		room *= 2;
	}
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static int write_synced(int dirfd, const char *name, const void *data, size_t size, mode_t mode)
{
	_cleanup_close_ int fd = -1;
	int r;

	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	r = write_all(fd, data, size);
	if (r < 0)
		return r;
	return fsync(fd) < 0 ? -errno : 0;
}

int file_write_atomic(const char *path, const void *data, size_t size, mode_t mode)
{
	_cleanup_free_ char *dir = NULL, *temp = NULL;
	_cleanup_close_ int dirfd = -1;
	uint64_t number;
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	int r;

	dir = slash == path ? strdup("/")
	      : slash       ? strndup(path, (size_t)(slash - path))
	                    : strdup(".");
	/*
	 * Not the pid: in a container it is the same after every restart, and the leftover of a
	 * crash would be in the way for ever.
	 */
	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		return -EIO;
	if (!dir || asprintf(&temp, ".%016llx.tmp", (unsigned long long)number) < 0)
		return -ENOMEM;
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return -errno;
	r = write_synced(dirfd, temp, data, size, mode);
	if (r == 0 && renameat(dirfd, temp, dirfd, name) < 0)
		r = -errno;
	if (r < 0) {
		if (r != -EEXIST)
			(void)unlinkat(dirfd, temp, 0);
		return r;
	}
	return fsync(dirfd) < 0 ? -errno : 0;
}
