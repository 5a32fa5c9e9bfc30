/*
 * Where the database lies: not root's alone means not ours.
 *
 * The files are looked at through O_PATH descriptors. A real descriptor would do harm: closing any
 * one of a file drops all POSIX locks that this process holds on it (fcntl(2)), also those of the
 * other connections, and the next program that opens and closes the database would then take itself
 * for the last and remove the log that the daemon writes to. O_PATH has no part in locks.
 *
 * SQLite opens the file by its name afterwards: in a directory that only we can write, that is the
 * same file. The directories above are the administrator's.
 */
#include "store/store_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* The database, what SQLite keeps beside it, the locks of baselines_presence.c, the witness. */
static const char *const file_names[] = {
        "baseline.db",
        "baseline.db-wal",
        "baseline.db-shm",
        "baseline.db-journal",
        "baseline.lock",
        "allowlists.witness",
};

static int check_owner(int fd, mode_t type)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_mode & S_IFMT) != type || st.st_uid != geteuid() || (st.st_mode & 022))
		return STORE_E_UNSAFE;
	return 0;
}

/* With O_NOFOLLOW, O_PATH opens a symbolic link itself, which is no regular file. */
static int check_file(int dirfd, const char *name)
{
	_cleanup_close_ int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : check_owner(fd, S_IFREG);
}

/* O_EXCL: a file that is there already is not opened, so its locks stay. */
static int create(int dirfd)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	_cleanup_close_ int fd = openat(dirfd, file_names[0], flags, 0600);

	return fd < 0 && errno != EEXIST ? -errno : 0;
}

int store_place_check(const char *dir, enum store_access access)
{
	_cleanup_close_ int dirfd = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (dirfd < 0)
		return errno == ELOOP || errno == ENOTDIR ? STORE_E_UNSAFE : -errno;
	r = check_owner(dirfd, S_IFDIR);
	if (r == 0 && access == STORE_READ_WRITE)
		r = create(dirfd);
	for (size_t i = 0; i < sizeof(file_names) / sizeof(file_names[0]) && r == 0; i++) {
		r = check_file(dirfd, file_names[i]);
		if (i > 0 && r == -ENOENT)
			r = 0;
	}
	return r == -ENOSPC || r == -EDQUOT ? STORE_E_FULL : r;
}
