/* crontab_each() and shell_line_each(): what tables of users start. */
#include "core/crontab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct log {
	char text[2048];
	size_t n;
};

static int note_line(const char *command, bool is_path, void *userdata)
{
	struct log *log = userdata;

	log->n += (size_t)snprintf(log->text + log->n, sizeof(log->text) - log->n, "%s<%s>",
	        is_path ? "PATH" : "", command);
	return log->n < sizeof(log->text) ? 0 : 7;
}

static int note_word(const char *word, void *userdata)
{
	struct log *log = userdata;

	log->n += (size_t)snprintf(log->text + log->n, sizeof(log->text) - log->n, "%s ", word);
	return log->n < sizeof(log->text) ? 0 : 7;
}

static void check_table(const char *text, bool has_user, const char *expected)
{
	struct log log = {.text = ""};

	assert_int_equal(crontab_each(text, strlen(text), has_user, note_line, &log), 0);
	assert_string_equal(log.text, expected);
}

static void check_words(const char *line, const char *expected)
{
	struct log log = {.text = ""};

	assert_int_equal(shell_line_each(line, note_word, &log), 0);
	assert_string_equal(log.text, expected);
}

static void test_entries(void **state)
{
	(void)state;
	check_table("17 *\t* * *  root\tcd / && run\n", true, "<cd / && run>");
	check_table("17 * * * * run -x\n", false, "<run -x>");
	check_table("@reboot root run\n@daily\n", true, "<run>");
	check_table("@reboot run", false, "<run>");
	check_table("# 1 2 3 4 5 root no\n\n   \n1 2 3 4 5 root\n1 2 3\n", true, "");
	check_table(
	        "* * * * * cat % in % put\n* * * * * date \\%s % x\n", false, "<cat ><date %s >");
}

static void test_settings(void **state)
{
	(void)state;
	check_table("PATH=/bin:/sbin\nSHELL=/bin/sh\n PATH = \"/a b\" \nPATHS=/no\n", false,
	        "PATH</bin:/sbin>PATH</a b>");
	check_table("MAILTO=x\n=x\nA =\n", false, "");
	check_table("PATH=\n", false, "PATH<>");
}

static void test_words(void **state)
{
	(void)state;
	check_words("run-parts --report /etc/cron.hourly", "run-parts /etc/cron.hourly ");
	check_words("cd / && test -x /a || ( /b; c )", "cd / test /a /b c ");
	check_words("A=1 B=\"x\" nice -n exec prog arg", "A=1 B=x nice -n ");
	check_words("if [ -d /run/x ]; then y; fi", "if [ /run/x then y fi ");
	check_words("\"/a b\" 'c'd e\\ f", "/a b /a e ");
	check_words("sh -c '/x && y' >/dev/null 2>&1", "sh /x && y /x y /dev/null 1 ");
	check_words("", "");
	check_words(";;|&()", "");
	check_words("'", "");
}

/* Quotes in quotes: each level is looked at, up to a bound. */
static void test_depth(void **state)
{
	char line[SHELL_WORD_MAX * 2];
	struct log log = {.text = ""};

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(line); i++)
		line[i] = "\\'\" ;"[i % 5];
	line[sizeof(line) - 1] = '\0';
	(void)shell_line_each(line, note_word, &log);
	memset(line, 'x', sizeof(line) - 1);
	log = (struct log){.text = ""};
	assert_int_equal(shell_line_each(line, note_word, &log), 0);
	assert_string_equal(log.text, ""); /* too long for a path */
}

static void test_bounds(void **state)
{
	size_t size = CRONTAB_TEXT_MAX + 64;
	char *text = malloc(size);
	struct log log = {.text = ""};

	(void)state;
	memset(text, ' ', size);
	memcpy(text + size - 40, "\n* * * * * behind\n", 18);
	assert_int_equal(crontab_each(text, size, false, note_line, &log), 0);
	assert_string_equal(log.text, "");
	memset(text, '*', size);
	assert_int_equal(crontab_each(text, size, false, note_line, &log), 0);
	free(text);
	assert_int_equal(crontab_each("@x a\0b\n@x c\n", 12, false, note_line, &log), 0);
	assert_string_equal(log.text, "<ab><c>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_entries),
	        cmocka_unit_test(test_settings),
	        cmocka_unit_test(test_words),
	        cmocka_unit_test(test_depth),
	        cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
