/*
 * Whole files: bounds to the byte, what is refused, and an atomic write that leaves nothing behind.
 * Works in a fresh directory below TMPDIR or /tmp.
 */
#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

struct scratch {
	char path[256];
	int fd;
};

static int set_up(void **state)
{
	struct scratch *s = calloc(1, sizeof(*s));

	if (!s)
		return -1;
	snprintf(s->path, sizeof(s->path), "%s/execward-file.XXXXXX", getenv("TMPDIR") ?: "/tmp");
	if (!mkdtemp(s->path))
		return -1;
	s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = s;
	return s->fd < 0 ? -1 : 0;
}

/* Names in the directory, which is emptied when @empty. */
static unsigned int entries(const struct scratch *s, bool empty)
{
	_cleanup_closedir_ DIR *dir = opendir(s->path);
	unsigned int n = 0;

	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		n++;
		if (empty && unlinkat(s->fd, e->d_name, 0) < 0)
			(void)unlinkat(s->fd, e->d_name, AT_REMOVEDIR);
	}
	return n;
}

static int tear_down(void **state)
{
	struct scratch *s = *state;

	(void)entries(s, true);
	close(s->fd);
	(void)rmdir(s->path);
	free(s);
	return 0;
}

static void put(const struct scratch *s, const char *name, const char *data, size_t size)
{
	_cleanup_close_ int fd =
	        openat(s->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), (ssize_t)size);
}

static void test_read_bounds(void **state)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8192, 20000};
	static char content[20000];
	const struct scratch *s = *state;

	memset(content, 'x', sizeof(content));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t size = sizes[i], got = 99;
		char *data = NULL;

		put(s, "f", content, size);
		assert_int_equal(file_read_at(s->fd, "f", size, &data, &got), 0);
		assert_int_equal(got, size);
		assert_memory_equal(data, content, size);
		assert_int_equal(data[size], '\0');
		free(data);
		assert_int_equal(file_read_at(s->fd, "f", 1 << 20, &data, &got), 0);
		assert_int_equal(got, size);
		free(data);
		data = NULL;
		got = 99;
		if (size > 0) {
			assert_int_equal(file_read_at(s->fd, "f", size - 1, &data, &got), -EFBIG);
			assert_null(data); /* written on success only */
			assert_int_equal(got, 99);
			assert_int_equal(file_read_head_at(s->fd, "f", size - 1, &data, &got), 0);
			assert_int_equal(got, size - 1);
			assert_int_equal(data[got], '\0');
			free(data);
		}
	}
}

static void test_read_proc(void **state)
{
	char *data = NULL;
	size_t size = 0;

	(void)state; /* st_size is 0 there */
	assert_int_equal(file_read_at(AT_FDCWD, "/proc/self/status", 65536, &data, &size), 0);
	assert_true(size > 100);
	free(data);
}

static void test_read_refusals(void **state)
{
	const struct scratch *s = *state;
	char *data = NULL;
	size_t size;

	put(s, "f", "x", 1);
	assert_int_equal(symlinkat("f", s->fd, "link"), 0);
	assert_int_equal(mkfifoat(s->fd, "fifo", 0600), 0);
	assert_int_equal(file_read_at(s->fd, "none", 10, &data, &size), -ENOENT);
	assert_int_equal(file_read_at(s->fd, "link", 10, &data, &size), -ELOOP);
	assert_int_equal(file_read_at(s->fd, "fifo", 10, &data, &size), -EINVAL);
	assert_int_equal(file_read_at(s->fd, ".", 10, &data, &size), -EINVAL);
	assert_int_equal(file_read_at(AT_FDCWD, "/dev/zero", 10, &data, &size), -EINVAL);
	assert_null(data);
}

static void test_readlink(void **state)
{
	const struct scratch *s = *state;
	char target[3000], *read = NULL;

	for (size_t size = 250; size < sizeof(target); size += size < 260 ? 1 : 500) {
		memset(target, 't', size);
		target[size] = '\0';
		(void)unlinkat(s->fd, "link", 0);
		assert_int_equal(symlinkat(target, s->fd, "link"), 0);
		assert_int_equal(file_readlink_at(s->fd, "link", &read), 0);
		assert_string_equal(read, target);
		free(read);
	}
	read = NULL;
	assert_int_equal(file_readlink_at(s->fd, "none", &read), -ENOENT);
	assert_int_equal(file_readlink_at(s->fd, ".", &read), -EINVAL);
	assert_null(read);
}

static void path_in(const struct scratch *s, const char *name, char ret_path[600])
{
	snprintf(ret_path, 600, "%s/%s", s->path, name);
}

static void test_write(void **state)
{
	const struct scratch *s = *state;
	char path[600], *data;
	struct stat st;
	size_t size;

	path_in(s, "f", path);
	assert_int_equal(file_write_atomic(path, "one", 3, 0600), 0);
	assert_int_equal(file_write_atomic(path, "two!", 4, 0600), 0);
	assert_int_equal(file_read_at(s->fd, "f", 10, &data, &size), 0);
	assert_string_equal(data, "two!");
	free(data);
	assert_int_equal(fstatat(s->fd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(file_write_atomic(path, "", 0, 0600), 0);
	assert_int_equal(fstatat(s->fd, "f", &st, 0), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(entries(s, false), 1);
}

/* The link is replaced, and what it names is not touched. */
static void test_write_replaces_link(void **state)
{
	const struct scratch *s = *state;
	char path[600], *data;
	size_t size;

	put(s, "target", "kept", 4);
	assert_int_equal(symlinkat("target", s->fd, "link"), 0);
	path_in(s, "link", path);
	assert_int_equal(file_write_atomic(path, "new", 3, 0600), 0);
	assert_int_equal(file_read_at(s->fd, "target", 10, &data, &size), 0);
	assert_string_equal(data, "kept");
	free(data);
	assert_int_equal(file_read_at(s->fd, "link", 10, &data, &size), 0);
	assert_string_equal(data, "new");
	free(data);
}

static void test_write_failures_leave_nothing(void **state)
{
	const struct scratch *s = *state;
	char path[600], longest[256];

	assert_int_equal(mkdirat(s->fd, "dir", 0700), 0);
	path_in(s, "dir", path);
	assert_int_equal(file_write_atomic(path, "x", 1, 0600), -EISDIR);
	path_in(s, "none/f", path);
	assert_int_equal(file_write_atomic(path, "x", 1, 0600), -ENOENT);
	path_in(s, "dir/", path);
	assert_true(file_write_atomic(path, "x", 1, 0600) < 0);
	path_in(s, "", path);
	assert_true(file_write_atomic(path, "x", 1, 0600) < 0);
	assert_int_equal(entries(s, false), 1);
	memset(longest, 'n', 255); /* NAME_MAX: the temporary name must not be longer */
	longest[255] = '\0';
	path_in(s, longest, path);
	assert_int_equal(file_write_atomic(path, "x", 1, 0600), 0);
	assert_int_equal(entries(s, false), 2);
}

/* What a crash has left behind is in nobody's way, whichever pid it had. */
static void test_write_beside_leftovers(void **state)
{
	const struct scratch *s = *state;
	char path[600], leftover[64];

	snprintf(leftover, sizeof(leftover), ".f.%ld.tmp", (long)getpid());
	put(s, leftover, "old", 3);
	path_in(s, "f", path);
	assert_int_equal(file_write_atomic(path, "x", 1, 0600), 0);
}

#define SCRATCH_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        SCRATCH_TEST(test_read_bounds),
	        cmocka_unit_test(test_read_proc),
	        SCRATCH_TEST(test_read_refusals),
	        SCRATCH_TEST(test_readlink),
	        SCRATCH_TEST(test_write),
	        SCRATCH_TEST(test_write_replaces_link),
	        SCRATCH_TEST(test_write_failures_leave_nothing),
	        SCRATCH_TEST(test_write_beside_leftovers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
