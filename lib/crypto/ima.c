#include "crypto/ima.h"

#include "base/cleanup.h"
#include "base/strtab.h"
#include "crypto/digest_internal.h"
#include "crypto/key_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

/* security/integrity/integrity.h of Linux. */
#define TYPE_DIGEST    0x01u /* IMA_XATTR_DIGEST */
#define TYPE_SIGNATURE 0x03u /* EVM_IMA_XATTR_DIGSIG */
#define TYPE_DIGEST_NG 0x04u /* IMA_XATTR_DIGEST_NG */
#define VERSION_1      1u
#define VERSION_2      2u
#define READ_SIZE      (64u * 1024u) /* bytes per pread; as digest.c */

static const char *const result_names[_IMA_RESULT_MAX] = {
        [IMA_UNCHECKED] = "unchecked",
        [IMA_GOOD] = "good",
        [IMA_NONE] = "no_signature",
        [IMA_MALFORMED] = "malformed",
        [IMA_NO_SIGNATURE] = "digest_only",
        [IMA_OBSOLETE] = "obsolete",
        [IMA_UNSUPPORTED] = "unsupported",
        [IMA_UNKNOWN_KEY] = "unknown_key",
        [IMA_REVOKED_KEY] = "revoked_key",
        [IMA_EXPIRED_KEY] = "expired_key",
        [IMA_BAD_SIGNATURE] = "bad_signature",
};

const char *ima_result_name(enum ima_result result)
{
	return strtab_name(result_names, _IMA_RESULT_MAX, (int)result);
}

enum ima_result ima_parse(const uint8_t *xattr, size_t size, struct ima_signature *ret_signature)
{
	size_t length;

	if (size < 1)
		return IMA_MALFORMED;
	if (xattr[0] == TYPE_DIGEST || xattr[0] == TYPE_DIGEST_NG)
		return IMA_NO_SIGNATURE;
	if (xattr[0] != TYPE_SIGNATURE)
		return IMA_UNSUPPORTED;
	if (size < 2)
		return IMA_MALFORMED;
	if (xattr[1] == VERSION_1)
		return IMA_OBSOLETE;
	if (xattr[1] != VERSION_2)
		return IMA_UNSUPPORTED;
	if (size <= IMA_HEAD_SIZE || size > IMA_SIZE_MAX)
		return IMA_MALFORMED;
	if (key_hash_size((enum key_hash)xattr[2]) == 0)
		return IMA_UNSUPPORTED;
	length = (size_t)xattr[7] << 8 | xattr[8];
	if (length != size - IMA_HEAD_SIZE)
		return IMA_MALFORMED;
	*ret_signature = (struct ima_signature){
	        .hash = (enum key_hash)xattr[2],
	        .bytes = xattr + IMA_HEAD_SIZE,
	        .size = length,
	};
	memcpy(ret_signature->key_id, xattr + 3, KEY_IMA_ID_SIZE);
	return IMA_UNCHECKED;
}

static bool has_id(const struct trust_key *key, const uint8_t id[KEY_IMA_ID_SIZE])
{
	uint8_t own[KEY_IMA_ID_SIZE];

	key_ima_id(key->key, own);
	if (!memcmp(own, id, KEY_IMA_ID_SIZE))
		return true;
	for (size_t i = 0; i < key->n_ima_ids; i++)
		if (!memcmp(key->ima_ids[i], id, KEY_IMA_ID_SIZE))
			return true;
	return false;
}

/* Four bytes are soon the same for two keys: each that has the id is tried. */
enum ima_result ima_verify(const struct ima_signature *signature, const struct key_digest *digest,
        const struct trust *trust, int64_t now_ns, const struct trust_key **ret_key)
{
	enum ima_result result = IMA_UNKNOWN_KEY;
	const struct trust_key *signer = NULL;

	for (size_t i = 0; i < trust->n_keys && result != IMA_GOOD; i++) {
		const struct trust_key *key = &trust->keys[i];

		if (key->use != TRUST_USE_IMA || !has_id(key, signature->key_id))
			continue;
		if (digest->hash != signature->hash ||
		        key_verify_digest(key->key, digest, signature->bytes, signature->size) !=
		                SIGNATURE_GOOD) {
			result = result == IMA_UNKNOWN_KEY ? IMA_BAD_SIGNATURE : result;
			continue;
		}
		signer = key;
		if (trust_key_usable(key, TRUST_USE_IMA, now_ns))
			result = IMA_GOOD;
		else
			result = key->revoked ? IMA_REVOKED_KEY : IMA_EXPIRED_KEY;
	}
	if (ret_key)
		*ret_key = signer;
	return result;
}

int ima_read(int fd, uint8_t *ret_xattr, size_t *ret_size)
{
	ssize_t n = fgetxattr(fd, IMA_XATTR, ret_xattr, IMA_SIZE_MAX);

	if (n < 0)
		return -errno;
	*ret_size = (size_t)n;
	return 0;
}

static const EVP_MD *md_of(enum key_hash hash)
{
	switch (hash) {
	case KEY_HASH_SHA256:
		return EVP_sha256();
	case KEY_HASH_SHA384:
		return EVP_sha384();
	case KEY_HASH_SHA512:
		return EVP_sha512();
	default:
		return NULL;
	}
}

static int hash_all(int fd, uint64_t max_bytes, EVP_MD_CTX *ctx, uint8_t *buffer)
{
	uint64_t offset = 0;

	for (;;) {
		ssize_t n = pread(fd, buffer, READ_SIZE, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		offset += (uint64_t)n;
		if (offset > max_bytes)
			return -EFBIG;
		if (EVP_DigestUpdate(ctx, buffer, (size_t)n) != 1)
			return -EIO;
	}
}

int ima_digest(int fd, enum key_hash hash, uint64_t max_bytes, struct key_digest *ret_digest)
{
	_cleanup_(key_md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	_cleanup_free_ uint8_t *buffer = malloc(READ_SIZE);
	const EVP_MD *md = md_of(hash);
	struct key_digest digest = {.hash = hash};
	int r;

	if (!md)
		return -EINVAL;
	if (!ctx || !buffer)
		return -ENOMEM;
	if (EVP_DigestInit_ex(ctx, md, NULL) != 1)
		return -EIO;
	r = hash_all(fd, max_bytes, ctx, buffer);
	if (r < 0)
		return r;
	if (EVP_DigestFinal_ex(ctx, digest.bytes, NULL) != 1)
		return -EIO;
	*ret_digest = digest;
	return 0;
}

int ima_stream_new(enum key_hash hash, struct digest_stream **ret_stream)
{
	const EVP_MD *md = md_of(hash);

	return md ? digest_stream_new_md(md, ret_stream) : -EINVAL;
}

static enum key_hash hash_of(const EVP_MD *md)
{
	static const enum key_hash hashes[] = {KEY_HASH_SHA256, KEY_HASH_SHA384, KEY_HASH_SHA512};

	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
		if (EVP_MD_get_type(md_of(hashes[i])) == EVP_MD_get_type(md))
			return hashes[i];
	return KEY_HASH_UNSET;
}

enum digest_result ima_stream_file(struct digest_stream *stream, struct digest_source *source,
        uint64_t max_bytes, struct key_digest *ret_digest, int *reterr_errno)
{
	EVP_MD_CTX *ctx = digest_stream_ctx(stream);
	struct key_digest digest = {.hash = hash_of(EVP_MD_CTX_get0_md(ctx))};
	enum digest_result result = digest_stream_feed(stream, source, max_bytes, reterr_errno);

	if (result != DIGEST_DONE)
		return result;
	if (EVP_DigestFinal_ex(ctx, digest.bytes, NULL) != 1) {
		*reterr_errno = EIO;
		return DIGEST_FAILED;
	}
	*ret_digest = digest;
	return DIGEST_DONE;
}
