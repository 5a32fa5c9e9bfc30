/* passwd_find(): names of a container's users out of hostile text. */
#include "core/passwd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check(const char *text, int64_t uid, const char *expected)
{
	char *name = passwd_find(text, strlen(text), uid);

	if (expected)
		assert_string_equal(name, expected);
	else
		assert_null(name);
	free(name);
}

static void test_find(void **state)
{
	(void)state;
	check("root:x:0:0:root:/:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n", 0, "root");
	check("root:x:0:0:root:/:/bin/sh\nalice:x:1000:1000::/:/bin/sh", 1000, "alice");
	check("first:x:5:\nsecond:x:5:\n", 5, "first");
	check("a:x:1:\n", 2, NULL);
	check("", 0, NULL);
	check(":x:0:\n", 0, NULL);
	check("nouid:x::\n", 0, NULL);
	check("bad:x:0x0:\nneg:x:-1:\nhuge:x:99999999999999999999:\n", 0, NULL);
	check("\n\n::::\nx\nok:x:7:7", 7, "ok");
	check("short:x:8", 8, NULL);
}

static void test_long_name(void **state)
{
	char line[400];

	(void)state;
	memset(line, 'n', sizeof(line));
	memcpy(line + 300, ":x:0:\n", 7);
	check(line, 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_find),
	        cmocka_unit_test(test_long_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
