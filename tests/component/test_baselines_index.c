/*
 * The index of a snapshot's digests against what was put into it: every size around a page and a
 * write, a million even ones, and digests that were picked to mislead; then files that fail.
 */
#include "base/cleanup.h"
#include "daemon/baseline_index.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cmocka.h>

#define MILLION 1000000u

/* xorshift64, Marsaglia 2003: the same numbers on every run. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void put(struct digest *digest, size_t at, uint64_t value)
{
	for (size_t i = 0; i < 8; i++)
		digest->bytes[at + i] = (uint8_t)(value >> (56 - 8 * i));
}

static struct digest random_digest(uint64_t *state)
{
	struct digest digest;

	for (size_t at = 0; at < DIGEST_SIZE; at += 8)
		put(&digest, at, next_random(state));
	return digest;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, DIGEST_SIZE);
}

static size_t sort_unique(struct digest *digests, size_t n)
{
	size_t kept = 0;

	if (n > 0)
		qsort(digests, n, sizeof(digests[0]), compare);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || compare(&digests[kept - 1], &digests[i]) != 0)
			digests[kept++] = digests[i];
	return kept;
}

static struct digest *random_digests(size_t n, uint64_t seed)
{
	struct digest *digests = calloc(n + 1, sizeof(*digests));

	assert_non_null(digests);
	for (size_t i = 0; i < n; i++)
		digests[i] = random_digest(&seed);
	assert_int_equal(sort_unique(digests, n), n);
	return digests;
}

/* In batches of uneven size, as a database gives them. */
static struct baseline_index *index_of(const struct digest *digests, size_t n)
{
	struct baseline_index *index;
	size_t batch;

	assert_int_equal(baseline_index_new("/tmp", &index), 0);
	for (size_t i = 0; i < n; i += batch) {
		batch = 1 + i * 7 % 5000;
		if (batch > n - i)
			batch = n - i;
		assert_int_equal(baseline_index_add(index, digests + i, batch), 0);
	}
	assert_int_equal(baseline_index_finish(index), 0);
	assert_int_equal(baseline_index_count(index), n);
	return index;
}

static bool step_digest(struct digest *digest, int by)
{
	for (size_t i = DIGEST_SIZE; i-- > 0;) {
		digest->bytes[i] = (uint8_t)(digest->bytes[i] + by);
		if (digest->bytes[i] != (by > 0 ? 0 : 255))
			return true;
	}
	return false;
}

static bool is_in(const struct digest *digests, size_t n, const struct digest *digest)
{
	return n > 0 && bsearch(digest, digests, n, sizeof(*digest), compare);
}

/* Every one of them, and both neighbours of each; the most pages that one lookup read. */
static unsigned int check_all(
        const struct baseline_index *index, const struct digest *digests, size_t n, size_t stride)
{
	unsigned int most = 0, pages;

	for (size_t i = 0; i < n; i += stride) {
		assert_int_equal(
		        baseline_index_ask_counted(index, &digests[i], &pages), BASELINE_KNOWN);
		most = pages > most ? pages : most;
		for (int by = -1; by <= 1; by += 2) {
			struct digest other = digests[i];

			if (!step_digest(&other, by))
				continue;
			assert_int_equal(baseline_index_ask_counted(index, &other, &pages),
			        is_in(digests, n, &other) ? BASELINE_KNOWN : BASELINE_UNKNOWN);
			most = pages > most ? pages : most;
		}
	}
	return most;
}

static void check_strangers(
        const struct baseline_index *index, const struct digest *digests, size_t n)
{
	uint64_t seed = 99;
	struct digest edge;

	for (unsigned int i = 0; i < 1000; i++) {
		struct digest digest = random_digest(&seed);

		assert_int_equal(baseline_index_ask(index, &digest),
		        is_in(digests, n, &digest) ? BASELINE_KNOWN : BASELINE_UNKNOWN);
	}
	for (int byte = 0; byte <= 255; byte += 255) {
		memset(&edge, byte, sizeof(edge));
		assert_int_equal(baseline_index_ask(index, &edge),
		        is_in(digests, n, &edge) ? BASELINE_KNOWN : BASELINE_UNKNOWN);
	}
}

static void test_sizes(void **state)
{
	/* A page holds 128, a write 2048. */
	static const size_t sizes[] = {
	        0, 1, 2, 127, 128, 129, 255, 256, 257, 2047, 2048, 2049, 4096, 6145, 20000};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		_cleanup_free_ struct digest *digests = random_digests(sizes[i], 7 + i);
		struct baseline_index *index = index_of(digests, sizes[i]);

		check_all(index, digests, sizes[i], 1);
		check_strangers(index, digests, sizes[i]);
		baseline_index_unref(index);
	}
}

static void test_the_edges_of_values(void **state)
{
	struct digest digests[3] = {0};
	struct baseline_index *index;

	(void)state;
	digests[1].bytes[0] = 0x80;
	memset(&digests[2], 0xff, sizeof(digests[2]));
	index = index_of(digests, 3);
	check_all(index, digests, 3, 1);
	check_strangers(index, digests, 3);
	baseline_index_unref(index);
}

static void test_a_million_costs_a_few_pages(void **state)
{
	_cleanup_free_ struct digest *digests = random_digests(MILLION, 42);
	struct baseline_index *index = index_of(digests, MILLION);
	uint64_t seed = 5, pages_sum = 0;
	unsigned int pages, most;

	(void)state;
	most = check_all(index, digests, MILLION, 11);
	check_strangers(index, digests, MILLION);
	for (unsigned int i = 0; i < 10000; i++) {
		struct digest digest = random_digest(&seed);

		(void)baseline_index_ask_counted(index, &digest, &pages);
		pages_sum += pages;
	}
	print_message("1,000,000 digests: %.2f pages a lookup, %u at most\n",
	        (double)pages_sum / 10000, most);
	assert_true(pages_sum < 25000);
	assert_true(most <= 6);
	baseline_index_unref(index);
}

/* Places that are as far from even as 200,000 digests can be. */
static struct digest skewed(unsigned int how, uint64_t i, uint64_t *seed)
{
	struct digest digest = {0};

	switch (how) {
	case 0: /* all at the lower end */
		put(&digest, 0, i);
		break;
	case 1: /* the same leading bytes: they tell nothing */
		put(&digest, 24, i);
		break;
	case 2: /* all at the upper end */
		memset(&digest, 0xff, sizeof(digest));
		put(&digest, 24, i);
		break;
	case 3: /* geometric */
		put(&digest, 0, UINT64_MAX >> (i % 60));
		put(&digest, 8, i);
		break;
	case 4: /* two heaps, far from each other */
		put(&digest, 0, i % 2 ? i : UINT64_MAX - i);
		break;
	default: /* a heap among even ones */
		digest = random_digest(seed);
		if (i % 10)
			put(&digest, 0, (UINT64_C(1) << 63) + i);
		break;
	}
	return digest;
}

static void test_digests_that_mislead_cost_a_binary_search(void **state)
{
	const size_t n = 200000;
	_cleanup_free_ struct digest *digests = calloc(n, sizeof(*digests));

	(void)state;
	assert_non_null(digests);
	for (unsigned int how = 0; how < 6; how++) {
		struct baseline_index *index;
		uint64_t seed = 17;
		unsigned int most;
		size_t kept;

		for (uint64_t i = 0; i < n; i++)
			digests[i] = skewed(how, i, &seed);
		kept = sort_unique(digests, n);
		index = index_of(digests, kept);
		most = check_all(index, digests, kept, 7);
		print_message("skewed %u: %zu digests, %u pages at most\n", how, kept, most);
		assert_true(most <= 6 + 12); /* 1563 pages are less than 2^11 */
		check_strangers(index, digests, kept);
		baseline_index_unref(index);
	}
}

static void test_what_is_not_sorted_is_refused(void **state)
{
	struct digest digests[3] = {{{3}}, {{1}}, {{3}}};
	struct baseline_index *index;

	(void)state;
	assert_int_equal(baseline_index_new("/tmp", &index), 0);
	assert_int_equal(baseline_index_add(index, digests, 2), -EILSEQ);
	baseline_index_unref(index);
	assert_int_equal(baseline_index_new("/tmp", &index), 0);
	assert_int_equal(baseline_index_add(index, &digests[0], 1), 0);
	assert_int_equal(baseline_index_add(index, &digests[2], 1), -EILSEQ);
	baseline_index_unref(index);
}

/* The index's descriptor: the newest, of a file that has no name. */
static int file_of_index(void)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int found = -1;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		int fd = atoi(entry->d_name);
		struct stat st;

		if (fd > found && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0)
			found = fd;
	}
	assert_true(found > 2);
	return found;
}

static void test_a_file_that_is_cut_fails(void **state)
{
	const size_t n = 10000;
	_cleanup_free_ struct digest *digests = random_digests(n, 3);
	struct baseline_index *index = index_of(digests, n);

	(void)state;
	assert_int_equal(ftruncate(file_of_index(), (off_t)(n / 2 * DIGEST_SIZE + 5)), 0);
	assert_int_equal(baseline_index_ask(index, &digests[10]), BASELINE_KNOWN);
	assert_int_equal(baseline_index_ask(index, &digests[n - 1]), BASELINE_FAILED);
	assert_int_equal(baseline_index_ask(index, &digests[n / 2]), BASELINE_FAILED);
	assert_int_equal(ftruncate(file_of_index(), 0), 0);
	assert_int_equal(baseline_index_ask(index, &digests[10]), BASELINE_FAILED);
	baseline_index_unref(index);
}

/* Whatever the bytes are, a lookup ends, and never says KNOWN of what is not there. */
static void test_a_file_of_garbage_ends(void **state)
{
	const size_t n = 10000;
	_cleanup_free_ struct digest *digests = random_digests(n, 4);
	struct baseline_index *index = index_of(digests, n);
	uint64_t seed = 1;
	unsigned int pages;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct digest noise = random_digest(&seed);

		assert_int_equal(
		        pwrite(file_of_index(), &noise, sizeof(noise), (off_t)(i * sizeof(noise))),
		        sizeof(noise));
	}
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(
		        baseline_index_ask_counted(index, &digests[i], &pages), BASELINE_UNKNOWN);
		assert_true(pages <= n / 128 + 1);
	}
	baseline_index_unref(index);
}

static void test_no_room_and_no_directory(void **state)
{
	_cleanup_free_ struct digest *digests = random_digests(5000, 8);
	struct baseline_index *index;
	char dir[] = "/tmp/execward-index-XXXXXX";

	(void)state;
	assert_int_equal(baseline_index_new("/nonexistent/execward", &index), 0);
	assert_int_equal(baseline_index_add(index, digests, 5000), -ENOENT);
	baseline_index_unref(index);
	if (geteuid() != 0)
		return; /* a full filesystem is one that we mount */
	assert_non_null(mkdtemp(dir));
	if (mount("none", dir, "tmpfs", 0, "size=64k") == 0) {
		assert_int_equal(baseline_index_new(dir, &index), 0);
		assert_int_equal(baseline_index_add(index, digests, 5000), -ENOSPC);
		baseline_index_unref(index);
		assert_int_equal(umount(dir), 0);
	}
	assert_int_equal(rmdir(dir), 0);
}

/* Neither in the directory nor in memory that somebody else still uses. */
static void test_nothing_is_left_behind(void **state)
{
	char dir[] = "/tmp/execward-index-XXXXXX";
	struct baseline_index *index;
	struct digest digest = {{1}};

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(baseline_index_new(dir, &index), 0);
	assert_int_equal(baseline_index_add(index, &digest, 1), 0);
	assert_int_equal(baseline_index_finish(index), 0);
	assert_int_equal(rmdir(dir), 0); /* empty, with the index still open */
	assert_int_equal(baseline_index_ask(index, &digest), BASELINE_KNOWN);
	assert_ptr_equal(baseline_index_ref(index), index);
	baseline_index_unref(index);
	assert_int_equal(baseline_index_ask(index, &digest), BASELINE_KNOWN);
	baseline_index_unref(index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_sizes),
	        cmocka_unit_test(test_the_edges_of_values),
	        cmocka_unit_test(test_a_million_costs_a_few_pages),
	        cmocka_unit_test(test_digests_that_mislead_cost_a_binary_search),
	        cmocka_unit_test(test_what_is_not_sorted_is_refused),
	        cmocka_unit_test(test_a_file_that_is_cut_fails),
	        cmocka_unit_test(test_a_file_of_garbage_ends),
	        cmocka_unit_test(test_no_room_and_no_directory),
	        cmocka_unit_test(test_nothing_is_left_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
