/* Durations and points in time: what is read, what is refused, and where the ranges end. */
#include "base/clock.h"
#include "config/config.h"
#include "config/timestamp.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct value {
	const char *text;
	int r;
	int64_t ns;
};

static void assert_values(
        const struct value *values, size_t n, int (*parse)(const char *text, int64_t *ret_ns))
{
	for (size_t i = 0; i < n; i++) {
		int64_t ns = -7;
		int r = parse(values[i].text, &ns);

		if (r != values[i].r || ns != (r == 0 ? values[i].ns : -7))
			fail_msg("\"%s\": %d, %lld", values[i].text, r, (long long)ns);
	}
}

static void test_durations(void **state)
{
	static const struct value values[] = {
	        {"0s", 0, 0},
	        {"1ms", 0, NS_PER_MSEC},
	        {"500ms", 0, 500 * NS_PER_MSEC},
	        {"5s", 0, 5 * NS_PER_SEC},
	        {"10m", 0, 600 * NS_PER_SEC},
	        {"24h", 0, 86400 * NS_PER_SEC},
	        {"180d", 0, 180 * 86400 * NS_PER_SEC},
	        {"007s", 0, 7 * NS_PER_SEC},
	        {"36500d", 0, INT64_C(36500) * 86400 * NS_PER_SEC},
	        {"36501d", -ERANGE, 0},
	        {"3153600000000ms", 0, INT64_C(36500) * 86400 * NS_PER_SEC},
	        {"3153600000001ms", -ERANGE, 0},
	        {"9223372036854775807ms", -ERANGE, 0},
	        {"99999999999999999999999999999999s", -ERANGE, 0},
	        {"", -EINVAL, 0},
	        {"s", -EINVAL, 0},
	        {"5", -EINVAL, 0},
	        {"-5s", -EINVAL, 0},
	        {"+5s", -EINVAL, 0},
	        {" 5s", -EINVAL, 0},
	        {"5 s", -EINVAL, 0},
	        {"5s ", -EINVAL, 0},
	        {"1.5s", -EINVAL, 0},
	        {"5S", -EINVAL, 0},
	        {"5sec", -EINVAL, 0},
	        {"5us", -EINVAL, 0},
	        {"1h30m", -EINVAL, 0},
	        {"0x5s", -EINVAL, 0},
	        {"99999999999999999999x", -EINVAL, 0},
	};

	(void)state;
	assert_values(values, sizeof(values) / sizeof(values[0]), duration_parse);
}

static void test_timestamps(void **state)
{
	static const struct value values[] = {
	        {"2027-01-01", 0, 1798761600 * NS_PER_SEC},
	        {"2027-01-01T00:00:00Z", 0, 1798761600 * NS_PER_SEC},
	        {"2027-01-01t00:00:00z", 0, 1798761600 * NS_PER_SEC},
	        {"2027-01-01T02:00:00+02:00", 0, 1798761600 * NS_PER_SEC},
	        {"2026-12-31T18:30:00-05:30", 0, 1798761600 * NS_PER_SEC},
	        {"2027-01-01T00:00:00.5Z", 0, 1798761600 * NS_PER_SEC + 500 * NS_PER_MSEC},
	        {"2027-01-01T00:00:00.000000001Z", 0, 1798761600 * NS_PER_SEC + 1},
	        {"2000-01-01", 0, 946684800 * NS_PER_SEC},
	        {"2028-02-29", 0, 1835395200 * NS_PER_SEC},
	        {"2261-12-31T23:59:59Z", 0, 9214646399 * NS_PER_SEC},
	        {"1970-01-01", -ERANGE, 0}, /* 0 ns would mean "never" */
	        {"1999-12-31", -ERANGE, 0},
	        {"2262-01-01", -ERANGE, 0},
	        {"2027-02-29", -ERANGE, 0},
	        {"2100-02-29", -ERANGE, 0},
	        {"2027-02-31", -ERANGE, 0},
	        {"2027-13-01", -ERANGE, 0},
	        {"2027-00-10", -ERANGE, 0},
	        {"2027-01-00", -ERANGE, 0},
	        {"2027-01-01T24:00:00Z", -ERANGE, 0},
	        {"2027-01-01T00:60:00Z", -ERANGE, 0},
	        {"2026-12-31T23:59:60Z", -ERANGE, 0},
	        {"", -EINVAL, 0},
	        {"2027", -EINVAL, 0},
	        {"2027-1-1", -EINVAL, 0},
	        {" 2027-01-01", -EINVAL, 0},
	        {"2027-01-01 ", -EINVAL, 0},
	        {"2027-01-01T", -EINVAL, 0},
	        {"2027-01-01T00:00Z", -EINVAL, 0},
	        {"2027-01-01T00:00:00", -EINVAL, 0},
	        {"2027-01-01 00:00:00Z", -EINVAL, 0},
	        {"2027-01-01T00:00:00.Z", -EINVAL, 0},
	        {"2027-01-01T00:00:00.0000000001Z", -EINVAL, 0},
	        {"2027-01-01T00:00:00+2", -EINVAL, 0},
	        {"2027-01-01T00:00:00+24:00", -EINVAL, 0},
	        {"2027-01-01T00:00:00+02:60", -EINVAL, 0},
	        {"2027-01-01T00:00:00+02:00Z", -EINVAL, 0},
	        {"tomorrow", -EINVAL, 0},
	        {"01.01.2027", -EINVAL, 0},
	};

	(void)state;
	assert_values(values, sizeof(values) / sizeof(values[0]), timestamp_parse);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_durations),
	        cmocka_unit_test(test_timestamps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
