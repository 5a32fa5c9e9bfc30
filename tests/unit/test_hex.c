/* Hexadecimal both ways: every byte, both cases, and everything that is not a digit. */
#include "base/hex.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_every_byte(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 256; i++) {
		uint8_t byte = (uint8_t)i, back = (uint8_t)~i;
		char text[3], expected[3], upper[3];

		hex_encode(&byte, 1, text);
		snprintf(expected, sizeof(expected), "%02x", i);
		snprintf(upper, sizeof(upper), "%02X", i);
		assert_string_equal(text, expected);
		assert_int_equal(hex_decode(text, 2, &back, 1), 0);
		assert_int_equal(back, byte);
		back = (uint8_t)~i;
		assert_int_equal(hex_decode(upper, 2, &back, 1), 0);
		assert_int_equal(back, byte);
	}
}

static void test_every_character(void **state)
{
	(void)state;
	for (int c = -128; c < 128; c++) {
		char first[2] = {(char)c, '0'}, second[2] = {'0', (char)c};
		bool digit = c > 0 && strchr("0123456789abcdefABCDEF", c);
		uint8_t byte;

		assert_int_equal(hex_decode(first, 2, &byte, 1), digit ? 0 : -EINVAL);
		assert_int_equal(hex_decode(second, 2, &byte, 1), digit ? 0 : -EINVAL);
	}
}

static void test_lengths(void **state)
{
	uint8_t data[4] = {0xde, 0xad, 0xbe, 0xef}, out[4];
	char text[9];

	(void)state;
	hex_encode(data, 4, text);
	assert_string_equal(text, "deadbeef");
	hex_encode(data, 0, text);
	assert_string_equal(text, "");
	assert_int_equal(hex_decode("", 0, out, 0), 0);
	for (size_t n = 0; n <= 8; n++)
		assert_int_equal(hex_decode("deadbeef", n, out, 4), n == 8 ? 0 : -EINVAL);
	assert_int_equal(hex_decode("deadbeef00", 10, out, 4), -EINVAL);
	assert_int_equal(hex_decode("deadbeef0", 9, out, 4), -EINVAL);
	assert_int_equal(hex_decode("de", SIZE_MAX, out, 4), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_every_byte),
	        cmocka_unit_test(test_every_character),
	        cmocka_unit_test(test_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
