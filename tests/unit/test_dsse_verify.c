/*
 * Who has signed: thresholds of different keys, hints that decide nothing, and a word for each way
 * not to be believed.
 */
#include "crypto/base64.h"
#include "crypto/dsse_verify.h"
#include "crypto_fixture.h"

#include <stdlib.h>

#define NOW 1000000000

/* A trust store of golden keys; its slots are the caller's to change. */
static struct trust *trust_of(const char *const *names, size_t n)
{
	struct trust *trust = calloc(1, sizeof(*trust));

	trust->keys = calloc(n + 1, sizeof(*trust->keys));
	for (size_t i = 0; i < n; i++)
		trust->keys[i] = (struct trust_key){
		        .key = golden_key(names[i]),
		        .name = strdup(names[i]),
		        .use = TRUST_USE_MANIFEST,
		        .expires_ns = INT64_MAX,
		};
	trust->n_keys = n;
	return trust;
}

static struct trust *both(void)
{
	static const char *const names[] = {"ed25519.pem", "ed25519-2.pem"};

	return trust_of(names, 2);
}

static void add(struct dsse *dsse, const char *keyid, const char *sig)
{
	uint8_t bytes[128];
	size_t size;

	assert_int_equal(base64_decode(sig, strlen(sig), bytes, &size), 0);
	assert_int_equal(dsse_add(dsse, keyid, bytes, size), 0);
}

static struct dsse *example(void)
{
	struct dsse *dsse;

	assert_int_equal(dsse_new(EXAMPLE_BODY, strlen(EXAMPLE_BODY), &dsse), 0);
	return dsse;
}

static enum allowlist_reason reason(
        const struct dsse *dsse, const struct trust *trust, uint32_t threshold)
{
	struct dsse_verification v;

	dsse_verify(dsse, trust, threshold, NOW, &v);
	return v.reason;
}

static void test_thresholds(void **state)
{
	_cleanup_(dsse_freep) struct dsse *dsse = example();
	_cleanup_(trust_freep) struct trust *trust = both();

	(void)state;
	assert_int_equal(reason(dsse, trust, 1), ALLOWLIST_UNSIGNED);
	add(dsse, KEY_1_ID, SIG_1);
	assert_int_equal(reason(dsse, trust, 0), ALLOWLIST_BAD_THRESHOLD);
	assert_int_equal(reason(dsse, trust, 1), ALLOWLIST_ACCEPTED);
	assert_int_equal(reason(dsse, trust, 2), ALLOWLIST_THRESHOLD_NOT_MET);
	assert_int_equal(reason(dsse, trust, 3), ALLOWLIST_BAD_THRESHOLD);
	add(dsse, KEY_2_ID, SIG_2);
	assert_int_equal(reason(dsse, trust, 2), ALLOWLIST_ACCEPTED);
	assert_int_equal(reason(dsse, trust, 3), ALLOWLIST_BAD_THRESHOLD);
	assert_int_equal(reason(dsse, trust, UINT32_MAX), ALLOWLIST_BAD_THRESHOLD);
}

/* Two signatures by one key are one: ECDSA gives another one each time, so they are not the same
 * bytes. */
static void test_one_key_twice(void **state)
{
	_cleanup_(dsse_freep) struct dsse *dsse = example();
	_cleanup_(trust_freep) struct trust *trust = both();
	struct dsse_verification v;

	(void)state;
	key_free(trust->keys[1].key);
	assert_int_equal(key_generate(KEY_TYPE_P256, &trust->keys[1].key), 0);
	for (int i = 0; i < 3; i++) {
		_cleanup_free_ uint8_t *signature = NULL;
		size_t size;

		assert_int_equal(
		        key_sign(trust->keys[1].key, dsse->pae, dsse->pae_size, &signature, &size),
		        0);
		assert_int_equal(dsse_add(dsse, i ? "another hint" : NULL, signature, size), 0);
	}
	assert_int_equal(dsse->n_signatures, 3);
	dsse_verify(dsse, trust, 2, NOW, &v);
	assert_int_equal(v.reason, ALLOWLIST_THRESHOLD_NOT_MET);
	assert_int_equal(v.n_signers, 1);
	assert_int_equal(reason(dsse, trust, 1), ALLOWLIST_ACCEPTED);
}

static void test_hints_decide_nothing(void **state)
{
	static const char *const hints[] = {NULL, "", "x", KEY_2_ID, KEY_1_ID};

	(void)state;
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		_cleanup_(dsse_freep) struct dsse *dsse = example();
		_cleanup_(trust_freep) struct trust *trust = both();

		add(dsse, hints[i], SIG_1);
		assert_int_equal(reason(dsse, trust, 1), ALLOWLIST_ACCEPTED);
		assert_int_equal(reason(dsse, trust, 2), ALLOWLIST_THRESHOLD_NOT_MET);
	}
}

static void test_bad_ones_are_passed_over(void **state)
{
	_cleanup_(dsse_freep) struct dsse *dsse = example();
	_cleanup_(trust_freep) struct trust *trust = both();
	struct dsse_verification v;

	(void)state;
	for (int i = 0; i < 30; i++) {
		uint8_t junk[64] = {(uint8_t)i};

		assert_int_equal(dsse_add(dsse, i % 2 ? KEY_1_ID : NULL, junk, sizeof(junk)), 0);
	}
	assert_int_equal(reason(dsse, trust, 1), ALLOWLIST_TAMPERED);
	add(dsse, NULL, SIG_2);
	add(dsse, NULL, SIG_1);
	dsse_verify(dsse, trust, 2, NOW, &v);
	assert_int_equal(v.reason, ALLOWLIST_ACCEPTED);
	assert_int_equal(v.findings[0].state, SIGNATURE_BAD);
	assert_int_equal(v.findings[30].state, SIGNATURE_GOOD);
	assert_ptr_equal(v.findings[30].key, &trust->keys[1]);
	assert_ptr_equal(v.signers[0], &trust->keys[0]); /* in the order of the keys */
}

static void test_words(void **state)
{
	static const char *const first[] = {"ed25519.pem"}, *const other[] = {"p256.pem"};
	_cleanup_(dsse_freep) struct dsse *dsse = example(), *changed = NULL;
	_cleanup_(trust_freep) struct trust *trust = trust_of(first, 1);
	_cleanup_(trust_freep) struct trust *strangers = trust_of(other, 1);
	_cleanup_(trust_freep) struct trust *nobody = trust_of(first, 0);
	_cleanup_free_ char *body = strdup(EXAMPLE_BODY);

	(void)state;
	add(dsse, KEY_1_ID, SIG_1);
	assert_int_equal(reason(dsse, strangers, 1), ALLOWLIST_UNKNOWN_KEY);
	assert_int_equal(reason(dsse, nobody, 1), ALLOWLIST_NO_KEYS);
	*strstr(body, "version\":7") = 'V';
	assert_int_equal(dsse_new(body, strlen(body), &changed), 0);
	add(changed, KEY_1_ID, SIG_1);
	assert_int_equal(reason(changed, trust, 1), ALLOWLIST_TAMPERED);
	assert_int_equal(reason(changed, strangers, 1), ALLOWLIST_UNKNOWN_KEY);
	trust->keys[0].expires_ns = NOW;
	assert_int_equal(reason(dsse, trust, 1), ALLOWLIST_EXPIRED_KEY);
	trust->keys[0].expires_ns = NOW + 1;
	assert_int_equal(reason(dsse, trust, 1), ALLOWLIST_ACCEPTED);
	trust->keys[0].revoked = true;
	assert_int_equal(reason(dsse, trust, 1), ALLOWLIST_REVOKED_KEY);
	trust->keys[0].revoked = false;
	trust->keys[0].use = TRUST_USE_IMA;
	assert_int_equal(reason(dsse, trust, 1), ALLOWLIST_NO_KEYS);
	trust->keys[0].use = TRUST_USE_UNSET;
	assert_int_equal(reason(dsse, trust, 1), ALLOWLIST_NO_KEYS);
}

/* A revoked key does not count, and is not usable for the threshold either. */
static void test_revoked_beside_a_good_one(void **state)
{
	_cleanup_(dsse_freep) struct dsse *dsse = example();
	_cleanup_(trust_freep) struct trust *trust = both();

	(void)state;
	add(dsse, KEY_1_ID, SIG_1);
	add(dsse, KEY_2_ID, SIG_2);
	trust->keys[1].revoked = true;
	assert_int_equal(reason(dsse, trust, 1), ALLOWLIST_ACCEPTED);
	assert_int_equal(reason(dsse, trust, 2), ALLOWLIST_BAD_THRESHOLD);
}

static void test_series(void **state)
{
	static const char *const names[] = {"ed25519.pem", "ed25519-2.pem", "p256.pem"};
	static char pattern[] = "example.org/*", *patterns[] = {pattern};
	_cleanup_(dsse_freep) struct dsse *dsse = example();
	_cleanup_(trust_freep) struct trust *trust = trust_of(names, 3);
	struct dsse_verification v;

	(void)state;
	add(dsse, NULL, SIG_1);
	add(dsse, NULL, SIG_2);
	trust->keys[0].series = patterns;
	trust->keys[0].n_series = 1;
	dsse_verify(dsse, trust, 2, NOW, &v);
	assert_int_equal(dsse_verify_series(&v, "example.org/demo"), ALLOWLIST_ACCEPTED);
	assert_int_equal(dsse_verify_series(&v, "example.com/demo"), ALLOWLIST_THRESHOLD_NOT_MET);
	dsse_verify(dsse, trust, 1, NOW, &v);
	assert_int_equal(dsse_verify_series(&v, "example.com/demo"), ALLOWLIST_ACCEPTED);
	trust->keys[1].series = patterns;
	trust->keys[1].n_series = 1;
	assert_int_equal(dsse_verify_series(&v, "example.com/demo"), ALLOWLIST_OTHER_SERIES);
	/* What was not accepted is not mended by its series, and what nobody checked is nothing. */
	v.reason = ALLOWLIST_THRESHOLD_NOT_MET;
	assert_int_equal(dsse_verify_series(&v, "example.org/demo"), ALLOWLIST_THRESHOLD_NOT_MET);
	v = (struct dsse_verification){0};
	assert_int_equal(dsse_verify_series(&v, "example.org/demo"), ALLOWLIST_UNCHECKED);
	v.reason = ALLOWLIST_ACCEPTED;
	assert_int_not_equal(dsse_verify_series(&v, "example.org/demo"), ALLOWLIST_ACCEPTED);
	trust->keys[0].n_series = trust->keys[1].n_series = 0;
	trust->keys[0].series = trust->keys[1].series = NULL;
}

/* Every bit of the body and of the signature. */
static void test_mutants(void **state)
{
	_cleanup_(trust_freep) struct trust *trust = both();
	_cleanup_(dsse_freep) struct dsse *dsse = example();

	(void)state;
	add(dsse, KEY_1_ID, SIG_1);
	for (size_t i = 0; i < dsse->pae_size; i++) {
		uint8_t bit = (uint8_t)(1 << i % 8);

		dsse->pae[i] ^= bit;
		assert_int_equal(reason(dsse, trust, 1), ALLOWLIST_TAMPERED);
		dsse->pae[i] ^= bit;
	}
	for (size_t i = 0; i < 64 * 8; i++) {
		uint8_t bit = (uint8_t)(1 << i % 8);

		dsse->signatures[0].bytes[i / 8] ^= bit;
		assert_int_equal(reason(dsse, trust, 1), ALLOWLIST_TAMPERED);
		dsse->signatures[0].bytes[i / 8] ^= bit;
	}
	assert_int_equal(reason(dsse, trust, 1), ALLOWLIST_ACCEPTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_thresholds),
	        cmocka_unit_test(test_one_key_twice),
	        cmocka_unit_test(test_hints_decide_nothing),
	        cmocka_unit_test(test_bad_ones_are_passed_over),
	        cmocka_unit_test(test_words),
	        cmocka_unit_test(test_revoked_beside_a_good_one),
	        cmocka_unit_test(test_series),
	        cmocka_unit_test(test_mutants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
