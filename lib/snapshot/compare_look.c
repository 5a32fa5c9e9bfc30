#include "snapshot/compare_look.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "crypto/digest.h"
#include "snapshot/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

static void look_head(int fd, struct entry *entry)
{
	uint8_t head[64];
	ssize_t n = pread(fd, head, sizeof(head), 0);

	entry->kind = exec_kind_of(head, n > 0 ? (size_t)n : 0);
	if (entry->kind == EXEC_KIND_OTHER && !(entry->mode & 0111))
		entry->kind = EXEC_KIND_UNKNOWN;
	if (entry->kind != EXEC_KIND_UNKNOWN)
		entry->flags |= ENTRY_EXECUTABLE;
}

static void look_attributes(int fd, struct entry *entry)
{
	ssize_t n = fgetxattr(fd, "security.capability", entry->caps, sizeof(entry->caps));

	entry->caps_size = n > 0 ? (uint32_t)n : 0;
	if (fgetxattr(fd, "security.ima", NULL, 0) > 0)
		entry->flags |= ENTRY_IMA;
}

/* @place is an O_PATH descriptor of a regular file. */
static void look_content(int place, struct entry *entry)
{
	_cleanup_close_ int fd = -1;
	char name[64];
	int r;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", place);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	entry->content = CONTENT_UNREADABLE;
	if (fd < 0)
		return;
	look_head(fd, entry);
	look_attributes(fd, entry);
	r = digest_file(fd, &entry->digest);
	if (r == 0)
		entry->content = CONTENT_KNOWN;
	else if (r == -EAGAIN)
		entry->content = CONTENT_MUTABLE;
	entry->settled = false;
}

static int look_place(int place, struct entry *entry)
{
	struct look look;
	int r = look_at(place, "", &look);

	if (r < 0)
		return r;
	look_fill(&look, entry);
	look_handle(place, "", entry);
	if (entry->type == ENTRY_FILE)
		look_content(place, entry);
	else if (entry->type == ENTRY_SYMLINK)
		r = file_readlink_at(place, "", &entry->target);
	return r;
}

int compare_look(int root_fd, const char *path, struct entry *ret_now)
{
	_cleanup_close_ int place = beneath_open(root_fd, path, O_PATH);
	struct entry entry = {0};
	int r;

	/* A directory on the way is a link or a file now: what was beneath it is gone. */
	if (place == -ENOENT || place == -ENOTDIR || place == -ELOOP)
		return 0;
	if (place < 0)
		return place;
	entry.path = strdup(path);
	r = entry.path ? look_place(place, &entry) : -ENOMEM;
	if (r < 0) {
		entry_done(&entry);
		return r;
	}
	*ret_now = entry;
	return 1;
}
