/*
 * Hostile bytes as text, and times. Expected UTF-8 follows RFC 3629's table of well-formed
 * sequences; expected dates come from gmtime_r(3).
 */
#include "core/text.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define FFFD "\xef\xbf\xbd"

struct row {
	const char *in, *utf8, *terminal;
};

static const struct row rows[] = {
        {"", "", ""},
        {"ls", "ls", "ls"},
        {"a b\tc", "a b\tc", "a b\\x09c"},
        {"a\nb\r", "a\nb\r", "a\\x0ab\\x0d"},
        {"\x1b[31mred", "\x1b[31mred", "\\x1b[31mred"},
        {"\x7f", "\x7f", "\\x7f"},
        {"back\\slash", "back\\slash", "back\\\\slash"},
        {"caf\xc3\xa9", "caf\xc3\xa9", "caf\xc3\xa9"},
        {"\xe2\x82\xac", "\xe2\x82\xac", "\xe2\x82\xac"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
        /* C1, bidirectional controls, line separator, zero width, tags. */
        {"\xc2\x9b"
         "2J",
                "\xc2\x9b"
                "2J",
                "\\u{009b}2J"},
        {"\xe2\x80\xae"
         "exe",
                "\xe2\x80\xae"
                "exe",
                "\\u{202e}exe"},
        {"\xe2\x80\xa8", "\xe2\x80\xa8", "\\u{2028}"},
        {"\xe2\x81\xa6", "\xe2\x81\xa6", "\\u{2066}"},
        {"a\xe2\x80\x8b"
         "b",
                "a\xe2\x80\x8b"
                "b",
                "a\\u{200b}b"},
        {"\xef\xbb\xbf", "\xef\xbb\xbf", "\\u{feff}"},
        {"\xd8\x9c", "\xd8\x9c", "\\u{061c}"},
        {"\xf3\xa0\x81\x81", "\xf3\xa0\x81\x81", "\\u{e0041}"},
        /* Not UTF-8: byte by byte, and what follows stays readable. */
        {"\xff"
         "a",
                FFFD "a", "\\xffa"},
        {"\x80", FFFD, "\\x80"},
        {"\xc3", FFFD, "\\xc3"},
        {"\xc3(", FFFD "(", "\\xc3("},
        {"\xe2\x82", FFFD FFFD, "\\xe2\\x82"},
        {"\xe2\x82"
         "x",
                FFFD FFFD "x", "\\xe2\\x82x"},
        {"\xf0\x9f\x98", FFFD FFFD FFFD, "\\xf0\\x9f\\x98"},
        {"\xc0\xaf", FFFD FFFD, "\\xc0\\xaf"},                             /* overlong '/' */
        {"\xe0\x80\xaf", FFFD FFFD FFFD, "\\xe0\\x80\\xaf"},               /* overlong */
        {"\xf0\x80\x80\xaf", FFFD FFFD FFFD FFFD, "\\xf0\\x80\\x80\\xaf"}, /* overlong */
        {"\xed\xa0\x80", FFFD FFFD FFFD, "\\xed\\xa0\\x80"},               /* surrogate */
        {"\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD, "\\xf4\\x90\\x80\\x80"}, /* past U+10FFFF */
        {"\xf8\x88\x80\x80\x80", FFFD FFFD FFFD FFFD FFFD, "\\xf8\\x88\\x80\\x80\\x80"},
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *utf8 = text_to_utf8(rows[i].in), *terminal = text_for_terminal(rows[i].in);

		assert_string_equal(utf8, rows[i].utf8);
		assert_string_equal(terminal, rows[i].terminal);
		free(utf8);
		free(terminal);
	}
	assert_null(text_to_utf8(NULL));
	assert_null(text_for_terminal(NULL));
}

/* Well-formed per RFC 3629, section 4, row by row. */
static size_t well_formed(const unsigned char *p)
{
	static const struct {
		unsigned char low[4], high[4];
	} table[] = {
	        {{0x01}, {0x7f}},
	        {{0xc2, 0x80}, {0xdf, 0xbf}},
	        {{0xe0, 0xa0, 0x80}, {0xe0, 0xbf, 0xbf}},
	        {{0xe1, 0x80, 0x80}, {0xec, 0xbf, 0xbf}},
	        {{0xed, 0x80, 0x80}, {0xed, 0x9f, 0xbf}},
	        {{0xee, 0x80, 0x80}, {0xef, 0xbf, 0xbf}},
	        {{0xf0, 0x90, 0x80, 0x80}, {0xf0, 0xbf, 0xbf, 0xbf}},
	        {{0xf1, 0x80, 0x80, 0x80}, {0xf3, 0xbf, 0xbf, 0xbf}},
	        {{0xf4, 0x80, 0x80, 0x80}, {0xf4, 0x8f, 0xbf, 0xbf}},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		size_t n = 0;

		while (n < 4 && table[i].low[n] && p[n] >= table[i].low[n] &&
		        p[n] <= table[i].high[n])
			n++;
		if (n == 4 || !table[i].low[n])
			return n;
	}
	return 0;
}

/* Every pair and every third of the triples of bytes. */
static void test_every_short_sequence(void **state)
{
	(void)state;
	for (unsigned int n = 0x100; n < 0x1000000; n += n < 0x10000 ? 1 : 97) {
		unsigned char in[4] = {
		        (unsigned char)(n >> 8), (unsigned char)n, (unsigned char)(n >> 16), 0};
		char *out = text_to_utf8((const char *)in);
		const unsigned char *p = in;
		const char *q = out;

		while (*p) {
			size_t size = well_formed(p);

			if (memcmp(q, size ? (const char *)p : FFFD, size ? size : 3))
				fail_msg("%02x %02x %02x", in[0], in[1], in[2]);
			q += size ? size : 3;
			p += size ? size : 1;
		}
		assert_int_equal(*q, '\0');
		free(out);
	}
}

static void test_terminal_output_is_harmless(void **state)
{
	char all[256 * 2 + 1];

	(void)state;
	for (unsigned int i = 0; i < 256; i++) {
		all[2 * i] = (char)(i ? i : 1);
		all[2 * i + 1] = (char)(0xff - i ? 0xff - i : 1);
	}
	all[512] = '\0';
	for (size_t at = 0; at < 512; at++) {
		char *out = text_for_terminal(all + at);

		for (const char *p = out; *p; p++)
			assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
		free(out);
	}
}

static void test_longest(void **state)
{
	char *in = malloc(65537), *out;

	(void)state;
	assert_non_null(in);
	memset(in, 0xff, 65536);
	in[65536] = '\0';
	out = text_to_utf8(in);
	assert_int_equal(strlen(out), 3 * 65536);
	free(out);
	out = text_for_terminal(in);
	assert_int_equal(strlen(out), 4 * 65536);
	free(out);
	for (size_t i = 0; i < 65536; i += 2)
		memcpy(in + i, "\xc2\x80", 2);
	out = text_for_terminal(in);
	assert_int_equal(strlen(out), 4 * 65536);
	free(out);
	free(in);
}

static void check_time(int64_t time_ns, const char *expected)
{
	char text[TIME_TEXT_SIZE];

	memset(text, 'x', sizeof(text));
	time_to_rfc3339(time_ns, text);
	assert_string_equal(text, expected);
}

static void test_times(void **state)
{
	(void)state;
	check_time(0, "1970-01-01T00:00:00.000000000Z");
	check_time(-1, "1970-01-01T00:00:00.000000000Z");
	check_time(INT64_MIN, "1970-01-01T00:00:00.000000000Z");
	check_time(INT64_C(1790000042123456789), "2026-09-21T14:14:02.123456789Z");
	check_time(INT64_C(951782400000000001), "2000-02-29T00:00:00.000000001Z");
	check_time(INT64_C(4107542399999999999), "2100-02-28T23:59:59.999999999Z");
	check_time(INT64_C(4107542400000000000), "2100-03-01T00:00:00.000000000Z");
	check_time(INT64_MAX, "2262-04-11T23:47:16.854775807Z");
}

/* Every day until 2262 against the C library. */
static void test_days(void **state)
{
	(void)state;
	for (int64_t day = 0; day < INT64_MAX / NS_PER_SEC / 86400; day++) {
		time_t t = (time_t)(day * 86400 + day % 86400);
		char expected[TIME_TEXT_SIZE + 8];
		struct tm tm;

		assert_non_null(gmtime_r(&t, &tm));
		strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000000007Z", &tm);
		check_time(t * NS_PER_SEC + 7, expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_table),
	        cmocka_unit_test(test_every_short_sequence),
	        cmocka_unit_test(test_terminal_output_is_harmless),
	        cmocka_unit_test(test_longest),
	        cmocka_unit_test(test_times),
	        cmocka_unit_test(test_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
