/* One row a package manager; what they share. */
#include "snapshot/packages.h"

#include "base/strtab.h"
#include "crypto/digest.h"
#include "snapshot/beneath.h"
#include "snapshot/packages_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define READ_SIZE 65536u /* bytes a read */

static const struct manager {
	const char *name;
	int (*explain)(struct packages_query *query);
} managers[PACKAGES_MANAGERS] = {
        {"dpkg", packages_dpkg},
        {"rpm", packages_rpm},
};

const char *packages_result_name(enum packages_result result)
{
	static const char *const names[_PACKAGES_RESULT_MAX] = {
	        [PACKAGES_UNSET] = "unset",
	        [PACKAGES_READ] = "read",
	        [PACKAGES_NONE] = "none",
	        [PACKAGES_NO_LIBRARY] = "no_library",
	        [PACKAGES_FAILED] = "failed",
	};

	return strtab_name(names, _PACKAGES_RESULT_MAX, (int)result);
}

static int by_path(const void *a, const void *b)
{
	const struct difference *const *x = a, *const *y = b;

	return strcmp(difference_path(*x), difference_path(*y));
}

struct difference *packages_find(const struct packages_query *query, const char *path)
{
	size_t low = 0, high = query->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int r = strcmp(difference_path(query->differences[middle]), path);

		if (r == 0)
			return query->differences[middle];
		if (r < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int set_text(char **text, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

int packages_say(
        struct difference *difference, const char *package, const char *remark, bool accounted)
{
	int r;

	if (difference->accounted || (difference->remark && !accounted))
		return 0;
	r = set_text(&difference->package, package);
	if (r == 0)
		r = set_text(&difference->remark, remark);
	if (r == 0)
		difference->accounted = accounted;
	return r;
}

unsigned int packages_beyond_content(const struct difference *difference)
{
	return difference->kind == DIFFERENCE_CHANGED
	               ? difference->changes & ~(unsigned int)ENTRY_CHANGED_CONTENT
	               : 0;
}

struct sums {
	struct md5_stream *md5;
	struct digest_stream *sha256;
	char buffer[READ_SIZE];
};

static void sums_free(struct sums *sums)
{
	if (!sums)
		return;
	md5_stream_free(sums->md5);
	digest_stream_free(sums->sha256);
	free(sums);
}
DEFINE_FREEP(sums, sums_free)

static struct sums *sums_new(void)
{
	struct sums *sums = calloc(1, sizeof(*sums));

	if (sums && (md5_stream_new(&sums->md5) < 0 || digest_stream_new(&sums->sha256) < 0)) {
		sums_free(sums);
		sums = NULL;
	}
	return sums;
}

/* No further than the size that was compared: a file that grows is another one. */
static int read_sums(int fd, uint64_t size, struct sums *sums)
{
	uint64_t at = 0;

	while (at <= size) {
		ssize_t n = read(fd, sums->buffer, sizeof(sums->buffer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		at += (uint64_t)n;
		if (md5_stream_update(sums->md5, sums->buffer, (size_t)n) < 0 ||
		        digest_stream_update(sums->sha256, sums->buffer, (size_t)n) < 0)
			return -EIO;
	}
	return -EFBIG;
}

/* Only what is a regular file is opened for reading: a device would do what devices do. */
static int open_file(int root_fd, const char *path)
{
	_cleanup_close_ int place = beneath_open(root_fd, path, O_PATH);
	struct look look;
	char name[64];
	int fd, r;

	if (place < 0)
		return place;
	r = look_at(place, "", &look);
	if (r < 0)
		return r;
	if (!S_ISREG(look.mode))
		return -EINVAL;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", place);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

bool packages_md5(int root_fd, const struct entry *entry, uint8_t ret_md5[MD5_SIZE])
{
	_cleanup_(sums_freep) struct sums *sums = NULL;
	_cleanup_close_ int fd = -1;
	struct digest digest;

	if (entry->type != ENTRY_FILE || entry->content != CONTENT_KNOWN)
		return false;
	fd = open_file(root_fd, entry->path);
	sums = fd < 0 ? NULL : sums_new();
	return sums && read_sums(fd, entry->size, sums) == 0 &&
	       digest_stream_final(sums->sha256, &digest) == 0 &&
	       digest_equal(&digest, &entry->digest) && md5_stream_final(sums->md5, ret_md5) == 0;
}

int packages_explain(int root_fd, struct comparison *comparison,
        struct packages_report ret_reports[PACKAGES_MANAGERS])
{
	_cleanup_free_ struct difference **sorted = calloc(comparison->n + 1, sizeof(*sorted));
	struct packages_query query = {
	        .root_fd = root_fd, .differences = sorted, .n = comparison->n};
	int r = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < comparison->n; i++)
		sorted[i] = &comparison->differences[i];
	qsort(sorted, comparison->n, sizeof(struct difference *), by_path);
	for (size_t i = 0; i < PACKAGES_MANAGERS && r == 0; i++) {
		ret_reports[i] = (struct packages_report){.manager = managers[i].name};
		query.report = &ret_reports[i];
		r = managers[i].explain(&query);
	}
	comparison_sort(comparison);
	return r;
}
