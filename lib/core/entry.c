/* Comparing entries: what counts as a change is what a snapshot promises to keep. */
#include "core/entry.h"

#include "base/cleanup.h"
#include "base/strtab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[_ENTRY_TYPE_MAX] = {
        [ENTRY_UNSET] = "unset",
        [ENTRY_FILE] = "file",
        [ENTRY_DIRECTORY] = "directory",
        [ENTRY_SYMLINK] = "symlink",
        [ENTRY_FIFO] = "fifo",
        [ENTRY_SOCKET] = "socket",
        [ENTRY_CHAR] = "character device",
        [ENTRY_BLOCK] = "block device",
        [ENTRY_WHITEOUT] = "whiteout",
};

static const char *const content_names[_CONTENT_MAX] = {
        [CONTENT_UNREAD] = "unread",
        [CONTENT_KNOWN] = "known",
        [CONTENT_MUTABLE] = "mutable",
        [CONTENT_UNREADABLE] = "unreadable",
};

static const struct {
	unsigned int bit;
	const char *name;
} change_names[] = {
        {ENTRY_CHANGED_TYPE, "type"},
        {ENTRY_CHANGED_CONTENT, "content"},
        {ENTRY_CHANGED_MODE, "mode"},
        {ENTRY_CHANGED_OWNER, "owner"},
        {ENTRY_CHANGED_CAPS, "capabilities"},
        {ENTRY_CHANGED_TARGET, "target"},
        {ENTRY_CHANGED_IMA, "ima"},
};

void entry_done(struct entry *entry)
{
	free(entry->path);
	free(entry->target);
	free(entry->package);
	memset(entry, 0, sizeof(*entry));
}

static int copy_text(const char *text, char **ret_copy)
{
	*ret_copy = text ? strdup(text) : NULL;
	return text && !*ret_copy ? -ENOMEM : 0;
}

int entry_copy(const struct entry *entry, struct entry *ret_copy)
{
	struct entry copy = *entry;
	int r = copy_text(entry->path, &copy.path);

	copy.target = copy.package = NULL;
	if (r == 0)
		r = copy_text(entry->target, &copy.target);
	if (r == 0)
		r = copy_text(entry->package, &copy.package);
	if (r < 0) {
		entry_done(&copy);
		return r;
	}
	*ret_copy = copy;
	return 0;
}

/* Without a handle the birth time tells an inode number that was used again. */
static bool same_inode(const struct entry *a, const struct entry *b)
{
	if (a->identity.dev != b->identity.dev || a->identity.ino != b->identity.ino ||
	        a->identity.btime_ns != b->identity.btime_ns)
		return false;
	if (a->handle_size == 0 && b->handle_size == 0)
		return a->identity.btime_ns != 0;
	return a->handle_size == b->handle_size && a->handle_type == b->handle_type &&
	       a->handle_size <= ENTRY_HANDLE_MAX && !memcmp(a->handle, b->handle, a->handle_size);
}

bool entry_unchanged(const struct entry *before, const struct entry *now)
{
	return before->settled && before->type == ENTRY_FILE && now->type == ENTRY_FILE &&
	       before->identity.ctime_ns != 0 &&
	       before->identity.ctime_ns == now->identity.ctime_ns &&
	       before->identity.mtime_ns == now->identity.mtime_ns && before->size == now->size &&
	       same_inode(before, now);
}

static bool same_content(const struct entry *before, const struct entry *now)
{
	if (before->size != now->size)
		return false;
	if (before->content == CONTENT_KNOWN && now->content == CONTENT_KNOWN)
		return digest_equal(&before->digest, &now->digest);
	/* What could be read and now cannot, or never holds still, is not known to be the same. */
	return before->content == now->content || before->content == CONTENT_UNREAD ||
	       now->content == CONTENT_UNREAD;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_caps(const struct entry *a, const struct entry *b)
{
	return a->caps_size == b->caps_size && a->caps_size <= ENTRY_CAPS_MAX &&
	       !memcmp(a->caps, b->caps, a->caps_size);
}

unsigned int entry_compare(const struct entry *before, const struct entry *now)
{
	unsigned int changes = 0;

	if (before->type != now->type)
		changes |= ENTRY_CHANGED_TYPE;
	else if (before->type == ENTRY_FILE && !same_content(before, now))
		changes |= ENTRY_CHANGED_CONTENT;
	if (before->type == now->type &&
	        (!same_text(before->target, now->target) || before->rdev_major != now->rdev_major ||
	                before->rdev_minor != now->rdev_minor))
		changes |= ENTRY_CHANGED_TARGET;
	/* The permission bits of a symlink mean nothing, and differ between filesystems. */
	if (before->mode != now->mode && now->type != ENTRY_SYMLINK)
		changes |= ENTRY_CHANGED_MODE;
	if (before->uid != now->uid || before->gid != now->gid)
		changes |= ENTRY_CHANGED_OWNER;
	if (!same_caps(before, now))
		changes |= ENTRY_CHANGED_CAPS;
	if ((before->flags ^ now->flags) & ENTRY_IMA)
		changes |= ENTRY_CHANGED_IMA;
	return changes;
}

const char *entry_type_name(enum entry_type type)
{
	return strtab_name(type_names, _ENTRY_TYPE_MAX, (int)type);
}

const char *entry_content_name(enum entry_content content)
{
	return strtab_name(content_names, _CONTENT_MAX, (int)content);
}

enum entry_type entry_type_from_name(const char *name)
{
	int value = strtab_value(type_names, _ENTRY_TYPE_MAX, name);

	return value > 0 ? (enum entry_type)value : ENTRY_UNSET;
}

const char *entry_change_name(unsigned int change)
{
	for (size_t i = 0; i < sizeof(change_names) / sizeof(change_names[0]); i++)
		if (change_names[i].bit == change)
			return change_names[i].name;
	return NULL;
}

static int rank(unsigned char byte)
{
	if (byte == '\0')
		return 0;
	return byte == '/' ? 1 : byte + 1;
}

int entry_path_compare(const char *a, const char *b)
{
	size_t i = 0;

	while (a[i] && a[i] == b[i])
		i++;
	return rank((unsigned char)a[i]) - rank((unsigned char)b[i]);
}

/* The length of a name that can be one; 0 for none. */
static size_t name_size(const char *name)
{
	size_t n = strcspn(name, "/");

	if (n == 1 && name[0] == '.')
		return 0;
	return n == 2 && name[0] == '.' && name[1] == '.' ? 0 : n;
}

bool entry_path_valid(const char *path)
{
	if (strnlen(path, ENTRY_PATH_MAX + 1) > ENTRY_PATH_MAX || path[0] != '/')
		return false;
	if (path[1] == '\0')
		return true;
	while (*path == '/') {
		size_t n = name_size(path + 1);

		if (n == 0)
			return false;
		path += 1 + n;
	}
	return true;
}
