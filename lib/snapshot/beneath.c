/*
 * openat2(2) has refused links on the way since Linux 5.6. Paths of entries have no "." and no
 * "..", so RESOLVE_BENEATH costs no races of its own.
 */
#include "snapshot/beneath.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define ABI_AT_HANDLE_FID 0x200 /* linux/fcntl.h since 6.5 */

static int open_once(int dir_fd, const char *path, int flags)
{
	struct open_how how = {
	        .flags = (unsigned int)(flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY),
	        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	/* O_PATH takes O_CLOEXEC, O_DIRECTORY and O_NOFOLLOW only. */
	if (flags & O_PATH)
		how.flags &= O_PATH | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW;
	do {
		fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
		/* Only the owner of a file may keep its access time. */
		if (fd < 0 && errno == EPERM && how.flags & O_NOATIME) {
			how.flags &= ~(unsigned long long)O_NOATIME;
			errno = EINTR;
		}
	} while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : (int)fd;
}

int beneath_open_name(int dir_fd, const char *name, int flags)
{
	return open_once(dir_fd, name, flags);
}

/* The part of @path that the kernel takes at once: up to its last slash within PATH_MAX. */
static size_t piece_of(const char *path)
{
	size_t n = PATH_MAX - 1;

	while (n > 0 && path[n] != '/')
		n--;
	return n;
}

int beneath_open(int root_fd, const char *path, int flags)
{
	_cleanup_close_ int at = -1;
	char piece[PATH_MAX];

	while (*path == '/')
		path++;
	while (strlen(path) >= PATH_MAX) {
		size_t n = piece_of(path);
		int fd;

		if (n == 0)
			return -ENAMETOOLONG;
		memcpy(piece, path, n);
		piece[n] = '\0';
		fd = open_once(at < 0 ? root_fd : at, piece, O_PATH | O_DIRECTORY);
		if (fd < 0)
			return fd;
		cleanup_closep(&at);
		at = fd;
		path += n + 1;
	}
	return open_once(at < 0 ? root_fd : at, *path ? path : ".", flags);
}

int look_at(int dir_fd, const char *name, struct look *ret_look)
{
	struct statx sx;

	if (statx(dir_fd, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
	            STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, &sx) < 0)
		return -errno;
	*ret_look = (struct look){
	        .identity = file_identity_from(&sx),
	        .mode = sx.stx_mode,
	        .uid = sx.stx_uid,
	        .gid = sx.stx_gid,
	        .links = sx.stx_nlink,
	        .rdev_major = sx.stx_rdev_major,
	        .rdev_minor = sx.stx_rdev_minor,
	};
	ret_look->mount = sx.stx_mask & STATX_MNT_ID ? sx.stx_mnt_id : ret_look->identity.dev;
	return 0;
}

static enum entry_type type_of(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return ENTRY_FILE;
	case S_IFDIR:
		return ENTRY_DIRECTORY;
	case S_IFLNK:
		return ENTRY_SYMLINK;
	case S_IFIFO:
		return ENTRY_FIFO;
	case S_IFSOCK:
		return ENTRY_SOCKET;
	case S_IFCHR:
		return ENTRY_CHAR;
	case S_IFBLK:
		return ENTRY_BLOCK;
	default:
		return ENTRY_UNSET;
	}
}

void look_fill(const struct look *look, struct entry *entry)
{
	bool device;

	entry->type = type_of(look->mode);
	device = entry->type == ENTRY_CHAR || entry->type == ENTRY_BLOCK;
	entry->mode = look->mode & 07777;
	entry->uid = look->uid;
	entry->gid = look->gid;
	entry->size = entry->type == ENTRY_FILE ? look->identity.size : 0;
	entry->rdev_major = device ? look->rdev_major : 0;
	entry->rdev_minor = device ? look->rdev_minor : 0;
	entry->identity = look->identity;
}

void look_handle(int dir_fd, const char *name, struct entry *entry)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + ENTRY_HANDLE_MAX];
	} buffer;
	int mount_id, flags = *name ? 0 : AT_EMPTY_PATH, r;

	buffer.handle.handle_bytes = ENTRY_HANDLE_MAX;
	r = name_to_handle_at(dir_fd, name, &buffer.handle, &mount_id, flags | ABI_AT_HANDLE_FID);
	/* Before Linux 6.5: only where handles can be opened, too. */
	if (r < 0 && errno == EINVAL)
		r = name_to_handle_at(dir_fd, name, &buffer.handle, &mount_id, flags);
	entry->handle_size = 0;
	if (r < 0 || buffer.handle.handle_bytes > ENTRY_HANDLE_MAX)
		return;
	entry->handle_size = buffer.handle.handle_bytes;
	entry->handle_type = buffer.handle.handle_type;
	memcpy(entry->handle, buffer.handle.f_handle, entry->handle_size);
}

/* linux/magic.h where it has them; else the filesystems' own sources. */
#define ZFS_SUPER_MAGIC      0x2fc12fc1
#define BCACHEFS_SUPER_MAGIC 0xca451a4e
#define NTFS3_SUPER_MAGIC    0x7366746e
#define MQUEUE_MAGIC         0x19800202
#define FUSECTL_SUPER_MAGIC  0x65735543
#define CONFIGFS_MAGIC       0x62656570

enum filesystem_kind filesystem_kind_of(int fd)
{
	static const struct {
		unsigned long magic;
		enum filesystem_kind kind;
	} kinds[] = {
	        {EXT4_SUPER_MAGIC, FILESYSTEM_LOCAL},
	        {XFS_SUPER_MAGIC, FILESYSTEM_LOCAL},
	        {BTRFS_SUPER_MAGIC, FILESYSTEM_LOCAL},
	        {TMPFS_MAGIC, FILESYSTEM_LOCAL},
	        {RAMFS_MAGIC, FILESYSTEM_LOCAL},
	        {OVERLAYFS_SUPER_MAGIC, FILESYSTEM_LOCAL},
	        {F2FS_SUPER_MAGIC, FILESYSTEM_LOCAL},
	        {SQUASHFS_MAGIC, FILESYSTEM_LOCAL},
	        {EROFS_SUPER_MAGIC_V1, FILESYSTEM_LOCAL},
	        {ISOFS_SUPER_MAGIC, FILESYSTEM_LOCAL},
	        {ZFS_SUPER_MAGIC, FILESYSTEM_LOCAL},
	        {BCACHEFS_SUPER_MAGIC, FILESYSTEM_LOCAL},
	        {NTFS3_SUPER_MAGIC, FILESYSTEM_LOCAL},
	        {PROC_SUPER_MAGIC, FILESYSTEM_KERNEL},
	        {SYSFS_MAGIC, FILESYSTEM_KERNEL},
	        {CGROUP_SUPER_MAGIC, FILESYSTEM_KERNEL},
	        {CGROUP2_SUPER_MAGIC, FILESYSTEM_KERNEL},
	        {DEVPTS_SUPER_MAGIC, FILESYSTEM_KERNEL},
	        {DEBUGFS_MAGIC, FILESYSTEM_KERNEL},
	        {TRACEFS_MAGIC, FILESYSTEM_KERNEL},
	        {SECURITYFS_MAGIC, FILESYSTEM_KERNEL},
	        {SELINUX_MAGIC, FILESYSTEM_KERNEL},
	        {SMACK_MAGIC, FILESYSTEM_KERNEL},
	        {BPF_FS_MAGIC, FILESYSTEM_KERNEL},
	        {PSTOREFS_MAGIC, FILESYSTEM_KERNEL},
	        {EFIVARFS_MAGIC, FILESYSTEM_KERNEL},
	        {BINFMTFS_MAGIC, FILESYSTEM_KERNEL},
	        {NSFS_MAGIC, FILESYSTEM_KERNEL},
	        {MQUEUE_MAGIC, FILESYSTEM_KERNEL},
	        {FUSECTL_SUPER_MAGIC, FILESYSTEM_KERNEL},
	        {CONFIGFS_MAGIC, FILESYSTEM_KERNEL},
	        {AUTOFS_SUPER_MAGIC, FILESYSTEM_KERNEL},
	};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return FILESYSTEM_REMOTE;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if ((unsigned long)(uint32_t)fs.f_type == kinds[i].magic)
			return kinds[i].kind;
	return FILESYSTEM_REMOTE;
}
