/* interpreter_of(): scripts and ELF files, hostile ones too. */
#include "core/interpreter.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void check(const char *text, const char *path, const char *name)
{
	struct interpreter found;
	bool any = interpreter_of((const uint8_t *)text, strlen(text), &found);

	assert_int_equal(any, path != NULL);
	if (!any)
		return;
	assert_string_equal(found.path, path);
	assert_string_equal(found.name, name);
}

static void test_scripts(void **state)
{
	(void)state;
	check("#!/bin/sh\nx", "/bin/sh", "");
	check("#! \t/bin/sh -e x\n", "/bin/sh", "");
	check("#!/usr/bin/env python3\n", "/usr/bin/env", "python3");
	check("#!/usr/bin/env -S A=1 python3 -u\n", "/usr/bin/env", "python3");
	check("#!/usr/bin/env\n", "/usr/bin/env", "");
	check("#!sh", "sh", "");
	check("#!\n/bin/sh\n", NULL, "");
	check("#!", NULL, "");
	check("#", NULL, "");
	check("", NULL, "");
}

struct file {
	Elf64_Ehdr header;
	Elf64_Phdr entries[2];
	char path[32];
};

static struct file make(void)
{
	struct file f = {
	        .header = {.e_phoff = sizeof(Elf64_Ehdr),
	                .e_phnum = 2,
	                .e_phentsize = sizeof(Elf64_Phdr)},
	        .entries = {{.p_type = PT_LOAD},
	                {.p_type = PT_INTERP,
	                        .p_offset = __builtin_offsetof(struct file, path),
	                        .p_filesz = sizeof("/lib/ld.so")}},
	        .path = "/lib/ld.so",
	};

	memcpy(f.header.e_ident, ELFMAG, SELFMAG);
	f.header.e_ident[EI_CLASS] = ELFCLASS64;
	return f;
}

static bool look(const struct file *f, size_t size, struct interpreter *ret)
{
	return interpreter_of((const uint8_t *)f, size, ret);
}

static void test_elf(void **state)
{
	struct interpreter found;
	struct file f = make();

	(void)state;
	assert_true(look(&f, sizeof(f), &found));
	assert_string_equal(found.path, "/lib/ld.so");
	for (size_t size = 0; size < __builtin_offsetof(struct file, path); size++)
		assert_false(look(&f, size, &found));
}

static void test_hostile_elf(void **state)
{
	static const uint64_t bad[] = {
	        UINT64_MAX, UINT64_MAX - 8, INT64_MAX, 1u << 20, sizeof(struct file)};
	struct interpreter found;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct file f = make();

		f.header.e_phoff = bad[i];
		assert_false(look(&f, sizeof(f), &found));
		f = make();
		f.entries[1].p_offset = bad[i];
		assert_false(look(&f, sizeof(f), &found));
		f = make();
		f.entries[1].p_filesz = bad[i];
		assert_false(look(&f, sizeof(f), &found));
	}
	for (uint64_t n = 0; n < 2; n++) {
		struct file f = make();

		f.entries[1].p_filesz = n;
		assert_false(look(&f, sizeof(f), &found));
	}
	struct file f = make();

	f.header.e_phentsize = 1;
	assert_false(look(&f, sizeof(f), &found));
	f.header.e_phentsize = sizeof(Elf64_Phdr);
	f.header.e_phnum = UINT16_MAX;
	f.entries[1].p_type = PT_LOAD;
	assert_false(look(&f, sizeof(f), &found));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_scripts),
	        cmocka_unit_test(test_elf),
	        cmocka_unit_test(test_hostile_elf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
