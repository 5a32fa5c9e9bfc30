/*
 * SHA-256 in steps: the vectors of FIPS 180-4's examples, the same answer whatever the steps, and
 * no digest for a file of another length than was announced.
 */
#include "base/cleanup.h"
#include "crypto/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define ABC       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define EMPTY     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define MILLION_A "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

static void check(const struct digest *digest, const char *expected)
{
	char text[DIGEST_HEX_SIZE];

	digest_to_hex(digest, text);
	assert_string_equal(text, expected);
}

static int memory_file(const void *data, size_t size)
{
	int fd = memfd_create("digest", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), (ssize_t)size);
	return fd;
}

static void test_vectors(void **state)
{
	struct digest digest;
	char *million = malloc(1000000);

	(void)state;
	assert_int_equal(digest_data("abc", 3, &digest), 0);
	check(&digest, ABC);
	assert_int_equal(digest_data("", 0, &digest), 0);
	check(&digest, EMPTY);
	memset(million, 'a', 1000000);
	assert_int_equal(digest_data(million, 1000000, &digest), 0);
	check(&digest, MILLION_A);
	free(million);
}

static void test_stream(void **state)
{
	struct digest_stream *stream;
	struct digest digest;

	(void)state;
	assert_int_equal(digest_stream_new(&stream), 0);
	assert_int_equal(digest_stream_update(stream, "a", 1), 0);
	assert_int_equal(digest_stream_update(stream, "", 0), 0);
	assert_int_equal(digest_stream_update(stream, "bc", 2), 0);
	assert_int_equal(digest_stream_final(stream, &digest), 0);
	check(&digest, ABC);
	digest_stream_free(stream);
	digest_stream_free(NULL);
}

/* The result of hashing @fd in steps, which may not read more than they were told to. */
static enum digest_result in_steps(
        int fd, uint64_t expected_size, uint64_t step, struct digest *ret_digest, int *reterr_errno)
{
	struct digest_stream *stream;
	enum digest_result result;
	struct digest_source source = {.fd = fd, .expected_size = expected_size};
	uint64_t before;

	assert_int_equal(digest_stream_new(&stream), 0);
	do {
		before = source.offset;
		result = digest_stream_file(stream, &source, step, ret_digest, reterr_errno);
		assert_true(source.offset - before <= step);
	} while (result == DIGEST_MORE);
	digest_stream_free(stream);
	return result;
}

static void test_steps_agree(void **state)
{
	static const uint64_t steps[] = {1000, 262143, 262144, 262145, 600000, UINT64_MAX};
	size_t size = 600000;
	uint8_t *data = malloc(size);
	_cleanup_close_ int fd = -1;
	struct digest whole, digest;
	int error = 0;

	(void)state;
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i * 2654435761u >> 13);
	assert_int_equal(digest_data(data, size, &whole), 0);
	fd = memory_file(data, size);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		memset(&digest, 0, sizeof(digest));
		assert_int_equal(in_steps(fd, size, steps[i], &digest, &error), DIGEST_DONE);
		assert_true(digest_equal(&digest, &whole));
	}
	assert_int_equal(digest_file(fd, &digest), 0);
	assert_true(digest_equal(&digest, &whole));
	assert_int_equal(lseek(fd, 0, SEEK_CUR), (off_t)size); /* the position is the caller's */
	free(data);
}

static void test_other_lengths(void **state)
{
	_cleanup_close_ int fd = memory_file("abcdef", 6);
	_cleanup_close_ int empty = memory_file("", 0);
	struct digest digest;
	int error = 0;

	(void)state;
	for (uint64_t step = 1; step < 9; step++) {
		for (uint64_t expected = 0; expected < 6; expected++)
			assert_int_equal(
			        in_steps(fd, expected, step, &digest, &error), DIGEST_LONGER);
		assert_int_equal(in_steps(fd, 6, step, &digest, &error), DIGEST_DONE);
		assert_int_equal(in_steps(fd, 7, step, &digest, &error), DIGEST_SHORTER);
		assert_int_equal(in_steps(fd, UINT64_MAX, step, &digest, &error), DIGEST_SHORTER);
		assert_int_equal(in_steps(empty, 0, step, &digest, &error), DIGEST_DONE);
		check(&digest, EMPTY);
		assert_int_equal(in_steps(empty, 1, step, &digest, &error), DIGEST_SHORTER);
	}
}

/* An offset past the announced size is a caller's fault, and not a huge remainder. */
static void test_offset_past_size(void **state)
{
	_cleanup_close_ int fd = memory_file("abcdef", 6);
	struct digest_stream *stream;
	struct digest digest;
	struct digest_source source = {.fd = fd, .expected_size = 3, .offset = 4};
	int error = 0;

	(void)state;
	assert_int_equal(digest_stream_new(&stream), 0);
	assert_int_equal(digest_stream_file(stream, &source, 100, &digest, &error), DIGEST_LONGER);
	digest_stream_free(stream);
}

static void test_failures(void **state)
{
	_cleanup_close_ int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct digest digest;
	int error = 0;

	(void)state;
	assert_int_equal(in_steps(directory, 5, 100, &digest, &error), DIGEST_FAILED);
	assert_int_equal(error, EISDIR);
	assert_int_equal(in_steps(-1, 5, 100, &digest, &error), DIGEST_FAILED);
	assert_int_equal(error, EBADF);
	assert_int_equal(digest_file(-1, &digest), -EBADF);
	assert_int_equal(digest_file(directory, &digest), -EINVAL);
	assert_int_equal(digest_file(null, &digest), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_vectors),
	        cmocka_unit_test(test_stream),
	        cmocka_unit_test(test_steps_agree),
	        cmocka_unit_test(test_other_lengths),
	        cmocka_unit_test(test_offset_past_size),
	        cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
