/* A digest in steps under any hash, for digest.c and ima.c only. */
#pragma once

#include "crypto/digest.h"

#include <openssl/evp.h>

/* As digest_stream_new(). */
int digest_stream_new_md(const EVP_MD *md, struct digest_stream **ret_stream);
/* DIGEST_DONE: all of it is in the context of the stream, which is not ended yet. */
enum digest_result digest_stream_feed(struct digest_stream *stream, struct digest_source *source,
        uint64_t max_bytes, int *reterr_errno);
/* Borrowed. */
EVP_MD_CTX *digest_stream_ctx(struct digest_stream *stream);
