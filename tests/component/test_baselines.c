/*
 * Baselines in a database: what is written comes out again, in order, by path and by digest; names
 * of any bytes; rows that somebody else wrote.
 */
#include "baselines_fixture.h"

/*
 * Entries.
 */
static void assert_entries_equal(const struct entry *a, const struct entry *b)
{
	assert_string_equal(a->path, b->path);
	assert_int_equal(entry_compare(a, b), 0);
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->content, b->content);
	assert_string_equal(a->package ?: "", b->package ?: "");
	assert_int_equal(a->handle_size, b->handle_size);
	assert_memory_equal(a->handle, b->handle, a->handle_size);
	assert_int_equal(a->handle_type, b->handle_type);
	assert_int_equal(a->settled, b->settled);
	assert_true(file_identity_equal(&a->identity, &b->identity));
}

/* Every kind of entry, before and after it is published, from both handles. */
static void test_entries_come_back(void **state)
{
	struct fixture *f = *state;
	struct entry entries[] = {
	        entry_of("/usr/bin/env", 1),
	        {.path = T("/"), .type = ENTRY_DIRECTORY, .mode = 01777, .flags = ENTRY_OPAQUE},
	        {.path = T("/dev/sda"),
	                .type = ENTRY_BLOCK,
	                .mode = 0660,
	                .rdev_major = UINT32_MAX,
	                .rdev_minor = UINT32_MAX},
	        {.path = T("/bin"), .type = ENTRY_SYMLINK, .mode = 0777, .target = T("usr/bin")},
	        {.path = T("/secret"), .type = ENTRY_FILE, .content = CONTENT_UNREADABLE},
	        {.path = T("/log"),
	                .type = ENTRY_FILE,
	                .uid = UINT32_MAX,
	                .gid = UINT32_MAX,
	                .size = INT64_MAX,
	                .identity.size = INT64_MAX,
	                .content = CONTENT_MUTABLE},
	        {.path = T("/gone"), .type = ENTRY_WHITEOUT},
	};
	const size_t n = sizeof(entries) / sizeof(entries[0]);
	int64_t id = begin(f->store, SNAPSHOT_HOST, "/usr"), row = 0;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(store_snapshot_add(f->store, id, &entries[i]), 0);
	assert_int_equal(count_entries(f->store, id), n);
	assert_int_equal(publish(f->store, id), 0);
	reopen(f, 0);
	for (size_t i = 0; i < n; i++) {
		_cleanup_(entry_done) struct entry found = {0};

		assert_int_equal(store_entry_find(f->store, id, entries[i].path, &found, &row), 0);
		assert_entries_equal(&entries[i], &found);
		assert_true(row > 0);
	}
	assert_int_equal(
	        store_entry_find(f->store, id, "/usr", &entries[0], NULL), STORE_E_NOTFOUND);
	assert_int_equal(
	        store_entry_find(f->store, id + 1, "/bin", &entries[0], NULL), STORE_E_NOTFOUND);
	assert_int_equal(count_entries(f->store, id), n);
	assert_int_equal(count_digests(f->store, id), 1);
}

static void test_entries_that_cannot_be(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *longest = malloc(ENTRY_PATH_MAX + 2);
	const struct entry good = entry_of("/x", 1);
	struct entry bad[18];
	int64_t id = begin(f->store, SNAPSHOT_HOST, "/");
	size_t n = 0;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		bad[i] = good;
	bad[n++].path = NULL;
	bad[n++].path = T("");
	bad[n++].path = T("x");
	bad[n++].path = T("/x/");
	bad[n++].path = T("//x");
	bad[n++].path = T("/x/../y");
	bad[n++].path = T("/.");
	bad[n++].type = ENTRY_UNSET;
	bad[n++].type = _ENTRY_TYPE_MAX;
	bad[n++].mode = 010000;
	bad[n++].size = UINT64_MAX;
	bad[n++].flags = 8;
	bad[n++].flags = ENTRY_OPAQUE;
	bad[n++].kind = _EXEC_KIND_MAX;
	bad[n++].content = _CONTENT_MAX;
	bad[n++].target = T("y");
	bad[n++].type = ENTRY_DIRECTORY; /* with a digest */
	for (size_t i = 0; i < n; i++)
		assert_int_equal(store_snapshot_add(f->store, id, &bad[i]), -EINVAL);
	bad[0] = good;
	bad[0].caps_size = ENTRY_CAPS_MAX + 1;
	assert_int_equal(store_snapshot_add(f->store, id, &bad[0]), -EMSGSIZE);
	bad[0] = good;
	bad[0].handle_size = ENTRY_HANDLE_MAX + 1;
	assert_int_equal(store_entry_put(f->store, id, &bad[0]), -EMSGSIZE);
	memset(longest, 'x', ENTRY_PATH_MAX + 1);
	longest[0] = '/';
	longest[ENTRY_PATH_MAX + 1] = '\0';
	bad[0] = good;
	bad[0].path = longest;
	assert_int_equal(store_snapshot_add(f->store, id, &bad[0]), -EMSGSIZE);
	longest[ENTRY_PATH_MAX] = '\0';
	assert_int_equal(store_snapshot_add(f->store, id, &bad[0]), 0);
	assert_int_equal(count_entries(f->store, id), 1);
}

/* Bytes that the order, the key, SQL and terminals could trip over. */
static void hostile_path(unsigned int *seed, char ret_path[64])
{
	static const char bytes[] = "\x01\x02\x03/.-0a\n\x1b'%\xff\xc3\xa9\xed\x7f\\ ";
	size_t n = 1 + (size_t)rand_r(seed) % 12;

	do {
		ret_path[0] = '/';
		for (size_t i = 1; i <= n; i++)
			ret_path[i] = bytes[(size_t)rand_r(seed) % (sizeof(bytes) - 1)];
		ret_path[n + 1] = '\0';
	} while (!entry_path_valid(ret_path));
}

static void test_hostile_names(void **state)
{
	struct fixture *f = *state;
	int64_t id = begin(f->store, SNAPSHOT_ROOTFS, "new\nline\xff");
	unsigned int seed = 1, n = 0;
	struct snapshot_info info;

	for (int i = 0; i < 3000; i++) {
		_cleanup_(entry_done) struct entry found = {0};
		char path[64];

		hostile_path(&seed, path);
		if (store_entry_find(f->store, id, path, &found, NULL) == 0)
			continue;
		add(f->store, id, path, (uint8_t)i);
		n++;
		assert_int_equal(store_entry_find(f->store, id, path, &found, NULL), 0);
		assert_string_equal(found.path, path);
	}
	assert_int_equal(count_entries(f->store, id), n);
	assert_int_equal(publish(f->store, id), 0);
	assert_int_equal(store_snapshot_find(f->store, "new\nline\xff", &info), 0);
	snapshot_info_done(&info);
	/* Bytes that make way for the slash are still told apart. */
	id = begin(f->store, SNAPSHOT_ROOTFS, "/x");
	add(f->store, id, "/a/b", 1);
	add(f->store, id,
	        "/a\x01"
	        "b",
	        2);
	add(f->store, id,
	        "/a\x02\x01"
	        "b",
	        3);
	add(f->store, id,
	        "/a\x02"
	        "b",
	        4);
	add(f->store, id, "/a", 5);
	assert_int_equal(count_entries(f->store, id), 5);
}

static void test_order_and_resuming(void **state)
{
	static const char *const ordered[] = {"/", "/a", "/a/b", "/a/b/c", "/a\x01", "/a b", "/a-b",
	        "/a.b", "/a0", "/ab", "/a\xff", "/b"};
	const unsigned int n = sizeof(ordered) / sizeof(ordered[0]);
	struct fixture *f = *state;
	int64_t id = begin(f->store, SNAPSHOT_ROOTFS, "/x");
	struct entries_seen seen = {.stop_at = 4};

	for (unsigned int i = n; i > 0; i--)
		add(f->store, id, ordered[i - 1], 1);
	assert_int_equal(store_entries(f->store, id, NULL, see_entry, &seen), -ECANCELED);
	assert_string_equal(seen.path, ordered[3]);
	for (unsigned int i = 0; i < n; i++) {
		seen = (struct entries_seen){.stop_at = 1};
		assert_int_equal(store_entries(f->store, id, ordered[i], see_entry, &seen),
		        i == n - 1 ? 0 : -ECANCELED);
		assert_string_equal(seen.path, i == n - 1 ? "" : ordered[i + 1]);
	}
	seen = (struct entries_seen){.stop_at = 1};
	assert_int_equal(store_entries(f->store, id, "/a/zz", see_entry, &seen), -ECANCELED);
	assert_string_equal(seen.path, "/a\x01");
}

static void test_given_twice(void **state)
{
	struct fixture *f = *state;
	int64_t id = begin(f->store, SNAPSHOT_ROOTFS, "/x"), other;

	add(f->store, id, "/a", 1);
	add(f->store, id, "/b", 1);
	add(f->store, id, "/a", 2);
	assert_int_equal(publish(f->store, id), -EEXIST);
	assert_int_equal(publish(f->store, id), -EEXIST); /* and does not go away */
	assert_int_equal(
	        store_entries(f->store, id, NULL, see_entry, &(struct entries_seen){0}), -EEXIST);
	assert_int_equal(store_snapshot_remove(f->store, id), 0);
	/* Nothing of it waits on. */
	other = make(f->store, SNAPSHOT_ROOTFS, "/x", "/a", 3);
	assert_int_equal(count_entries(f->store, other), 1);
	/* In two batches. */
	id = begin(f->store, SNAPSHOT_ROOTFS, "/x");
	add(f->store, id, "/a", 1);
	assert_int_equal(count_entries(f->store, id), 1);
	add(f->store, id, "/a", 1);
	assert_int_equal(publish(f->store, id), -EEXIST);
	assert_int_equal(count_where(f->store, 3, &(struct where_seen){0}), 1); /* still stands */
}

static void test_changes(void **state)
{
	struct fixture *f = *state;
	int64_t id = make(f->store, SNAPSHOT_HOST, "/usr", "/usr/a", 1);
	struct snapshot_info info = {.id = id, .entries = 9}, found = {0};
	struct entry entry = entry_of("/usr/a", 2);
	struct where_seen seen;

	assert_int_equal(store_entry_put(f->store, id, &entry), 0);
	assert_int_equal(count_entries(f->store, id), 1);
	assert_int_equal(count_where(f->store, 1, &seen), 0);
	assert_int_equal(count_where(f->store, 2, &seen), 1);
	entry.path = T("/usr/b");
	assert_int_equal(store_begin(f->store), 0);
	assert_int_equal(store_entry_put(f->store, id, &entry), 0);
	assert_int_equal(store_entry_remove(f->store, id, "/usr/a"), 0);
	store_rollback(f->store);
	assert_int_equal(count_where(f->store, 2, &seen), 1);
	assert_string_equal(seen.path, "/usr/a");
	assert_int_equal(store_begin(f->store), 0);
	assert_int_equal(store_entry_put(f->store, id, &entry), 0);
	assert_int_equal(store_entry_remove(f->store, id, "/usr/a"), 0);
	assert_int_equal(store_snapshot_update(f->store, &info), 0);
	assert_int_equal(store_commit(f->store), 0);
	assert_int_equal(count_where(f->store, 2, &seen), 1);
	assert_string_equal(seen.path, "/usr/b");
	assert_int_equal(store_snapshot_get(f->store, id, &found), 0);
	assert_int_equal(found.entries, 9);
	snapshot_info_done(&found);
	entry.flags = 0; /* no executable any more */
	assert_int_equal(store_entry_put(f->store, id, &entry), 0);
	assert_int_equal(count_digests(f->store, id), 0);
	assert_int_equal(store_entry_remove(f->store, id, "/usr/a"), STORE_E_NOTFOUND);
	assert_int_equal(store_entry_remove(f->store, id, "/usr/b"), 0);
	assert_int_equal(store_entry_put(f->store, id + 1, &entry), STORE_E_NOTFOUND);
	assert_int_equal(count_entries(f->store, id), 0);
}

/* More than one batch of everything, and other files of the same digest. */
static void test_many(void **state)
{
	struct fixture *f = *state;
	int64_t id = begin(f->store, SNAPSHOT_HOST, "/");
	struct where_seen seen;

	for (unsigned int i = 0; i < 12000; i++) {
		struct entry entry;
		char path[32];

		snprintf(path, sizeof(path), "/d%u/f%u", i % 7, i);
		entry = entry_of(path, 9);
		memcpy(entry.digest.bytes, &(unsigned int){i / 2}, sizeof(unsigned int));
		if (i % 3 == 0)
			entry.digest = digest_of(9);
		assert_int_equal(store_snapshot_add(f->store, id, &entry), 0);
	}
	assert_int_equal(publish(f->store, id), 0);
	assert_int_equal(count_entries(f->store, id), 12000);
	assert_int_equal(count_digests(f->store, id), 6001);
	assert_int_equal(count_where(f->store, 9, &seen), 100); /* the limit */
	assert_int_equal(raw_int(f, "SELECT count(*) FROM executable"), 12000);
}

/*
 * Hostile rows.
 */
static int walk(struct store *store)
{
	struct entries_seen entries = {0};
	struct digests_seen digests = {0};
	struct where_seen where = {0};
	struct digest digest = digest_of(1);
	int64_t ids[16] = {0};
	int r = store_snapshots(store, see_info, ids);

	if (r == 0)
		r = store_entries(store, 1, NULL, see_entry, &entries);
	if (r == 0)
		r = store_snapshot_digests(store, 1, see_digests, &digests);
	if (r == 0)
		r = store_digest_where(store, &digest, 5, see_where, &where);
	return r;
}

static void fill(struct fixture *f)
{
	int64_t id;

	raw(f, "DELETE FROM executable; DELETE FROM entry; DELETE FROM snapshot; "
	       "DELETE FROM sqlite_sequence");
	assert_int_equal(make(f->store, SNAPSHOT_HOST, "/usr", "/usr/a", 1), 1);
	id = begin(f->store, SNAPSHOT_HOST, "/");
	add(f->store, id, "/b", 1);
	add(f->store, id, "/c", 2);
	assert_int_equal(publish(f->store, id), 0);
}

static void test_hostile_rows(void **state)
{
	static const char *const rows[] = {
	        "UPDATE snapshot SET kind = 0", "UPDATE snapshot SET kind = 8",
	        "UPDATE snapshot SET name = '' WHERE id = 1",
	        "UPDATE snapshot SET name = CAST(x'610062' AS TEXT) WHERE id = 1",
	        "UPDATE snapshot SET name = hex(zeroblob(5000)) WHERE id = 1",
	        "UPDATE snapshot SET scope = 4", "UPDATE snapshot SET scope = 0",
	        "UPDATE snapshot SET scope_value = NULL",
	        "UPDATE snapshot SET image_id = hex(zeroblob(5000))",
	        "UPDATE snapshot SET root = 'relative'", "UPDATE snapshot SET all_files = 2",
	        "UPDATE snapshot SET created_ns = -1", "UPDATE snapshot SET by_uid = 4294967296",
	        "UPDATE snapshot SET entries = -1", "UPDATE snapshot SET sha256 = x'00'",
	        "UPDATE snapshot SET id = -9 WHERE id = 1",
	        "UPDATE entry SET path = 'usr/a' WHERE snapshot = 1",
	        "UPDATE entry SET path = path || '/'",
	        "UPDATE entry SET path = CAST(x'2F6100' AS TEXT) WHERE snapshot = 1",
	        "UPDATE entry SET path = '/' || hex(zeroblob(5000)) WHERE snapshot = 1",
	        "UPDATE entry SET type = 0", "UPDATE entry SET type = 9",
	        "UPDATE entry SET mode = 4096", "UPDATE entry SET uid = -1",
	        "UPDATE entry SET gid = 4294967296", "UPDATE entry SET size = -1",
	        "UPDATE entry SET rdev_minor = -1", "UPDATE entry SET flags = 8",
	        "UPDATE entry SET kind = 4", "UPDATE entry SET content = 4",
	        "UPDATE entry SET content = 0", "UPDATE entry SET sha256 = NULL",
	        "UPDATE entry SET sha256 = zeroblob(33)", "UPDATE entry SET target = 'x'",
	        "UPDATE entry SET caps = zeroblob(25)", "UPDATE entry SET caps = x''",
	        "UPDATE entry SET package = hex(zeroblob(5000))",
	        "UPDATE entry SET handle = zeroblob(129)",
	        "UPDATE entry SET handle_type = 2147483648", "UPDATE entry SET settled = 2",
	        "UPDATE entry SET id = -id", "UPDATE executable SET sha256 = x'01'",
	        "UPDATE executable SET sha256 = zeroblob(33)", "UPDATE executable SET entry = -1",
	        "UPDATE entry SET sha256 = zeroblob(32) WHERE snapshot = 2",
	        "DROP TABLE entry", /* the last: it does not come back */
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char sql[512];
		int r;

		fill(f);
		assert_int_equal(walk(f->store), 0);
		snprintf(sql, sizeof(sql), "PRAGMA ignore_check_constraints = ON; %s", rows[i]);
		raw(f, sql);
		r = walk(f->store);
		if (r != STORE_E_CORRUPT)
			fail_msg("%s: %d", rows[i], r);
	}
}

/* Tables of another make, without types, constraints and order. */
static void test_hostile_tables(void **state)
{
	static const char *const rows[] = {
	        "UPDATE entry SET path = NULL WHERE snapshot = 1",
	        "UPDATE entry SET path = x'2f61' WHERE snapshot = 1",
	        "UPDATE entry SET type = 'file'",
	        "UPDATE entry SET sha256 = '01234567890123456789012345678901'",
	        "UPDATE entry SET caps = 'text'", "UPDATE entry SET mtime_ns = 1e300",
	        "UPDATE entry SET settled = NULL",
	        "UPDATE entry SET key = NULL WHERE snapshot = 1; "
	        "UPDATE entry SET key = 'z' WHERE snapshot = 1; "
	        "INSERT INTO entry SELECT id + 50, snapshot, path, type, mode, uid, gid, size, "
	        "rdev_major, rdev_minor, flags, kind, content, sha256, target, caps, package, dev, "
	        "ino, btime_ns, ctime_ns, mtime_ns, handle, handle_type, settled, 'zz' FROM entry "
	        "WHERE snapshot = 1", /* the same path twice */
	};
	struct fixture *f = *state;

	fill(f);
	raw(f, "DROP VIEW baseline; CREATE TABLE kept AS SELECT *, key FROM entry; DROP TABLE "
	       "entry");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r;

		raw(f, "DROP TABLE IF EXISTS entry; CREATE TABLE entry AS SELECT * FROM kept; "
		       "ALTER TABLE entry DROP COLUMN \"key:1\"; "
		       "CREATE INDEX entry_by_path ON entry (snapshot, key)");
		assert_int_equal(walk(f->store), 0);
		raw(f, rows[i]);
		r = walk(f->store);
		if (r != STORE_E_CORRUPT)
			fail_msg("%s: %d", rows[i], r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_entries_come_back, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_entries_that_cannot_be, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_hostile_names, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_order_and_resuming, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_given_twice, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_hostile_rows, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_hostile_tables, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
