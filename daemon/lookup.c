/*
 * openat2(2) keeps the walk inside the layer, without links: a container's upper layer holds what
 * the container put there.
 */
#include "daemon/lookup.h"

#include "base/cleanup.h"
#include "core/passwd.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#define LOOKUP_XINO_BITS                                                                           \
	16u /* overlayfs takes one for the upper and log2 of the layers' filesystems */
#define PASSWD_SIZE_MAX 65536u /* bytes that are read of a container's /etc/passwd */

int lookup_open(const struct layer *layer, const char *path)
{
	_cleanup_close_ int dir = layer_open(layer);
	struct open_how how = {
	        .flags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC,
	        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	while (*path == '/')
		path++;
	if (dir < 0 || !*path)
		return -1;
	return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

/* The same inode as the overlay shows it. Times are never 0 on filesystems that can be an upper. */
static bool is_same(int fd, const struct file_identity *identity)
{
	struct file_identity found;
	mode_t mode;

	return file_identity_of(fd, &found, &mode) == 0 && S_ISREG(mode) && found.btime_ns != 0 &&
	       found.btime_ns == identity->btime_ns && found.ctime_ns == identity->ctime_ns &&
	       found.mtime_ns == identity->mtime_ns && found.size == identity->size;
}

static int open_same(
        const struct layer *layer, const char *path, const struct file_identity *identity)
{
	_cleanup_close_ int fd = lookup_open(layer, path);

	return fd >= 0 && is_same(fd, identity) ? TAKE_FD(fd) : -1;
}

/* With metacopy=on a chmod copies up the inode and leaves the content below: this one has none. */
static bool is_metacopy(int fd, bool userxattr)
{
	return fgetxattr(fd, userxattr ? "user.overlay.metacopy" : "trusted.overlay.metacopy", NULL,
	               0) >= 0;
}

int lookup_upper(
        const struct overlay *overlay, const char *path, const struct file_identity *identity)
{
	_cleanup_close_ int fd = overlay->upper ? open_same(overlay->upper, path, identity) : -1;

	return fd >= 0 && !is_metacopy(fd, overlay->userxattr) ? TAKE_FD(fd) : -1;
}

/* The file of that path in the uppermost lower layer that has it and vouches. */
static int open_any_lower(const struct overlay *overlay, const char *path)
{
	for (size_t i = 0; i < overlay->n_lowers; i++) {
		int fd = overlay->lowers[i]->trusted ? lookup_open(overlay->lowers[i], path) : -1;

		if (fd >= 0)
			return fd;
	}
	return -1;
}

/* The uppermost layer that has the file is the one that the container sees. */
static int open_topmost(const struct overlay *overlay, const char *path)
{
	int fd = overlay->upper ? lookup_open(overlay->upper, path) : -1;

	for (size_t i = 0; i < overlay->n_lowers && fd < 0; i++)
		fd = lookup_open(overlay->lowers[i], path);
	return fd;
}

char *lookup_user(const struct overlay *overlay, int64_t uid)
{
	_cleanup_close_ int fd = open_topmost(overlay, "/etc/passwd");
	_cleanup_free_ char *text = malloc(PASSWD_SIZE_MAX);
	struct stat st;
	ssize_t n;

	if (fd < 0 || !text || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return NULL;
	n = pread(fd, text, PASSWD_SIZE_MAX, 0);
	return n > 0 ? passwd_find(text, (size_t)n, uid) : NULL;
}

/*
 * Times are told in clock ticks, so that two files can share them all: the number of an inode that
 * was never copied up must be the same, too. Its highest bits may tell the layer (xino=on).
 */
bool lookup_same_number(uint64_t a, uint64_t b)
{
	return (a ^ b) << LOOKUP_XINO_BITS == 0;
}

static int open_lower_same(
        const struct layer *layer, const char *path, const struct file_identity *identity)
{
	_cleanup_close_ int fd = open_same(layer, path, identity);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !lookup_same_number(st.st_ino, identity->ino))
		return -1;
	return TAKE_FD(fd);
}

static enum lookup_result lookup_one(const struct overlay *overlay, const char *path,
        const struct file_identity *identity, struct lookup *lookup)
{
	lookup->fd = overlay->upper ? open_same(overlay->upper, path, identity) : -1;
	if (lookup->fd >= 0) {
		lookup->metacopy = is_metacopy(lookup->fd, overlay->userxattr);
		lookup->lower_fd = open_any_lower(overlay, path);
		return LOOKUP_UPPER;
	}
	for (size_t i = 0; i < overlay->n_lowers; i++) {
		if (!overlay->lowers[i]->trusted)
			continue;
		lookup->fd = open_lower_same(overlay->lowers[i], path, identity);
		if (lookup->fd >= 0)
			return LOOKUP_LOWER;
	}
	return LOOKUP_UNKNOWN;
}

enum lookup_result lookup_real(const struct overlay *overlay, const char *root, const char *path,
        const struct file_identity *identity, struct lookup *ret_lookup)
{
	for (const char *tail = path; tail; tail = strchr(tail + 1, '/')) {
		struct lookup lookup = {.fd = -1, .lower_fd = -1};
		_cleanup_free_ char *whole = NULL;
		enum lookup_result result;

		if (asprintf(&whole, "%s%s", root, tail) < 0) {
			whole = NULL;
			return LOOKUP_UNKNOWN;
		}
		result = lookup_one(overlay, whole, identity, &lookup);
		if (result == LOOKUP_UNKNOWN)
			continue;
		lookup.path = TAKE_PTR(whole);
		*ret_lookup = lookup;
		return result;
	}
	return LOOKUP_UNKNOWN;
}
