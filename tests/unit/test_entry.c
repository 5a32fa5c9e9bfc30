/* Entries: what counts as a change, what counts as the same file, and the order of paths. */
#include "core/entry.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Literals become fields without a copy: nothing here is freed. */
#define T(literal) ((char *)(uintptr_t)(literal))

static struct entry file(void)
{
	struct entry entry = {
	        .path = T("/usr/bin/env"),
	        .type = ENTRY_FILE,
	        .mode = 0755,
	        .size = 10,
	        .content = CONTENT_KNOWN,
	        .digest.bytes = {1, 2, 3},
	        .caps = {1, 2},
	        .caps_size = 2,
	        .package = T("coreutils 9"),
	        .identity = {.dev = 1, .ino = 2, .btime_ns = 3, .ctime_ns = 4, .mtime_ns = 5},
	        .handle = {7, 8},
	        .handle_size = 2,
	        .handle_type = 1,
	        .settled = true,
	};

	return entry;
}

/*
 * Changes.
 */
static void test_nothing_changed(void **state)
{
	struct entry before = file(), now = file();

	(void)state;
	now.identity = (struct file_identity){.dev = 9, .ino = 9, .ctime_ns = 9, .mtime_ns = 9};
	now.handle_size = 0;
	now.settled = false;
	now.package = NULL;
	now.kind = EXEC_KIND_SCRIPT;
	now.flags = ENTRY_EXECUTABLE;
	now.path = T("/elsewhere");
	now.caps[2] = 9; /* past their end */
	assert_int_equal(entry_compare(&before, &now), 0);
}

static void test_what_changed(void **state)
{
	const struct entry before = file();
	struct entry now = file();

	(void)state;
	now.digest.bytes[31] = 1;
	assert_int_equal(entry_compare(&before, &now), ENTRY_CHANGED_CONTENT);
	now = file();
	now.size = 11;
	assert_int_equal(entry_compare(&before, &now), ENTRY_CHANGED_CONTENT);
	now = file();
	now.mode = 04755;
	assert_int_equal(entry_compare(&before, &now), ENTRY_CHANGED_MODE);
	now = file();
	now.uid = 1;
	assert_int_equal(entry_compare(&before, &now), ENTRY_CHANGED_OWNER);
	now = file();
	now.gid = 1;
	assert_int_equal(entry_compare(&before, &now), ENTRY_CHANGED_OWNER);
	now = file();
	now.caps[1] = 9;
	assert_int_equal(entry_compare(&before, &now), ENTRY_CHANGED_CAPS);
	now.caps_size = 0;
	assert_int_equal(entry_compare(&before, &now), ENTRY_CHANGED_CAPS);
	now = file();
	now.flags = ENTRY_IMA;
	assert_int_equal(entry_compare(&before, &now), ENTRY_CHANGED_IMA);
	now = file();
	now.type = ENTRY_FIFO;
	now.mode = 0600;
	assert_int_equal(entry_compare(&before, &now), ENTRY_CHANGED_TYPE | ENTRY_CHANGED_MODE);
	now = file();
	now.caps_size = ENTRY_CAPS_MAX + 1; /* nothing is read past them */
	assert_int_equal(entry_compare(&now, &now), ENTRY_CHANGED_CAPS);
}

static void test_links_and_devices(void **state)
{
	struct entry a = {.path = T("/l"), .type = ENTRY_SYMLINK, .mode = 0777, .target = T("x")};
	struct entry b = a;

	(void)state;
	b.mode = 0755;
	assert_int_equal(entry_compare(&a, &b), 0);
	b.target = T("y");
	assert_int_equal(entry_compare(&a, &b), ENTRY_CHANGED_TARGET);
	b.target = NULL;
	assert_int_equal(entry_compare(&a, &b), ENTRY_CHANGED_TARGET);
	a = (struct entry){.path = T("/d"), .type = ENTRY_CHAR, .rdev_major = 1, .rdev_minor = 3};
	b = a;
	b.rdev_minor = 5;
	assert_int_equal(entry_compare(&a, &b), ENTRY_CHANGED_TARGET);
	b = a;
	b.size = 7; /* of directories and devices it says nothing */
	assert_int_equal(entry_compare(&a, &b), 0);
}

/* What is known of one of two does not make them differ, unless it should be known. */
static void test_unknown_content(void **state)
{
	static const struct {
		enum entry_content before, now;
		bool changed;
	} cases[] = {
	        {CONTENT_KNOWN, CONTENT_UNREAD, false},
	        {CONTENT_UNREAD, CONTENT_KNOWN, false},
	        {CONTENT_UNREAD, CONTENT_UNREAD, false},
	        {CONTENT_UNREADABLE, CONTENT_UNREADABLE, false},
	        {CONTENT_MUTABLE, CONTENT_MUTABLE, false},
	        {CONTENT_KNOWN, CONTENT_UNREADABLE, true},
	        {CONTENT_KNOWN, CONTENT_MUTABLE, true},
	        {CONTENT_UNREADABLE, CONTENT_KNOWN, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct entry before = file(), now = file();

		before.content = cases[i].before;
		now.content = cases[i].now;
		now.digest.bytes[0] = cases[i].now == CONTENT_KNOWN ? 1 : 99;
		assert_int_equal(
		        entry_compare(&before, &now), cases[i].changed ? ENTRY_CHANGED_CONTENT : 0);
		now.size++;
		assert_int_equal(entry_compare(&before, &now), ENTRY_CHANGED_CONTENT);
	}
}

/*
 * The same file.
 */
static void test_unchanged(void **state)
{
	const struct entry before = file();
	struct entry now = file();

	(void)state;
	now.settled = false; /* what counts is that it had settled when it was read */
	now.digest.bytes[0] = 0;
	now.content = CONTENT_UNREAD;
	now.mode = 0;
	assert_true(entry_unchanged(&before, &now));
	assert_true(entry_unchanged(&before, &before));
}

static void test_no_longer_unchanged(void **state)
{
	const struct entry good = file();
	struct entry cases[14][2];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < 14; i++)
		cases[i][0] = cases[i][1] = good;
	cases[n++][0].settled = false;
	cases[n++][1].identity.ctime_ns++;
	cases[n++][1].identity.mtime_ns++;
	cases[n++][1].size++;
	cases[n++][1].identity.ino++;
	cases[n++][1].identity.dev++;
	cases[n++][1].identity.btime_ns++;
	cases[n++][1].handle[1]++;
	cases[n++][1].handle_size = 1;
	cases[n++][1].handle_type++;
	cases[n++][1].type = ENTRY_FIFO;
	/* Of an archive: no times at all. */
	cases[n][0].identity.ctime_ns = cases[n][1].identity.ctime_ns = 0;
	n++;
	/* Neither handle nor birth time: an inode number may be used again. */
	cases[n][0].handle_size = cases[n][1].handle_size = 0;
	cases[n][0].identity.btime_ns = cases[n][1].identity.btime_ns = 0;
	n++;
	cases[n][0].handle_size = cases[n][1].handle_size = ENTRY_HANDLE_MAX + 1;
	n++;
	for (size_t i = 0; i < n; i++)
		if (entry_unchanged(&cases[i][0], &cases[i][1]))
			fail_msg("case %zu", i);
	cases[0][0] = cases[0][1] = good;
	cases[0][0].handle_size = cases[0][1].handle_size = 0;
	assert_true(entry_unchanged(&cases[0][0], &cases[0][1])); /* by its birth time */
}

static void test_copy(void **state)
{
	struct entry entry = file(), copy;

	(void)state;
	entry.target = T("x");
	assert_int_equal(entry_copy(&entry, &copy), 0);
	assert_string_equal(copy.path, entry.path);
	assert_ptr_not_equal(copy.path, entry.path);
	assert_string_equal(copy.target, "x");
	assert_string_equal(copy.package, "coreutils 9");
	assert_memory_equal(copy.handle, entry.handle, ENTRY_HANDLE_MAX);
	assert_int_equal(entry_compare(&entry, &copy), 0);
	entry_done(&copy);
	assert_null(copy.path);
	entry_done(&copy);
}

/*
 * Words.
 */
static void test_names(void **state)
{
	static const char *const changes[] = {
	        "type", "content", "mode", "owner", "capabilities", "target", "ima"};

	(void)state;
	for (int i = 1; i < _ENTRY_TYPE_MAX; i++)
		assert_int_equal(entry_type_from_name(entry_type_name((enum entry_type)i)), i);
	assert_int_equal(entry_type_from_name("unset"), ENTRY_UNSET);
	assert_int_equal(entry_type_from_name("socket "), ENTRY_UNSET);
	assert_int_equal(entry_type_from_name(NULL), ENTRY_UNSET);
	assert_string_equal(entry_type_name(_ENTRY_TYPE_MAX), "unknown");
	assert_string_equal(entry_content_name(CONTENT_UNREAD), "unread");
	assert_string_equal(entry_content_name(_CONTENT_MAX), "unknown");
	for (unsigned int i = 0; i < 7; i++)
		assert_string_equal(entry_change_name(1u << i), changes[i]);
	assert_null(entry_change_name(0));
	assert_null(entry_change_name(1u << 7));
	assert_null(entry_change_name(3));
}

/*
 * Paths.
 */
static int sign(int value)
{
	return (value > 0) - (value < 0);
}

static void test_order(void **state)
{
	static const char *const ordered[] = {"", "/", "/a", "/a/", "/a/b", "/a/b/c", "/a/\xff",
	        "/a\x01", "/a\n", "/a b", "/a-b", "/a.", "/a.b", "/a0", "/aa", "/a\x7f", "/a\x80",
	        "/a\xff", "/a\xff/b", "/b"};
	const size_t n = sizeof(ordered) / sizeof(ordered[0]);

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++)
			assert_int_equal(sign(entry_path_compare(ordered[i], ordered[k])),
			        (i > k) - (i < k));
}

static void random_path(unsigned int *seed, char ret_path[8])
{
	static const char bytes[] = "/\x01\x02.-0a\x80\xff";
	size_t n = (size_t)rand_r(seed) % 7;

	for (size_t i = 0; i < n; i++)
		ret_path[i] = bytes[(size_t)rand_r(seed) % (sizeof(bytes) - 1)];
	ret_path[n] = '\0';
}

/* Total: every two are ordered, one way, and three agree. */
static void test_order_is_total(void **state)
{
	unsigned int seed = 7;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		char a[8], b[8], c[8];
		int ab, bc;

		random_path(&seed, a);
		random_path(&seed, b);
		random_path(&seed, c);
		ab = sign(entry_path_compare(a, b));
		bc = sign(entry_path_compare(b, c));
		assert_int_equal(ab, -sign(entry_path_compare(b, a)));
		assert_int_equal(ab == 0, strcmp(a, b) == 0);
		if (ab <= 0 && bc <= 0)
			assert_true(entry_path_compare(a, c) <= 0);
	}
}

/* All that is in a directory comes directly after it. */
static void test_order_keeps_directories_together(void **state)
{
	static const char *const beside[] = {
	        "/a ", "/a-", "/a.", "/a\x01", "/a!", "/a0", "/b", "/"};
	static const char *const inside[] = {"/a/\x01", "/a/z", "/a/\xff\xff", "/a/b/c"};

	(void)state;
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
		for (size_t k = 0; k < sizeof(beside) / sizeof(beside[0]); k++)
			assert_int_equal(sign(entry_path_compare(beside[k], inside[i])),
			        sign(entry_path_compare(beside[k], "/a")));
}

static void test_valid_paths(void **state)
{
	static const char *const good[] = {"/", "/a", "/a/b", "/...", "/.a", "/a.", "/..a/b..",
	        "/\n", "/\x01", "/\xff\xfe", "/ ", "/a\\b"};
	static const char *const bad[] = {"", "a", "a/b", "//", "/a/", "/a//b", "//a", "/.", "/..",
	        "/./a", "/a/.", "/a/..", "/a/../b", "./a"};
	char *longest = malloc(ENTRY_PATH_MAX + 2);

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(entry_path_valid(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (entry_path_valid(bad[i]))
			fail_msg("%s", bad[i]);
	assert_non_null(longest);
	memset(longest, 'x', ENTRY_PATH_MAX + 1);
	longest[0] = '/';
	longest[ENTRY_PATH_MAX + 1] = '\0';
	assert_false(entry_path_valid(longest));
	longest[ENTRY_PATH_MAX] = '\0';
	assert_true(entry_path_valid(longest));
	free(longest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_nothing_changed),
	        cmocka_unit_test(test_what_changed),
	        cmocka_unit_test(test_links_and_devices),
	        cmocka_unit_test(test_unknown_content),
	        cmocka_unit_test(test_unchanged),
	        cmocka_unit_test(test_no_longer_unchanged),
	        cmocka_unit_test(test_copy),
	        cmocka_unit_test(test_names),
	        cmocka_unit_test(test_order),
	        cmocka_unit_test(test_order_is_total),
	        cmocka_unit_test(test_order_keeps_directories_together),
	        cmocka_unit_test(test_valid_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
