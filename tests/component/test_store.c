/*
 * The database on real files in a temporary directory: what is written is read again, what is
 * hostile or damaged is refused, and nothing is trusted that is not root's alone.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

struct fixture {
	char dir[64];
	struct store *store;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/execward-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &f->store), 0);
	*state = f;
	return 0;
}

static void remove_file(const struct fixture *f, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	(void)unlink(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	store_free(f->store);
	remove_file(f, "baseline.db");
	remove_file(f, "baseline.db-wal");
	remove_file(f, "baseline.db-shm");
	rmdir(f->dir);
	free(f);
	return 0;
}

/* Raw SQL, as somebody with another program would write it. */
static void raw(const struct fixture *f, const char *sql)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/baseline.db", f->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void reopen(struct fixture *f, int expected)
{
	store_free(TAKE_PTR(f->store));
	assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &f->store), expected);
}

static struct digest digest_of(uint8_t byte)
{
	struct digest digest;

	memset(digest.bytes, byte, sizeof(digest.bytes));
	return digest;
}

static char key[] = "/storage/overlay/abc/diff", name[] = "web", image[] = "example/web:1",
            id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static struct container_info container(void)
{
	return (struct container_info){.key = key, .name = name, .image = image, .id = id};
}

static int64_t add_drop(struct store *store, uint64_t ino, const char *path)
{
	struct container_info c = container();
	struct store_drop drop = {
	        .identity = {.dev = 1,
	                .ino = ino,
	                .btime_ns = 5,
	                .ctime_ns = 6,
	                .mtime_ns = 7,
	                .size = 8},
	        .container = &c,
	        .path = path,
	        .kind = EXEC_KIND_ELF,
	        .writer_pid = 42,
	        .writer_uid = 1000,
	        .writer_exe = "/bin/cp",
	        .writer_cmdline = "cp a b",
	        .time_ns = (int64_t)ino * 1000,
	};
	int64_t row = 0;

	assert_int_equal(store_drop_add(store, &drop, &row), 0);
	return row;
}

static void test_drops(void **state)
{
	struct fixture *f = *state;
	struct file_identity identity = {
	        .dev = 1, .ino = 10, .btime_ns = 5, .ctime_ns = 6, .mtime_ns = 7, .size = 8};
	struct digest digest = digest_of(1);
	struct drop_info drop = {0};
	int64_t row = add_drop(f->store, 10, "/bin/x");

	assert_int_equal(store_drop_find(f->store, &identity, &drop), 0);
	assert_true(drop.known);
	assert_int_equal(drop.pid, 42);
	assert_string_equal(drop.exe, "/bin/cp");
	drop_info_done(&drop);
	assert_int_equal(store_drop_set_digest(f->store, row, &identity, &digest, false), 0);
	/* Written again: the last writer counts, and the old digest is void. */
	assert_int_equal(add_drop(f->store, 10, "/bin/y"), row);
	identity.mtime_ns = 99;
	assert_int_equal(
	        store_drop_set_digest(f->store, row, &identity, &digest, false), STORE_E_NOTFOUND);
	identity.ino = 11;
	assert_int_equal(store_drop_find(f->store, &identity, &drop), STORE_E_NOTFOUND);
}

struct seen {
	unsigned int n;
	uint64_t count;
	char path[5000];
};

static int see_event(const struct store_event_row *row, void *userdata)
{
	struct seen *seen = userdata;

	seen->n++;
	seen->count = row->count;
	snprintf(seen->path, sizeof(seen->path), "%s", row->path);
	return 0;
}

static int64_t add_event(struct store *store, const char *uid, const char *path, int64_t time_ns)
{
	struct container_info c = container();
	struct store_event event = {
	        .uid = uid,
	        .time_ns = time_ns,
	        .last_ns = time_ns,
	        .verdict = VERDICT_DENY,
	        .reason = REASON_DROPPED,
	        .origin = ORIGIN_DROPPED,
	        .container = &c,
	        .path = path,
	        .has_digest = true,
	        .digest = digest_of(2),
	        .count = 1,
	        .alert = "{}",
	};
	int64_t row = 0;

	assert_int_equal(store_event_add(store, &event, &row), 0);
	return row;
}

static unsigned int count_events(
        struct store *store, const struct store_event_query *query, struct seen *seen)
{
	memset(seen, 0, sizeof(*seen));
	assert_int_equal(store_events(store, query, see_event, seen), 0);
	return seen->n;
}

static void test_events(void **state)
{
	struct fixture *f = *state;
	struct digest digest = digest_of(2), other = digest_of(3);
	struct seen seen;
	int64_t row = add_event(f->store, "1-1", "/bin/x", 100);

	add_event(f->store, "1-2", "/bin/y", 200);
	assert_int_equal(store_event_update(f->store, row, 1000, 300, "{\"a\":1}"), 0);
	assert_int_equal(store_event_update(f->store, 999, 1, 1, "{}"), STORE_E_NOTFOUND);
	assert_int_equal(count_events(f->store, &(struct store_event_query){0}, &seen), 2);
	assert_int_equal(
	        count_events(f->store, &(struct store_event_query){.since_ns = 250}, &seen), 1);
	assert_int_equal(seen.count, 1000);
	assert_int_equal(
	        count_events(f->store, &(struct store_event_query){.container = "web"}, &seen), 2);
	assert_int_equal(count_events(f->store,
	                         &(struct store_event_query){.container = "0123456789ab"}, &seen),
	        2);
	assert_int_equal(
	        count_events(f->store, &(struct store_event_query){.container = "0123"}, &seen), 0);
	assert_int_equal(
	        count_events(f->store, &(struct store_event_query){.path = "/bin/y"}, &seen), 1);
	assert_int_equal(
	        count_events(f->store, &(struct store_event_query){.digest = &digest}, &seen), 2);
	assert_int_equal(
	        count_events(f->store, &(struct store_event_query){.digest = &other}, &seen), 0);
	assert_int_equal(
	        count_events(f->store, &(struct store_event_query){.uid = "1-2"}, &seen), 1);
	assert_int_equal(count_events(f->store, &(struct store_event_query){.limit = 1}, &seen), 1);
	assert_string_equal(seen.path, "/bin/y");
}

static void test_hostile_text(void **state)
{
	static const char *const names[] = {
	        "new\nline", "esc\x1b[31m", "\xff\xfe\xc3", "'; DROP TABLE event; --"};
	struct fixture *f = *state;
	char *longest = malloc(4096);
	struct seen seen;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char uid[16];

		snprintf(uid, sizeof(uid), "2-%zu", i);
		add_event(f->store, uid, names[i], 1);
		assert_int_equal(count_events(f->store,
		                         &(struct store_event_query){.path = names[i]}, &seen),
		        1);
		assert_string_equal(seen.path, names[i]);
	}
	memset(longest, 'x', 4095);
	longest[4095] = '\0';
	add_event(f->store, "2-9", longest, 1);
	assert_int_equal(
	        count_events(f->store, &(struct store_event_query){.path = longest}, &seen), 1);
	assert_string_equal(seen.path, longest);
	free(longest);
}

static int see_grant(const struct grant *grant, void *userdata)
{
	unsigned int *n = userdata;

	(void)grant;
	(*n)++;
	return 0;
}

static unsigned int count_grants(struct store *store)
{
	unsigned int n = 0;

	assert_int_equal(store_grants(store, see_grant, &n), 0);
	return n;
}

static void test_grants(void **state)
{
	static char web[] = "web", why[] = "why", none[] = "";
	struct fixture *f = *state;
	struct grant grant = {.kind = GRANT_APPROVED, .digest = digest_of(1), .image = web};
	uint32_t removed = 0;

	assert_int_equal(store_grant_add(f->store, &grant), -EINVAL); /* no reason */
	grant.reason = why;
	assert_int_equal(store_grant_add(f->store, &grant), 0);
	assert_int_equal(store_grant_add(f->store, &grant), 0); /* replaces */
	assert_int_equal(count_grants(f->store), 1);
	grant.kind = GRANT_DENIED;
	grant.image = none;
	assert_int_equal(store_grant_add(f->store, &grant), 0);
	grant.kind = GRANT_LEARNED;
	grant.reason = NULL;
	assert_int_equal(store_grant_add(f->store, &grant), 0);
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

static void test_retention(void **state)
{
	struct fixture *f = *state;
	struct seen seen;

	assert_int_equal(store_begin(f->store), 0);
	for (int i = 0; i < 20000; i++) {
		char uid[16];

		snprintf(uid, sizeof(uid), "3-%x", i);
		add_event(f->store, uid, "/bin/x", i);
		add_drop(f->store, (uint64_t)i + 1, "/bin/x");
	}
	assert_int_equal(store_commit(f->store), 0);
	while (store_prune(f->store, 100, 100, 0) == 1)
		;
	assert_int_equal(
	        count_events(f->store, &(struct store_event_query){.limit = 30000}, &seen), 100);
	assert_int_equal(store_prune(f->store, 100, 100, INT64_MAX), 0);
	assert_int_equal(count_events(f->store, &(struct store_event_query){0}, &seen), 0);
}

static void test_rollback(void **state)
{
	struct fixture *f = *state;
	struct seen seen;

	assert_int_equal(store_begin(f->store), 0);
	add_event(f->store, "4-1", "/bin/x", 1);
	store_rollback(f->store);
	assert_int_equal(count_events(f->store, &(struct store_event_query){0}, &seen), 0);
}

static void test_a_reader_beside_the_writer(void **state)
{
	struct fixture *f = *state;
	struct store *reader;
	struct seen seen;

	add_event(f->store, "5-1", "/bin/x", 1);
	assert_int_equal(store_open(f->dir, STORE_READ_ONLY, &reader), 0);
	assert_int_equal(store_begin(f->store), 0);
	add_event(f->store, "5-2", "/bin/y", 2);
	assert_int_equal(count_events(reader, &(struct store_event_query){0}, &seen), 1);
	assert_int_equal(store_commit(f->store), 0);
	assert_int_equal(count_events(reader, &(struct store_event_query){0}, &seen), 2);
	store_free(reader);
}

static void test_hostile_rows(void **state)
{
	static const char *const rows[] = {
	        "UPDATE event SET verdict = 99",
	        "UPDATE event SET reason = -1",
	        "UPDATE event SET origin = 1000000",
	        "UPDATE event SET path = CAST(x'61006200' AS TEXT)",
	        "UPDATE event SET path = hex(zeroblob(100000))",
	        "UPDATE event SET time_ns = -5",
	};
	struct fixture *f = *state;
	struct seen seen = {0};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		raw(f, "DELETE FROM event");
		add_event(f->store, "6-1", "/bin/x", 1);
		raw(f, rows[i]);
		assert_int_equal(
		        store_events(f->store, &(struct store_event_query){0}, see_event, &seen),
		        STORE_E_CORRUPT);
	}
	assert_int_equal(seen.n, 0);
}

static void test_newer_and_damaged(void **state)
{
	struct fixture *f = *state;
	char path[128];

	raw(f, "PRAGMA user_version = 99");
	reopen(f, STORE_E_NEWER);
	raw(f, "PRAGMA user_version = 1; PRAGMA application_id = 7");
	reopen(f, STORE_E_CORRUPT);
	snprintf(path, sizeof(path), "%s/baseline.db", f->dir);
	assert_int_equal(
	        file_write_atomic(path, "no database at all, but long enough", 35, 0600), 0);
	remove_file(f, "baseline.db-wal");
	reopen(f, STORE_E_CORRUPT);
}

static void test_unsafe_places(void **state)
{
	struct fixture *f = *state;
	char path[128];

	chmod(f->dir, 0777);
	reopen(f, STORE_E_UNSAFE);
	chmod(f->dir, 0700);
	snprintf(path, sizeof(path), "%s/baseline.db", f->dir);
	chmod(path, 0666);
	reopen(f, STORE_E_UNSAFE);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	reopen(f, STORE_E_UNSAFE);
	assert_int_equal(store_open("/nowhere/at/all", STORE_READ_WRITE, &f->store), -ENOENT);
}

/* A full disk, by the limit on the size of files: the transaction is undone, the old rows stand. */
static void test_full_disk(void **state)
{
	struct fixture *f = *state;
	struct rlimit before, small = {.rlim_cur = 200000};
	struct seen seen;
	int r = 0;

	add_event(f->store, "7-0", "/bin/x", 1);
	getrlimit(RLIMIT_FSIZE, &before);
	small.rlim_max = before.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	assert_int_equal(store_begin(f->store), 0);
	for (int i = 1; i < 20000 && r == 0; i++) {
		struct store_drop drop = {.identity = {.dev = 2, .ino = (uint64_t)i},
		        .path = "/bin/x",
		        .writer_cmdline =
		                "a command line that takes some room in every row of the table"};
		int64_t row;

		r = store_drop_add(f->store, &drop, &row);
	}
	if (r == 0)
		r = store_commit(f->store);
	assert_int_not_equal(r, 0);
	store_rollback(f->store);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(count_events(f->store, &(struct store_event_query){0}, &seen), 1);
}

/* The schema as it is committed; EXECWARD_UPDATE_GOLDEN=1 writes it anew. */
static void test_golden_schema(void **state)
{
	static const char golden[] = TEST_SOURCE_DIR "/schema/golden.sql";
	struct fixture *f = *state;
	_cleanup_free_ char *dump = NULL, *expected = NULL;
	size_t size = 0, expected_size = 0;
	FILE *stream = open_memstream(&dump, &size);
	sqlite3_stmt *statement;
	sqlite3 *db;
	char path[128];

	snprintf(path, sizeof(path), "%s/baseline.db", f->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
	        sqlite3_prepare_v2(db,
	                "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name", -1,
	                &statement, NULL),
	        SQLITE_OK);
	while (sqlite3_step(statement) == SQLITE_ROW)
		fprintf(stream, "%s;\n", (const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	sqlite3_close(db);
	fclose(stream);
	if (getenv("EXECWARD_UPDATE_GOLDEN"))
		assert_int_equal(file_write_atomic(golden, dump, size, 0644), 0);
	assert_int_equal(file_read_at(AT_FDCWD, golden, 1 << 20, &expected, &expected_size), 0);
	assert_string_equal(dump, expected);
}

/* The queries that docs/schema.md shows are run as they stand there. */
static void test_documented_queries(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	char *cursor, *end;
	unsigned int n = 0;

	assert_int_equal(
	        file_read_at(AT_FDCWD, TEST_SOURCE_DIR "/docs/schema.md", 1 << 20, &text, &size),
	        0);
	for (cursor = text; (cursor = strstr(cursor, "```sql\n")); cursor = end + 3, n++) {
		cursor += strlen("```sql\n");
		end = strstr(cursor, "```");
		assert_non_null(end);
		*end = '\0';
		raw(f, cursor);
	}
	assert_true(n >= 3);
}

/* Lookups that happen at every event go through an index. */
static void test_query_plans(void **state)
{
	static const char *const lookups[] = {
	        "SELECT id FROM drop_ WHERE dev = 1 AND ino = 2 AND btime_ns = 3",
	        "SELECT id FROM event WHERE last_ns >= 5",
	        "SELECT id FROM event WHERE container = 5",
	        "SELECT id FROM event WHERE path = 'x'",
	};
	struct fixture *f = *state;
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/baseline.db", f->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	for (size_t i = 0; i < sizeof(lookups) / sizeof(lookups[0]); i++) {
		sqlite3_stmt *statement;
		char sql[256];

		snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", lookups[i]);
		assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
		assert_non_null(strstr((const char *)sqlite3_column_text(statement, 3), "USING"));
		sqlite3_finalize(statement);
	}
	sqlite3_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_drops, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_events, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_hostile_text, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_grants, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_settings, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_retention, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_rollback, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_a_reader_beside_the_writer, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_hostile_rows, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_newer_and_damaged, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_unsafe_places, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_golden_schema, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_documented_queries, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_query_plans, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
