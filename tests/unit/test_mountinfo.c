/*
 * Lines of mount tables: captured ones of podman and Docker (Linux 6.18), and damaged ones.
 */
#include "base/cleanup.h"
#include "core/mountinfo.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int parse(const char *text, struct mountinfo_line *ret)
{
	const char *cursor = text;
	int r = mountinfo_next(&cursor, text + strlen(text), ret);
	const char *newline = strchr(text, '\n');

	/* whatever came of it, the cursor is behind the line */
	assert_ptr_equal(cursor, newline ? newline + 1 : text + strlen(text));
	return r;
}

static void test_docker(void **state)
{
	_cleanup_(mountinfo_line_done) struct mountinfo_line l = {0};

	(void)state;
	assert_int_equal(
	        parse("107 93 0:51 / /var/lib/docker/overlay2/76347e/merged rw,relatime shared:2 - "
	              "overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/3UI5:/var/lib/docker/"
	              "overlay2/l/HZSR,upperdir=/var/lib/docker/overlay2/76347e/diff\n",
	                &l),
	        1);
	assert_int_equal(l.id, 107);
	assert_int_equal(l.parent, 93);
	assert_int_equal(l.dev_major, 0);
	assert_int_equal(l.dev_minor, 51);
	assert_string_equal(l.root, "/");
	assert_string_equal(l.mountpoint, "/var/lib/docker/overlay2/76347e/merged");
	assert_string_equal(l.fstype, "overlay");
	assert_string_equal(l.source, "overlay");
	assert_string_equal(l.options,
	        "rw,lowerdir=/var/lib/docker/overlay2/l/3UI5:/var/lib/docker/overlay2/l/HZSR,"
	        "upperdir=/var/lib/docker/overlay2/76347e/diff");
}

static void test_optional_fields(void **state)
{
	static const char *const rows[] = {
	        "1 2 0:3 / /m rw - overlay src rw,x=1\n",
	        "1 2 0:3 / /m rw shared:1 - overlay src rw,x=1\n",
	        "1 2 0:3 / /m rw shared:1 master:2 - overlay src rw,x=1\n",
	        "1 2 0:3 / /m rw shared:1 master:2 propagate_from:3 - overlay src rw,x=1\n",
	        "1 2 0:3 / /m rw new-in-7.0:9 - overlay src rw,x=1\n",
	        "1 2 0:3 / /m - - overlay src rw,x=1\n", /* options named "-" end nothing */
	        "1 2 0:3 / /m rw - overlay src rw,x=1 unknown\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(mountinfo_line_done) struct mountinfo_line l = {0};

		assert_int_equal(parse(rows[i], &l), 1);
		assert_string_equal(l.mountpoint, "/m");
		assert_string_equal(l.fstype, "overlay");
		assert_string_equal(l.source, "src");
		assert_string_equal(l.options, "rw,x=1");
	}
}

/* A mount point cannot become a field, a separator or a line, and options keep their escapes. */
static void test_escapes(void **state)
{
	_cleanup_(mountinfo_line_done) struct mountinfo_line a = {0}, b = {0}, c = {0};

	(void)state;
	assert_int_equal(parse("1 2 0:3 /r\\040x /a\\040-\\040overlay\\012line\\011t\\134040 rw - "
	                       "overlay no\\134ne rw,lowerdir=e\\040f:c\\134\\054d\n",
	                         &a),
	        1);
	assert_string_equal(a.root, "/r x");
	assert_string_equal(a.mountpoint, "/a - overlay\nline\tt\\040");
	assert_string_equal(a.source, "no\\ne");
	assert_string_equal(a.options, "rw,lowerdir=e\\040f:c\\134\\054d");

	/* what is no escape stays: digits past 7, a NUL, past a byte, too short, at the end */
	assert_int_equal(parse("1 2 0:3 / /\\089\\000\\400\\777\\04 rw - overlay \\ rw\n", &b), 1);
	assert_string_equal(b.mountpoint, "/\\089\\000\\400\\777\\04");
	assert_string_equal(b.source, "\\");

	assert_int_equal(parse("1 2 0:3 / /\303\244\377 rw - fuse.a\\040b  rw\n", &c), 1);
	assert_string_equal(c.mountpoint, "/\303\244\377");
	assert_string_equal(c.fstype, "fuse.a b");
	assert_string_equal(c.source, ""); /* mounted with an empty source */
}

static void test_malformed(void **state)
{
	static const char *const rows[] = {
	        "\n",
	        " \n",
	        "1\n",
	        "1 2 0:3 / /m rw shared:1 overlay src rw\n", /* no separator */
	        "1 2 0:3 / /m rw -\n",
	        "1 2 0:3 / /m rw - overlay\n",
	        "1 2 0:3 / /m rw - overlay src\n",
	        "1 2 0:3 / /m rw - overlay src  rw\n", /* empty options */
	        "1 2 0:3 / /m rw - overlay src rw",    /* cut off */
	        "1 2 0:3 / /m\n",
	        "1 2 0:3 /\n",
	        "1 2 03 / /m rw - overlay src rw\n",
	        "1 2 0: / /m rw - overlay src rw\n",
	        "1 2 :3 / /m rw - overlay src rw\n",
	        "1 2 0:3x / /m rw - overlay src rw\n",
	        "1 2 4294967296:3 / /m rw - overlay src rw\n",
	        "1 2 0:4294967296 / /m rw - overlay src rw\n",
	        "-1 2 0:3 / /m rw - overlay src rw\n",
	        "1 +2 0:3 / /m rw - overlay src rw\n",
	        "x 2 0:3 / /m rw - overlay src rw\n",
	        "18446744073709551616 2 0:3 / /m rw - overlay src rw\n",
	        "99999999999999999999999 2 0:3 / /m rw - overlay src rw\n",
	        "1  2 0:3 / /m rw - overlay src rw\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mountinfo_line l;

		memset(&l, 0x55, sizeof(l));
		if (parse(rows[i], &l) != -EINVAL)
			fail_msg("row %zu: %s", i, rows[i]);
		assert_int_equal(l.dev_minor, 0x55555555); /* untouched */
	}
}

static void test_nul(void **state)
{
	static const char text[] =
	        "1 2 0:3 / /m\0 rw - overlay src rw\n2 1 0:4 / /n rw - tmpfs t rw\n";
	_cleanup_(mountinfo_line_done) struct mountinfo_line l = {0};
	const char *cursor = text, *end = text + sizeof(text) - 1;

	(void)state;
	assert_int_equal(mountinfo_next(&cursor, end, &l), -EINVAL);
	assert_int_equal(mountinfo_next(&cursor, end, &l), 1);
	assert_string_equal(l.mountpoint, "/n");
	assert_int_equal(mountinfo_next(&cursor, end, &(struct mountinfo_line){0}), 0);
}

/* A bad line costs itself only. */
static void test_table(void **state)
{
	static const char text[] = "1 2 0:3 / /a rw - ext4 /dev/vda rw\n"
	                           "garbage\n"
	                           "\n"
	                           "2 1 0:51 / /b rw shared:1 - overlay overlay rw,lowerdir=x\n"
	                           "3 1 0:52 / /c rw - overlay overlay rw,lower";
	const char *cursor = text, *end = text + sizeof(text) - 1;
	int r, good = 0, bad = 0;

	(void)state;
	do {
		struct mountinfo_line l = {0};

		r = mountinfo_next(&cursor, end, &l);
		good += r > 0;
		bad += r < 0;
		mountinfo_line_done(&l);
	} while (r != 0);
	assert_int_equal(good, 2);
	assert_int_equal(bad, 3);
}

/* Cut off anywhere, without a byte behind it: never a line, never a read past the end. */
static void test_truncation(void **state)
{
	static const char text[] = "107 93 0:51 / /m rw shared:2 - overlay o rw,lowerdir=/l\\040\n";

	(void)state;
	for (size_t n = 1; n < sizeof(text) - 1; n++) {
		_cleanup_free_ char *exact = malloc(n);
		struct mountinfo_line l = {0};
		const char *cursor = exact;

		assert_non_null(exact);
		memcpy(exact, text, n);
		assert_int_equal(mountinfo_next(&cursor, exact + n, &l), -EINVAL);
	}
}

static void test_long_line(void **state)
{
	const size_t size = 1024 * 1024;
	_cleanup_free_ char *text = malloc(size + 128);
	_cleanup_(mountinfo_line_done) struct mountinfo_line l = {0};
	size_t used;

	(void)state;
	assert_non_null(text);
	used = (size_t)sprintf(text, "1 2 0:3 / /");
	memset(text + used, 'x', size);
	used += size;
	sprintf(text + used, " rw - overlay o rw\n");
	assert_int_equal(parse(text, &l), 1);
	assert_int_equal(strlen(l.mountpoint), size + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_docker),
	        cmocka_unit_test(test_optional_fields),
	        cmocka_unit_test(test_escapes),
	        cmocka_unit_test(test_malformed),
	        cmocka_unit_test(test_nul),
	        cmocka_unit_test(test_table),
	        cmocka_unit_test(test_truncation),
	        cmocka_unit_test(test_long_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
