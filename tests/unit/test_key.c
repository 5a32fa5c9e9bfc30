/*
 * Keys: which are taken, which are refused and why, and that only a signature by that key, in that
 * scheme, over those bytes is good.
 */
#include "crypto/base64.h"
#include "crypto_fixture.h"

#include <errno.h>
#include <stdlib.h>

static void assert_id(const struct key *key, const char *expected)
{
	char id[DIGEST_HEX_SIZE];

	digest_to_hex(key_id(key), id);
	assert_string_equal(id, expected);
}

static void test_ids(void **state)
{
	_cleanup_(key_freep) struct key *first = golden_key("ed25519.pem");
	_cleanup_(key_freep) struct key *private = golden_key("ed25519.key");
	_cleanup_(key_freep) struct key *second = golden_key("ed25519-2.pem");

	(void)state;
	assert_id(first, KEY_1_ID);
	assert_id(second, KEY_2_ID);
	assert_id(private, KEY_1_ID);
	assert_true(key_is_private(private) && !key_is_private(first));
	assert_true(key_equal(first, private) && !key_equal(first, second));
}

static void test_schemes(void **state)
{
	static const struct {
		const char *name;
		enum key_scheme scheme;
		unsigned int bits;
	} rows[] = {
	        {"ed25519.pem", KEY_ED25519, 256},
	        {"p256.pem", KEY_ECDSA_SHA256, 256},
	        {"p384.pem", KEY_ECDSA_SHA384, 384},
	        {"rsa2048.pem", KEY_RSA_PKCS1_SHA256, 2048},
	        {"rsa3072.pem", KEY_RSA_PKCS1_SHA256, 3072},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(key_freep) struct key *key = golden_key(rows[i].name);
		_cleanup_(key_freep) struct key *again = NULL;
		_cleanup_free_ char *pem = NULL, *golden = NULL;
		size_t size;

		assert_int_equal(key_scheme(key), rows[i].scheme);
		assert_int_equal(key_bits(key), rows[i].bits);
		assert_int_equal(
		        key_scheme_from_name(key_scheme_name(rows[i].scheme)), rows[i].scheme);
		/* Written as openssl writes it, and read again. */
		golden = golden_text(rows[i].name, &size);
		assert_int_equal(key_public_pem(key, &pem), 0);
		assert_string_equal(pem, golden);
		assert_int_equal(key_from_pem(pem, strlen(pem), &again), 0);
		assert_true(key_equal(key, again));
	}
	assert_int_equal(key_scheme_from_name("unset"), KEY_SCHEME_UNSET);
	assert_int_equal(key_scheme_from_name("rsa"), KEY_SCHEME_UNSET);
}

static void test_refused(void **state)
{
	static const struct {
		const char *name;
		int error;
	} rows[] = {
	        {"refused-explicit.pem", KEY_E_CURVE},
	        {"refused-explicit-p384.pem", KEY_E_CURVE},
	        {"refused-p521.pem", KEY_E_CURVE},
	        {"refused-secp256k1.pem", KEY_E_CURVE},
	        {"refused-compressed.pem", KEY_E_POINT},
	        {"refused-pss.pem", KEY_E_PSS},
	        {"refused-rsa1024.pem", KEY_E_WEAK},
	        {"refused-rsa2047.pem", KEY_E_WEAK},
	        {"refused-rsa8448.pem", KEY_E_LARGE},
	        {"refused-exponent1.pem", KEY_E_WEAK},
	        {"refused-dsa.pem", KEY_E_KIND},
	        {"refused-x25519.pem", KEY_E_KIND},
	        {"refused-ed448.pem", KEY_E_KIND},
	        {"refused-two.pem", KEY_E_FORMAT},
	        {"refused-leading.pem", KEY_E_FORMAT},
	        {"ed25519.key", KEY_E_PRIVATE},
	        {"refused-legacy.key", KEY_E_PRIVATE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(key_freep) struct key *key = NULL;
		size_t size;
		_cleanup_free_ char *pem = golden_text(rows[i].name, &size);
		int r = key_from_pem(pem, size, &key);

		if (r != rows[i].error)
			fail_msg("%s: %d, expected %d", rows[i].name, r, rows[i].error);
		assert_null(key);
		assert_non_null(key_error_text(r));
	}
}

/* Every shorter, longer or differently framed text of a key. */
static void test_framing(void **state)
{
	size_t size, der_size;
	_cleanup_free_ char *pem = golden_text("p256.pem", &size), *text = malloc(2 * size + 64);
	struct key *key = NULL;
	uint8_t der[256];
	char *begin, *end, digits[256] = "";

	(void)state;
	for (size_t n = 0; n < size - 1; n++)
		assert_int_equal(key_from_pem(pem, n, &key), KEY_E_FORMAT);
	sprintf(text, "\r\n  %s\t\n", pem);
	assert_int_equal(key_from_pem(text, strlen(text), &key), 0);
	key_free(key);
	key = NULL;
	sprintf(text, "%sx", pem);
	assert_int_equal(key_from_pem(text, strlen(text), &key), KEY_E_FORMAT);
	sprintf(text, "%s%s", pem, pem);
	assert_int_equal(key_from_pem(text, strlen(text), &key), KEY_E_FORMAT);
	/* The DER with a byte behind it, and each prefix of it. */
	begin = strchr(pem, '\n') + 1;
	end = strstr(pem, "-----END");
	for (char *p = begin; p < end; p++)
		if (*p != '\n')
			strncat(digits, p, 1);
	assert_int_equal(base64_decode(digits, strlen(digits), der, &der_size), 0);
	assert_int_equal(key_from_der(der, der_size, &key), 0);
	key_free(key);
	key = NULL;
	der[der_size] = 0;
	assert_int_equal(key_from_der(der, der_size + 1, &key), KEY_E_FORMAT);
	for (size_t n = 0; n < der_size; n++)
		assert_int_equal(key_from_der(der, n, &key), KEY_E_FORMAT);
}

static void test_vector(void **state)
{
	_cleanup_(key_freep) struct key *first = golden_key("ed25519.key");
	_cleanup_(key_freep) struct key *second = golden_key("ed25519-2.pem");
	static const char message[] = "DSSEv1 28 application/vnd.in-toto+json 343 " EXAMPLE_BODY;
	_cleanup_free_ uint8_t *signature = NULL;
	size_t size;
	char text[128];

	(void)state;
	assert_int_equal(strlen(EXAMPLE_BODY), 343);
	assert_int_equal(key_sign(first, message, strlen(message), &signature, &size), 0);
	assert_int_equal(size, 64);
	base64_encode(signature, size, text);
	assert_string_equal(text, SIG_1);
	assert_int_equal(
	        key_verify(second, message, strlen(message), signature, size), SIGNATURE_BAD);
	assert_int_equal(key_sign(second, message, strlen(message), &signature, &size), -EINVAL);
}

/* r and s of a DER signature, without their framing. */
static void raw_of(const uint8_t *der, size_t half, uint8_t *ret_raw)
{
	const uint8_t *at = der + 2;

	memset(ret_raw, 0, 2 * half);
	for (size_t i = 0; i < 2; i++) {
		size_t n = at[1];
		const uint8_t *number = at + 2;

		at = number + n;
		for (; n > half; n--)
			number++;
		memcpy(ret_raw + i * half + half - n, number, n);
	}
}

static void check_raw(const struct key *key, const uint8_t *der, size_t half)
{
	uint8_t raw[2 * 48 + 1];

	raw_of(der, half, raw);
	raw[2 * half] = 0;
	assert_int_equal(key_verify(key, "abc", 3, raw, 2 * half), SIGNATURE_GOOD);
	assert_int_equal(key_verify(key, "abd", 3, raw, 2 * half), SIGNATURE_BAD);
	assert_int_equal(key_verify(key, "abc", 3, raw, 2 * half - 1), SIGNATURE_BAD);
	assert_int_equal(key_verify(key, "abc", 3, raw, 2 * half + 1), SIGNATURE_BAD);
	memset(raw, 0, sizeof(raw));
	assert_int_equal(key_verify(key, "abc", 3, raw, 2 * half), SIGNATURE_BAD);
	memset(raw, 0xff, sizeof(raw));
	assert_int_equal(key_verify(key, "abc", 3, raw, 2 * half), SIGNATURE_BAD);
}

static void check_mutants(const struct key *key, const uint8_t *signature, size_t size)
{
	_cleanup_free_ uint8_t *other = malloc(size + 1);

	memcpy(other, signature, size);
	other[size] = 0;
	assert_int_equal(key_verify(key, "abc", 3, other, size), SIGNATURE_GOOD);
	assert_int_equal(key_verify(key, "abc", 3, other, size + 1), SIGNATURE_BAD);
	assert_int_equal(key_verify(key, "", 0, other, size), SIGNATURE_BAD);
	for (size_t n = 0; n < size; n++)
		assert_int_equal(key_verify(key, "abc", 3, other, n), SIGNATURE_BAD);
	for (size_t i = 0; i < size; i++)
		for (int bit = 0; bit < 8; bit++) {
			other[i] ^= (uint8_t)(1 << bit);
			assert_int_equal(key_verify(key, "abc", 3, other, size), SIGNATURE_BAD);
			other[i] ^= (uint8_t)(1 << bit);
		}
}

static void test_sign_and_mutate(void **state)
{
	(void)state;
	for (int type = KEY_TYPE_UNSET + 1; type < _KEY_TYPE_MAX; type++) {
		_cleanup_(key_freep) struct key *key = NULL, *other = NULL;
		_cleanup_free_ uint8_t *signature = NULL;
		size_t size;

		assert_int_equal(key_generate((enum key_type)type, &key), 0);
		assert_int_equal(key_sign(key, "abc", 3, &signature, &size), 0);
		check_mutants(key, signature, size);
		if (type == KEY_TYPE_P256)
			check_raw(key, signature, 32);
		if (type == KEY_TYPE_P384)
			check_raw(key, signature, 48);
		if (type == KEY_TYPE_RSA3072)
			continue; /* a second one takes seconds */
		assert_int_equal(key_generate((enum key_type)type, &other), 0);
		assert_int_equal(key_verify(other, "abc", 3, signature, size), SIGNATURE_BAD);
	}
	assert_int_equal(key_type_from_name("p256"), KEY_TYPE_P256);
	assert_int_equal(key_type_from_name("unset"), KEY_TYPE_UNSET);
	assert_int_equal(key_generate(KEY_TYPE_UNSET, &(struct key *){NULL}), -EINVAL);
}

static void test_private_pem(void **state)
{
	struct secret passphrase = {.data = (char *)(uintptr_t) "correct horse", .size = 13};
	struct secret wrong = {.data = (char *)(uintptr_t) "correct horsf", .size = 13}, none = {0};

	(void)state;
	for (int type = KEY_TYPE_UNSET + 1; type < KEY_TYPE_RSA3072; type++) {
		_cleanup_(key_freep) struct key *key = NULL, *again = NULL, *plain = NULL;
		_cleanup_(secret_done) struct secret pem = {0}, open = {0};

		assert_int_equal(key_generate((enum key_type)type, &key), 0);
		assert_int_equal(key_private_pem(key, &passphrase, &pem), 0);
		assert_int_equal(key_private_kind(pem.data, pem.size), KEY_PRIVATE_ENCRYPTED);
		assert_int_equal(key_private_from_pem(pem.data, pem.size, &passphrase, &again), 0);
		assert_true(key_equal(key, again) && key_is_private(again));
		if (type == KEY_TYPE_ED25519) {
			struct key *no = NULL;

			assert_int_equal(key_private_from_pem(pem.data, pem.size, &wrong, &no),
			        KEY_E_PASSPHRASE);
			assert_int_equal(key_private_from_pem(pem.data, pem.size, NULL, &no),
			        KEY_E_PASSPHRASE);
			assert_int_equal(key_private_pem(key, &none, &open), -EINVAL);
		}
		assert_int_equal(key_private_pem(key, NULL, &open), 0);
		assert_int_equal(key_private_kind(open.data, open.size), KEY_PRIVATE_PLAIN);
		assert_int_equal(key_private_from_pem(open.data, open.size, NULL, &plain), 0);
		assert_true(key_equal(key, plain));
	}
}

static void test_private_refused(void **state)
{
	size_t size;
	_cleanup_free_ char *legacy = golden_text("refused-legacy.key", &size);
	_cleanup_free_ char *public = NULL, *two = NULL;
	struct key *key = NULL;

	(void)state;
	assert_int_equal(key_private_from_pem(legacy, size, NULL, &key), KEY_E_LEGACY);
	public = golden_text("ed25519.pem", &size);
	assert_int_equal(key_private_from_pem(public, size, NULL, &key), KEY_E_FORMAT);
	free(public);
	public = golden_text("ed25519.key", &size);
	two = malloc(2 * size + 1);
	sprintf(two, "%s%s", public, public);
	assert_int_equal(key_private_from_pem(two, 2 * size, NULL, &key), KEY_E_FORMAT);
	for (size_t n = 0; n < size - 1; n++)
		assert_true(key_private_from_pem(public, n, NULL, &key) > 0);
	assert_null(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_ids),
	        cmocka_unit_test(test_schemes),
	        cmocka_unit_test(test_refused),
	        cmocka_unit_test(test_framing),
	        cmocka_unit_test(test_vector),
	        cmocka_unit_test(test_sign_and_mutate),
	        cmocka_unit_test(test_private_pem),
	        cmocka_unit_test(test_private_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
