/*
 * Rows of the database on real files: what is written is read again, what is hostile is refused on
 * the way in and on the way out, and groups, queries and retention keep their word.
 */
#include "store_fixture.h"

/*
 * Drops.
 */
static void test_drops(void **state)
{
	struct fixture *f = *state;
	struct file_identity identity = identity_of(10);
	struct digest digest = digest_of(1);
	struct drop_info drop = {0};
	int64_t row = add_drop(f->store, 10, "/bin/x");

	assert_int_equal(store_drop_find(f->store, &identity, &drop), 0);
	assert_true(drop.known);
	assert_int_equal(drop.id, row);
	assert_int_equal(drop.pid, 42);
	assert_int_equal(drop.uid, 1000);
	assert_string_equal(drop.exe, "/bin/cp");
	assert_string_equal(drop.cmdline, "cp a b");
	drop_info_done(&drop);
	assert_int_equal(store_drop_set_digest(f->store, row, &identity, &digest, false), 0);
	assert_int_equal(count_drops(f->store, QUERY(.digest = &digest), &(struct seen){0}), 1);
	/* Written again: the last writer counts, and the old digest is void. */
	assert_int_equal(add_drop(f->store, 10, "/bin/y"), row);
	assert_int_equal(count_drops(f->store, QUERY(.digest = &digest), &(struct seen){0}), 0);
	identity.mtime_ns = 99;
	assert_int_equal(
	        store_drop_set_digest(f->store, row, &identity, &digest, false), STORE_E_NOTFOUND);
	identity.ino = 11;
	assert_int_equal(store_drop_find(f->store, &identity, &drop), STORE_E_NOTFOUND);
}

static int copy_identity(const struct store_drop_row *row, void *userdata)
{
	struct file_identity *identity = userdata;

	*identity = row->identity;
	assert_string_equal(row->container_key, KEY);
	assert_null(row->container_name);
	assert_int_equal(row->kind, EXEC_KIND_ELF);
	assert_true(row->mutable_file);
	assert_false(row->has_digest);
	assert_int_equal(row->writer.pid, -1);
	assert_null(row->writer.exe);
	return 0;
}

/* Every field of an inode, whatever 64 bits it has; a container that is only a key. */
static void test_drop_identity(void **state)
{
	struct fixture *f = *state;
	struct file_identity identity = {
	        .dev = UINT64_MAX,
	        .ino = UINT64_MAX - 1,
	        .btime_ns = INT64_MIN,
	        .ctime_ns = -6,
	        .mtime_ns = INT64_MAX,
	        .size = 8,
	};
	struct store_drop drop = {
	        .identity = identity,
	        .container_key = KEY,
	        .path = "/x",
	        .kind = EXEC_KIND_ELF,
	        .mutable_file = true,
	        .writer_gone = true,
	        .writer_pid = -1,
	        .writer_uid = -1,
	};
	struct file_identity read = {0};
	int64_t row;

	assert_int_equal(store_drop_add(f->store, &drop, &row), 0);
	assert_int_equal(store_drops(f->store, &QUERY(.container = KEY), copy_identity, &read), 0);
	assert_true(file_identity_equal(&identity, &read));
}

static void test_drop_queries(void **state)
{
	struct fixture *f = *state;
	struct digest digest = digest_of(1);
	struct file_identity identity = identity_of(2);
	struct seen seen;

	add_drop(f->store, 1, "/bin/x");
	assert_int_equal(store_drop_set_digest(f->store, add_drop(f->store, 2, "/bin/y"), &identity,
	                         &digest, false),
	        0);
	assert_int_equal(count_drops(f->store, QUERY(0), &seen), 2);
	assert_string_equal(seen.path, "/bin/y");
	assert_int_equal(count_drops(f->store, QUERY(.since_ns = 1500), &seen), 1);
	assert_int_equal(count_drops(f->store, QUERY(.path = "/bin/x"), &seen), 1);
	assert_int_equal(count_drops(f->store, QUERY(.digest = &digest), &seen), 1);
	assert_int_equal(count_drops(f->store, QUERY(.container = "web"), &seen), 2);
	assert_int_equal(count_drops(f->store, QUERY(.container = "web", .path = "/"), &seen), 0);
	assert_int_equal(count_drops(f->store, QUERY(.limit = 1), &seen), 1);
	assert_string_equal(seen.path, "/bin/y");
	assert_int_equal(count_drops(f->store, QUERY(.uid = "of an event"), &seen), 2);
}

/*
 * Events.
 */
static void test_events(void **state)
{
	struct fixture *f = *state;
	struct digest digest = digest_of(2), other = digest_of(3);
	struct store_event again = event_of("1-1", "/bin/x", 1);
	struct seen seen;
	int64_t row = add_event(f->store, "1-1", "/bin/x", 100), id;

	add_event(f->store, "1-2", "/bin/y", 200);
	assert_int_equal(store_event_add(f->store, &again, &id), -EEXIST);
	assert_int_equal(store_event_update(f->store, row, 1000, 300, "{\"a\":1}"), 0);
	assert_int_equal(store_event_update(f->store, 999, 1, 1, "{}"), STORE_E_NOTFOUND);
	assert_int_equal(count_events(f->store, QUERY(0), &seen), 2);
	assert_int_equal(count_events(f->store, QUERY(.since_ns = 250), &seen), 1);
	assert_int_equal(seen.count, 1000);
	assert_int_equal(count_events(f->store, QUERY(.after_id = row), &seen), 1);
	assert_int_equal(count_events(f->store, QUERY(.path = "/bin/y"), &seen), 1);
	assert_int_equal(count_events(f->store, QUERY(.digest = &digest), &seen), 2);
	assert_int_equal(count_events(f->store, QUERY(.digest = &other), &seen), 0);
	assert_int_equal(count_events(f->store, QUERY(.uid = "1-2"), &seen), 1);
	assert_int_equal(count_events(f->store, QUERY(.uid = "1-2", .path = "/"), &seen), 0);
	assert_int_equal(count_events(f->store, QUERY(.limit = 1), &seen), 1);
	assert_string_equal(seen.path, "/bin/y");
}

static void test_containers_by_their_names(void **state)
{
	static const struct {
		const char *name;
		unsigned int n;
	} cases[] = {
	        {"web", 1},
	        {KEY, 1},
	        {CONTAINER_ID, 1},
	        {"0123456789ab", 1},
	        {"0123456789a", 0}, /* 11 digits */
	        {"0123456789ac", 0},
	        {"we", 0},
	        {"", 0},
	        {"%", 0},
	};
	struct fixture *f = *state;
	struct store_event outside = event_of("9-2", "/y", 2);
	struct seen seen;
	int64_t id;

	add_event(f->store, "9-1", "/x", 1);
	assert_int_equal(store_event_add(f->store, &outside, &id), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (count_events(f->store, QUERY(.container = cases[i].name), &seen) != cases[i].n)
			fail_msg("'%s' names %u", cases[i].name, seen.n);
}

static int see_container(const struct store_event_row *row, void *userdata)
{
	(void)userdata;
	assert_string_equal(row->container_id, CONTAINER_ID);
	assert_string_equal(row->container_name, "renamed");
	assert_string_equal(row->image, "example/web:1");
	return 0;
}

/* The newest name holds, and what a later sighting does not know stays. */
static void test_containers_are_updated(void **state)
{
	struct fixture *f = *state;
	struct container_info late = {.key = T(KEY), .name = T("renamed")};
	struct store_event event = event_of("8-2", "/x", 2);
	int64_t id;

	add_event(f->store, "8-1", "/x", 1);
	event.container = &late;
	assert_int_equal(store_event_add(f->store, &event, &id), 0);
	assert_int_equal(store_events(f->store, &QUERY(0), see_container, NULL), 0);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM container"), 1);
}

/* A caller may look at a row for long and use the store meanwhile: nothing is held for it. */
static int use_the_store(const struct store_event_row *row, void *userdata)
{
	const struct fixture *f = userdata;
	struct seen seen;

	(void)row;
	assert_int_equal(raw_int(f, "PRAGMA wal_checkpoint(TRUNCATE)"), 0); /* 0: not busy */
	assert_int_equal(count_events(f->store, QUERY(0), &seen), 2);
	raw(f, "DELETE FROM event WHERE uid = '7-3'");
	return 0;
}

static void test_rows_are_free_of_snapshots(void **state)
{
	struct fixture *f = *state;
	struct seen seen;

	add_event(f->store, "7-1", "/x", 1);
	add_event(f->store, "7-2", "/x", 2);
	assert_int_equal(store_events(f->store, &QUERY(0), use_the_store, f), 0);
	add_event(f->store, "7-3", "/x", 3);
	raw(f, "DELETE FROM event WHERE uid = '7-1'");
	/* The row that went between its id and itself is left out. */
	assert_int_equal(store_events(f->store, &QUERY(.limit = 1), see_event, &seen), 0);
	assert_int_equal(store_events(f->store, &QUERY(0), use_the_store, f), 0);
	assert_int_equal(count_events(f->store, QUERY(0), &seen), 1);
}

static int stop(const struct store_event_row *row, void *userdata)
{
	(void)row;
	return ++*(int *)userdata == 2 ? 77 : 0;
}

static void test_a_walk_may_be_ended(void **state)
{
	struct fixture *f = *state;
	int n = 0;

	for (int i = 0; i < 5; i++)
		add_event(f->store, (char[]){'a', (char)('0' + i), 0}, "/x", i);
	assert_int_equal(store_events(f->store, &QUERY(0), stop, &n), 77);
	assert_int_equal(n, 2);
}

/*
 * Hostile values.
 */
static void test_hostile_text(void **state)
{
	static const char *const names[] = {"new\nline", "esc\x1b[31m", "\xff\xfe\xc3",
	        "\xed\xa0\x80", "\xf0\x9f", "", "'; DROP TABLE event; --", "%s%n", "\"]}"};
	struct fixture *f = *state;
	_cleanup_free_ char *longest = malloc(TEXT_MAX + 2);
	struct seen seen;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char uid[16];

		snprintf(uid, sizeof(uid), "2-%zu", i);
		add_event(f->store, uid, names[i], 1);
		add_drop(f->store, i, names[i]);
		assert_int_equal(count_events(f->store, QUERY(.path = names[i]), &seen), 1);
		assert_string_equal(seen.path, names[i]);
		assert_int_equal(count_drops(f->store, QUERY(.path = names[i]), &seen), 1);
		assert_string_equal(seen.path, names[i]);
	}
	memset(longest, 'x', TEXT_MAX + 1);
	longest[4095] = '\0';
	add_event(f->store, "2-99", longest, 1);
	assert_int_equal(count_events(f->store, QUERY(.path = longest), &seen), 1);
	assert_string_equal(seen.path, longest);
	longest[4095] = 'x';
	longest[TEXT_MAX] = '\0';
	add_event(f->store, "2-98", longest, 1);
	assert_int_equal(count_events(f->store, QUERY(.path = longest), &seen), 1);
	/* Readable as text where SQL takes it for text, with a byte that is not. */
	assert_int_equal(raw_int(f, "SELECT count(*) FROM event WHERE typeof(path) = 'text' AND "
	                            "hex(path) = 'FFFEC3'"),
	        1);
}

/* What could not be read again is not written. */
static void test_too_much_text(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *text = malloc(ALERT_MAX + 2);
	struct container_info c = container();
	struct store_drop drop = drop_of(1, "/x");
	struct store_event event = event_of("u", "/x", 1);
	struct grant grant = {.kind = GRANT_LEARNED};
	int64_t id = 0;

	memset(text, 'x', ALERT_MAX + 1);
	text[ALERT_MAX + 1] = '\0';
	event.alert = text;
	assert_int_equal(store_event_add(f->store, &event, &id), -EMSGSIZE);
	text[ALERT_MAX] = '\0';
	assert_int_equal(store_event_add(f->store, &event, &id), 0);
	assert_int_equal(count_events(f->store, QUERY(0), &(struct seen){0}), 1);
	text[TEXT_MAX + 1] = '\0';
	assert_int_equal(store_event_update(f->store, id, 2, 2, text), 0);
	event.uid = text;
	assert_int_equal(store_event_add(f->store, &event, &id), -EMSGSIZE);
	event.uid = "v";
	event.path = text;
	assert_int_equal(store_event_add(f->store, &event, &id), -EMSGSIZE);
	drop.writer_cmdline = text;
	assert_int_equal(store_drop_add(f->store, &drop, &id), -EMSGSIZE);
	drop.writer_cmdline = NULL;
	c.image = text;
	drop.container = &c;
	assert_int_equal(store_drop_add(f->store, &drop, &id), -EMSGSIZE);
	grant.path = text;
	assert_int_equal(store_grant_add(f->store, &grant), -EMSGSIZE);
	assert_int_equal(store_setting_set(f->store, "mode", text), -EMSGSIZE);
	drop = (struct store_drop){.identity = identity_of(9)};
	assert_int_equal(store_drop_add(f->store, &drop, &id), -EINVAL); /* no path */
}

static int walk(struct store *store)
{
	struct drop_info drop = {0};
	struct file_identity identity = identity_of(1);
	_cleanup_free_ char *value = NULL;
	struct seen seen = {0};
	int r = store_events(store, &QUERY(0), see_event, &seen);

	if (r == 0)
		r = store_drops(store, &QUERY(0), see_drop, &seen);
	if (r == 0)
		r = store_drop_find(store, &identity, &drop);
	drop_info_done(&drop);
	if (r == 0)
		r = store_grants(store, see_grant, &seen);
	return r == 0 ? store_setting_get(store, "mode", &value) : r;
}

static void fill(struct fixture *f)
{
	struct grant grant = {.kind = GRANT_LEARNED, .digest = digest_of(4), .path = T("/x")};

	raw(f, "DELETE FROM event; DELETE FROM drop_; DELETE FROM container; DELETE FROM grant_");
	add_event(f->store, "6-1", "/bin/x", 1);
	add_drop(f->store, 1, "/bin/x");
	assert_int_equal(store_grant_add(f->store, &grant), 0);
	assert_int_equal(store_setting_set(f->store, "mode", "enforce"), 0);
}

static void test_hostile_rows(void **state)
{
	static const char *const rows[] = {
	        "UPDATE event SET verdict = 99",
	        "UPDATE event SET reason = -1",
	        "UPDATE event SET origin = 1000000",
	        "UPDATE event SET origin = 9223372036854775807",
	        "UPDATE event SET path = CAST(x'61006200' AS TEXT)",
	        "UPDATE event SET path = hex(zeroblob(100000))",
	        "UPDATE event SET uid = hex(zeroblob(40))",
	        "UPDATE event SET alert = hex(zeroblob(1048577))",
	        "UPDATE event SET alert = hex(zeroblob(40000000))", /* larger than any row of ours
	                                                             */
	        "UPDATE event SET time_ns = -5",
	        "UPDATE event SET count = -1",
	        "UPDATE event SET sha256 = x'00'",
	        "UPDATE event SET sha256 = zeroblob(33)",
	        "UPDATE container SET name = hex(zeroblob(100000))",
	        "UPDATE container SET cid = CAST(x'00' AS TEXT)",
	        "UPDATE drop_ SET kind = 4",
	        "UPDATE drop_ SET sha256 = zeroblob(31)",
	        "UPDATE drop_ SET mutable = 2",
	        "UPDATE drop_ SET writer_gone = -1",
	        "UPDATE drop_ SET writer_pid = 4294967296",
	        "UPDATE drop_ SET writer_uid = -2",
	        "UPDATE drop_ SET writer_cmdline = hex(zeroblob(5000))",
	        "UPDATE drop_ SET size = -1",
	        "UPDATE drop_ SET id = -1",
	        "UPDATE grant_ SET kind = 0",
	        "UPDATE grant_ SET kind = 4",
	        "UPDATE grant_ SET sha256 = x''",
	        "UPDATE grant_ SET by_uid = -7",
	        "UPDATE grant_ SET expires_ns = -1",
	        "UPDATE grant_ SET image = CAST(x'6100' AS TEXT)",
	        "UPDATE setting SET value = CAST(x'6100' AS TEXT)",
	        "UPDATE setting SET value = hex(zeroblob(100000))",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char sql[256];
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

/* A table of another make, without types and constraints: NULL and BLOB where text should be. */
static void test_hostile_tables(void **state)
{
	static const char *const rows[] = {
	        "UPDATE event SET path = NULL",
	        "UPDATE event SET uid = NULL",
	        "UPDATE event SET alert = x'7b7d'",
	        "UPDATE event SET path = 7",
	        "UPDATE event SET verdict = 'deny'",
	        "UPDATE event SET verdict = NULL",
	        "UPDATE event SET sha256 = '01234567890123456789012345678901'",
	        "UPDATE event SET last_ns = 1e300",
	        "DROP TABLE event",
	};
	struct fixture *f = *state;

	fill(f);
	raw(f, "DROP VIEW denied; CREATE TABLE kept AS SELECT * FROM event; DROP TABLE event");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r;

		raw(f, "DROP TABLE IF EXISTS event");
		raw(f, "CREATE TABLE event (id INTEGER PRIMARY KEY, uid, time_ns, last_ns, "
		       "verdict, "
		       "reason, origin, container, path, sha256, drop_id, count, alert); "
		       "INSERT INTO event SELECT * FROM kept");
		assert_int_equal(walk(f->store), 0);
		raw(f, rows[i]);
		r = walk(f->store);
		if (r != STORE_E_CORRUPT)
			fail_msg("%s: %d", rows[i], r);
	}
}

/*
 * Grants and settings.
 */
static void test_grants(void **state)
{
	struct fixture *f = *state;
	struct grant grant = {.kind = GRANT_APPROVED, .digest = digest_of(1), .image = T("web")};
	uint32_t removed = 0;

	assert_int_equal(store_grant_add(f->store, &grant), -EINVAL); /* no reason */
	grant.reason = T("why");
	assert_int_equal(store_grant_add(f->store, &grant), 0);
	assert_int_equal(store_grant_add(f->store, &grant), 0); /* replaces */
	assert_int_equal(count_grants(f->store), 1);
	grant.kind = GRANT_DENIED;
	assert_int_equal(store_grant_add(f->store, &grant), -EINVAL); /* scoped */
	grant.image = T("");
	assert_int_equal(store_grant_add(f->store, &grant), 0);
	grant.kind = GRANT_LEARNED;
	grant.reason = NULL;
	assert_int_equal(store_grant_add(f->store, &grant), 0);
	grant.kind = _GRANT_MAX;
	assert_int_equal(store_grant_add(f->store, &grant), -EINVAL);
	assert_int_equal(
	        store_grant_remove(f->store, GRANT_UNSET, &grant.digest, "other", &removed),
	        STORE_E_NOTFOUND);
	/* Approvals and what was learned; the denylist only when it is meant. */
	assert_int_equal(
	        store_grant_remove(f->store, GRANT_UNSET, &grant.digest, NULL, &removed), 0);
	assert_int_equal(removed, 2);
	assert_int_equal(
	        store_grant_remove(f->store, GRANT_DENIED, &grant.digest, NULL, &removed), 0);
	assert_int_equal(count_grants(f->store), 0);
}

static void test_settings(void **state)
{
	struct fixture *f = *state;
	char *value = NULL;

	assert_int_equal(store_setting_get(f->store, "mode", &value), STORE_E_NOTFOUND);
	assert_int_equal(store_setting_set(f->store, "mode", "enforce"), 0);
	assert_int_equal(store_setting_set(f->store, "mode", "report"), 0);
	assert_int_equal(store_setting_get(f->store, "mode", &value), 0);
	assert_string_equal(value, "report");
	free(value);
	assert_int_equal(store_setting_set(f->store, "mode", NULL), 0);
	assert_int_equal(store_setting_get(f->store, "mode", &value), STORE_E_NOTFOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_drops, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_drop_identity, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_drop_queries, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_events, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_containers_by_their_names, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_containers_are_updated, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_rows_are_free_of_snapshots, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_a_walk_may_be_ended, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_hostile_text, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_too_much_text, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_hostile_rows, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_hostile_tables, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_grants, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_settings, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
