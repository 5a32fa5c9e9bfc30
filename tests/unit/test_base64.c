/* Base64: RFC 4648's vectors, and that no byte string has two texts in one alphabet. */
#include "base/cleanup.h"
#include "crypto/base64.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *bytes, *text;
} vectors[] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, /* RFC 4648, 10 */
};

static int decode(const char *text, uint8_t *ret_data, size_t *ret_size)
{
	return base64_decode(text, strlen(text), ret_data, ret_size);
}

static void test_vectors(void **state)
{
	char text[16];
	uint8_t bytes[16];
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const char *plain = vectors[i].bytes;

		base64_encode((const uint8_t *)plain, strlen(plain), text);
		assert_string_equal(text, vectors[i].text);
		assert_int_equal(base64_encoded_size(strlen(plain)), strlen(text));
		assert_int_equal(decode(text, bytes, &size), 0);
		assert_int_equal(size, strlen(plain));
		assert_memory_equal(bytes, plain, size);
	}
}

static void test_both_alphabets(void **state)
{
	static const uint8_t bytes[] = {0xfb, 0xff, 0xbf};
	uint8_t out[3];
	char text[5];
	size_t size;

	(void)state;
	base64_encode(bytes, 3, text);
	assert_string_equal(text, "+/+/");
	assert_int_equal(decode("+/+/", out, &size), 0);
	assert_memory_equal(out, bytes, 3);
	assert_int_equal(decode("-_-_", out, &size), 0);
	assert_memory_equal(out, bytes, 3);
}

static void test_refused(void **state)
{
	static const char *const texts[] = {
	        "====",
	        "=",
	        "==",
	        "===",
	        "A===",
	        "AA=A",
	        "A=AA",
	        "=AAA",
	        "AAAA====",
	        "AAAA=",
	        "AAAA==",
	        "A",
	        "AA",
	        "AAA",
	        "AAAAA",
	        "AA==AAAA",
	        "AAA=AAA=", /* lengths and padding */
	        "+/-_",
	        "+AA-",
	        "_AA/",
	        "AAA+AAA-", /* both alphabets */
	        "AB==",
	        "AP==",
	        "AAB=",
	        "AAD=",
	        "//9=", /* loose bits */
	        " AAA",
	        "AAA ",
	        "AA\nA",
	        "AAAA\n",
	        "AAAA\r\n",
	        "A A A", /* white space */
	        "AA.A",
	        "AA*A",
	        "AA,A",
	        "AAA\x80",
	        "\xff\xff\xff\xff",
	        "AA~A",
	        "AAA@",
	        "AAA[",
	        "AAA`",
	        "AAA{",
	};
	uint8_t out[16];
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (decode(texts[i], out, &size) != -EINVAL)
			fail_msg("\"%s\" was accepted", texts[i]);
	assert_int_equal(base64_decode("AA\0A", 4, out, &size), -EINVAL);
}

/* Of all texts of one group, exactly those decode that encoding gives back, in either alphabet. */
static void test_one_text_for_the_same_bytes(void **state)
{
	static const char characters[] = "ABEPQgzw0189+/-_= ";
	size_t n = strlen(characters), size;
	char text[5] = "", again[5];
	uint8_t out[3];

	(void)state;
	for (size_t i = 0; i < n * n * n * n; i++) {
		size_t left = i;

		for (int k = 0; k < 4; k++, left /= n)
			text[k] = characters[left % n];
		if (decode(text, out, &size) < 0)
			continue;
		base64_encode(out, size, again);
		for (int k = 0; k < 4; k++) {
			bool url = text[k] == '-' || text[k] == '_';

			assert_int_equal(again[k], !url ? text[k] : text[k] == '-' ? '+' : '/');
		}
	}
}

static void test_every_length(void **state)
{
	uint8_t data[300], out[300];
	char text[408];
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 2654435761u >> 11);
	for (size_t n = 0; n <= sizeof(data); n++) {
		_cleanup_free_ uint8_t *exact =
		        malloc(base64_decoded_max(base64_encoded_size(n)) + 1);

		base64_encode(data, n, text);
		assert_int_equal(decode(text, exact, &size), 0);
		assert_int_equal(size, n);
		memcpy(out, exact, n);
		assert_memory_equal(out, data, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_vectors),
	        cmocka_unit_test(test_both_alphabets),
	        cmocka_unit_test(test_refused),
	        cmocka_unit_test(test_one_text_for_the_same_bytes),
	        cmocka_unit_test(test_every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
