/*
 * Allowlists in the database: what is put is there whole or not at all, and an older one never
 * comes back.
 */
#include "allowlists_fixture.h"

#include "base/clock.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#define MANY        1000000u
#define MANY_MS     10000 /* of processor time: others may run beside; a third of it is usual */
#define MANY_RSS_KB (128 * 1024)

static void test_put_and_read(void **state)
{
	struct fixture *f = *state;
	struct digest signers[2], one = key_of(1);
	struct allowlist_info info = list_of("example.org/a", 7, 1, signers);
	struct list_seen seen;
	struct keys_seen keys = {0};
	int64_t before = 0, after = 0;
	size_t n = 0;

	assert_int_equal(
	        statement_scope_add(&info.statement.scope, STATEMENT_SCOPE_IMAGES, "docker.io/*"),
	        0);
	assert_int_equal(store_allowlist_generation(f->store, &before), 0);
	assert_int_equal(put_list(f->store, &info, 3000), 0);
	assert_int_equal(store_allowlist_generation(f->store, &after), 0);
	assert_true(after > before);
	seen = lists_of(f->store);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.version, 7);
	assert_int_equal(seen.subjects, 3000);
	assert_int_equal(seen.signers, 2);
	assert_int_equal(seen.patterns, 1);
	assert_int_equal(store_allowlist_keys(f->store, seen.id, see_keys, &keys), 0);
	assert_int_equal(keys.n, 3000);
	assert_int_equal(store_allowlist_subjects(f->store, seen.id, NULL, see_subject, &n), 0);
	assert_int_equal(n, 3000);
	n = 0;
	assert_int_equal(store_allowlist_subjects(f->store, seen.id, &one, see_subject, &n), 0);
	assert_int_equal(n, 1);
	statement_scope_done(&info.statement.scope);
}

/* A subject twice is one key. */
static void test_keys_once(void **state)
{
	struct fixture *f = *state;
	struct digest signers[2];
	struct allowlist_info info = list_of("s", 1, 1, signers);
	struct statement_subject subject = {.name = T("/a"), .digest = digest_of(9)};
	struct keys_seen keys = {0};
	int64_t id = 0;

	assert_int_equal(store_witness(f->store), 0);
	assert_int_equal(store_begin(f->store), 0);
	assert_int_equal(store_allowlist_put(f->store, &info, &id), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(store_allowlist_add(f->store, id, &subject, &subject.digest), 0);
	assert_int_equal(store_allowlist_finish(f->store, id, 4), -EINVAL);
	assert_int_equal(store_allowlist_finish(f->store, id, 5), 0);
	assert_int_equal(store_commit(f->store), 0);
	assert_int_equal(store_allowlist_keys(f->store, id, see_keys, &keys), 0);
	assert_int_equal(keys.n, 1);
}

static void test_a_newer_one_takes_its_place(void **state)
{
	struct fixture *f = *state;
	struct list_seen seen;

	assert_int_equal(put_version(f->store, "a", 1, 1), 0);
	assert_int_equal(put_version(f->store, "b", 1, 2), 0);
	assert_int_equal(put_version(f->store, "a", 2, 3), 0);
	seen = lists_of(f->store);
	assert_int_equal(seen.n, 2);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM allowlist_subject"), 6);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM allowlist_signer"), 4);
	assert_int_equal(state_of(f->store, "a").version, 2);
}

/*
 * Rollback.
 */
static void test_an_older_one_never_comes_back(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(state_of(f->store, "a").history, ALLOWLIST_HISTORY_NONE);
	assert_int_equal(put_version(f->store, "a", 5, 1), 0);
	assert_int_equal(state_of(f->store, "a").history, ALLOWLIST_HISTORY_KNOWN);
	assert_int_equal(put_version(f->store, "a", 4, 2), -EEXIST);
	assert_int_equal(put_version(f->store, "a", 5, 2), -EEXIST);
	assert_int_equal(put_version(f->store, "a", 5, 1), 0);
	/* Nor after the list has been taken away. */
	assert_int_equal(store_allowlist_remove(f->store, lists_of(f->store).id, 7, 9, "old"), 0);
	assert_int_equal(lists_of(f->store).n, 0);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM allowlist_subject"), 0);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM allowlist_keys"), 0);
	assert_int_equal(put_version(f->store, "a", 4, 2), -EEXIST);
	reopen(f, 0);
	assert_int_equal(put_version(f->store, "a", 4, 2), -EEXIST);
	assert_int_equal(
	        raw_int(f, "SELECT count(*) FROM allowlist_act WHERE act = 'removed' AND "
	                   "series = 'a' AND version = 5 AND reason = 'old' AND by_uid = 7"),
	        1);
}

static int see_memory(const struct allowlist_memory *memory, void *userdata)
{
	unsigned int *n = userdata;

	assert_int_equal(memory->version, 5);
	(*n)++;
	return 0;
}

static void test_reset(void **state)
{
	struct fixture *f = *state;
	unsigned int n = 0;
	int64_t now = 0;

	assert_int_equal(put_version(f->store, "a", 5, 1), 0);
	assert_int_equal(put_version(f->store, "b", 5, 1), 0);
	assert_int_equal(store_trusted_now_set(f->store, 77), 0);
	assert_int_equal(store_allowlist_memories(f->store, see_memory, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(store_allowlist_reset(f->store, "a", 0, 9, ""), -EINVAL);
	assert_int_equal(store_allowlist_reset(f->store, "none", 0, 9, "why"), STORE_E_NOTFOUND);
	assert_int_equal(put_version(f->store, "a", 4, 2), -EEXIST);
	assert_int_equal(store_allowlist_reset(f->store, "a", 0, 9, "why"), 0);
	assert_int_equal(put_version(f->store, "a", 4, 2), 0);
	assert_int_equal(put_version(f->store, "b", 4, 2), -EEXIST);
	assert_int_equal(store_allowlist_reset(f->store, NULL, 0, 9, "why"), 0);
	assert_int_equal(store_trusted_now(f->store, &now), 0);
	assert_int_equal(now, 0);
	assert_int_equal(state_of(f->store, "b").history, ALLOWLIST_HISTORY_NONE);
	assert_int_equal(lists_of(f->store).n, 2);
}

static void test_now_only_goes_forward(void **state)
{
	struct fixture *f = *state;
	int64_t now = -1;

	assert_int_equal(store_trusted_now(f->store, &now), 0);
	assert_int_equal(now, 0);
	assert_int_equal(store_trusted_now_set(f->store, 0), -EINVAL);
	assert_int_equal(store_trusted_now_set(f->store, 9000), 0);
	assert_int_equal(store_trusted_now_set(f->store, 800), 0);
	assert_int_equal(store_trusted_now(f->store, &now), 0);
	assert_int_equal(now, 9000);
	/* As numbers, not as text. */
	assert_int_equal(store_trusted_now_set(f->store, 10000), 0);
	assert_int_equal(store_trusted_now(f->store, &now), 0);
	assert_int_equal(now, 10000);
}

/*
 * Half of it.
 */
static void test_half_a_list_is_no_list(void **state)
{
	struct fixture *f = *state;
	struct digest signers[2];
	struct allowlist_info info = list_of("a", 6, 2, signers);
	int64_t id = 0;

	assert_int_equal(put_version(f->store, "a", 5, 1), 0);
	assert_int_equal(store_begin(f->store), 0);
	assert_int_equal(store_allowlist_put(f->store, &info, &id), 0);
	assert_int_equal(add_subjects(f->store, id, 2), 0);
	assert_int_equal(store_commit(f->store), -EINVAL);
	assert_int_equal(lists_of(f->store).version, 5);
	assert_int_equal(state_of(f->store, "a").version, 5);
	/* What is left of it does not disturb the next one. */
	assert_int_equal(store_allowlist_add(f->store, id,
	                         &(struct statement_subject){.name = T("/a")}, &signers[0]),
	        -EINVAL);
	assert_int_equal(put_version(f->store, "a", 6, 2), 0);
}

static void test_what_is_no_list(void **state)
{
	struct fixture *f = *state;
	struct digest signers[2];
	struct allowlist_info good = list_of("a", 6, 2, signers), bad;

	assert_int_equal(store_witness(f->store), 0);
#define REFUSED(...)                                                                               \
	do {                                                                                       \
		bad = good;                                                                        \
		__VA_ARGS__;                                                                       \
		assert_int_equal(put_list(f->store, &bad, 1), -EINVAL);                            \
	} while (0)
	REFUSED(bad.statement.series = NULL);
	REFUSED(bad.statement.series = T("a\nb"));
	REFUSED(bad.statement.version = 0);
	REFUSED(bad.statement.version = (uint64_t)INT64_MAX + 1);
	REFUSED(bad.statement.expires_ns = bad.statement.issued_ns);
	REFUSED(bad.statement.bind = STATEMENT_BIND_UNSET);
	REFUSED(bad.n_signers = 0);
	REFUSED(bad.n_signers = ALLOWLIST_SIGNERS_MAX + 1);
	REFUSED(bad.source = NULL);
	REFUSED(signers[1] = signers[0]);
	signers[1] = digest_of(0x22);
	assert_int_equal(put_list(f->store, &good, 0), -EINVAL);
	assert_int_equal(put_list(f->store, &good, 1), 0);
}

static void test_so_many_lists(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(put_version(f->store, "s0", 1, 1), 0);
	raw(f, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1023) "
	       "INSERT INTO allowlist (series, version, payload, issued_ns, expires_ns, bind, "
	       "subjects, installed_ns, by_uid, source) SELECT 's' || i, 1, zeroblob(32), 1, 2, 1, "
	       "1, "
	       "1, 0, 'install' FROM n");
	assert_int_equal(raw_int(f, "SELECT count(*) FROM allowlist"), ALLOWLISTS_MAX);
	assert_int_equal(put_version(f->store, "more", 1, 1), -E2BIG);
	assert_int_equal(put_version(f->store, "s7", 2, 1), 0);
}

/*
 * Full disks: the limit on file sizes, which SQLite meets as it meets one.
 */
static void test_full_disk(void **state)
{
	struct fixture *f = *state;
	struct digest signers[2];
	struct allowlist_info info = list_of("a", 6, 2, signers);
	struct rlimit limit, small;

	assert_int_equal(put_version(f->store, "a", 5, 1), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	signal(SIGXFSZ, SIG_IGN);
	small = (struct rlimit){1 << 20, limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(put_list(f->store, &info, 100000), STORE_E_FULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(lists_of(f->store).version, 5);
	assert_int_equal(state_of(f->store, "a").version, 5);
	assert_int_equal(put_list(f->store, &info, 1000), 0);
	assert_int_equal(lists_of(f->store).version, 6);
}

/*
 * Rows that cannot be.
 */
static void test_corrupt_rows(void **state)
{
	static const char *const of_lists[] = {
	        "UPDATE allowlist SET series = 'a' || char(10)",
	        "UPDATE allowlist SET version = 0",
	        "UPDATE allowlist SET expires_ns = issued_ns",
	        "UPDATE allowlist SET bind = 7",
	        "UPDATE allowlist SET subjects = 0",
	        "UPDATE allowlist SET by_uid = -2",
	        "DELETE FROM allowlist_signer",
	        "INSERT INTO allowlist_scope VALUES ((SELECT id FROM allowlist), 3, 0, 'x[')",
	        "INSERT INTO allowlist_scope VALUES ((SELECT id FROM allowlist), 0, 0, 'x')",
	        "INSERT INTO allowlist_scope VALUES ((SELECT id FROM allowlist), 2, 1, 'x')",
	};
	struct fixture *f = *state;
	struct list_seen seen = {0};

	for (size_t i = 0; i < sizeof(of_lists) / sizeof(of_lists[0]); i++) {
		assert_int_equal(put_version(f->store, "a", i + 1, 1), 0);
		raw(f, of_lists[i]);
		if (store_allowlists(f->store, see_list, &seen) != STORE_E_CORRUPT)
			fail_msg("%s", of_lists[i]);
		/* What is damaged can be replaced or taken away. */
		raw(f, "UPDATE allowlist SET series = 'a'");
	}
	assert_int_equal(put_version(f->store, "a", 50, 1), 0);
	assert_int_equal(lists_of(f->store).n, 1);
}

static void test_corrupt_subjects_and_keys(void **state)
{
	static const struct {
		const char *sql;
		bool of_keys;
	} rows[] = {
	        {"UPDATE allowlist_subject SET name = 'relative' WHERE name LIKE '%-1'", false},
	        {"UPDATE allowlist_subject SET name = '/a/../b' WHERE name LIKE '%-1'", false},
	        {"DELETE FROM allowlist_subject WHERE name LIKE '%-1'", false},
	        {"DELETE FROM allowlist_subject WHERE name LIKE '%-2'", false},
	        {"UPDATE allowlist_keys SET keys = substr(keys, 1, 64)", true},
	        {"UPDATE allowlist_keys SET keys = CAST(substr(keys, 33, 32) || "
	         "substr(keys, 1, 32) || substr(keys, 65) AS BLOB)",
	                true},
	        {"UPDATE allowlist_keys SET keys = CAST(substr(keys, 1, 32) || keys AS BLOB)",
	                true},
	        {"UPDATE allowlist_keys SET keys = x''", true},
	        {"UPDATE allowlist_keys SET id = id + 1", true},
	        {"DELETE FROM allowlist_keys", true},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct keys_seen keys = {0};
		size_t n = 0;
		int64_t id;
		int r;

		assert_int_equal(put_version(f->store, "a", i + 1, 1), 0);
		id = lists_of(f->store).id;
		raw(f, rows[i].sql);
		r = rows[i].of_keys ? store_allowlist_keys(f->store, id, see_keys, &keys)
		                    : store_allowlist_subjects(f->store, id, NULL, see_subject, &n);
		if (r != STORE_E_CORRUPT)
			fail_msg("%s: %d", rows[i].sql, r);
	}
	assert_int_equal(store_allowlist_keys(f->store, 12345, see_keys, &(struct keys_seen){0}),
	        STORE_E_NOTFOUND);
}

static void test_corrupt_memory(void **state)
{
	struct fixture *f = *state;
	struct allowlist_state known;
	unsigned int n = 0;

	assert_int_equal(put_version(f->store, "a", 5, 1), 0);
	raw(f, "UPDATE allowlist_memory SET version = -1");
	assert_int_equal(store_allowlist_state(f->store, "a", &known), STORE_E_CORRUPT);
	assert_int_equal(store_allowlist_memories(f->store, see_memory, &n), STORE_E_CORRUPT);
	assert_int_equal(put_version(f->store, "a", 6, 1), STORE_E_CORRUPT);
	raw(f, "UPDATE setting SET value = 'x' WHERE name = 'allowlist.generation'");
	assert_int_equal(store_allowlist_state(f->store, "a", &known), STORE_E_CORRUPT);
}

/*
 * Two handles.
 */
struct other {
	const struct fixture *f;
	uint64_t version;
	int r;
};

static void *put_from_another(void *userdata)
{
	struct other *other = userdata;
	struct store *store = NULL;

	other->r = store_open(other->f->dir, STORE_READ_WRITE, &store);
	if (other->r == 0)
		other->r = put_version(store, "a", other->version, (uint8_t)other->version);
	store_free(store);
	return NULL;
}

/* Of those who come together, each is stored in its turn or refused; the highest is what stays. */
static void test_two_handles(void **state)
{
	struct fixture *f = *state;
	struct other others[8];
	pthread_t threads[8];

	for (size_t i = 0; i < 8; i++) {
		others[i] = (struct other){.f = f, .version = i + 1};
		assert_int_equal(
		        pthread_create(&threads[i], NULL, put_from_another, &others[i]), 0);
	}
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_true(others[i].r == 0 || others[i].r == -EEXIST);
	}
	assert_int_equal(others[7].r, 0);
	assert_int_equal(state_of(f->store, "a").version, 8);
	assert_int_equal(lists_of(f->store).version, 8);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM setting WHERE name = "
	                            "'allowlist.database'"),
	        1);
}

/* Until the commit a reader sees the list before, whole. */
static void test_a_reader_beside_a_writer(void **state)
{
	struct fixture *f = *state;
	struct digest signers[2];
	struct allowlist_info info = list_of("a", 6, 2, signers);
	struct store *reader = NULL;
	int64_t id = 0, before = 0, now = 0;

	assert_int_equal(put_version(f->store, "a", 5, 1), 0);
	assert_int_equal(store_open(f->dir, STORE_READ_ONLY, &reader), 0);
	assert_int_equal(store_allowlist_generation(reader, &before), 0);
	assert_int_equal(store_begin(f->store), 0);
	assert_int_equal(store_allowlist_put(f->store, &info, &id), 0);
	assert_int_equal(add_subjects(f->store, id, 10), 0);
	assert_int_equal(lists_of(reader).version, 5);
	assert_int_equal(store_allowlist_finish(f->store, id, 10), 0);
	assert_int_equal(store_allowlist_generation(reader, &now), 0);
	assert_int_equal(now, before);
	assert_int_equal(store_commit(f->store), 0);
	assert_int_equal(lists_of(reader).version, 6);
	assert_int_equal(store_allowlist_generation(reader, &now), 0);
	assert_true(now > before);
	store_free(reader);
}

/* A database of version 2, with what it remembers of baselines. */
static void test_from_version_2(void **state)
{
	static const char *const files[] = {"001_initial.sql", "002_baselines.sql"};
	struct fixture *f = *state;
	char path[512];

	for (size_t i = 0; i < 2; i++) {
		_cleanup_free_ char *sql = NULL;
		size_t size;

		snprintf(path, sizeof(path), "%s/schema/%s", TEST_SOURCE_DIR, files[i]);
		assert_int_equal(file_read_at(AT_FDCWD, path, 1 << 20, &sql, &size), 0);
		raw(f, sql);
	}
	raw(f, "PRAGMA application_id = 1702389111; PRAGMA user_version = 2; "
	       "INSERT INTO setting VALUES ('mode', 'enforce')");
	assert_int_equal(chmod(path_of(f, "baseline.db", path), 0600), 0);
	reopen(f, 0);
	assert_int_equal(raw_int(f, "PRAGMA user_version"), 3);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM setting WHERE name = 'mode'"), 1);
	assert_int_equal(put_version(f->store, "a", 5, 1), 0);
}

/* Within the promise, and no more memory for a million than their keys take. */
static void test_a_million(void **state)
{
	struct fixture *f = *state;
	struct digest signers[2];
	struct allowlist_info info = list_of("a", 1, 1, signers);
	int64_t began = clock_monotonic_ns();
	long ms;
	struct keys_seen keys = {0};
	struct rusage usage;

	assert_int_equal(put_list(f->store, &info, MANY), 0);
	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	ms = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
	     (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
	print_message("a million subjects: %lld ms, %ld ms of processor time with all before, at "
	              "most %ld KiB resident\n",
	        (long long)((clock_monotonic_ns() - began) / NS_PER_MSEC), ms, usage.ru_maxrss);
#if !defined(__SANITIZE_ADDRESS__)
	assert_true(ms < MANY_MS);
	assert_true(usage.ru_maxrss < MANY_RSS_KB);
#endif
	assert_int_equal(store_allowlist_keys(f->store, lists_of(f->store).id, see_keys, &keys), 0);
	assert_int_equal(keys.n, MANY);
	assert_int_equal(store_begin(f->store), 0);
	store_rollback(f->store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_put_and_read, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_keys_once, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_a_newer_one_takes_its_place, setup, teardown),
	        cmocka_unit_test_setup_teardown(
	                test_an_older_one_never_comes_back, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_now_only_goes_forward, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_half_a_list_is_no_list, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_what_is_no_list, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_so_many_lists, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_corrupt_rows, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_corrupt_subjects_and_keys, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_corrupt_memory, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_two_handles, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_a_reader_beside_a_writer, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_from_version_2, setup_empty, teardown),
	        cmocka_unit_test_setup_teardown(test_a_million, setup, teardown),
	};

	return cmocka_run_group_tests_name("allowlists", tests, NULL, NULL);
}
