/* Programs that libarchive would start for a compression that it was built without are never. */
#include "snapshot/archive_feed.h"

#include "snapshot/sources.h"

#include <errno.h>
#include <string.h>

int feed_init(struct feed *feed, bool with_digest)
{
	feed->buffer = malloc(FEED_BUFFER);
	if (!feed->buffer)
		return -ENOMEM;
	return with_digest ? digest_stream_new(&feed->digest) : 0;
}

void feed_done(struct feed *feed)
{
	digest_stream_free(feed->digest);
	free(feed->buffer);
	feed->digest = NULL;
	feed->buffer = NULL;
}

int feed_failure(struct feed *feed, struct archive *reader)
{
	const char *words = archive_error_string(reader);

	if (feed->error != 0)
		return feed->error;
	if (archive_errno(reader) == ENOMEM)
		return -ENOMEM;
	return image_fail(feed->fault, SOURCE_E_CORRUPT, "%s: %s", feed->what,
	        words ? words : "cannot be read");
}

static ssize_t pull_fd(struct feed *feed, uint8_t *data, size_t size)
{
	for (;;) {
		ssize_t n = read(feed->fd, data, size);

		if (n >= 0)
			return n;
		/* A signal that asks to stop is seen between two reads. */
		if (errno != EINTR || (feed->stop && *feed->stop)) {
			feed->error = errno == EINTR ? -ECANCELED : -errno;
			return -1;
		}
	}
}

static ssize_t pull_archive(struct feed *feed, uint8_t *data, size_t size)
{
	ssize_t n;

	do
		n = archive_read_data(feed->from, data, size);
	while (n == ARCHIVE_RETRY && !(feed->stop && *feed->stop));
	if (n < 0)
		feed->error = feed_failure(feed->below, feed->from);
	return n < 0 ? -1 : n;
}

/* Up to @size more bytes, digested; 0 at the end. */
static ssize_t pull(struct feed *feed, uint8_t *data, size_t size)
{
	ssize_t n;

	if (feed->error == 0 && feed->stop && *feed->stop)
		feed->error = -ECANCELED;
	if (feed->error != 0 || feed->ended)
		return feed->error != 0 ? -1 : 0;
	n = feed->from ? pull_archive(feed, data, size) : pull_fd(feed, data, size);
	if (n == 0)
		feed->ended = true;
	if (n > 0 && feed->digest)
		feed->error = digest_stream_update(feed->digest, data, (size_t)n);
	feed->pulled += n > 0 ? (uint64_t)n : 0;
	if (n > 0 && feed->passed)
		feed->passed((uint64_t)n, feed->userdata);
	return feed->error != 0 ? -1 : n;
}

int feed_peek(struct feed *feed, size_t wanted, const uint8_t **ret_data, size_t *ret_size)
{
	while (feed->held < wanted && feed->held < FEED_BUFFER) {
		ssize_t n = pull(feed, feed->buffer + feed->held, FEED_BUFFER - feed->held);

		if (n < 0)
			return feed->error;
		if (n == 0)
			break;
		feed->held += (size_t)n;
	}
	*ret_data = feed->buffer;
	*ret_size = feed->held;
	return 0;
}

int feed_drain(struct feed *feed)
{
	ssize_t n;

	feed->held = 0;
	do
		n = pull(feed, feed->buffer, FEED_BUFFER);
	while (n > 0);
	return n < 0 ? feed->error : 0;
}

int feed_digest(struct feed *feed, struct digest *ret_digest)
{
	return digest_stream_final(feed->digest, ret_digest);
}

static la_ssize_t on_read(struct archive *reader, void *userdata, const void **ret_data)
{
	struct feed *feed = userdata;
	ssize_t n = (ssize_t)feed->held;

	if (n == 0)
		n = pull(feed, feed->buffer, FEED_BUFFER);
	feed->held = 0;
	*ret_data = feed->buffer;
	if (n < 0)
		archive_set_error(reader, EIO, "the data before it cannot be read");
	return n;
}

/* What Docker and podman know, too. */
static int support_compression(struct archive *reader)
{
	if (archive_read_support_filter_gzip(reader) != ARCHIVE_OK ||
	        archive_read_support_filter_bzip2(reader) != ARCHIVE_OK ||
	        archive_read_support_filter_xz(reader) != ARCHIVE_OK ||
	        archive_read_support_filter_zstd(reader) != ARCHIVE_OK)
		return -ENOSYS;
	return 0;
}

static int support_format(struct archive *reader, enum feed_format format)
{
	switch (format) {
	case FEED_TAR:
	case FEED_COMPRESSED_TAR:
		return archive_read_support_format_tar(reader);
	case FEED_AR:
		return archive_read_support_format_ar(reader);
	case FEED_RPM:
		/* Its headers are a filter to libarchive, which the compression is beneath. */
		if (archive_read_support_filter_rpm(reader) != ARCHIVE_OK ||
		        archive_read_support_filter_lzma(reader) != ARCHIVE_OK)
			return ARCHIVE_FATAL;
		return archive_read_support_format_cpio(reader);
	case FEED_RAW:
	default:
		return archive_read_support_format_raw(reader);
	}
}

static int open_reader(struct feed *feed, enum feed_format format, struct archive *reader)
{
	struct archive_entry *entry;
	int r = format == FEED_TAR || format == FEED_AR ? 0 : support_compression(reader);

	if (r < 0)
		return r;
	if (support_format(reader, format) != ARCHIVE_OK)
		return -ENOMEM;
	if (archive_read_open(reader, feed, NULL, on_read, NULL) != ARCHIVE_OK)
		return feed_failure(feed, reader);
	if (format == FEED_RAW && archive_read_next_header(reader, &entry) != ARCHIVE_OK)
		return feed_failure(feed, reader);
	return 0;
}

int feed_reader(struct feed *feed, enum feed_format format, struct archive **ret_reader)
{
	_cleanup_(feed_reader_freep) struct archive *reader = archive_read_new();
	int r = reader ? open_reader(feed, format, reader) : -ENOMEM;

	if (r == 0)
		*ret_reader = TAKE_PTR(reader);
	return r;
}
