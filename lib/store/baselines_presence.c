/*
 * Locks that say who is at work with a snapshot. The file holds nothing: only locks on its bytes
 * count, one byte an id. It is not removed, since two files of one name would be two sets of locks.
 */
#include "store/baselines_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int presence_open(struct store *store, int *ret_fd)
{
	const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	_cleanup_close_ int fd = -1;
	char *path = NULL;
	struct stat st;
	int r = store_path_beside(store, PRESENCE_FILE, &path);

	if (r < 0)
		return r;
	fd = open(path, flags, 0600);
	r = fd < 0 ? -errno : 0;
	free(path);
	if (r == -ENOSPC || r == -EDQUOT)
		return STORE_E_FULL;
	if (r < 0)
		return r == -ELOOP || r == -EISDIR || r == -ENXIO ? STORE_E_UNSAFE : r;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
		return STORE_E_UNSAFE;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int set(int fd, int64_t id, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = id, .l_len = 1};

	while (fcntl(fd, F_OFD_SETLK, &lock) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int presence_take(int fd, int64_t id, enum presence presence)
{
	int r;

	if (id <= 0 || id == INT64_MAX) /* the end of a lock is an offset, too */
		return STORE_E_CORRUPT;
	r = set(fd, id, presence == PRESENCE_SHARED ? F_RDLCK : F_WRLCK);
	return r == -EAGAIN || r == -EACCES ? 1 : r;
}

void presence_drop(int fd, int64_t id)
{
	(void)set(fd, id, F_UNLCK);
}
