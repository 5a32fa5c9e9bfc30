/* unit_exec_each(): what units start, out of hostile text. */
#include "core/unit_exec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct log {
	char text[1024];
	size_t n;
};

/* "P:word A:word S:word " */
static int note(enum unit_word_kind kind, const char *word, void *userdata)
{
	static const char letters[] = "?PAS";
	struct log *log = userdata;

	log->n += (size_t)snprintf(
	        log->text + log->n, sizeof(log->text) - log->n, "%c:%s ", letters[kind], word);
	return log->n < sizeof(log->text) ? 0 : 7;
}

static void check(const char *text, const char *expected, bool expected_installs)
{
	struct log log = {.text = ""};
	bool installs = !expected_installs;

	assert_int_equal(unit_exec_each(text, strlen(text), note, &log, &installs), 0);
	assert_string_equal(log.text, expected);
	assert_int_equal(installs, expected_installs);
}

static void test_sections(void **state)
{
	(void)state;
	check("[Unit]\nExecStart=/bin/no\n[Service]\nExecStart=/bin/yes\n", "P:/bin/yes ", false);
	check("[Service]\nExecStart=/a\n[Install]\nWantedBy=x\nExecStart=/no\n", "P:/a ", true);
	check("[Socket]\nExecStartPre=/a\n[Mount]\nExecX=/b\n[Swap]\nExec=/c\n[X]\nExec=/d\n",
	        "P:/a P:/b P:/c ", false);
	check("ExecStart=/none\n", "", false);
	check("[Service\nExecStart=/none\n", "", false);
	check(" [Service] \n  ExecStart = /bin/a  b \n", "P:/bin/a A:b ", false);
	check("", "", false);
}

static void test_prefixes(void **state)
{
	(void)state;
	check("[Service]\nExecStart=-/a\nExecStart=!!/b\nExecStart=+:/c\nExecStart=|/d",
	        "P:/a P:/b P:/c P:/d ", false);
	check("[Service]\nExecStart=@/a argv0 arg\n", "P:/a A:arg ", false);
	check("[Service]\nExecStart=-@/a argv0\n", "P:/a ", false);
	check("[Service]\nExecStart=\nExecStart=-\nExecStart=name\n", "P:name ", false);
}

static void test_words(void **state)
{
	(void)state;
	check("[Service]\nExecStart=\"/a b\" 'c d'\"e\" f\\x20g \\\"\n",
	        "P:/a b A:c de A:f g A:\" ", false);
	check("[Service]\nExecStart=/a ; /b x ; -/c\n", "P:/a P:/b A:x P:/c ", false);
	check("[Service]\nExecStart=/a%%b %i\n", "P:/a%b A:%i ", false);
	check("[Service]\nExecStart=/bin/sh -c '/a; /b' x\n", "P:/bin/sh A:-c S:/a; /b A:x ",
	        false);
	check("[Service]\nExecStart=/a 'open\n", "P:/a A:open ", false);
	check("[Service]\nExecStart=/a \\x4\\xzz\\q\\\n", "P:/a A:x4xzzq ", false);
}

static void test_lines(void **state)
{
	(void)state;
	check("[Service]\nExecStart=/a \\\n  b \\\n# comment\n  c\nExecStop=/d\n",
	        "P:/a A:b A:c P:/d ", false);
	check("[Service]\n#ExecStart=/a\n ;ExecStart=/b\nExecStart=/c\\\n", "P:/c ", false);
	check("[Service]\r\nExecStart=/a\r\n", "P:/a ", false);
}

static void test_bounds(void **state)
{
	size_t size = UNIT_TEXT_MAX + 100, n = 0;
	char *text = malloc(size);
	struct log log = {.text = ""};
	bool installs = false;

	(void)state;
	n = (size_t)sprintf(text, "[Service]\nExecStart=/");
	memset(text + n, 'x', size - n);
	memcpy(text + n + UNIT_WORD_MAX, " /b ", 4);
	memcpy(text + size - 20, "\nExecStart=/behind\n", 19);
	/* Too long a word is left out, and so is what stands behind the bound. */
	assert_int_equal(unit_exec_each(text, size, note, &log, &installs), 0);
	assert_string_equal(log.text, "A:/b ");
	memset(text, '\\', size);
	assert_int_equal(unit_exec_each(text, size, note, &log, &installs), 0);
	free(text);
}

static void test_end(void **state)
{
	static const char text[] = "[Service]\nExecStart=/a /b\nExecStart=/c\n\0[Install]\n";
	struct log log = {.text = "", .n = sizeof(log.text) - 6};
	bool installs = false;

	(void)state;
	memset(log.text, '.', log.n);
	assert_int_equal(unit_exec_each(text, sizeof(text), note, &log, &installs), 7);
	assert_false(installs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_sections),
	        cmocka_unit_test(test_prefixes),
	        cmocka_unit_test(test_words),
	        cmocka_unit_test(test_lines),
	        cmocka_unit_test(test_bounds),
	        cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
