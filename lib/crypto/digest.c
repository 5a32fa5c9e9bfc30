#include "crypto/digest.h"

#include "base/cleanup.h"
#include "crypto/digest_internal.h"

#include <errno.h>
#include <sys/stat.h>

#define READ_SIZE                                                                                  \
	(64u * 1024u) /* bytes per pread: stays in the L2 cache; larger ones measured no faster */

struct digest_stream {
	EVP_MD_CTX *ctx;
	uint8_t buffer[READ_SIZE];
};

int digest_stream_new_md(const EVP_MD *md, struct digest_stream **ret_stream)
{
	struct digest_stream *stream = malloc(sizeof(*stream));

	if (!stream)
		return -ENOMEM;
	stream->ctx = EVP_MD_CTX_new();
	if (!stream->ctx || EVP_DigestInit_ex(stream->ctx, md, NULL) != 1) {
		digest_stream_free(stream);
		return -EIO;
	}
	*ret_stream = stream;
	return 0;
}

int digest_stream_new(struct digest_stream **ret_stream)
{
	return digest_stream_new_md(EVP_sha256(), ret_stream);
}

EVP_MD_CTX *digest_stream_ctx(struct digest_stream *stream)
{
	return stream->ctx;
}

void digest_stream_free(struct digest_stream *stream)
{
	if (!stream)
		return;
	EVP_MD_CTX_free(stream->ctx);
	free(stream);
}

DEFINE_FREEP(digest_stream, digest_stream_free)

int digest_stream_update(struct digest_stream *stream, const void *data, size_t size)
{
	return EVP_DigestUpdate(stream->ctx, data, size) == 1 ? 0 : -EIO;
}

int digest_stream_final(struct digest_stream *stream, struct digest *ret_digest)
{
	unsigned int size = DIGEST_SIZE;

	return EVP_DigestFinal_ex(stream->ctx, ret_digest->bytes, &size) == 1 ? 0 : -EIO;
}

enum digest_result digest_stream_feed(struct digest_stream *stream, struct digest_source *source,
        uint64_t max_bytes, int *reterr_errno)
{
	uint64_t end =
	        max_bytes > UINT64_MAX - source->offset ? UINT64_MAX : source->offset + max_bytes;

	if (source->offset > source->expected_size)
		return DIGEST_LONGER;
	while (source->offset < end) {
		size_t size = end - source->offset < READ_SIZE ? (size_t)(end - source->offset)
		                                               : READ_SIZE;
		ssize_t n = pread(source->fd, stream->buffer, size, (off_t)source->offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			*reterr_errno = errno;
			return DIGEST_FAILED;
		}
		if (n == 0)
			return source->offset == source->expected_size ? DIGEST_DONE
			                                               : DIGEST_SHORTER;
		if ((uint64_t)n > source->expected_size - source->offset)
			return DIGEST_LONGER;
		if (digest_stream_update(stream, stream->buffer, (size_t)n) < 0) {
			*reterr_errno = EIO;
			return DIGEST_FAILED;
		}
		source->offset += (uint64_t)n;
	}
	return DIGEST_MORE;
}

enum digest_result digest_stream_file(struct digest_stream *stream, struct digest_source *source,
        uint64_t max_bytes, struct digest *ret_digest, int *reterr_errno)
{
	enum digest_result result = digest_stream_feed(stream, source, max_bytes, reterr_errno);

	if (result != DIGEST_DONE || digest_stream_final(stream, ret_digest) == 0)
		return result;
	*reterr_errno = EIO;
	return DIGEST_FAILED;
}

int digest_data(const void *data, size_t size, struct digest *ret_digest)
{
	unsigned int digest_size = DIGEST_SIZE;

	return EVP_Digest(data, size, ret_digest->bytes, &digest_size, EVP_sha256(), NULL) == 1
	               ? 0
	               : -EIO;
}

/* Same size, and no write that left a trace between. */
static bool unchanged(int fd, const struct stat *before)
{
	struct stat now;

	return fstat(fd, &now) == 0 && now.st_size == before->st_size &&
	       now.st_ctim.tv_sec == before->st_ctim.tv_sec &&
	       now.st_ctim.tv_nsec == before->st_ctim.tv_nsec;
}

int digest_file(int fd, struct digest *ret_digest)
{
	_cleanup_(digest_stream_freep) struct digest_stream *stream = NULL;
	struct digest digest;
	struct stat st;
	struct digest_source source = {.fd = fd};
	int error = 0, r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	r = digest_stream_new(&stream);
	if (r < 0)
		return r;
	source.expected_size = (uint64_t)st.st_size;
	switch (digest_stream_file(stream, &source, UINT64_MAX, &digest, &error)) {
	case DIGEST_DONE:
		if (!unchanged(fd, &st))
			return -EAGAIN;
		*ret_digest = digest;
		return 0;
	case DIGEST_LONGER:
	case DIGEST_SHORTER:
		return -EAGAIN;
	case DIGEST_FAILED:
		return -error;
	default:
		return -EIO;
	}
}
