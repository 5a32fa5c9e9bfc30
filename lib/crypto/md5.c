#include "crypto/md5.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct md5_stream {
	EVP_MD_CTX *ctx;
};

int md5_stream_new(struct md5_stream **ret_stream)
{
	struct md5_stream *stream = malloc(sizeof(*stream));

	if (!stream)
		return -ENOMEM;
	stream->ctx = EVP_MD_CTX_new();
	if (!stream->ctx || EVP_DigestInit_ex(stream->ctx, EVP_md5(), NULL) != 1) {
		md5_stream_free(stream);
		return -EIO;
	}
	*ret_stream = stream;
	return 0;
}

void md5_stream_free(struct md5_stream *stream)
{
	if (!stream)
		return;
	EVP_MD_CTX_free(stream->ctx);
	free(stream);
}

int md5_stream_update(struct md5_stream *stream, const void *data, size_t size)
{
	return EVP_DigestUpdate(stream->ctx, data, size) == 1 ? 0 : -EIO;
}

int md5_stream_final(struct md5_stream *stream, uint8_t ret_md5[MD5_SIZE])
{
	unsigned int size = MD5_SIZE;

	return EVP_DigestFinal_ex(stream->ctx, ret_md5, &size) == 1 ? 0 : -EIO;
}
