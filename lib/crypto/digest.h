/*
 * SHA-256 in steps, so that a pool can share its threads fairly between a small file and a very
 * large one. Reads with pread(2), never mmap(2): a file that shrinks under a mapping kills.
 */
#pragma once

#include "core/types.h"

#include <stddef.h>
#include <stdint.h>

struct digest_stream;

/* 0, -ENOMEM, or -EIO when OpenSSL has no SHA-256. */
int digest_stream_new(struct digest_stream **ret_stream);
void digest_stream_free(struct digest_stream *stream);
int digest_stream_update(struct digest_stream *stream, const void *data, size_t size);
/* Ends the stream; it can only be freed afterwards. */
int digest_stream_final(struct digest_stream *stream, struct digest *ret_digest);

enum digest_result {
	DIGEST_UNCHECKED = 0,
	DIGEST_DONE,    /* end of file reached, digest written */
	DIGEST_MORE,    /* up to max_bytes were read; call again */
	DIGEST_LONGER,  /* the file goes on past expected_size: it grew, or never ends */
	DIGEST_SHORTER, /* the file ended before expected_size: it shrank */
	DIGEST_FAILED,  /* a read error, errno in *reterr_errno */
};

/* A file on its way through digest_stream_file(). */
struct digest_source {
	int fd;                 /* borrowed */
	uint64_t expected_size; /* bytes, as stat(2) said before */
	uint64_t offset;        /* bytes hashed so far */
};

/*
 * Hashes up to @max_bytes of @source from its offset on, and moves the offset. A file of any other
 * length than expected is never given a digest.
 */
enum digest_result digest_stream_file(struct digest_stream *stream, struct digest_source *source,
        uint64_t max_bytes, struct digest *ret_digest, int *reterr_errno);

/* A whole buffer at once. 0 or -errno. */
int digest_data(const void *data, size_t size, struct digest *ret_digest);
/* A whole file at once, for tools. 0, -EAGAIN when it changed while it was read, or -errno. */
int digest_file(int fd, struct digest *ret_digest);
