/*
 * One file of a snapshot, as it was found: what it is, who may do what with it, what is in it.
 * Filled by whoever looks (lib/snapshot), kept by the store, compared here. Pure.
 *
 * Everything in an entry is foreign: names come from trees and archives that anybody made. Paths
 * and targets may hold any byte but NUL; they are bounded where they are read.
 */
#pragma once

#include "core/facts.h"
#include "core/types.h"

#define ENTRY_PATH_MAX TEXT_MAX /* bytes of a path in a snapshot, or of a symlink's target */
#define ENTRY_CAPS_MAX                                                                             \
	24u /* bytes of security.capability; VFS_CAP_REVISION_3, linux/capability.h */
#define ENTRY_HANDLE_MAX 128u /* bytes of a file handle; MAX_HANDLE_SZ, name_to_handle_at(2) */

enum entry_type {
	ENTRY_UNSET = 0,
	ENTRY_FILE,
	ENTRY_DIRECTORY,
	ENTRY_SYMLINK,
	ENTRY_FIFO, /* recorded, never opened; as all below */
	ENTRY_SOCKET,
	ENTRY_CHAR,
	ENTRY_BLOCK,
	ENTRY_WHITEOUT, /* only in layers: hides what lower layers have of that name */
	_ENTRY_TYPE_MAX,
};

/* What is known of a file's content. Only KNOWN has a digest. */
enum entry_content {
	CONTENT_UNREAD = 0, /* no regular file, or nobody asked */
	CONTENT_KNOWN,
	CONTENT_MUTABLE,    /* changed each time it was read */
	CONTENT_UNREADABLE, /* could not be opened or read: said on the way */
	_CONTENT_MAX,
};

/* Bits. */
enum entry_flag {
	ENTRY_EXECUTABLE = 1 << 0, /* a regular file that is ELF, starts with #!, or has an x bit */
	ENTRY_OPAQUE = 1 << 1, /* a directory of a layer that hides what lower layers have in it */
	ENTRY_IMA = 1 << 2,    /* has a security.ima */
	_ENTRY_FLAGS_ALL = (1 << 3) - 1,
};

struct entry {
	char *path; /* absolute, from the root of what was snapshot: "/usr/bin/env"; "/" is the root
	             */
	enum entry_type type;
	uint32_t mode; /* permission bits with setuid, setgid, sticky: 0..07777 */
	uint32_t uid, gid;
	uint64_t size;                   /* bytes; of regular files */
	uint32_t rdev_major, rdev_minor; /* of devices */
	unsigned int flags;              /* enum entry_flag */
	enum exec_kind kind;
	enum entry_content content;
	struct digest digest;
	char *target;                 /* of symlinks; NULL else */
	uint8_t caps[ENTRY_CAPS_MAX]; /* security.capability as it is stored */
	uint32_t caps_size;           /* 0: none */
	char *package;                /* "name version" that accounts for it, or NULL */

	/*
	 * What makes it unchanged at the next look: the inode by its handle, its change time, its
	 * size. All zero for what came from an archive or an import. settled is false when it had
	 * changed within the clock's last tick before it was read: then its times prove nothing.
	 */
	struct file_identity identity;
	bool settled;
	uint32_t handle_size; /* 0: the filesystem has none */
	int32_t handle_type;
	uint8_t handle[ENTRY_HANDLE_MAX]; /* last: what is kept in numbers leaves out the rest of it
	                                   */
};

void entry_done(struct entry *entry);
/* Deep copy (entry_done). 0 or -ENOMEM. */
int entry_copy(const struct entry *entry, struct entry *ret_copy);

/* The same inode, unchanged since @before was taken; then its digest still holds. */
bool entry_unchanged(const struct entry *before, const struct entry *now);

/* Bits of what differs; 0 when nothing that a snapshot keeps does. Times and inodes do not count.
 */
enum entry_change {
	ENTRY_CHANGED_TYPE = 1 << 0,
	ENTRY_CHANGED_CONTENT = 1 << 1, /* digest, or size where one of them has no digest */
	ENTRY_CHANGED_MODE = 1 << 2,
	ENTRY_CHANGED_OWNER = 1 << 3,
	ENTRY_CHANGED_CAPS = 1 << 4,
	ENTRY_CHANGED_TARGET = 1 << 5, /* of a symlink; a device's number */
	ENTRY_CHANGED_IMA = 1 << 6,    /* a security.ima came or went */
};
unsigned int entry_compare(const struct entry *before, const struct entry *now);

const char *entry_type_name(enum entry_type type); /* file, directory, symlink, ... */
const char *entry_content_name(enum entry_content content);
enum entry_type entry_type_from_name(const char *name);
/* "type", "content", "mode", "owner", "capabilities", "target", "ima"; NULL for no single bit. */
const char *entry_change_name(unsigned int change);

/*
 * The order in which trees are stored, walked and compared: byte by byte, but '/' before every
 * other byte, so that what is in a directory follows it directly. <0, 0, >0.
 */
int entry_path_compare(const char *a, const char *b);

/*
 * True for the one way to write a path: "/" or "/name/name", at most ENTRY_PATH_MAX bytes, no empty
 * name, no "." and no ".." among them. Any other byte may be in a name.
 */
bool entry_path_valid(const char *path);
