/*
 * Walks of real trees: what is found, what is never opened, what is not followed, and trees as deep
 * and as wide as somebody likes.
 */
#include "tests/component/walk_fixture.h"

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

/*
 * What is found.
 */
static void test_kinds(void **state)
{
	struct fixture *f = *state;

	make_text(f, "elf", ELF, 0644);
	make_text(f, "script", "#!/bin/sh\n", 0644);
	make_text(f, "other", "MZ", 0755);
	make_text(f, "data", "data", 0640);
	make_text(f, "empty", "", 0755);
	assert_int_equal(mkdirat(f->fd, "sub", 0750), 0);
	make_text(f, "sub/suid", ELF, 04755);
	assert_int_equal(symlinkat("/etc", f->fd, "link"), 0);
	walk(f);
	assert_int_equal(f->n, 9);
	assert_int_equal(need(f, "/elf")->kind, EXEC_KIND_ELF);
	assert_int_equal(need(f, "/elf")->flags, ENTRY_EXECUTABLE);
	assert_int_equal(need(f, "/script")->kind, EXEC_KIND_SCRIPT);
	assert_int_equal(need(f, "/other")->kind, EXEC_KIND_OTHER);
	assert_int_equal(need(f, "/data")->flags, 0);
	assert_int_equal(need(f, "/data")->mode, 0640);
	assert_int_equal(need(f, "/data")->uid, geteuid());
	assert_int_equal(need(f, "/empty")->flags, ENTRY_EXECUTABLE);
	check_digest(need(f, "/elf"), ELF, strlen(ELF));
	check_digest(need(f, "/empty"), "", 0);
	assert_int_equal(need(f, "/sub/suid")->mode, 04755);
	assert_int_equal(need(f, "/sub")->type, ENTRY_DIRECTORY);
	assert_string_equal(need(f, "/link")->target, "/etc");
	assert_int_equal(need(f, "/")->type, ENTRY_DIRECTORY);
	assert_int_equal(f->totals.executables, 5);
	assert_int_equal(f->totals.hashed, 6);
}

static void test_executables_only(void **state)
{
	struct fixture *f = *state;

	test_kinds(state);
	forget(f);
	f->options.all_files = false;
	walk(f);
	assert_int_equal(f->n, 5);
	assert_null(find(f, "/data"));
	assert_null(find(f, "/sub"));
	check_digest(need(f, "/script"), "#!/bin/sh\n", 10);
	assert_int_equal(f->totals.hashed, 5);
	forget(f);
	f->options.all_entries = true;
	walk(f);
	assert_int_equal(f->n, 9);
	assert_int_equal(need(f, "/data")->content, CONTENT_UNREAD);
}

static void test_order(void **state)
{
	static const char *const paths[] = {"/", "/a", "/a/z", "/a-b", "/a.c", "/ab"};
	struct fixture *f = *state;

	assert_int_equal(mkdirat(f->fd, "a", 0755), 0);
	make_text(f, "a-b", "", 0644);
	make_text(f, "a.c", "", 0644);
	make_text(f, "ab", "", 0644);
	make_text(f, "a/z", "", 0644);
	walk(f);
	assert_int_equal(f->n, 6);
	for (size_t i = 0; i < f->n; i++)
		assert_string_equal(f->entries[i].path, paths[i]);
}

static void test_sizes_around_the_buffer(void **state)
{
	static const size_t sizes[] = {
	        1, 4, 5, 4095, 4096, 65536, 131071, 131072, 131073, 262144, 1000003, 3 << 20};
	struct fixture *f = *state;
	char *data = malloc(3 << 20);

	assert_non_null(data);
	for (size_t i = 0; i < 3 << 20; i++)
		data[i] = (char)(i * 7 + i / 4096);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char name[32];

		snprintf(name, sizeof(name), "f%zu", sizes[i]);
		make(f, name, data, sizes[i], 0644);
	}
	walk(f);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char path[32];

		snprintf(path, sizeof(path), "/f%zu", sizes[i]);
		check_digest(need(f, path), data, sizes[i]);
	}
	free(data);
}

static void test_attributes(void **state)
{
	/* VFS_CAP_REVISION_2, effective, cap_net_raw permitted: linux/capability.h */
	static const uint8_t caps[20] = {1, 0, 0, 2, 0, 0x20};
	struct fixture *f = *state;
	char path[128];

	make_text(f, "ping", ELF, 0755);
	snprintf(path, sizeof(path), "%s/ping", f->dir);
	if (setxattr(path, "security.capability", caps, sizeof(caps), 0) < 0)
		skip();
	walk(f);
	assert_int_equal(need(f, "/ping")->caps_size, sizeof(caps));
	assert_memory_equal(need(f, "/ping")->caps, caps, sizeof(caps));
	assert_int_equal(need(f, "/ping")->flags & ENTRY_IMA, 0);
	if (setxattr(path, "security.ima", "\x03", 1, 0) < 0)
		return;
	forget(f);
	walk(f);
	assert_int_equal(need(f, "/ping")->flags & ENTRY_IMA, ENTRY_IMA);
}

static void test_hostile_names(void **state)
{
	static const char *const names[] = {
	        "new\nline", "\xff\xfe", "\x01\x02", "a b\\c'\"", "\x1b[2J", "..."};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		make_text(f, names[i], names[i], 0644);
	walk(f);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "/%s", names[i]);
		check_digest(need(f, path), names[i], strlen(names[i]));
	}
}

/*
 * What is never opened, what is not followed.
 */
static void test_specials(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(mkfifoat(f->fd, "fifo", 0755), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", f->dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	/* To open a block device of a number that nobody has is ENXIO: it would be a problem. */
	if (mknodat(f->fd, "block", S_IFBLK | 0755, makedev(240, 7)) == 0) {
		assert_int_equal(mknodat(f->fd, "char", S_IFCHR | 0755, makedev(1, 5)), 0);
		assert_int_equal(mknodat(f->fd, "zero", S_IFCHR | 0755, 0), 0);
	}
	walk(f);
	assert_int_equal(need(f, "/fifo")->type, ENTRY_FIFO);
	assert_int_equal(need(f, "/socket")->type, ENTRY_SOCKET);
	assert_int_equal(f->problems[WALK_UNREADABLE], 0);
	assert_int_equal(f->totals.hashed, 0);
	if (!find(f, "/block"))
		return;
	assert_int_equal(need(f, "/block")->type, ENTRY_BLOCK);
	assert_int_equal(need(f, "/block")->rdev_major, 240);
	assert_int_equal(need(f, "/block")->rdev_minor, 7);
	assert_int_equal(need(f, "/zero")->type, ENTRY_CHAR);
}

static void test_links_are_not_followed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(symlinkat("/usr/bin", f->fd, "outside"), 0);
	assert_int_equal(symlinkat("/usr/bin/env", f->fd, "program"), 0);
	assert_int_equal(symlinkat(".", f->fd, "loop"), 0);
	walk(f);
	assert_int_equal(f->n, 4);
	assert_int_equal(need(f, "/outside")->type, ENTRY_SYMLINK);
	assert_int_equal(f->totals.files, 0);
	f->options.prefix = "/outside/env";
	assert_int_equal(walk_tree(&f->options, &f->totals), -ELOOP);
}

/*
 * Depth and number.
 */
static void dig(int dir_fd, unsigned int levels, const char *name)
{
	int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);

	assert_true(fd >= 0);
	fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (unsigned int i = 0; i < levels; i++) {
		int below;

		assert_int_equal(mkdirat(fd, name, 0755), 0);
		below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = below;
	}
	close(openat(fd, "bottom", O_WRONLY | O_CREAT | O_CLOEXEC, 0755));
	close(fd);
}

/* 2,000 directories within each other, a file after each on the way back, and 100 descriptors. */
static void test_deep(void **state)
{
	struct fixture *f = *state;
	struct rlimit before, few = {100, 100};
	char path[2 * 2000 + 16];

	dig(f->fd, 2000, "d");
	make_text(f, "zz", "last", 0644);
	for (unsigned int i = 0; i < 2000; i++)
		memcpy(path + (size_t)2 * i, "/d", 3);
	strcat(path, "/bottom");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	walk(f);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(f->n, 2003);
	assert_int_equal(need(f, path)->content, CONTENT_KNOWN);
	check_digest(need(f, "/zz"), "last", 4);
	assert_int_equal(f->problems[WALK_TOO_LONG], 0);
}

/* Each level has more names after the one that is entered: none of them may be lost or doubled. */
static void test_deep_with_neighbours(void **state)
{
	struct fixture *f = *state;
	int fd = openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (unsigned int i = 0; i < 200; i++) {
		int below;

		assert_int_equal(mkdirat(fd, "m", 0755), 0);
		assert_int_equal(mkdirat(fd, "z", 0755), 0);
		close(openat(fd, "a", O_WRONLY | O_CREAT | O_CLOEXEC, 0755));
		close(openat(fd, "zz", O_WRONLY | O_CREAT | O_CLOEXEC, 0755));
		below = openat(fd, "m", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = below;
	}
	close(fd);
	walk(f);
	assert_int_equal(f->n, 1 + 200 * 4);
	for (size_t i = 1; i < f->n; i++)
		assert_true(entry_path_compare(f->entries[i - 1].path, f->entries[i].path) < 0);
}

/* Longer than PATH_MAX is walked; longer than an entry may be is left out, and said. */
static void test_path_bomb(void **state)
{
	static const char name[] =
	        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901"
	        "23456789012345678";
	struct fixture *f = *state;

	dig(f->fd, 100, name);
	make_text(f, "after", "x", 0644);
	walk(f);
	assert_true(strlen(name) * 100 > ENTRY_PATH_MAX);
	assert_int_equal(f->problems[WALK_TOO_LONG], 1);
	assert_int_equal(f->totals.too_long, 1);
	/* "/", "after" and 81 directories of 100 bytes each. */
	assert_int_equal(f->n, 2 + (ENTRY_PATH_MAX - 1) / (strlen(name) + 1));
	check_digest(need(f, "/after"), "x", 1);
}

static void test_long_path_is_read(void **state)
{
	static const char name[] =
	        "0123456789012345678901234567890123456789012345678901234567890123";
	struct fixture *f = *state;
	size_t longest = 0;

	dig(f->fd, 100, name);
	walk(f);
	for (size_t i = 0; i < f->n; i++)
		if (f->entries[i].type == ENTRY_FILE)
			longest = strlen(f->entries[i].path);
	assert_int_equal(longest, 100 * (strlen(name) + 1) + strlen("/bottom"));
	assert_int_equal(f->totals.hashed, 1);
}

static void test_many(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 10000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "f%u", i);
		make_text(f, name, name, i % 2 ? 0644 : 0755);
	}
	walk(f);
	assert_int_equal(f->n, 10001);
	assert_int_equal(f->totals.hashed, 10000);
	assert_int_equal(f->totals.executables, 5000);
	assert_true(f->n_progress > 0);
	for (unsigned int i = 0; i < 10000; i++)
		check_digest(&f->entries[i + 1], f->entries[i + 1].path + 1,
		        strlen(f->entries[i + 1].path) - 1);
}

static void test_hard_links(void **state)
{
	struct fixture *f = *state;
	char name[32];

	make_text(f, "a", ELF, 0755);
	for (unsigned int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "a-link%u", i);
		assert_int_equal(linkat(f->fd, "a", f->fd, name, 0), 0);
	}
	/* So many that the first has been read before the last is seen. */
	for (unsigned int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "between%u", i);
		make_text(f, name, name, 0644);
	}
	assert_int_equal(linkat(f->fd, "a", f->fd, "last", 0), 0);
	walk(f);
	assert_int_equal(f->n, 3103);
	assert_int_equal(f->totals.hashed, 3001);
	check_digest(need(f, "/a-link99"), ELF, strlen(ELF));
	check_digest(need(f, "/last"), ELF, strlen(ELF));
	assert_int_equal(need(f, "/a-link99")->flags, ENTRY_EXECUTABLE);
	assert_int_equal(need(f, "/a-link0")->kind, EXEC_KIND_ELF);
}

/* A file that takes long keeps its place only until all others would have to wait for it. */
static void test_one_large_file_keeps_nobody_waiting(void **state)
{
	static const char name[] =
	        "0123456789012345678901234567890123456789012345678901234567890123";
	struct fixture *f = *state;
	int fd = openat(f->fd, "large", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	size_t at = 0;

	assert_int_equal(ftruncate(fd, INT64_C(2) << 30), 0);
	close(fd);
	/* Paths of 3 KiB each, some 3,000 of them: more than the window holds. */
	fd = openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (unsigned int i = 0; i < 48; i++) {
		int below;

		assert_int_equal(mkdirat(fd, i ? name : "more", 0755), 0);
		below = openat(fd, i ? name : "more", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = below;
	}
	for (unsigned int i = 0; i < 3000; i++) {
		char file[32];

		snprintf(file, sizeof(file), "f%u", i);
		close(openat(fd, file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	}
	close(fd);
	walk(f);
	assert_int_equal(f->totals.hashed, 3001);
	while (strcmp(f->entries[at].path, "/large") != 0)
		at++;
	assert_true(at > 1000);
}

/*
 * Parts of a tree.
 */
static void test_prefix_and_skip(void **state)
{
	static const char *const skip[] = {"/usr/skipped", "/usr/file", NULL};
	struct fixture *f = *state;

	assert_int_equal(mkdirat(f->fd, "usr", 0755), 0);
	assert_int_equal(mkdirat(f->fd, "usr/skipped", 0755), 0);
	assert_int_equal(mkdirat(f->fd, "usr/skipped2", 0755), 0);
	make_text(f, "top", "", 0644);
	make_text(f, "usr/file", "", 0644);
	make_text(f, "usr/skipped/file", "", 0644);
	make_text(f, "usr/skipped2/file", "", 0644);
	f->options.prefix = "/usr";
	f->options.skip = skip;
	walk(f);
	assert_int_equal(f->n, 3);
	need(f, "/usr");
	need(f, "/usr/skipped2/file");
	forget(f);
	f->options.prefix = "/usr/skipped2/file";
	walk(f);
	assert_int_equal(f->n, 1);
	check_digest(need(f, "/usr/skipped2/file"), "", 0);
	f->options.prefix = "/none";
	assert_int_equal(walk_tree(&f->options, &f->totals), -ENOENT);
}

static void test_other_filesystems(void **state)
{
	struct fixture *f = *state;
	char path[128], proc[128];

	assert_int_equal(mkdirat(f->fd, "mount", 0755), 0);
	assert_int_equal(mkdirat(f->fd, "proc", 0755), 0);
	snprintf(path, sizeof(path), "%s/mount", f->dir);
	snprintf(proc, sizeof(proc), "%s/proc", f->dir);
	if (mount("none", path, "tmpfs", 0, NULL) < 0)
		skip();
	assert_int_equal(mount("none", proc, "proc", 0, NULL), 0);
	make_text(f, "mount/file", "", 0755);
	make_text(f, "file", "", 0755);
	walk(f);
	need(f, "/mount/file");
	assert_null(find(f, "/proc/1"));
	assert_int_equal(f->n, 4);
	forget(f);
	f->options.one_filesystem = true;
	walk(f);
	assert_int_equal(f->n, 2);
	need(f, "/file");
	assert_int_equal(umount(proc), 0);
	assert_int_equal(umount(path), 0);
}

static void test_layer(void **state)
{
	struct fixture *f = *state;
	char path[128];

	assert_int_equal(mkdirat(f->fd, "opaque", 0755), 0);
	make_text(f, "xattr", "", 0644);
	snprintf(path, sizeof(path), "%s/opaque", f->dir);
	if (mknodat(f->fd, "whiteout", S_IFCHR, 0) < 0 ||
	        setxattr(path, "trusted.overlay.opaque", "y", 1, 0) < 0)
		skip();
	snprintf(path, sizeof(path), "%s/xattr", f->dir);
	assert_int_equal(setxattr(path, "trusted.overlay.whiteout", "", 0, 0), 0);
	f->options.layer = true;
	walk(f);
	assert_int_equal(need(f, "/whiteout")->type, ENTRY_WHITEOUT);
	assert_int_equal(need(f, "/xattr")->type, ENTRY_WHITEOUT);
	assert_int_equal(need(f, "/opaque")->flags, ENTRY_OPAQUE);
	forget(f);
	f->options.layer = false;
	walk(f);
	assert_int_equal(need(f, "/whiteout")->type, ENTRY_CHAR);
	assert_int_equal(need(f, "/xattr")->type, ENTRY_FILE);
	assert_int_equal(need(f, "/opaque")->flags, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_kinds),
	        TEST(test_executables_only),
	        TEST(test_order),
	        TEST(test_sizes_around_the_buffer),
	        TEST(test_attributes),
	        TEST(test_hostile_names),
	        TEST(test_specials),
	        TEST(test_links_are_not_followed),
	        TEST(test_deep),
	        TEST(test_deep_with_neighbours),
	        TEST(test_path_bomb),
	        TEST(test_long_path_is_read),
	        TEST(test_many),
	        TEST(test_hard_links),
	        TEST(test_one_large_file_keeps_nobody_waiting),
	        TEST(test_prefix_and_skip),
	        TEST(test_other_filesystems),
	        TEST(test_layer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
