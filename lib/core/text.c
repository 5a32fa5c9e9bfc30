/*
 * UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, nothing past U+10FFFF. What is not
 * UTF-8 is replaced byte by byte, so that the rest of a name stays readable. A terminal gets
 * escapes instead, and the doubled backslash keeps them apart from a name that contains `\x1b` as
 * such.
 */
#include "core/text.h"

#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define ESCAPED_MAX 4u             /* bytes out for one in: `\xff` for 1, `\u{0085}` for 2 */

/* Bytes of the sequence at @p, with its code point; 0 when it is not UTF-8. */
static size_t decode(const unsigned char *p, uint32_t *ret_code)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = p[0] < 0x80 ? 1 : (p[0] & 0xe0) == 0xc0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : 4;
	uint32_t code = p[0];

	if (n == 1) {
		*ret_code = code;
		return 1;
	}
	if (n == 4 && (p[0] & 0xf8) != 0xf0)
		return 0;
	code &= 0xffu >> (n + 1);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80) /* the final NUL ends here, too */
			return 0;
		code = code << 6 | (p[i] & 0x3fu);
	}
	if (code < smallest[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return n;
}

char *text_to_utf8(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	char *out, *q;

	if (!text)
		return NULL;
	out = q = malloc(strlen(text) * (sizeof(REPLACEMENT) - 1) + 1);
	if (!out)
		return NULL;
	while (*p) {
		uint32_t code;
		size_t n = decode(p, &code);

		if (n == 0) {
			q = stpcpy(q, REPLACEMENT);
			p++;
			continue;
		}
		memcpy(q, p, n);
		q += n;
		p += n;
	}
	*q = '\0';
	return out;
}

/* What moves the cursor, hides text, or turns its direction. */
static bool is_dangerous(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

char *text_for_terminal(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	char *out, *q;

	if (!text)
		return NULL;
	out = q = malloc(strlen(text) * ESCAPED_MAX + 1);
	if (!out)
		return NULL;
	while (*p) {
		uint32_t code;
		size_t n = decode(p, &code);

		if (n == 0) {
			q += sprintf(q, "\\x%02x", *p++);
			continue;
		}
		if (code == '\\')
			q = stpcpy(q, "\\\\");
		else if (is_dangerous(code) && code < 0x80)
			q += sprintf(q, "\\x%02x", code);
		else if (is_dangerous(code))
			q += sprintf(q, "\\u{%04x}", code);
		else
			q = mempcpy(q, p, n);
		p += n;
	}
	*q = '\0';
	return out;
}

/* Days since 1970-01-01 as a date of the proleptic Gregorian calendar (Hinnant's algorithm). */
static void civil_from_days(
        int64_t days, int64_t *ret_year, unsigned int *ret_month, unsigned int *ret_day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned int doe = (unsigned int)(z - era * 146097);
	unsigned int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned int mp = (5 * doy + 2) / 153;

	*ret_day = doy - (153 * mp + 2) / 5 + 1;
	*ret_month = mp < 10 ? mp + 3 : mp - 9;
	*ret_year = (int64_t)yoe + era * 400 + (*ret_month <= 2);
}

void time_to_rfc3339(int64_t time_ns, char ret_text[TIME_TEXT_SIZE])
{
	int64_t seconds, days, year;
	unsigned int month, day, rest, ns;

	if (time_ns < 0)
		time_ns = 0; /* before 1970 there were no containers */
	seconds = time_ns / NS_PER_SEC;
	ns = (unsigned int)(time_ns % NS_PER_SEC);
	days = seconds / 86400;
	rest = (unsigned int)(seconds % 86400);
	civil_from_days(days, &year, &month, &day);
	snprintf(ret_text, TIME_TEXT_SIZE, "%04d-%02u-%02uT%02u:%02u:%02u.%09uZ",
	        (int)(year % 10000), month % 100, day % 100, rest / 3600 % 24, rest / 60 % 60,
	        rest % 60, ns);
}
