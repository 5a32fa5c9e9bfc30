/* A list's time and versions: each reason alone, and the edges of each comparison. */
#include "base/clock.h"
#include "core/allowlist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DAY    (INT64_C(86400) * NS_PER_SEC)
#define ISSUED (20000 * DAY)
#define SKEW   (300 * NS_PER_SEC)

static const struct statement list = {.version = 7,
        .issued_ns = ISSUED,
        .expires_ns = ISSUED + 180 * DAY,
        .bind = STATEMENT_BIND_DIGEST};
static const struct allowlist_limits limits = {
        .now_ns = ISSUED + DAY, .skew_ns = SKEW, .max_validity_ns = 400 * DAY};
static const struct digest payload = {{7}}, other = {{8}};
static const struct allowlist_state fresh = {.history = ALLOWLIST_HISTORY_NONE};

static void test_accepted(void **state)
{
	(void)state;
	assert_int_equal(allowlist_check(&list, &payload, &fresh, &limits), ALLOWLIST_ACCEPTED);
	assert_int_equal(allowlist_check_time(&list, &limits), ALLOWLIST_ACCEPTED);
	assert_int_equal(allowlist_check_running(&list, &limits), ALLOWLIST_ACCEPTED);
}

static enum allowlist_reason at(int64_t now_ns)
{
	struct allowlist_limits now = limits;

	now.now_ns = now_ns;
	return allowlist_check(&list, &payload, &fresh, &now);
}

static void test_time(void **state)
{
	struct allowlist_limits l = limits;

	(void)state;
	assert_int_equal(at(list.expires_ns - 1), ALLOWLIST_ACCEPTED);
	assert_int_equal(at(list.expires_ns), ALLOWLIST_EXPIRED);
	assert_int_equal(at(INT64_MAX), ALLOWLIST_EXPIRED);
	assert_int_equal(at(ISSUED - SKEW), ALLOWLIST_ACCEPTED);
	assert_int_equal(at(ISSUED - SKEW - 1), ALLOWLIST_NOT_YET_VALID);
	assert_int_equal(at(1), ALLOWLIST_NOT_YET_VALID);
	assert_int_equal(at(0), ALLOWLIST_BAD_STATEMENT); /* a clock that says nothing */
	assert_int_equal(at(-1), ALLOWLIST_BAD_STATEMENT);
	l.max_validity_ns = 180 * DAY;
	assert_int_equal(allowlist_check_time(&list, &l), ALLOWLIST_ACCEPTED);
	l.max_validity_ns--;
	assert_int_equal(allowlist_check_time(&list, &l), ALLOWLIST_VALIDITY_TOO_LONG);
	l.max_validity_ns = 0;
	assert_int_equal(allowlist_check_time(&list, &l), ALLOWLIST_BAD_STATEMENT);
}

static void test_clock_turned_back(void **state)
{
	struct allowlist_limits l = limits;

	(void)state;
	l.latest_now_ns = l.now_ns + SKEW;
	assert_int_equal(allowlist_check_time(&list, &l), ALLOWLIST_ACCEPTED);
	l.latest_now_ns++;
	assert_int_equal(allowlist_check_time(&list, &l), ALLOWLIST_CLOCK_TURNED_BACK);
	/* Within the skew, but the list had ended at the later now. */
	l.now_ns = list.expires_ns - 1;
	l.latest_now_ns = list.expires_ns;
	assert_int_equal(allowlist_check_time(&list, &l), ALLOWLIST_EXPIRED);
	/* Long after, and back again into its time. */
	l.latest_now_ns = list.expires_ns + 100 * DAY;
	assert_int_equal(allowlist_check_time(&list, &l), ALLOWLIST_CLOCK_TURNED_BACK);
}

static void test_grace(void **state)
{
	struct allowlist_limits l = limits;

	(void)state;
	l.grace_ns = DAY;
	l.now_ns = list.expires_ns;
	assert_int_equal(allowlist_check_time(&list, &l), ALLOWLIST_EXPIRED); /* not when loaded */
	assert_int_equal(allowlist_check_running(&list, &l), ALLOWLIST_ACCEPTED);
	l.now_ns = list.expires_ns + DAY - 1;
	assert_int_equal(allowlist_check_running(&list, &l), ALLOWLIST_ACCEPTED);
	l.now_ns++;
	assert_int_equal(allowlist_check_running(&list, &l), ALLOWLIST_EXPIRED);
	l.grace_ns = INT64_MAX;
	assert_int_equal(allowlist_check_running(&list, &l), ALLOWLIST_ACCEPTED);
	l.grace_ns = -1;
	assert_int_equal(allowlist_check_running(&list, &l), ALLOWLIST_BAD_STATEMENT);
	l.grace_ns = 0;
	l.skew_ns = -1;
	assert_int_equal(allowlist_check_running(&list, &l), ALLOWLIST_BAD_STATEMENT);
	l.skew_ns = INT64_MAX;
	l.now_ns = ISSUED;
	assert_int_equal(allowlist_check_running(&list, &l), ALLOWLIST_ACCEPTED);
}

static void test_versions(void **state)
{
	struct allowlist_state known = {
	        .history = ALLOWLIST_HISTORY_KNOWN, .version = 6, .payload = other};
	struct allowlist_state unread = {0};

	(void)state;
	assert_int_equal(allowlist_check(&list, &payload, &known, &limits), ALLOWLIST_ACCEPTED);
	known.version = 7;
	assert_int_equal(allowlist_check(&list, &payload, &known, &limits),
	        ALLOWLIST_EQUAL_VERSION_OTHER_CONTENT);
	known.payload = payload;
	assert_int_equal(allowlist_check(&list, &payload, &known, &limits), ALLOWLIST_UNCHANGED);
	known.version = 8;
	assert_int_equal(allowlist_check(&list, &payload, &known, &limits), ALLOWLIST_ROLLED_BACK);
	assert_int_equal(allowlist_check(&list, &payload, &unread, &limits), ALLOWLIST_STATE_LOST);
	unread.history = (enum allowlist_history)99;
	assert_int_equal(allowlist_check(&list, &payload, &unread, &limits), ALLOWLIST_STATE_LOST);
}

static void test_floor(void **state)
{
	struct allowlist_limits l = limits;

	(void)state;
	l.floor_version = 7;
	assert_int_equal(allowlist_check(&list, &payload, &fresh, &l), ALLOWLIST_ACCEPTED);
	l.floor_version = 8;
	assert_int_equal(allowlist_check(&list, &payload, &fresh, &l), ALLOWLIST_BELOW_FLOOR);
}

/* Expired and rolled back at once: what a new date would not mend comes after. */
static void test_order(void **state)
{
	struct allowlist_state known = {.history = ALLOWLIST_HISTORY_KNOWN, .version = 9};
	struct allowlist_limits l = limits;

	(void)state;
	l.now_ns = list.expires_ns;
	l.floor_version = 8;
	assert_int_equal(allowlist_check(&list, &payload, &known, &l), ALLOWLIST_EXPIRED);
	l.now_ns = limits.now_ns;
	assert_int_equal(allowlist_check(&list, &payload, &known, &l), ALLOWLIST_BELOW_FLOOR);
}

static void test_insane_statements(void **state)
{
	struct statement s = list;

	(void)state;
	s.expires_ns = s.issued_ns;
	assert_int_equal(allowlist_check_time(&s, &limits), ALLOWLIST_BAD_STATEMENT);
	s.expires_ns = 0;
	assert_int_equal(allowlist_check_time(&s, &limits), ALLOWLIST_BAD_STATEMENT);
	s.issued_ns = INT64_MIN;
	s.expires_ns = INT64_MAX;
	assert_int_equal(allowlist_check_time(&s, &limits), ALLOWLIST_BAD_STATEMENT);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < _ALLOWLIST_REASON_MAX; i++) {
		const char *name = allowlist_reason_name((enum allowlist_reason)i);

		assert_string_not_equal(name, "unknown");
		assert_string_not_equal(allowlist_reason_text((enum allowlist_reason)i), "unknown");
		for (int k = 0; k < i; k++)
			assert_string_not_equal(
			        name, allowlist_reason_name((enum allowlist_reason)k));
		assert_int_equal(allowlist_is_good((enum allowlist_reason)i),
		        i == ALLOWLIST_ACCEPTED || i == ALLOWLIST_UNCHANGED);
	}
	assert_int_equal(ALLOWLIST_UNCHECKED, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_accepted),
	        cmocka_unit_test(test_time),
	        cmocka_unit_test(test_clock_turned_back),
	        cmocka_unit_test(test_grace),
	        cmocka_unit_test(test_versions),
	        cmocka_unit_test(test_floor),
	        cmocka_unit_test(test_order),
	        cmocka_unit_test(test_insane_statements),
	        cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
