#include "snapshot/one_file.h"

#include "base/cleanup.h"
#include "crypto/digest.h"
#include "snapshot/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define HEAD_SIZE 4u /* bytes that tell the kind: exec_kind_of() */
#define TRIES     3u /* for a file that somebody writes */

static int read_kind(int fd, struct entry *entry)
{
	uint8_t head[HEAD_SIZE];
	ssize_t n;

	do
		n = pread(fd, head, sizeof(head), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	entry->kind = exec_kind_of(head, (size_t)n);
	if (entry->kind == EXEC_KIND_OTHER && !(entry->mode & 0111))
		entry->kind = EXEC_KIND_UNKNOWN;
	if (entry->kind != EXEC_KIND_UNKNOWN)
		entry->flags |= ENTRY_EXECUTABLE;
	return 0;
}

static int read_once(int root_fd, const char *path, bool all_files, struct entry *entry)
{
	_cleanup_close_ int fd = beneath_open(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOATIME);
	struct look before, after;
	int r = fd < 0 ? fd : look_at(fd, "", &before);

	if (r < 0)
		return r;
	if (!S_ISREG(before.mode))
		return ONE_FILE_E_OTHER;
	look_fill(&before, entry);
	r = read_kind(fd, entry);
	if (r < 0 || !(all_files || entry->flags & ENTRY_EXECUTABLE))
		return r;
	r = digest_file(fd, &entry->digest);
	if (r == 0)
		r = look_at(fd, "", &after);
	if (r == 0 && !file_identity_equal(&before.identity, &after.identity))
		r = -EAGAIN;
	if (r == 0)
		entry->content = CONTENT_KNOWN;
	return r;
}

int one_file(int root_fd, const char *path, bool all_files, struct entry *ret_entry)
{
	/* A link at the end is what it is; one on the way is a way out. */
	_cleanup_close_ int place = beneath_open(root_fd, path, O_PATH);
	struct look look;
	int r = place < 0 ? place : look_at(place, "", &look);

	if (r == 0 && !S_ISREG(look.mode))
		return ONE_FILE_E_OTHER;
	for (unsigned int i = 0; r == 0 && i < TRIES; i++) {
		struct entry entry = {.path = (char *)(uintptr_t)path, .type = ENTRY_FILE};

		r = read_once(root_fd, path, all_files, &entry);
		if (r == 0) {
			*ret_entry = entry;
			return 0;
		}
		if (r == -EAGAIN && i + 1 < TRIES)
			r = 0;
	}
	return r;
}
