/*
 * A lookup narrows a range of places [low, high) whose ends are known values: it reads the page
 * where the digest would stand if the values between were even, and goes on with what is left on
 * one side of it. Each step takes a page out of the range, so that it ends whatever the file says.
 */
#include "daemon/baseline_index.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PAGE_SIZE      4096u
#define PAGE_DIGESTS   (PAGE_SIZE / DIGEST_SIZE)
#define BUFFER_DIGESTS 2048u /* 64 KiB a write(2) */
#define EVEN_STEPS     6u    /* steps that trust in evenness; then the middle */

struct baseline_index {
	atomic_uint refs;
	int fd; /* -1: no digest */
	uint64_t n;
	char *dir;             /* until finished */
	struct digest *buffer; /* of BUFFER_DIGESTS; until finished */
	size_t buffered;
	struct digest last;
};

DEFINE_FREEP(baseline_index, baseline_index_unref)

int baseline_index_new(const char *dir, struct baseline_index **ret_index)
{
	_cleanup_(baseline_index_unrefp) struct baseline_index *index = calloc(1, sizeof(*index));

	if (!index)
		return -ENOMEM;
	atomic_init(&index->refs, 1);
	index->fd = -1;
	index->dir = strdup(dir);
	index->buffer = calloc(BUFFER_DIGESTS, sizeof(index->buffer[0]));
	if (!index->dir || !index->buffer)
		return -ENOMEM;
	*ret_index = TAKE_PTR(index);
	return 0;
}

struct baseline_index *baseline_index_ref(struct baseline_index *index)
{
	atomic_fetch_add(&index->refs, 1);
	return index;
}

void baseline_index_unref(struct baseline_index *index)
{
	if (!index || atomic_fetch_sub(&index->refs, 1) > 1)
		return;
	cleanup_closep(&index->fd);
	free(index->dir);
	free(index->buffer);
	free(index);
}

/* Where the filesystem has no files without a name, one loses its name at once. */
static int open_named(const char *dir)
{
	_cleanup_free_ char *path = NULL;
	int fd;

	if (asprintf(&path, "%s/index-XXXXXX", dir) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (unlink(path) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

static int open_unnamed(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	/* open(2): EISDIR of kernels, EOPNOTSUPP of filesystems that do not know it. */
	return errno == EOPNOTSUPP || errno == EISDIR ? open_named(dir) : -errno;
}

static int write_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size > 0) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

static int flush(struct baseline_index *index)
{
	int r;

	if (index->buffered == 0)
		return 0;
	if (index->fd < 0) {
		index->fd = open_unnamed(index->dir);
		if (index->fd < 0)
			return index->fd;
	}
	r = write_all(index->fd, index->buffer, index->buffered * sizeof(index->buffer[0]));
	if (r == 0)
		index->buffered = 0;
	return r;
}

int baseline_index_add(struct baseline_index *index, const struct digest *digests, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = 0;

		if (index->n > 0 && memcmp(&index->last, &digests[i], sizeof(digests[i])) >= 0)
			return -EILSEQ;
		if (index->n >= BASELINE_DIGESTS_MAX)
			return -EFBIG;
		if (index->buffered == BUFFER_DIGESTS)
			r = flush(index);
		if (r < 0)
			return r;
		index->last = digests[i];
		index->buffer[index->buffered++] = digests[i];
		index->n++;
	}
	return 0;
}

int baseline_index_finish(struct baseline_index *index)
{
	int r = flush(index);

	free(TAKE_PTR(index->buffer));
	free(TAKE_PTR(index->dir));
	return r;
}

uint64_t baseline_index_count(const struct baseline_index *index)
{
	return index->n;
}

/*
 * Lookup.
 */

/* What evenness is judged by. */
static uint64_t leading(const struct digest *digest)
{
	uint64_t value = 0;

	for (size_t i = 0; i < sizeof(value); i++)
		value = value << 8 | digest->bytes[i];
	return value;
}

/* Places that are left, and the values that bound them. */
struct range {
	uint64_t low, high; /* of digests; high excluded */
	uint64_t low_value, high_value;
};

static uint64_t place(const struct range *range, uint64_t value, unsigned int step)
{
	uint64_t places = range->high - range->low;
	uint64_t values = range->high_value - range->low_value, offset;

	if (step >= EVEN_STEPS || values == 0 || value < range->low_value ||
	        value > range->high_value)
		return range->low + places / 2;
	offset = (uint64_t)((unsigned __int128)(value - range->low_value) * places / values);
	return range->low + (offset < places ? offset : places - 1);
}

struct page {
	uint64_t first; /* place of its first digest */
	size_t n;
	struct digest digests[PAGE_DIGESTS];
};

static bool read_page(const struct baseline_index *index, uint64_t at, struct page *ret_page)
{
	size_t size, done = 0;

	ret_page->first = at - at % PAGE_DIGESTS;
	ret_page->n = index->n - ret_page->first < PAGE_DIGESTS
	                      ? (size_t)(index->n - ret_page->first)
	                      : PAGE_DIGESTS;
	size = ret_page->n * DIGEST_SIZE;
	while (done < size) {
		ssize_t n = pread(index->fd, (char *)ret_page->digests + done, size - done,
		        (off_t)(ret_page->first * DIGEST_SIZE + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, DIGEST_SIZE);
}

/* True when the page settles it: the digest stands in it, or would. */
static bool look_in(const struct page *page, const struct digest *digest, struct range *range,
        enum baseline_answer *ret_answer)
{
	const struct digest *last = &page->digests[page->n - 1];

	if (compare(digest, &page->digests[0]) < 0) {
		range->high = page->first;
		range->high_value = leading(&page->digests[0]);
		return false;
	}
	if (compare(digest, last) > 0) {
		range->low = page->first + page->n;
		range->low_value = leading(last);
		return false;
	}
	*ret_answer = bsearch(digest, page->digests, page->n, sizeof(*digest), compare)
	                      ? BASELINE_KNOWN
	                      : BASELINE_UNKNOWN;
	return true;
}

enum baseline_answer baseline_index_ask_counted(
        const struct baseline_index *index, const struct digest *digest, unsigned int *ret_pages)
{
	struct range range = {.high = index->n, .high_value = UINT64_MAX};
	enum baseline_answer answer = BASELINE_UNKNOWN;
	unsigned int step = 0;

	while (range.low < range.high) {
		struct page page;

		if (!read_page(index, place(&range, leading(digest), step++), &page)) {
			answer = BASELINE_FAILED;
			break;
		}
		if (look_in(&page, digest, &range, &answer))
			break;
	}
	*ret_pages = step;
	return answer;
}

enum baseline_answer baseline_index_ask(
        const struct baseline_index *index, const struct digest *digest)
{
	unsigned int pages;

	return baseline_index_ask_counted(index, digest, &pages);
}
