/*
 * A file's own signature, wherever it is kept: in its security.ima, in FILE.sig beside it (what
 * `evmctl ima_sign --sigfile` writes: the same bytes), or in the package that it came in. Trusted
 * keys of use ima alone count. It vouches for content and for nothing else, so whoever asks has
 * looked at revoked digests first.
 */
#pragma once

#include "crypto/ima.h"

enum file_signature_source {
	FILE_SIGNATURE_NOWHERE = 0,
	FILE_SIGNATURE_XATTR,
	FILE_SIGNATURE_SIDECAR, /* FILE.sig */
	FILE_SIGNATURE_PACKAGE, /* lib/allowlists/rpm_package.h */
	_FILE_SIGNATURE_SOURCE_MAX,
};

const char *file_signature_source_name(enum file_signature_source source); /* xattr, sidecar, ... */

#define FILE_SIGNATURE_SUFFIX ".sig"

struct file_signature {
	enum ima_result result; /* IMA_GOOD alone vouches; IMA_NONE: there is none */
	enum file_signature_source source;
	enum key_hash hash;              /* UNSET: it could not be read as far as this */
	uint8_t key_id[KEY_IMA_ID_SIZE]; /* as it says; with a hash */
	const struct trust_key
	        *key; /* who has signed, usable or not; borrowed; NULL: nobody known */
};

/* What is signed. It must not change while it is asked about: that is for the caller to see to. */
struct file_content {
	const struct digest *sha256;
	int fd;        /* read again for SHA-384 and SHA-512; -1: those are not supported then */
	uint64_t size; /* bytes, as stat(2) said: nothing longer is read */
};

/* Whose signatures count. */
struct file_signature_terms {
	const struct trust *trust;
	int64_t now_ns; /* CLOCK_REALTIME */
};

/* One signature that somebody has read. 0 with ret_signature filled, or -errno of reading @fd. */
int file_signature_check(const struct file_content *content, enum file_signature_source source,
        const uint8_t *bytes, size_t size, const struct file_signature_terms *terms,
        struct file_signature *ret_signature);

/*
 * What stands with an open file: FILE.sig, when @sidecar_fd is not -1, and security.ima of
 * @content->fd. The first good one is told; else the first that there is, and why it does not do.
 * 0 or -errno.
 */
int file_signature_look(const struct file_content *content, int sidecar_fd,
        const struct file_signature_terms *terms, struct file_signature *ret_signature);

/* @path with the suffix. 0; -ENOENT: there is none; -EINVAL: it is no regular file; or -errno. */
int file_signature_open_sidecar(const char *path, int *ret_fd);

/* One sentence's worth, for a message: what is wrong, and what to do about it. */
const char *file_signature_text(enum ima_result result);
