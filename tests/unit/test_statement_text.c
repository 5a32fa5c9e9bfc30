/* Times of a statement: one spelling of each, real days alone; and who has an image's whole name.
 */
#include "core/image.h"
#include "core/statement.h"

#include "base/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_times(void **state)
{
	static const char *const good[] = {"1970-01-01T00:00:00Z", "2000-02-29T23:59:59Z",
	        "2024-02-29T12:00:00Z", "2100-02-28T00:00:00Z", "2261-12-31T23:59:59Z"};
	static const char *const bad[] = {"", "2026-01-01", "2026-01-01T00:00:00",
	        "2026-01-01t00:00:00z", "2026-01-01T00:00:00.0Z", "2026-01-01T00:00:00+00:00",
	        "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
	        "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
	        "2026-01-01T00:00:60Z", "1969-12-31T23:59:59Z", "2262-01-01T00:00:00Z",
	        " 2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z ", "-026-01-01T00:00:00Z"};
	char text[STATEMENT_TIME_SIZE];
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(statement_time_parse(good[i], &ns), 0);
		assert_int_equal(statement_time_print(ns + 999999999, text), 0);
		assert_string_equal(text, good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(statement_time_parse(bad[i], &ns), -EINVAL);
	assert_int_equal(statement_time_print(INT64_MAX, text), -EINVAL);
	assert_int_equal(statement_time_print(-1, text), -EINVAL);
}

static void test_completes_references(void **state)
{
	static const char *const rows[][2] = {
	        {"web", "docker.io/library/web:latest"},
	        {"web:1", "docker.io/library/web:1"},
	        {"me/web", "docker.io/me/web:latest"},
	        {"localhost/web", "localhost/web:latest"},
	        {"example.org/web:1", "example.org/web:1"},
	        {"example.org:5000/web", "example.org:5000/web:latest"},
	        {"web@sha256:00", "docker.io/library/web@sha256:00"},
	        {"", NULL},
	        {"0123456789ab", NULL},
	        {"sha256:0123456789ab", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_free_ char *full = image_ref_qualify(rows[i][0]);

		if (rows[i][1])
			assert_string_equal(full, rows[i][1]);
		else
			assert_null(full);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_times),
	        cmocka_unit_test(test_completes_references),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
