/* A database that is lost, replaced or put back from an older copy is not taken for a new one. */
#include "allowlists_fixture.h"

static void drop_database(struct fixture *f)
{
	static const char *const names[] = {"baseline.db", "baseline.db-wal", "baseline.db-shm"};
	char path[128];

	store_free(TAKE_PTR(f->store));
	for (size_t i = 0; i < 3; i++)
		(void)unlink(path_of(f, names[i], path));
}

static void test_a_lost_database_is_no_new_one(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(put_version(f->store, "a", 5, 1), 0);
	drop_database(f);
	reopen(f, 0);
	assert_int_equal(state_of(f->store, "a").history, ALLOWLIST_HISTORY_UNSET);
	assert_int_equal(state_of(f->store, "new").history, ALLOWLIST_HISTORY_UNSET);
	assert_int_equal(put_version(f->store, "a", 4, 2), -ESTALE);
	assert_int_equal(put_version(f->store, "new", 1, 2), -ESTALE);
	reopen(f, 0);
	assert_int_equal(state_of(f->store, "a").history, ALLOWLIST_HISTORY_UNSET);
	/* One series alone would make all others believed. */
	assert_int_equal(store_allowlist_reset(f->store, "a", 0, 9, "why"), -ESTALE);
	assert_int_equal(store_allowlist_reset(f->store, NULL, 0, 9, "disk died"), 0);
	assert_int_equal(put_version(f->store, "a", 4, 2), 0);
	reopen(f, 0);
	assert_int_equal(state_of(f->store, "a").history, ALLOWLIST_HISTORY_KNOWN);
}

/* Its id is missing: somebody has emptied the settings, or put in a database of their own. */
static void test_a_database_without_its_id(void **state)
{
	struct fixture *f = *state;
	char path[128];

	assert_int_equal(put_version(f->store, "a", 5, 1), 0);
	raw(f, "DELETE FROM setting WHERE name = 'allowlist.database'");
	assert_int_equal(state_of(f->store, "a").history, ALLOWLIST_HISTORY_UNSET);
	/* Without the witness, too: it remembers, and a new one would not. */
	assert_int_equal(unlink(path_of(f, "allowlists.witness", path)), 0);
	assert_int_equal(state_of(f->store, "a").history, ALLOWLIST_HISTORY_UNSET);
}

static void copy(const struct fixture *f, const char *from, const char *to)
{
	_cleanup_free_ char *data = NULL;
	char path[128];
	size_t size;

	assert_int_equal(file_read_at(AT_FDCWD, path_of(f, from, path), 64 << 20, &data, &size), 0);
	assert_int_equal(file_write_atomic(path_of(f, to, path), data, size, 0600), 0);
}

static void test_an_older_copy_is_noticed(void **state)
{
	struct fixture *f = *state;
	char path[128];

	assert_int_equal(put_version(f->store, "a", 5, 1), 0);
	raw(f, "PRAGMA wal_checkpoint(TRUNCATE)");
	copy(f, "baseline.db", "copy");
	assert_int_equal(put_version(f->store, "a", 6, 2), 0);
	drop_database(f);
	assert_int_equal(
	        rename(path_of(f, "copy", path), path_of(f, "baseline.db", (char[128]){0})), 0);
	reopen(f, 0);
	assert_int_equal(state_of(f->store, "a").history, ALLOWLIST_HISTORY_UNSET);
	assert_int_equal(put_version(f->store, "a", 5, 1), -ESTALE);
}

/* The database remembers all the same, and the file is written anew. */
static void test_a_witness_that_is_gone(void **state)
{
	struct fixture *f = *state;
	char path[128];
	struct stat st;

	assert_int_equal(put_version(f->store, "a", 5, 1), 0);
	assert_int_equal(unlink(path_of(f, "allowlists.witness", path)), 0);
	assert_int_equal(state_of(f->store, "a").version, 5);
	assert_int_equal(put_version(f->store, "a", 4, 1), -EEXIST);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	drop_database(f);
	reopen(f, 0);
	assert_int_equal(state_of(f->store, "a").history, ALLOWLIST_HISTORY_UNSET);
}

static void test_a_witness_that_is_none(void **state)
{
	static const char *const texts[] = {"", "\n", "zz", "0123456789abcdef0123456789abcdef\n",
	        "0123456789abcdef0123456789abcdef 99999999999999999999\n",
	        "0123456789abcdef0123456789abcdef -1\n", "0123456789abcdef0123456789abcdef 1\n"};
	struct fixture *f = *state;
	char path[128];

	assert_int_equal(put_version(f->store, "a", 5, 1), 0);
	path_of(f, "allowlists.witness", path);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(file_write_atomic(path, texts[i], strlen(texts[i]), 0600), 0);
		assert_int_equal(state_of(f->store, "a").history, ALLOWLIST_HISTORY_UNSET);
		assert_int_equal(store_witness(f->store), 0);
		assert_int_equal(state_of(f->store, "a").history, ALLOWLIST_HISTORY_UNSET);
	}
	/* Writable by others, it is not even looked at. */
	assert_int_equal(chmod(path, 0666), 0);
	reopen(f, STORE_E_UNSAFE);
}

static void test_nothing_is_put_without_a_witness(void **state)
{
	struct fixture *f = *state;
	struct digest signers[2];
	struct allowlist_info info = list_of("a", 1, 1, signers);
	int64_t id;

	assert_int_equal(store_allowlist_put(f->store, &info, &id), -EINVAL); /* no group */
	assert_int_equal(store_begin(f->store), 0);
	assert_int_equal(store_allowlist_put(f->store, &info, &id), -ESTALE);
	store_rollback(f->store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(
	                test_a_lost_database_is_no_new_one, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_a_database_without_its_id, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_an_older_copy_is_noticed, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_a_witness_that_is_gone, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_a_witness_that_is_none, setup, teardown),
	        cmocka_unit_test_setup_teardown(
	                test_nothing_is_put_without_a_witness, setup, teardown),
	};

	return cmocka_run_group_tests_name("witness", tests, NULL, NULL);
}
