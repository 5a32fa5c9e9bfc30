/* security.ima: the vector of docs/formats.md, each field out of range, each bit changed. */
#include "base/hex.h"
#include "crypto/base64.h"
#include "crypto/ima.h"
#include "crypto_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define NOW     1000
#define CONTENT "hello world\n"
#define SPKI                                                                                       \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaA6W+MMwCA7oJOTWb8d5NCiZmrjFKhn5q2rTxBwc9729ceMVveQS" \
	"++Y7D8oFHiboY67hJZmoE6ZVu+xzNvmhEA=="
#define XATTR                                                                                      \
	"030204e0bba7da0047304502203d5f17ac53c8c4dbe4e6a557eb803b755a989731d6d648dc192a58411d0835" \
	"d702210080583c3153c75dbaeff72d55f44ec3688ca26b1ec48d5a64e5d787dcfa659108"

static const size_t xattr_size = sizeof(XATTR) / 2;

static void vector(uint8_t *ret_xattr)
{
	assert_int_equal(hex_decode(XATTR, strlen(XATTR), ret_xattr, xattr_size), 0);
}

static struct trust *trust_new(void)
{
	struct trust *trust = calloc(1, sizeof(*trust));
	uint8_t der[256];
	size_t size;

	assert_int_equal(base64_decode(SPKI, strlen(SPKI), der, &size), 0);
	trust->keys = calloc(2, sizeof(*trust->keys));
	trust->n_keys = 1;
	trust->keys[0] = (struct trust_key){.use = TRUST_USE_IMA, .expires_ns = INT64_MAX};
	assert_int_equal(key_from_der(der, size, &trust->keys[0].key), 0);
	return trust;
}

static int content(const char *text)
{
	int fd = memfd_create("ima", MFD_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

static enum ima_result check(
        const uint8_t *xattr, size_t size, const char *text, const struct trust *trust)
{
	_cleanup_close_ int fd = content(text);
	struct ima_signature signature = {0};
	struct key_digest digest = {0};
	enum ima_result result = ima_parse(xattr, size, &signature);

	if (result != IMA_UNCHECKED)
		return result;
	assert_int_equal(ima_digest(fd, signature.hash, 4096, &digest), 0);
	return ima_verify(&signature, &digest, trust, NOW, NULL);
}

static void test_vector(void **state)
{
	_cleanup_(trust_freep) struct trust *trust = trust_new();
	uint8_t xattr[sizeof(XATTR)], id[KEY_IMA_ID_SIZE];

	(void)state;
	vector(xattr);
	key_ima_id(trust->keys[0].key, id);
	assert_memory_equal(id, "\xe0\xbb\xa7\xda", 4);
	assert_int_equal(check(xattr, xattr_size, CONTENT, trust), IMA_GOOD);
	assert_int_equal(check(xattr, xattr_size, "hello world", trust), IMA_BAD_SIGNATURE);
	assert_int_equal(check(xattr, xattr_size, "", trust), IMA_BAD_SIGNATURE);
}

static void test_keys(void **state)
{
	_cleanup_(trust_freep) struct trust *trust = trust_new();
	struct trust_key *key = &trust->keys[0];
	uint8_t xattr[sizeof(XATTR)];

	(void)state;
	vector(xattr);
	key->use = TRUST_USE_MANIFEST;
	assert_int_equal(check(xattr, xattr_size, CONTENT, trust), IMA_UNKNOWN_KEY);
	key->use = TRUST_USE_IMA;
	key->revoked = true;
	assert_int_equal(check(xattr, xattr_size, CONTENT, trust), IMA_REVOKED_KEY);
	key->revoked = false;
	key->expires_ns = NOW;
	assert_int_equal(check(xattr, xattr_size, CONTENT, trust), IMA_EXPIRED_KEY);
	/* A revoked key is named as such, whether it has expired or not. */
	key->revoked = true;
	assert_int_equal(check(xattr, xattr_size, CONTENT, trust), IMA_REVOKED_KEY);
	key->revoked = false;
	key->expires_ns = INT64_MAX;
	xattr[6] ^= 1;
	assert_int_equal(check(xattr, xattr_size, CONTENT, trust), IMA_UNKNOWN_KEY);
	/* The id that a certificate gave the key. */
	memcpy(key->ima_ids[0], xattr + 3, KEY_IMA_ID_SIZE);
	key->n_ima_ids = 1;
	assert_int_equal(check(xattr, xattr_size, CONTENT, trust), IMA_GOOD);
	/* A stranger of the same id first: the one behind it is tried, too. */
	trust->keys[1] = *key;
	trust->keys[0].key = golden_key("p256.pem");
	trust->n_keys = 2;
	assert_int_equal(check(xattr, xattr_size, CONTENT, trust), IMA_GOOD);
	trust->n_keys = 0;
	assert_int_equal(check(xattr, xattr_size, CONTENT, trust), IMA_UNKNOWN_KEY);
	trust->n_keys = 2;
}

static void test_fields(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		enum ima_result result;
	} rows[] = {
	        {0, 0, IMA_UNSUPPORTED},
	        {0, 1, IMA_NO_SIGNATURE},
	        {0, 2, IMA_UNSUPPORTED},
	        {0, 4, IMA_NO_SIGNATURE},
	        {0, 5, IMA_UNSUPPORTED},
	        {0, 6, IMA_UNSUPPORTED},
	        {1, 0, IMA_UNSUPPORTED},
	        {1, 1, IMA_OBSOLETE},
	        {1, 3, IMA_UNSUPPORTED},
	        {2, 0, IMA_UNSUPPORTED},
	        {2, 2, IMA_UNSUPPORTED},
	        {2, 3, IMA_UNSUPPORTED},
	        {2, 7, IMA_UNSUPPORTED},
	        {2, 255, IMA_UNSUPPORTED},
	        {2, 5, IMA_BAD_SIGNATURE},
	        {2, 6, IMA_BAD_SIGNATURE},
	        {7, 1, IMA_MALFORMED},
	        {8, 0x46, IMA_MALFORMED},
	        {8, 0x48, IMA_MALFORMED},
	        {8, 0, IMA_MALFORMED},
	};
	_cleanup_(trust_freep) struct trust *trust = trust_new();
	uint8_t xattr[sizeof(XATTR)];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum ima_result result;

		vector(xattr);
		xattr[rows[i].at] = rows[i].value;
		result = check(xattr, xattr_size, CONTENT, trust);
		if (result != rows[i].result)
			fail_msg("byte %zu = %d: %s", rows[i].at, rows[i].value,
			        ima_result_name(result));
	}
	vector(xattr);
	for (size_t n = 0; n < xattr_size; n++)
		assert_int_equal(check(xattr, n, CONTENT, trust), IMA_MALFORMED);
	assert_int_equal(check(xattr, IMA_SIZE_MAX + 1, CONTENT, trust), IMA_MALFORMED);
}

static void test_mutants(void **state)
{
	_cleanup_(trust_freep) struct trust *trust = trust_new();
	uint8_t xattr[sizeof(XATTR)];

	(void)state;
	vector(xattr);
	for (size_t i = 0; i < xattr_size * 8; i++) {
		xattr[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_not_equal(check(xattr, xattr_size, CONTENT, trust), IMA_GOOD);
		xattr[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

/* Raw r and s are the envelope's liberty, not the kernel's; Ed25519 is nobody's here. */
static void test_schemes(void **state)
{
	_cleanup_(trust_freep) struct trust *trust = trust_new();
	struct key_digest digest = {.hash = KEY_HASH_SHA256};
	_cleanup_(key_freep) struct key *ed25519 = golden_key("ed25519.key");
	_cleanup_free_ uint8_t *signature = NULL;
	size_t size;

	(void)state;
	assert_int_equal(key_sign(ed25519, digest.bytes, 32, &signature, &size), 0);
	assert_int_equal(key_verify_digest(ed25519, &digest, signature, size), SIGNATURE_BAD);
	digest.hash = KEY_HASH_UNSET;
	assert_int_equal(
	        key_verify_digest(trust->keys[0].key, &digest, signature, size), SIGNATURE_BAD);
}

static void test_reading(void **state)
{
	_cleanup_close_ int fd = content(CONTENT);
	uint8_t xattr[IMA_SIZE_MAX];
	struct key_digest digest;
	size_t size;

	(void)state;
	assert_int_equal(ima_digest(fd, KEY_HASH_SHA256, strlen(CONTENT), &digest), 0);
	assert_int_equal(ima_digest(fd, KEY_HASH_SHA256, strlen(CONTENT) - 1, &digest), -EFBIG);
	assert_int_equal(ima_digest(fd, KEY_HASH_UNSET, 4096, &digest), -EINVAL);
	assert_int_equal(ima_digest(-1, KEY_HASH_SHA256, 4096, &digest), -EBADF);
	assert_true(ima_read(fd, xattr, &size) < 0);
	assert_int_equal(ima_read(-1, xattr, &size), -EBADF);
}

/* In steps, and for a file of another length than was announced, as digest.h has it. */
static void test_stream(void **state)
{
	static const enum key_hash hashes[] = {KEY_HASH_SHA256, KEY_HASH_SHA384, KEY_HASH_SHA512};
	_cleanup_close_ int fd = content(CONTENT);
	struct digest_stream *stream = NULL;
	int error = 0;

	(void)state;
	assert_int_equal(ima_stream_new(KEY_HASH_UNSET, &stream), -EINVAL);
	for (size_t i = 0; i < 3; i++) {
		struct digest_source source = {.fd = fd, .expected_size = strlen(CONTENT)};
		struct key_digest whole, digest = {0};
		enum digest_result result;
		unsigned int steps = 1;

		assert_int_equal(ima_digest(fd, hashes[i], 4096, &whole), 0);
		assert_int_equal(ima_stream_new(hashes[i], &stream), 0);
		while ((result = ima_stream_file(stream, &source, 5, &digest, &error)) ==
		        DIGEST_MORE)
			steps++;
		assert_int_equal(result, DIGEST_DONE);
		assert_int_equal(steps, strlen(CONTENT) / 5 + 1);
		assert_memory_equal(&digest, &whole, sizeof(digest));
		digest_stream_free(stream);
		assert_int_equal(ima_stream_new(hashes[i], &stream), 0);
		source = (struct digest_source){.fd = fd, .expected_size = strlen(CONTENT) + 1};
		assert_int_equal(
		        ima_stream_file(stream, &source, 4096, &digest, &error), DIGEST_SHORTER);
		digest_stream_free(stream);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_vector),
	        cmocka_unit_test(test_keys),
	        cmocka_unit_test(test_fields),
	        cmocka_unit_test(test_mutants),
	        cmocka_unit_test(test_schemes),
	        cmocka_unit_test(test_reading),
	        cmocka_unit_test(test_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
