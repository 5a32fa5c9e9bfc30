/*
 * security.ima: a file's own signature, as `evmctl ima_sign` and IMA-signed packages write it. It
 * vouches for content only: no path, no expiry. Whoever asks has looked at revoked digests first.
 */
#pragma once

#include "crypto/digest.h"
#include "crypto/trust.h"

#define IMA_XATTR     "security.ima"
#define IMA_SIZE_MAX  2048u /* bytes; RSA of 8192 bits takes 1033 */
#define IMA_HEAD_SIZE 9u    /* bytes before the signature */

enum ima_result {
	IMA_UNCHECKED = 0,
	IMA_GOOD,          /* of a file: by a trusted key */
	IMA_NONE,          /* no such attribute */
	IMA_MALFORMED,     /* too short, or its length does not fit */
	IMA_NO_SIGNATURE,  /* a bare digest: approves nothing */
	IMA_OBSOLETE,      /* version 1 */
	IMA_UNSUPPORTED,   /* version 3, over fs-verity, or another hash than sha256, 384, 512 */
	IMA_UNKNOWN_KEY,   /* no trusted key of use ima has that id */
	IMA_REVOKED_KEY,   /* good, but the key is revoked */
	IMA_EXPIRED_KEY,   /* good, but the key has expired */
	IMA_BAD_SIGNATURE, /* not by that key over this content */
	_IMA_RESULT_MAX,
};

const char *ima_result_name(enum ima_result result); /* good, unknown_key, ... */

struct ima_signature {
	enum key_hash hash;
	uint8_t key_id[KEY_IMA_ID_SIZE];
	const uint8_t *bytes; /* in what was parsed */
	size_t size;
};

/* IMA_UNCHECKED and the signature when there is one to check; else what is wrong with it. */
enum ima_result ima_parse(const uint8_t *xattr, size_t size, struct ima_signature *ret_signature);

/*
 * Against the digest of the content under the signature's hash. @ret_key (may be NULL) is who has
 * signed, borrowed from @trust, usable or not; NULL when nobody of them has.
 */
enum ima_result ima_verify(const struct ima_signature *signature, const struct key_digest *digest,
        const struct trust *trust, int64_t now_ns, const struct trust_key **ret_key);

/*
 * The attribute of an open file, read from the descriptor that is hashed. @ret_xattr has
 * IMA_SIZE_MAX bytes. 0; -ENODATA without one; -ERANGE when it is larger; another -errno.
 */
int ima_read(int fd, uint8_t *ret_xattr, size_t *ret_size);

/*
 * The digest of a file's content under one of the hashes, read by pread(2), at most @max_bytes. 0;
 * -EFBIG past that; -EINVAL for no such hash; another -errno.
 */
int ima_digest(int fd, enum key_hash hash, uint64_t max_bytes, struct key_digest *ret_digest);

/*
 * The same in steps, as digest.h has them: a stream for ima_stream_file() only. 0, -EINVAL for no
 * such hash, -ENOMEM or -EIO. Free with digest_stream_free().
 */
int ima_stream_new(enum key_hash hash, struct digest_stream **ret_stream);
enum digest_result ima_stream_file(struct digest_stream *stream, struct digest_source *source,
        uint64_t max_bytes, struct key_digest *ret_digest, int *reterr_errno);
