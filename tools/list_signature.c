/*
 * Files that somebody else has signed one by one, and a list of those alone: what their
 * distributor vouches for, for a series, a time and places of one's own.
 */
#include "base/cleanup.h"
#include "snapshot/beneath.h"
#include "tools/list_sources.h"
#include "tools/print.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static bool is_good(
        struct gather *gather, const struct entry *entry, const struct file_signature *answer)
{
	if (trust_is_revoked(gather->terms->trust, &entry->digest)) {
		list_leave_out(gather->list, entry->path, "its digest is revoked");
		return false;
	}
	if (answer->result == IMA_GOOD)
		return true;
	list_leave_out(gather->list, entry->path, file_signature_text(answer->result));
	return false;
}

/* FILE.sig, beneath the same root; -1 when there is none that can be one. */
static int open_sidecar(int root_fd, const char *path)
{
	_cleanup_free_ char *name = text_format("%s" FILE_SIGNATURE_SUFFIX, path);
	_cleanup_close_ int fd = beneath_open(root_fd, name, O_RDONLY | O_NONBLOCK);
	struct look look;

	if (fd < 0 || look_at(fd, "", &look) < 0 || !S_ISREG(look.mode))
		return -1;
	return TAKE_FD(fd);
}

static int look_for(struct gather *gather, int root_fd, const struct entry *entry,
        struct file_signature *answer)
{
	_cleanup_close_ int fd = beneath_open(root_fd, entry->path, O_RDONLY | O_NONBLOCK);
	_cleanup_close_ int sidecar = open_sidecar(root_fd, entry->path);
	struct file_content content = {&entry->digest, fd, entry->size};
	struct look look;
	int r = fd < 0 ? fd : look_at(fd, "", &look);

	if (r < 0)
		return r;
	/* Before a byte is read: another file may be here by now. */
	if (!S_ISREG(look.mode) || !file_identity_equal(&look.identity, &entry->identity))
		return -EAGAIN;
	r = file_signature_look(&content, sidecar, gather->terms, answer);
	if (r == 0)
		r = look_at(fd, "", &look);
	/* A signature over SHA-384 or SHA-512 was checked by reading the file again. */
	if (r == 0 && !file_identity_equal(&look.identity, &entry->identity))
		r = -EAGAIN;
	return r;
}

bool gather_is_signed(struct gather *gather, int root_fd, const struct entry *entry)
{
	struct file_signature answer = {0};
	int r;

	if (!gather->terms)
		return true;
	r = look_for(gather, root_fd, entry, &answer);
	if (r == 0)
		return is_good(gather, entry, &answer);
	list_leave_out(gather->list, entry->path,
	        r == -EAGAIN ? "changes while it is read" : strerror(-r));
	return false;
}

bool gather_is_signed_with(
        struct gather *gather, const struct entry *entry, const uint8_t *bytes, size_t size)
{
	struct file_content content = {.sha256 = &entry->digest, .fd = -1};
	struct file_signature answer = {0};
	int r;

	if (!gather->terms)
		return true;
	r = file_signature_check(
	        &content, FILE_SIGNATURE_PACKAGE, bytes, size, gather->terms, &answer);
	if (r == 0)
		return is_good(gather, entry, &answer);
	list_leave_out(gather->list, entry->path, strerror(-r));
	return false;
}
