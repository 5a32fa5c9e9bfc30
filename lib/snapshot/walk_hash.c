/*
 * What only opening a file tells: its capabilities, its first bytes, its digest. A look before and
 * a look after the read must be the same; then what was read is what the entry describes, and the
 * entry's times are those of the content.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "crypto/digest.h"
#include "snapshot/walk_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>

/*
 * Bytes per read. Measured on files in the page cache, two threads: 64 KiB to 256 KiB are alike
 * (the copy stays in the L2 cache), 1 MiB loses 4 %, 16 KiB 3 %.
 */
#define BUFFER_SIZE  (128u * 1024u)
#define BUFFER_ALIGN 4096u
#define HEAD_SIZE    4u /* bytes that tell the kind: exec_kind_of() */
#define AHEAD_SIZE                                                                                 \
	(UINT64_C(1024) << 10) /* bytes; from here on the kernel is told to read ahead             \
	                        */

struct hasher {
	struct walk *walk;
	uint8_t *buffer;
};

static int64_t coarse_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

static bool has_attribute(int fd, const char *name)
{
	return fgetxattr(fd, name, NULL, 0) >= 0;
}

static void read_attributes(struct job *job, int fd, bool layer)
{
	struct entry *entry = &job->entry;
	ssize_t n;

	entry->caps_size = 0;
	/* Most files have none at all, which is one call to know. */
	if (flistxattr(fd, NULL, 0) == 0)
		return;
	n = fgetxattr(fd, "security.capability", entry->caps, sizeof(entry->caps));
	if (n > 0)
		entry->caps_size = (uint32_t)n;
	if (has_attribute(fd, "security.ima"))
		entry->flags |= ENTRY_IMA;
	/* Overlayfs's other whiteout, since Linux 6.7. */
	if (layer && entry->size == 0 &&
	        (has_attribute(fd, "trusted.overlay.whiteout") ||
	                has_attribute(fd, "user.overlay.whiteout")))
		entry->type = ENTRY_WHITEOUT;
}

/* 0 when all of it was read, -EAGAIN when it is shorter or longer than it was, or -errno. */
static int read_rest(
        struct hasher *hasher, int fd, uint64_t offset, uint64_t size, struct digest_stream *stream)
{
	while (!hasher->walk->cancelled) {
		ssize_t n = pread(fd, hasher->buffer, BUFFER_SIZE, (off_t)offset);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return offset == size ? 0 : -EAGAIN;
		if ((uint64_t)n > size - offset)
			return -EAGAIN;
		r = digest_stream_update(stream, hasher->buffer, (size_t)n);
		if (r < 0)
			return r;
		offset += (uint64_t)n;
		hasher->walk->bytes_read += (uint64_t)n;
	}
	return -ECANCELED;
}

DEFINE_FREEP(digest_stream, digest_stream_free)

static int hash_stream(
        struct hasher *hasher, int fd, size_t have, uint64_t size, struct digest *ret_digest)
{
	_cleanup_(digest_stream_freep) struct digest_stream *stream = NULL;
	int r = digest_stream_new(&stream);

	if (size >= AHEAD_SIZE)
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	if (r == 0)
		r = digest_stream_update(stream, hasher->buffer, have);
	if (r == 0)
		r = read_rest(hasher, fd, have, size, stream);
	return r == 0 ? digest_stream_final(stream, ret_digest) : r;
}

static ssize_t read_start(struct hasher *hasher, int fd, size_t size)
{
	ssize_t n;

	do
		n = pread(fd, hasher->buffer, size, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* A file that ends within the buffer is one read: it has room for a byte too many. */
static int hash(struct hasher *hasher, struct job *job, int fd, size_t have)
{
	struct entry *entry = &job->entry;
	int r;

	if (have > entry->size)
		return -EAGAIN;
	hasher->walk->bytes_read += have;
	r = have == entry->size && have < BUFFER_SIZE
	            ? digest_data(hasher->buffer, have, &entry->digest)
	            : hash_stream(hasher, fd, have, entry->size, &entry->digest);
	if (r == 0) {
		entry->content = CONTENT_KNOWN;
		job->hashed = true;
	}
	return r;
}

static void set_kind(struct entry *entry, size_t have, const uint8_t *head)
{
	bool runs = entry->mode & 0111;

	entry->kind = exec_kind_of(head, have);
	if (entry->kind == EXEC_KIND_OTHER && !runs)
		entry->kind = EXEC_KIND_UNKNOWN;
	if (entry->kind != EXEC_KIND_UNKNOWN)
		entry->flags |= ENTRY_EXECUTABLE;
}

static int read_content(struct hasher *hasher, struct job *job, int fd)
{
	const struct walk_options *options = hasher->walk->options;
	struct entry *entry = &job->entry;
	bool all = options->all_files || entry->mode & 0111;
	ssize_t n =
	        all || entry->size > 0 ? read_start(hasher, fd, all ? BUFFER_SIZE : HEAD_SIZE) : 0;

	if (n < 0)
		return (int)n;
	set_kind(entry, (size_t)n, hasher->buffer);
	if (!all && !(entry->flags & ENTRY_EXECUTABLE))
		return 0;
	if (!all) {
		hasher->walk->bytes_total += entry->size;
		n = read_start(hasher, fd, BUFFER_SIZE);
		if (n < 0)
			return (int)n;
	}
	return hash(hasher, job, fd, (size_t)n);
}

static int open_file(struct hasher *hasher, struct job *job, struct look *ret_look)
{
	_cleanup_close_ int fd = beneath_open(
	        hasher->walk->options->root_fd, job->entry.path, O_RDONLY | O_NONBLOCK | O_NOATIME);
	int r;

	if (fd < 0)
		return fd;
	r = look_at(fd, "", ret_look);
	if (r < 0)
		return r;
	/* Before a byte is read: to read from a device may change something. */
	if (!S_ISREG(ret_look->mode))
		return -ENOENT;
	return TAKE_FD(fd);
}

/* Whatever an earlier try has found goes. */
static void reset(struct job *job, const struct look *look, int fd)
{
	struct entry *entry = &job->entry;

	if (!file_identity_equal(&entry->identity, &look->identity)) {
		look_fill(look, entry);
		look_handle(fd, "", entry);
	}
	entry->flags = 0;
	entry->kind = EXEC_KIND_UNKNOWN;
	entry->content = CONTENT_UNREAD;
	job->hashed = false;
}

/* 0; -EAGAIN when it has changed; or -errno. */
static int try(struct hasher *hasher, struct job *job)
{
	struct look before, after;
	_cleanup_close_ int fd = open_file(hasher, job, &before);
	struct entry *entry = &job->entry;
	int64_t now_ns = coarse_now_ns();
	int r;

	if (fd < 0)
		return fd;
	reset(job, &before, fd);
	read_attributes(job, fd, hasher->walk->options->layer);
	if (entry->type == ENTRY_WHITEOUT)
		return 0;
	r = read_content(hasher, job, fd);
	if (r < 0 || entry->content != CONTENT_KNOWN)
		return r;
	r = look_at(fd, "", &after);
	if (r < 0)
		return r;
	if (!file_identity_equal(&before.identity, &after.identity))
		return -EAGAIN;
	entry->settled = job->local && entry->identity.ctime_ns <= now_ns - SETTLE_NS;
	return 0;
}

/* Not the file's fault: the walk cannot go on. */
static bool is_fatal(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -ENOSYS || r == -ECANCELED;
}

static bool is_gone(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -ESTALE;
}

static void fail(struct job *job, int r)
{
	struct entry *entry = &job->entry;

	job->error = -r;
	job->hashed = false;
	entry->settled = false;
	/* Nobody knows what is in it; that it may run is what its mode says. */
	if (entry->mode & 0111)
		entry->flags |= ENTRY_EXECUTABLE;
	if (is_fatal(r)) {
		job->fatal = r;
	} else if (is_gone(r)) {
		job->problem = WALK_VANISHED;
		job->vanished = true;
	} else {
		job->problem = r == -EAGAIN ? WALK_MUTABLE : WALK_UNREADABLE;
		entry->content = r == -EAGAIN ? CONTENT_MUTABLE : CONTENT_UNREADABLE;
	}
}

static void process(struct hasher *hasher, struct job *job)
{
	int r = -EAGAIN;

	for (unsigned int i = 0; r == -EAGAIN && i < WALK_TRIES && !hasher->walk->cancelled; i++)
		r = try(hasher, job);
	if (r < 0)
		fail(job, hasher->walk->cancelled ? -ECANCELED : r);
}

void *walk_hash_thread(void *userdata)
{
	struct hasher hasher = {.walk = userdata};
	struct jobs work, done;
	struct job *job;

	hasher.buffer = aligned_alloc(BUFFER_ALIGN, BUFFER_SIZE);
	jobs_init(&done);
	while (walk_exchange(hasher.walk, &done, &work)) {
		while ((job = jobs_pop(&work))) {
			if (hasher.buffer)
				process(&hasher, job);
			else
				fail(job, -ENOMEM);
			jobs_push(&done, job);
		}
	}
	free(hasher.buffer);
	return NULL;
}
