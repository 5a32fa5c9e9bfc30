/*
 * The schema: the one of schema/golden.sql (EXECWARD_UPDATE_GOLDEN=1 writes it anew), also out of a
 * version before; and the small tables of baselines.
 */
#include "baselines_fixture.h"

#define SCHEMA_DIR  TEST_SOURCE_DIR "/schema"
#define GOLDEN      SCHEMA_DIR "/golden.sql"
#define VERSION_1   SCHEMA_DIR "/001_initial.sql"
#define SCHEMA_MAX  (256u * 1024u) /* bytes */
#define APPLICATION "PRAGMA application_id = 1702389111; PRAGMA user_version = 1"

/* The caller frees it. */
static char *schema_of(const struct fixture *f)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	sqlite3 *db = raw_open(f);
	sqlite3_stmt *s;

	assert_non_null(out);
	assert_int_equal(sqlite3_prepare_v2(db,
	                         "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND "
	                         "name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name",
	                         -1, &s, NULL),
	        SQLITE_OK);
	while (sqlite3_step(s) == SQLITE_ROW)
		fprintf(out, "%s;\n", (const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	sqlite3_close(db);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void test_golden(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *now = schema_of(f), *golden = NULL;
	size_t size;

	if (getenv("EXECWARD_UPDATE_GOLDEN"))
		assert_int_equal(file_write_atomic(GOLDEN, now, strlen(now), 0644), 0);
	assert_int_equal(file_read_at(AT_FDCWD, GOLDEN, SCHEMA_MAX, &golden, &size), 0);
	assert_string_equal(now, golden);
}

/* Rows that version 1 wrote are there afterwards, and the new tables work. */
static void test_from_version_1(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *sql = NULL;
	char path[128];
	struct seen seen;
	size_t size;

	assert_int_equal(file_read_at(AT_FDCWD, VERSION_1, SCHEMA_MAX, &sql, &size), 0);
	raw(f, sql);
	raw(f, APPLICATION);
	raw(f, "INSERT INTO container (id, key, name) VALUES (3, '/k', 'web'); "
	       "INSERT INTO event VALUES (5, '5-1', 1, 2, 2, 13, 4, 3, '/bin/x', zeroblob(32), "
	       "NULL, 7, '{}'); "
	       "INSERT INTO grant_ VALUES (1, 1, zeroblob(32), 'web', NULL, 'why', 0, 1, 0); "
	       "INSERT INTO setting VALUES ('mode', 'enforce')");
	assert_int_equal(chmod(path_of(f, "baseline.db", path), 0600), 0);
	/* A reader does not migrate. */
	assert_int_equal(store_open(f->dir, STORE_READ_ONLY, &f->store), STORE_E_CORRUPT);
	assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &f->store), 0);
	assert_int_equal(raw_int(f, "PRAGMA user_version"), 3);
	assert_int_equal(count_events(f->store, QUERY(.container = "web"), &seen), 1);
	assert_int_equal(seen.count, 7);
	assert_string_equal(seen.path, "/bin/x");
	assert_int_equal(count_grants(f->store), 1);
	make(f->store, SNAPSHOT_HOST, "/usr", "/a", 1);
	assert_int_equal(store_prune(f->store, 0, 0, 0), 0);
	assert_int_equal(count_events(f->store, QUERY(0), &seen), 0);
	assert_int_equal(count_where(f->store, 1, &(struct where_seen){0}), 1);
}

static void test_view(void **state)
{
	struct fixture *f = *state;

	make(f->store, SNAPSHOT_HOST, "/usr", "/a", 1);
	make(f->store, SNAPSHOT_LAYER, "aa", "/a", 1);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM baseline WHERE name = '/usr' AND "
	                            "path = '/a' AND type = 'file' AND mode = '4755'"),
	        1);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM baseline"), 1);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM word WHERE kind = 'state' AND "
	                            "value = 1 AND name = 'current'"),
	        1);
}

/*
 * Acceptances.
 */
static int see_acceptance(const struct acceptance *acceptance, void *userdata)
{
	struct seen *seen = userdata;

	assert_string_equal(acceptance->reason, "why");
	assert_int_equal(acceptance->by_uid, 1000);
	assert_int_equal(acceptance->has_digest, acceptance->time_ns == 1);
	seen->n++;
	seen->count = (uint64_t)acceptance->time_ns;
	snprintf(seen->path, sizeof(seen->path), "%s", acceptance->path);
	return 0;
}

static unsigned int count_acceptances(
        struct store *store, int64_t snapshot, const char *path, struct seen *seen)
{
	*seen = (struct seen){0};
	assert_int_equal(store_acceptances(store, snapshot, path, see_acceptance, seen), 0);
	return seen->n;
}

static void test_acceptances(void **state)
{
	struct fixture *f = *state;
	int64_t id = make(f->store, SNAPSHOT_HOST, "/usr", "/a", 1);
	struct acceptance a = {.snapshot = id,
	        .path = T("/a\n\xff"),
	        .change = T("content,mode"),
	        .has_digest = true,
	        .digest = digest_of(2),
	        .reason = T(""),
	        .by_uid = 1000,
	        .time_ns = 1};
	struct seen seen;

	assert_int_equal(store_acceptance_add(f->store, &a), -EINVAL);
	a.reason = NULL;
	assert_int_equal(store_acceptance_add(f->store, &a), -EINVAL);
	a.reason = T("why");
	assert_int_equal(store_acceptance_add(f->store, &a), 0);
	a.path = T("/b");
	a.has_digest = false;
	a.time_ns = 2;
	assert_int_equal(store_acceptance_add(f->store, &a), 0);
	a.snapshot = id + 1;
	assert_int_equal(store_acceptance_add(f->store, &a), 0);
	assert_int_equal(count_acceptances(f->store, 0, NULL, &seen), 3);
	assert_string_equal(seen.path, "/a\n\xff"); /* the oldest comes last */
	assert_int_equal(count_acceptances(f->store, id, NULL, &seen), 2);
	assert_int_equal(count_acceptances(f->store, 0, "/b", &seen), 2);
	assert_int_equal(count_acceptances(f->store, id, "/c", &seen), 0);
	assert_int_equal(store_snapshot_remove(f->store, id), 0);
	assert_int_equal(count_acceptances(f->store, id, NULL, &seen), 2);
	raw(f, "UPDATE acceptance SET reason = '' WHERE id = 2");
	assert_int_equal(
	        store_acceptances(f->store, id, NULL, see_acceptance, &seen), STORE_E_CORRUPT);
}

/*
 * Provenances.
 */
static int see_provenance(const struct provenance *provenance, void *userdata)
{
	struct seen *seen = userdata;
	struct digest writer = digest_of(8);

	assert_true(digest_equal(&provenance->writer_digest, &writer));
	seen->n++;
	seen->count = (uint64_t)provenance->expires_ns;
	snprintf(seen->path, sizeof(seen->path), "%s", provenance->path);
	return 0;
}

static unsigned int count_provenances(struct store *store, struct seen *seen)
{
	*seen = (struct seen){0};
	assert_int_equal(store_provenances(store, see_provenance, seen), 0);
	return seen->n;
}

static void test_provenances(void **state)
{
	static const char *const rows[] = {
	        "UPDATE provenance SET scope = 0",
	        "UPDATE provenance SET scope = 4",
	        "UPDATE provenance SET writer = ''",
	        "UPDATE provenance SET path = hex(zeroblob(5000))",
	        "UPDATE provenance SET expires_ns = -1",
	};
	struct fixture *f = *state;
	struct provenance p = {.digest = digest_of(1),
	        .scope_value = T("1234"),
	        .path = T("/usr/bin/x"),
	        .writer = T("/usr/bin/dpkg"),
	        .writer_digest = digest_of(8),
	        .created_ns = 5,
	        .expires_ns = 10};
	struct seen seen;
	uint32_t removed = 0;

	assert_int_equal(store_provenance_add(f->store, &p), -EINVAL); /* no scope */
	p.scope = SCOPE_FILESYSTEM;
	assert_int_equal(store_provenance_add(f->store, &p), 0);
	p.path = T("/usr/bin/y");
	p.package = T("x 1.0");
	assert_int_equal(store_provenance_add(f->store, &p), 0); /* replaces */
	assert_int_equal(count_provenances(f->store, &seen), 1);
	assert_string_equal(seen.path, "/usr/bin/y");
	p.scope_value = T("5678");
	p.expires_ns = 20;
	assert_int_equal(store_provenance_add(f->store, &p), 0);
	assert_int_equal(count_provenances(f->store, &seen), 2);
	assert_int_equal(store_provenance_prune(f->store, 10, &removed), 0);
	assert_int_equal(removed, 1);
	assert_int_equal(count_provenances(f->store, &seen), 1);
	assert_int_equal(generation(f->store), 0);
	assert_int_equal(store_baselines_prune(f->store, 3, 20, &removed), 0);
	assert_int_equal(removed, 0);
	assert_int_equal(generation(f->store), 1);
	assert_int_equal(count_provenances(f->store, &seen), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(store_provenance_add(f->store, &p), 0);
		raw(f, rows[i]);
		assert_int_equal(
		        store_provenances(f->store, see_provenance, &seen), STORE_E_CORRUPT);
		raw(f, "DELETE FROM provenance");
	}
}

static void test_generation(void **state)
{
	struct fixture *f = *state;
	int64_t value;

	assert_int_equal(generation(f->store), 0);
	assert_int_equal(store_baseline_changed(f->store), 0);
	assert_int_equal(store_baseline_changed(f->store), 0);
	assert_int_equal(generation(f->store), 2);
	raw(f, "UPDATE setting SET value = '-1'");
	assert_int_equal(store_baseline_generation(f->store, &value), STORE_E_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_golden, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_from_version_1, setup_empty, teardown),
	        cmocka_unit_test_setup_teardown(test_view, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_acceptances, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_provenances, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_generation, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
