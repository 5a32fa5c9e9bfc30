#include "crypto/key_file.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static int fill(int fd, const void *data, size_t size, mode_t mode)
{
	/* Not what the umask leaves of it: 0600 is part of what a key file is. */
	int r = fchmod(fd, mode) < 0 ? -errno : write_all(fd, data, size);

	if (r < 0)
		return r;
	return fsync(fd) < 0 ? -errno : 0;
}

/* Where the filesystem has no files without a name: the name comes first, and goes when it fails.
 */
static int write_named(int dirfd, const char *name, const void *data, size_t size, mode_t mode)
{
	_cleanup_close_ int fd =
	        openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = fill(fd, data, size, mode);
	if (r < 0)
		(void)unlinkat(dirfd, name, 0);
	return r;
}

static int write_unnamed(
        int dirfd, int fd, const char *name, const void *data, size_t size, mode_t mode)
{
	char self[64];
	int r = fill(fd, data, size, mode);

	if (r < 0)
		return r;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, self, dirfd, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

int key_file_write_new(const char *path, const void *data, size_t size, mode_t mode)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	_cleanup_free_ char *dir = slash == path ? strdup("/")
	                           : slash       ? strndup(path, (size_t)(slash - path))
	                                         : strdup(".");
	_cleanup_close_ int dirfd = -1, fd = -1;
	int r;

	if (!dir)
		return -ENOMEM;
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return -errno;
	fd = openat(dirfd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 && errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)
		return -errno;
	r = fd >= 0 ? write_unnamed(dirfd, fd, name, data, size, mode)
	            : write_named(dirfd, name, data, size, mode);
	if (r < 0)
		return r;
	return fsync(dirfd) < 0 ? -errno : 0;
}

static int parse(
        const char *pem, size_t size, const struct secret *passphrase, struct key **ret_key)
{
	if (memmem(pem, size, "PRIVATE KEY-----", 16))
		return key_private_from_pem(pem, size, passphrase, ret_key);
	return key_from_pem(pem, size, ret_key);
}

int key_file_read(const char *path, const struct secret *passphrase, struct key **ret_key,
        bool *ret_open_mode)
{
	_cleanup_(secret_done) struct secret pem = {0};
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	r = file_read_fd(fd, KEY_PEM_MAX, &pem.data, &pem.size);
	if (r < 0)
		return r == -EFBIG ? KEY_E_FORMAT : r;
	r = parse(pem.data, pem.size, passphrase, ret_key);
	if (r == 0 && ret_open_mode)
		*ret_open_mode = S_ISREG(st.st_mode) && st.st_mode & (S_IRGRP | S_IROTH);
	return r;
}
