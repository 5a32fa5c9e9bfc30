/*
 * The one place that decides whether a signature is good: OpenSSL's verifiers answer 1, 0 or a
 * negative number, and only 1 is good (CVE-2008-5077 was a test for "not 0").
 */
#include "base/cleanup.h"
#include "crypto/key.h"
#include "crypto/key_internal.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#define ED25519_SIZE 64u /* bytes; RFC 8032 */
#define DER_MAX      128 /* bytes of an ECDSA signature on P-384 at most: 104 */

static const EVP_MD *md_of_scheme(enum key_scheme scheme)
{
	switch (scheme) {
	case KEY_ECDSA_SHA256:
	case KEY_RSA_PKCS1_SHA256:
		return EVP_sha256();
	case KEY_ECDSA_SHA384:
		return EVP_sha384();
	default:
		return NULL;
	}
}

static const EVP_MD *md_of_hash(enum key_hash hash)
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

size_t key_hash_size(enum key_hash hash)
{
	const EVP_MD *md = md_of_hash(hash);

	return md ? (size_t)EVP_MD_get_size(md) : 0;
}

/* Bytes of r, and of s; 0 when it is no curve. */
static size_t coordinate_size(enum key_scheme scheme)
{
	switch (scheme) {
	case KEY_ECDSA_SHA256:
		return 32;
	case KEY_ECDSA_SHA384:
		return 48;
	default:
		return 0;
	}
}

static bool padding_set(const struct key *key, EVP_PKEY_CTX *ctx)
{
	return key->scheme != KEY_RSA_PKCS1_SHA256 ||
	       EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
}

static enum signature_state verify_once(const struct key *key, const void *message,
        size_t message_size, const uint8_t *signature, size_t size)
{
	_cleanup_(key_md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pkey_ctx = NULL; /* ctx's own */
	const EVP_MD *md = md_of_scheme(key->scheme);

	if (!ctx || (!md && key->scheme != KEY_ED25519))
		return SIGNATURE_BAD;
	if (EVP_DigestVerifyInit(ctx, &pkey_ctx, md, NULL, key->pkey) != 1)
		return SIGNATURE_BAD;
	if (!padding_set(key, pkey_ctx))
		return SIGNATURE_BAD;
	if (EVP_DigestVerify(ctx, signature, size, message, message_size) != 1)
		return SIGNATURE_BAD;
	return SIGNATURE_GOOD;
}

/* r and s in DER. The number of bytes, or 0. */
static size_t der_of_raw(const uint8_t *raw, size_t half, uint8_t ret_der[DER_MAX])
{
	ECDSA_SIG *both = ECDSA_SIG_new();
	BIGNUM *first = BN_bin2bn(raw, (int)half, NULL);
	BIGNUM *second = BN_bin2bn(raw + half, (int)half, NULL);
	int size = 0;

	if (both && first && second && ECDSA_SIG_set0(both, first, second) == 1) {
		first = second = NULL; /* now of the pair */
		if (i2d_ECDSA_SIG(both, NULL) <= DER_MAX)
			size = i2d_ECDSA_SIG(both, &ret_der);
	}
	BN_free(first);
	BN_free(second);
	ECDSA_SIG_free(both);
	return size > 0 ? (size_t)size : 0;
}

/* A DER signature can be as long as a raw one, so the length alone does not tell them apart. */
static enum signature_state verify_ecdsa(const struct key *key, const void *message,
        size_t message_size, const uint8_t *signature, size_t size)
{
	size_t half = coordinate_size(key->scheme), der_size;
	uint8_t der[DER_MAX];

	if (verify_once(key, message, message_size, signature, size) == SIGNATURE_GOOD)
		return SIGNATURE_GOOD;
	if (size != 2 * half)
		return SIGNATURE_BAD;
	der_size = der_of_raw(signature, half, der);
	if (der_size == 0)
		return SIGNATURE_BAD;
	return verify_once(key, message, message_size, der, der_size);
}

enum signature_state key_verify(const struct key *key, const void *message, size_t message_size,
        const uint8_t *signature, size_t size)
{
	enum signature_state state = SIGNATURE_BAD;

	if (size == 0 || size > KEY_SIGNATURE_MAX)
		return SIGNATURE_BAD;
	switch (key->scheme) {
	case KEY_ED25519:
		if (size == ED25519_SIZE)
			state = verify_once(key, message, message_size, signature, size);
		break;
	case KEY_ECDSA_SHA256:
	case KEY_ECDSA_SHA384:
		state = verify_ecdsa(key, message, message_size, signature, size);
		break;
	case KEY_RSA_PKCS1_SHA256:
		if (size == (size_t)EVP_PKEY_get_size(key->pkey))
			state = verify_once(key, message, message_size, signature, size);
		break;
	default:
		break;
	}
	ERR_clear_error();
	return state;
}

static enum signature_state verify_digest(const struct key *key, const struct key_digest *digest,
        const uint8_t *signature, size_t size)
{
	_cleanup_(key_pkey_ctx_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
	const EVP_MD *md = md_of_hash(digest->hash);

	if (!ctx || !md)
		return SIGNATURE_BAD;
	if (EVP_PKEY_verify_init(ctx) != 1 || !padding_set(key, ctx) ||
	        EVP_PKEY_CTX_set_signature_md(ctx, md) != 1)
		return SIGNATURE_BAD;
	if (EVP_PKEY_verify(ctx, signature, size, digest->bytes, key_hash_size(digest->hash)) != 1)
		return SIGNATURE_BAD;
	return SIGNATURE_GOOD;
}

enum signature_state key_verify_digest(const struct key *key, const struct key_digest *digest,
        const uint8_t *signature, size_t size)
{
	enum signature_state state;

	if (key->scheme == KEY_ED25519 || size == 0 || size > KEY_SIGNATURE_MAX)
		return SIGNATURE_BAD;
	state = verify_digest(key, digest, signature, size);
	ERR_clear_error();
	return state;
}
