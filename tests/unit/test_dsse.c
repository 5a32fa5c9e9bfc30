/*
 * DSSE envelopes: the worked example, what is refused as an envelope and with which word, and that
 * the text without its payload reads as the whole text does.
 */
#include "crypto/base64.h"
#include "crypto/digest.h"
#include "crypto/dsse.h"
#include "crypto/dsse_scan.h"
#include "crypto_fixture.h"

#include <stdlib.h>

#define TYPE "\"payloadType\":\"" DSSE_PAYLOAD_TYPE "\""
#define SIGS "\"signatures\":[{\"keyid\":\"" KEY_1_ID "\",\"sig\":\"" SIG_1 "\"}]"

/* Also as text that is given away: decoded in its own place it must be the same. */
static int parse(const char *text, struct dsse **ret_dsse)
{
	_cleanup_(dsse_freep) struct dsse *taken = NULL;
	int r = dsse_parse(text, strlen(text), ret_dsse);

	assert_int_equal(dsse_parse_taken(strdup(text), strlen(text), &taken), r);
	if (r != 0)
		return r;
	assert_int_equal(taken->pae_size, (*ret_dsse)->pae_size);
	assert_memory_equal(taken->pae, (*ret_dsse)->pae, taken->pae_size);
	assert_ptr_equal(taken->body + taken->body_size, taken->pae + taken->pae_size);
	assert_int_equal(taken->body_size, (*ret_dsse)->body_size);
	assert_int_equal(taken->n_signatures, (*ret_dsse)->n_signatures);
	return 0;
}

/* In front of its payload there is room for the head, or there is not. */
static void test_in_place(void **state)
{
	(void)state;
	for (size_t n = 0; n < 300; n += n < 20 ? 4 : 52)
		for (size_t before = 0; before < 120; before += 7) {
			char text[1024], *at = text;
			struct dsse *dsse = NULL;

			at += sprintf(at, "{%*s\"payload\":\"", (int)before, "");
			memset(at, 'A', n);
			at += n;
			sprintf(at, "\"," TYPE ",\"signatures\":[]}");
			assert_int_equal(parse(text, &dsse), 0);
			assert_int_equal(dsse->body_size, n / 4 * 3);
			dsse_free(dsse);
		}
}

static void test_example(void **state)
{
	_cleanup_(dsse_freep) struct dsse *dsse = NULL, *again = NULL;
	_cleanup_(key_freep) struct key *key = golden_key("ed25519.pem");
	_cleanup_free_ char *text = NULL, *second = NULL;
	uint8_t bytes[64];
	struct digest digest;
	char hex[DIGEST_HEX_SIZE];
	size_t size;

	(void)state;
	assert_int_equal(dsse_new(EXAMPLE_BODY, strlen(EXAMPLE_BODY), &dsse), 0);
	assert_int_equal(dsse->pae_size, 386);
	assert_int_equal(digest_data(dsse->pae, dsse->pae_size, &digest), 0);
	digest_to_hex(&digest, hex);
	assert_string_equal(
	        hex, "e5a934cdfa526b208fd5bc4c1cf644f7d31a0d6ed4c357865fe7ed29ca5ef870");
	assert_int_equal(base64_decode(SIG_1, strlen(SIG_1), bytes, &size), 0);
	assert_int_equal(key_verify(key, dsse->pae, dsse->pae_size, bytes, size), SIGNATURE_GOOD);
	assert_int_equal(dsse_add(dsse, KEY_1_ID, bytes, size), 0);
	assert_int_equal(dsse_add(dsse, NULL, bytes, size), 0);
	assert_int_equal(dsse->n_signatures, 1); /* the same bytes once */
	assert_int_equal(dsse_print(dsse, &text, &size), 0);
	assert_int_equal(size, strlen(text));
	assert_int_equal(text[size - 1], '\n');
	assert_int_equal(parse(text, &again), 0);
	assert_int_equal(again->pae_size, dsse->pae_size);
	assert_memory_equal(again->pae, dsse->pae, dsse->pae_size);
	assert_memory_equal(again->body, EXAMPLE_BODY, strlen(EXAMPLE_BODY));
	assert_ptr_equal(again->body + again->body_size, again->pae + again->pae_size);
	assert_string_equal(again->signatures[0].keyid, KEY_1_ID);
	assert_int_equal(dsse_print(again, &second, &size), 0);
	assert_string_equal(second, text);
}

static void test_accepted(void **state)
{
	static const struct {
		const char *text, *body;
		size_t n;
	} rows[] = {
	        {"{\"payload\":\"e30=\"," TYPE "," SIGS "}", "{}", 1},
	        {"{" SIGS "," TYPE ",\"payload\":\"e30=\"}", "{}", 1},
	        {" {\r\n\t\"payload\" : \"e30=\" , " TYPE " ,\n" SIGS "}\n ", "{}", 1},
	        {"{\"payload\":\"e30=\"," TYPE ",\"signatures\":[]}", "{}", 0},
	        {"{\"payload\":\"\"," TYPE ",\"signatures\":[]}", "", 0},
	        {"{\"payload\":\"-_-_\"," TYPE "," SIGS "}", "\xfb\xff\xbf", 1},
	        {"{\"payload\":\"+\\/+\\/\"," TYPE "," SIGS "}", "\xfb\xff\xbf", 1},
	        {"{\"payload\":\"\\u002b/+/\"," TYPE "," SIGS "}", "\xfb\xff\xbf", 1},
	        /* members that are not known, with strings that look like the payload */
	        {"{\"a\":[\"payload\",{\"payload\":\"AAAA\"}],\"b\":\"payload\",\"c\":"
	         "\"\\\"payload\\\":\\\"\","
	         "\"payload\":\"e30=\"," TYPE "," SIGS ",\"z\":1.5}",
	                "{}", 1},
	        {"{\"payload\":\"e30=\"," TYPE ",\"signatures\":[{\"sig\":\"AAAA\"},"
	         "{\"keyid\":null,\"sig\":\"AAAB\"},{\"keyid\":\"\",\"sig\":\"AAAC\",\"cert\":"
	         "\"x\"}]}",
	                "{}", 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(dsse_freep) struct dsse *dsse = NULL;
		int r = parse(rows[i].text, &dsse);

		if (r != 0)
			fail_msg("%s: %s", rows[i].text, dsse_error_name(r));
		assert_int_equal(dsse->n_signatures, rows[i].n);
		assert_int_equal(dsse->body_size, strlen(rows[i].body));
		assert_memory_equal(dsse->body, rows[i].body, dsse->body_size);
		for (size_t k = 0; rows[i].n == 3 && k < 3; k++)
			assert_null(dsse->signatures[k].keyid);
	}
}

static void test_refused(void **state)
{
#define SAYS(word, text)                                                                           \
	{                                                                                          \
		text, DSSE_E_##word                                                                \
	}
	static const struct {
		const char *text;
		int error;
	} rows[] = {
	        SAYS(JSON, ""),
	        SAYS(JSON, "x"),
	        SAYS(JSON, "{\"payload\":\"e30="),
	        SAYS(JSON, "{\"payload\":\"e30=\"," TYPE "," SIGS "} x"),
	        SAYS(JSON, "{\"payload\":\"e30=\"," TYPE "," SIGS "}{}"),
	        SAYS(JSON, "{\"payload\":\"e30=\",\"payload\":\"e30=\"," TYPE "," SIGS "}"),
	        SAYS(JSON, "{\"payload\":\"e30=\",\"p\\u0061yload\":\"e30=\"," TYPE "," SIGS "}"),
	        SAYS(JSON, "{\"payload\":\"e30=\"," TYPE "," TYPE "," SIGS "}"),
	        SAYS(JSON, "{\"payload\":\"e30=\"," TYPE "," SIGS "," SIGS "}"),
	        SAYS(JSON, "{\"payload\":\"e30=\"," TYPE
	                   ",\"signatures\":[{\"sig\":\"AAAA\",\"sig\":\"AAAA\"}]}"),
	        SAYS(JSON, "{\"payload\":\"e30=\"," TYPE "," SIGS ",\"x\":{\"a\":1,\"a\":1}}"),
	        SAYS(JSON, "{\"payload\":\"e30=\"," TYPE "," SIGS ",}"),
	        SAYS(JSON, "{\"payload\":\"e30=\"," TYPE "," SIGS ",\"x\":'a'}"),
	        SAYS(JSON, "\xef\xbb\xbf{\"payload\":\"e30=\"," TYPE "," SIGS "}"),
	        SAYS(JSON, "{\"payload\":\"\\q30=\"," TYPE "," SIGS "}"),
	        SAYS(JSON, "{\"payload\":\"e30=\"," TYPE "," SIGS
	                   ",\"x\":[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]}"),
	        SAYS(FIELDS, "{}"),
	        SAYS(FIELDS, "[]"),
	        SAYS(FIELDS, "[{\"payload\":\"e30=\"}]"),
	        SAYS(FIELDS, "{" TYPE "," SIGS "}"),
	        SAYS(FIELDS, "{\"payload\":\"e30=\"," SIGS "}"),
	        SAYS(FIELDS, "{\"payload\":\"e30=\"," TYPE "}"),
	        SAYS(FIELDS, "{\"payload\":1," TYPE "," SIGS "}"),
	        SAYS(FIELDS, "{\"payload\":null," TYPE "," SIGS "}"),
	        SAYS(FIELDS, "{\"p\\u0061yload\":\"e30=\"," TYPE "," SIGS "}"),
	        SAYS(FIELDS, "{\"payload\":\"e30=\",\"payloadType\":1," SIGS "}"),
	        SAYS(FIELDS, "{\"payload\":\"e30=\"," TYPE ",\"signatures\":{}}"),
	        SAYS(FIELDS, "{\"payload\":\"e30=\"," TYPE ",\"signatures\":[1]}"),
	        SAYS(FIELDS, "{\"payload\":\"e30=\"," TYPE ",\"signatures\":[{}]}"),
	        SAYS(FIELDS, "{\"payload\":\"e30=\"," TYPE
	                     ",\"signatures\":[{\"keyid\":1,\"sig\":\"AAAA\"}]}"),
	        SAYS(TYPE, "{\"payload\":\"e30=\",\"payloadType\":\"application/json\"," SIGS "}"),
	        SAYS(TYPE, "{\"payload\":\"e30=\",\"payloadType\":\"\"," SIGS "}"),
	        SAYS(BASE64, "{\"payload\":\"====\"," TYPE "," SIGS "}"),
	        SAYS(BASE64, "{\"payload\":\"e30\"," TYPE "," SIGS "}"),
	        SAYS(BASE64, "{\"payload\":\"e31=\"," TYPE "," SIGS "}"),
	        SAYS(BASE64, "{\"payload\":\"e3 =\"," TYPE "," SIGS "}"),
	        SAYS(BASE64, "{\"payload\":\"e\n0=\"," TYPE "," SIGS "}"),
	        SAYS(BASE64, "{\"payload\":\"+/-_\"," TYPE "," SIGS "}"),
	        SAYS(BASE64, "{\"payload\":\"=\"," TYPE "," SIGS "}"),
	        SAYS(BASE64, "{\"payload\":\"e30=\"," TYPE ",\"signatures\":[{\"sig\":\"AA\"}]}"),
	        SAYS(SIGNATURES, "{\"payload\":\"e30=\"," TYPE ",\"signatures\":[{\"sig\":\"\"}]}"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(dsse_freep) struct dsse *dsse = NULL;
		int r = parse(rows[i].text, &dsse);

		if (r != rows[i].error)
			fail_msg("%s: %s", rows[i].text, dsse_error_name(r));
		assert_null(dsse);
	}
	for (int i = 1; i < _DSSE_E_MAX; i++)
		assert_string_not_equal(dsse_error_name(i), "unknown");
}

/* Different ones up to @different, then the first again and again. */
static char *with_signatures(size_t n, size_t different)
{
	char *text = malloc(n * 32 + 256), *at = text;

	at += sprintf(at, "{\"payload\":\"e30=\"," TYPE ",\"signatures\":[");
	for (size_t i = 0; i < n; i++) {
		int k = i < different ? (int)i : 0;

		at += sprintf(
		        at, "%s{\"sig\":\"AA%c%c\"}", i ? "," : "", 'A' + k / 26, 'A' + k % 26);
	}
	strcpy(at, "]}");
	return text;
}

static void test_bounds(void **state)
{
	_cleanup_free_ char *most = with_signatures(32, 32), *more = with_signatures(33, 33);
	_cleanup_free_ char *same = with_signatures(33, 1);
	_cleanup_free_ char *large = malloc(DSSE_ENVELOPE_MAX + 2), *other = NULL;
	struct dsse *dsse = NULL;
	size_t head, size;

	(void)state;
	assert_int_equal(parse(most, &dsse), 0);
	assert_int_equal(dsse->n_signatures, 32);
	assert_int_equal(dsse_add(dsse, NULL, (const uint8_t *)"x", 1), DSSE_E_SIGNATURES);
	dsse_free(dsse);
	dsse = NULL;
	assert_int_equal(parse(more, &dsse), DSSE_E_SIGNATURES);
	assert_int_equal(parse(same, &dsse), DSSE_E_SIGNATURES);
	/* 64 MiB of text, and a byte more: one blank at its end. */
	head = (size_t)sprintf(large, "{" TYPE ",\"signatures\":[],\"payload\":\"");
	size = (DSSE_ENVELOPE_MAX - head - 2) / 4 * 4;
	memset(large + head, 'A', size);
	memcpy(large + head + size, "\"}", 2);
	memset(large + head + size + 2, ' ', DSSE_ENVELOPE_MAX + 1 - head - size - 2);
	assert_int_equal(dsse_parse(large, DSSE_ENVELOPE_MAX, &dsse), 0);
	assert_int_equal(dsse->body_size, size / 4 * 3);
	dsse_free(dsse);
	dsse = NULL;
	assert_int_equal(dsse_parse(large, DSSE_ENVELOPE_MAX + 1, &dsse), DSSE_E_TOO_LARGE);
	/* What is beside the payload is bounded by itself: it becomes a tree. */
	memset(large + head + 4, ' ', DSSE_BESIDE_MAX);
	memcpy(large + head + 4, "\"}", 2);
	assert_int_equal(dsse_parse(large, head + 4 + DSSE_BESIDE_MAX, &dsse), DSSE_E_TOO_LARGE);
	/* A signature and a hint have bounds of their own. */
	other = malloc(3 * DSSE_TEXT_MAX);
	head = (size_t)sprintf(other, "{\"payload\":\"e30=\"," TYPE ",\"signatures\":[{\"sig\":\"");
	memset(other + head, 'A', DSSE_TEXT_MAX + 4);
	strcpy(other + head + DSSE_TEXT_MAX + 4, "\"}]}");
	assert_int_equal(parse(other, &dsse), DSSE_E_TOO_LARGE);
	strcpy(other + head + DSSE_TEXT_MAX, "\"}]}");
	assert_int_equal(parse(other, &dsse), 0);
	dsse_free(dsse);
}

static void test_scan(void **state)
{
	static const struct {
		const char *text;
		size_t at, size;
	} rows[] = {
	        {"{\"payload\":\"abc\"}", 12, 3},
	        {"{\"a\":\"\\\"payload\",\"payload\":\"x\"}", 28, 1},
	        {"{\"a\":{\"payload\":\"x\"}}", 0, 0},
	        {"[\"payload\",\"x\"]", 0, 0},
	        {"\"payload\":\"x\"", 0, 0},
	        {"{\"payload\":\"a\\\"b\"}", 12, 4},
	        {"{\"payload\":\"\\\\\"}", 12, 2},
	};
	struct dsse_scan scan;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(dsse_scan(rows[i].text, strlen(rows[i].text), 16, &scan), 0);
		assert_int_equal(scan.found, rows[i].at != 0);
		assert_int_equal(scan.payload_at, rows[i].at);
		assert_int_equal(scan.payload_size, rows[i].size);
	}
	for (const char *text = "{\"payload\":\"abc"; *text; text++)
		(void)dsse_scan(text, strlen(text), 16, &scan);
	assert_true(dsse_scan("\"", 1, 16, &scan) < 0);
	assert_true(dsse_scan("\"\\", 2, 16, &scan) < 0);
	assert_true(dsse_scan("\"\\\"", 3, 16, &scan) < 0);
	assert_true(dsse_scan("[[", 2, 1, &scan) < 0);
	assert_int_equal(dsse_scan("[]", 2, 1, &scan), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_example),
	        cmocka_unit_test(test_in_place),
	        cmocka_unit_test(test_accepted),
	        cmocka_unit_test(test_refused),
	        cmocka_unit_test(test_bounds),
	        cmocka_unit_test(test_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
