/*
 * Names of enums: complete, distinct, and back again; zero is never what an unknown name grants.
 * Then digests as text, what a file's head tells, and ownership of facts.
 */
#include "core/facts.h"

#include "base/strtab.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Defines name_N and value_N of one enum with plain ints, so that the enums share one test. */
#define DEFINE_PLAIN(type)                                                                         \
	static const char *plain_##type##_name(int value)                                          \
	{                                                                                          \
		return type##_name((enum type)value);                                              \
	}                                                                                          \
	static int plain_##type##_value(const char *name)                                          \
	{                                                                                          \
		return (int)type##_from_name(name);                                                \
	}

DEFINE_PLAIN(origin)
DEFINE_PLAIN(verdict)
DEFINE_PLAIN(mode)
DEFINE_PLAIN(action)
DEFINE_PLAIN(reason)
DEFINE_PLAIN(mark_kind)

static const struct {
	const char *(*name)(int);
	int (*value)(const char *);
	int max;
} enums[] = {
        {plain_origin_name, plain_origin_value, _ORIGIN_MAX},
        {plain_verdict_name, plain_verdict_value, _VERDICT_MAX},
        {plain_mode_name, plain_mode_value, _MODE_MAX},
        {plain_action_name, plain_action_value, _ACTION_MAX},
        {plain_reason_name, plain_reason_value, _REASON_MAX},
        {plain_mark_kind_name, plain_mark_kind_value, _MARK_KIND_MAX},
};

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(enums) / sizeof(enums[0]); i++) {
		for (int value = 0; value < enums[i].max; value++) {
			const char *name = enums[i].name(value);

			/* A hole in the table would answer "unknown", which only zero may. */
			assert_true(value == 0 || strcmp(name, "unknown"));
			assert_int_equal(enums[i].value(name), value);
		}
		assert_string_equal(enums[i].name(enums[i].max), "unknown");
		assert_string_equal(enums[i].name(-1), "unknown");
		assert_int_equal(enums[i].value("no such name"), 0);
		assert_int_equal(enums[i].value(""), 0);
		assert_int_equal(enums[i].value("ALLOW"), 0);
		assert_int_equal(enums[i].value(NULL), 0);
	}
}

/* These are in alerts, databases and scripts: a change here breaks somebody. */
static void test_names_are_interface(void **state)
{
	(void)state;
	assert_string_equal(verdict_name(VERDICT_ALLOW), "allow");
	assert_string_equal(verdict_name(VERDICT_DENY), "deny");
	assert_string_equal(verdict_name(VERDICT_WOULD_DENY), "would_deny");
	assert_string_equal(origin_name(ORIGIN_DROPPED), "dropped");
	assert_string_equal(origin_name(ORIGIN_COPIED), "copied");
	assert_string_equal(mode_name(MODE_ENFORCE), "enforce");
	assert_string_equal(reason_name(REASON_DROPPED_COPY), "dropped_copy");
	assert_string_equal(reason_name(REASON_UNKNOWN), "unknown_origin");
	assert_string_equal(exec_kind_name(EXEC_KIND_SCRIPT), "script");
	assert_string_equal(exec_kind_name(_EXEC_KIND_MAX), "unknown");
}

static void test_strtab_holes(void **state)
{
	static const char *const table[] = {"zero", NULL, "two"};

	(void)state;
	assert_string_equal(strtab_name(table, STRTAB_SIZE(table), 1), "unknown");
	assert_int_equal(strtab_value(table, STRTAB_SIZE(table), "two"), 2);
	assert_int_equal(strtab_value(table, STRTAB_SIZE(table), "unknown"), -1);
	assert_int_equal(strtab_value(table, STRTAB_SIZE(table), NULL), -1);
	assert_int_equal(strtab_value(table, 0, "zero"), -1);
}

static void test_exec_kind(void **state)
{
	static const struct {
		const char *head;
		size_t size;
		enum exec_kind kind;
	} rows[] = {
	        {"\x7f"
	         "ELF\x02",
	                5, EXEC_KIND_ELF},
	        {"\x7f"
	         "ELF",
	                4, EXEC_KIND_ELF},
	        {"\x7f"
	         "ELF",
	                3, EXEC_KIND_OTHER},
	        {"#!/bin/sh", 9, EXEC_KIND_SCRIPT},
	        {"#!", 2, EXEC_KIND_SCRIPT},
	        {"#!", 1, EXEC_KIND_OTHER},
	        {" #!", 3, EXEC_KIND_OTHER},
	        {"", 0, EXEC_KIND_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
		        exec_kind_of((const uint8_t *)rows[i].head, rows[i].size), rows[i].kind);
	assert_int_equal(exec_kind_of(NULL, 0), EXEC_KIND_OTHER);
}

static void test_digest_text(void **state)
{
	struct digest a, b, kept;
	char text[DIGEST_HEX_SIZE], wrong[80];

	(void)state;
	for (unsigned int i = 0; i < DIGEST_SIZE; i++)
		a.bytes[i] = (uint8_t)(i * 8);
	digest_to_hex(&a, text);
	assert_int_equal(strlen(text), 64);
	assert_int_equal(digest_from_hex(text, &b), 0);
	assert_true(digest_equal(&a, &b));
	b.bytes[31] ^= 1;
	assert_false(digest_equal(&a, &b));
	kept = b;
	snprintf(wrong, sizeof(wrong), "%s0", text);
	assert_int_equal(digest_from_hex(wrong, &b), -EINVAL);
	snprintf(wrong, sizeof(wrong), "%.63s", text);
	assert_int_equal(digest_from_hex(wrong, &b), -EINVAL);
	snprintf(wrong, sizeof(wrong), "%.63sg", text);
	assert_int_equal(digest_from_hex(wrong, &b), -EINVAL);
	assert_int_equal(digest_from_hex("", &b), -EINVAL);
	assert_true(digest_equal(&b, &kept)); /* written on success only */
}

static void test_identity(void **state)
{
	struct file_identity a = {1, 2, 3, 4, 5, 6}, b = a;

	(void)state;
	assert_true(file_identity_equal(&a, &b));
	b.ctime_ns++;
	assert_true(file_identity_same_inode(&a, &b));
	assert_false(file_identity_equal(&a, &b));
	b = a;
	b.btime_ns++; /* the inode number was used again */
	assert_false(file_identity_same_inode(&a, &b));
	b = a;
	b.size++;
	assert_false(file_identity_equal(&a, &b));
}

static void test_container_copy(void **state)
{
	struct container_info a = {.key = strdup("/u"),
	                              .id = strdup("i"),
	                              .pod = strdup("p"),
	                              .start_ns = 5},
	                      b = {0};

	(void)state;
	assert_int_equal(container_info_copy(&a, &b), 0);
	assert_string_equal(b.key, "/u");
	assert_ptr_not_equal(a.key, b.key);
	assert_string_equal(b.pod, "p");
	assert_null(b.image);
	assert_int_equal(b.start_ns, 5);
	container_info_done(&a);
	container_info_done(&b);
	assert_null(b.key);
	container_info_done(&b); /* twice is harmless */
}

static void test_facts_done(void **state)
{
	struct exec_facts f = {.path = strdup("p"),
	        .host_path = strdup("h"),
	        .copy_of = strdup("c"),
	        .exec_argv0 = strdup("0"),
	        .exec_argv = strdup("0 1")};
	struct drop_info drop = {.exe = strdup("e"), .cmdline = strdup("c")};

	(void)state;
	f.container.name = strdup("n");
	f.process.comm = strdup("c");
	f.process.parents[ANCESTOR_MAX - 1] = strdup("init");
	f.process.parent_exepath = strdup("/x");
	exec_facts_done(&f); /* what is left over, the address sanitizer tells */
	exec_facts_done(&f);
	drop_info_done(&drop);
	drop_info_done(&drop);
	assert_null(f.path);
	assert_null(drop.exe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_names),
	        cmocka_unit_test(test_names_are_interface),
	        cmocka_unit_test(test_strtab_holes),
	        cmocka_unit_test(test_exec_kind),
	        cmocka_unit_test(test_digest_text),
	        cmocka_unit_test(test_identity),
	        cmocka_unit_test(test_container_copy),
	        cmocka_unit_test(test_facts_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
