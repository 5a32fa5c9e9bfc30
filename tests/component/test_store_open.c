/*
 * The database as a file: nothing is trusted that is not root's alone, a newer one is left as it
 * is, a damaged one is told, and other programs may come and go beside it.
 */
#include "store_fixture.h"

#include <sys/wait.h>

/* The whole of a file of the database. */
static char *bytes_of(const struct fixture *f, const char *name, size_t *ret_size)
{
	char path[128], *data = NULL;

	assert_int_equal(
	        file_read_at(AT_FDCWD, path_of(f, name, path), 64 << 20, &data, ret_size), 0);
	return data;
}

static void write_bytes(const struct fixture *f, const void *data, size_t size)
{
	char path[128];

	assert_int_equal(file_write_atomic(path_of(f, "baseline.db", path), data, size, 0600), 0);
}

/*
 * Another program, forked before there is any handle, since SQLite's state would be inherited. It
 * runs @fn when told; 0 from @fn is well.
 */
struct program {
	pid_t pid;
	int go;
};

static struct program program_start(const struct fixture *f, int (*fn)(const struct fixture *f))
{
	struct program program;
	int ends[2];
	char byte;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	program.pid = fork();
	assert_true(program.pid >= 0);
	if (program.pid == 0) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 1 ? fn(f) : 99);
	}
	close(ends[0]);
	program.go = ends[1];
	return program;
}

/* A byte, not the end of the pipe: programs that were forked later hold the other end, too. */
static void program_go(struct program program)
{
	assert_int_equal(write(program.go, "", 1), 1);
	close(program.go);
}

static int program_end(struct program program)
{
	int status;

	assert_int_equal(waitpid(program.pid, &status, 0), program.pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int program_run(struct program program)
{
	program_go(program);
	return program_end(program);
}

/*
 * Places.
 */
static void test_fresh_files(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char path[128];

	assert_int_equal(stat(path_of(f, "baseline.db", path), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(path_of(f, "baseline.db-wal", path), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(raw_int(f, "PRAGMA application_id"), 0x65786577);
	assert_true(raw_int(f, "PRAGMA user_version") >= 1);
	store_free(TAKE_PTR(f->store));
	assert_int_equal(stat(path, &st), -1); /* the log is taken in */
}

static void test_unsafe_modes(void **state)
{
	static const struct {
		const char *name;
		mode_t mode, good;
	} cases[] = {
	        {"", 0777, 0700},
	        {"", 0720, 0700},
	        {"", 01777, 0700},
	        {"baseline.db", 0666, 0600},
	        {"baseline.db", 0620, 0600},
	        {"baseline.db-wal", 0602, 0600},
	        {"baseline.db-shm", 0660, 0600},
	};
	struct fixture *f = *state;
	struct store *second;
	char path[128];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		path_of(f, cases[i].name, path);
		assert_int_equal(chmod(path, cases[i].mode), 0);
		assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &second), STORE_E_UNSAFE);
		assert_int_equal(store_open(f->dir, STORE_READ_ONLY, &second), STORE_E_UNSAFE);
		assert_int_equal(chmod(path, cases[i].good), 0);
	}
	assert_int_equal(store_open(f->dir, STORE_READ_ONLY, &second), 0);
	store_free(second);
}

static void test_unsafe_owner(void **state)
{
	static const char *const names[] = {"", "baseline.db", "baseline.db-wal"};
	struct fixture *f = *state;
	struct store *second;
	char path[128];

	if (geteuid() != 0) {
		print_message("needs root: gives files to another user\n");
		skip();
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(lchown(path_of(f, names[i], path), 1, 1), 0);
		assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &second), STORE_E_UNSAFE);
		assert_int_equal(lchown(path, 0, 0), 0);
	}
}

/* Nothing is opened through a link, and nothing that is no file is waited for. */
static void test_unsafe_kinds(void **state)
{
	static const char *const names[] = {
	        "baseline.db", "baseline.db-wal", "baseline.db-journal"};
	struct fixture *f = *state;
	char path[128], link[160];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		path_of(f, names[i], path);
		assert_int_equal(symlink("/etc/passwd", path), 0);
		assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &f->store), STORE_E_UNSAFE);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(mkfifo(path, 0600), 0);
		assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &f->store), STORE_E_UNSAFE);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(mkdir(path, 0700), 0);
		assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &f->store), STORE_E_UNSAFE);
		assert_int_equal(rmdir(path), 0);
	}
	snprintf(link, sizeof(link), "%s-link", f->dir);
	assert_int_equal(symlink(f->dir, link), 0);
	assert_int_equal(store_open(link, STORE_READ_WRITE, &f->store), STORE_E_UNSAFE);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(store_open("/nowhere/at/all", STORE_READ_WRITE, &f->store), -ENOENT);
	(void)unlink(path_of(f, "baseline.db", path));
	assert_int_equal(store_open(f->dir, STORE_READ_ONLY, &f->store), -ENOENT);
	assert_int_equal(access(path, F_OK), -1); /* a reader makes none */
}

/*
 * Versions.
 */
static void test_newer_is_not_touched(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *db_before = NULL, *log_before = NULL, *db_after = NULL,
	                    *log_after = NULL;
	size_t db_size, log_size, size;
	sqlite3 *newer = raw_open(f);
	struct store *store;

	store_free(TAKE_PTR(f->store));
	/* As a program that was killed leaves it: what it wrote is in the log only. */
	sqlite3_db_config(newer, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	raw_run(newer, "PRAGMA user_version = 99; CREATE TABLE later (x)");
	sqlite3_close(newer);
	db_before = bytes_of(f, "baseline.db", &db_size);
	log_before = bytes_of(f, "baseline.db-wal", &log_size);
	assert_true(log_size > 0);
	assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &store), STORE_E_NEWER);
	assert_int_equal(store_open(f->dir, STORE_READ_ONLY, &store), STORE_E_NEWER);
	db_after = bytes_of(f, "baseline.db", &size);
	assert_int_equal(size, db_size);
	assert_memory_equal(db_before, db_after, size);
	log_after = bytes_of(f, "baseline.db-wal", &size);
	assert_int_equal(size, log_size);
	assert_memory_equal(log_before, log_after, size);
}

/* Databases of other programs, which are not ours to add tables to. */
static void test_foreign_databases(void **state)
{
	static const char *const made[] = {
	        "CREATE TABLE theirs (x)", "PRAGMA application_id = 7",
	        "PRAGMA application_id = 7; PRAGMA user_version = 1", "PRAGMA user_version = 1",
	        "PRAGMA user_version = -1",
	        "PRAGMA application_id = 1702389111; PRAGMA user_version = 1", /* ours, but empty */
	};
	struct fixture *f = *state;
	struct store *store;
	char path[128];

	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		raw(f, made[i]);
		assert_int_equal(chmod(path_of(f, "baseline.db", path), 0600), 0);
		assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &store), STORE_E_CORRUPT);
		assert_int_equal(raw_int(f, "SELECT count(*) FROM sqlite_schema"), i == 0);
		assert_int_equal(unlink(path), 0);
		(void)unlink(path_of(f, "baseline.db-wal", path));
		(void)unlink(path_of(f, "baseline.db-shm", path));
	}
	raw(f, "");
	assert_int_equal(chmod(path_of(f, "baseline.db", path), 0600), 0);
	assert_int_equal(store_open(f->dir, STORE_READ_ONLY, &store), STORE_E_CORRUPT); /* empty */
	assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &f->store), 0);
}

static int open_and_close(const struct fixture *f)
{
	struct store *store;
	int r = store_open(f->dir, STORE_READ_WRITE, &store);

	if (r != 0)
		return r < 0 ? 97 : r;
	store_free(store);
	return 0;
}

/* Whoever comes second finds the schema made, or waits for it: nobody makes it twice. */
static void test_made_by_many_at_once(void **state)
{
	struct fixture *f = *state;
	struct program programs[8];

	for (size_t i = 0; i < 8; i++)
		programs[i] = program_start(f, open_and_close);
	for (size_t i = 0; i < 8; i++)
		program_go(programs[i]);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(program_end(programs[i]), 0);
	assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &f->store), 0);
}

/* A release with another word has no migration for it. */
static void test_words_follow_the_enums(void **state)
{
	struct fixture *f = *state;
	int64_t n = raw_int(f, "SELECT count(*) FROM word");

	assert_int_equal(n, _VERDICT_MAX + _REASON_MAX + _ORIGIN_MAX + _GRANT_MAX + _EXEC_KIND_MAX +
	                            _SNAPSHOT_KIND_MAX + _SNAPSHOT_SCOPE_MAX + _SNAPSHOT_STATE_MAX +
	                            _ENTRY_TYPE_MAX + _CONTENT_MAX + _STATEMENT_BIND_MAX +
	                            _STATEMENT_SCOPE_MAX);
	raw(f, "DELETE FROM word WHERE kind = 'reason' AND value > 3; "
	       "UPDATE word SET name = 'x' WHERE kind = 'verdict'");
	reopen(f, 0);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM word"), n);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM word WHERE kind = 'verdict' AND "
	                            "value = 2 AND name = 'deny'"),
	        1);
}

/*
 * Damage.
 */
static void fill(struct fixture *f)
{
	assert_int_equal(store_begin(f->store), 0);
	for (unsigned int i = 0; i < 300; i++) {
		char uid[16];

		snprintf(uid, sizeof(uid), "%x", i);
		add_event(f->store, uid, uid, i);
		add_drop(f->store, i, uid);
	}
	assert_int_equal(store_commit(f->store), 0);
}

#define PAGE 4096 /* bytes: SQLite's default */

static void test_damaged(void **state)
{
	static const char text[] = "this is not a database, but it is long enough to be looked at";
	struct fixture *f = *state;
	_cleanup_free_ char *data = NULL;
	size_t size;

	fill(f);
	store_free(TAKE_PTR(f->store));
	data = bytes_of(f, "baseline.db", &size);
	for (size_t part = 1; part < 8; part++) {
		write_bytes(f, data, size * part / 8 + part);
		reopen(f, STORE_E_CORRUPT);
	}
	write_bytes(f, text, sizeof(text));
	reopen(f, STORE_E_CORRUPT);
	write_bytes(f, data, size);
	assert_true(size > 8 * PAGE);
	memset(data + 2 * PAGE, 0xff, 4 * PAGE); /* whole pages: the tables' own, not row text */
	write_bytes(f, data, size);
	reopen(f, STORE_E_CORRUPT);
	write_bytes(f, "", 0);
	reopen(f, 0); /* an empty file is a database to be made */
}

/* Bytes at random: whatever becomes of it, it is an answer and no crash. */
static void test_flipped_bytes(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *data = NULL, *damaged = NULL;
	unsigned int seed = 1, opened = 0;
	size_t size;

	fill(f);
	store_free(TAKE_PTR(f->store));
	data = bytes_of(f, "baseline.db", &size);
	damaged = malloc(size);
	assert_non_null(damaged);
	for (int i = 0; i < 150; i++) {
		struct seen seen = {0};

		memcpy(damaged, data, size);
		for (int k = 0; k < 8; k++)
			damaged[(size_t)rand_r(&seed) % size] = (char)rand_r(&seed);
		write_bytes(f, damaged, size);
		if (store_open(f->dir, STORE_READ_WRITE, &f->store) != 0)
			continue;
		opened++;
		(void)store_events(f->store, &QUERY(0), see_event, &seen);
		(void)store_drops(f->store, &QUERY(.container = "web"), see_drop, &seen);
		(void)store_prune(f->store, 10, 10, 0);
		store_free(TAKE_PTR(f->store));
	}
	print_message("%u of 150 opened\n", opened);
}

/* What a foreign schema would run as our rows are written. */
static void test_triggers_do_not_run(void **state)
{
	struct fixture *f = *state;

	raw(f, "CREATE TRIGGER forget AFTER INSERT ON event BEGIN DELETE FROM event; END");
	reopen(f, 0);
	add_event(f->store, "1", "/x", 1);
	assert_int_equal(count_events(f->store, QUERY(0), &(struct seen){0}), 1);
}

/*
 * Others beside it.
 */
static int look_and_leave(const struct fixture *f)
{
	char path[128];
	sqlite3 *db;
	int r = sqlite3_open(path_of(f, "baseline.db", path), &db);

	if (r == SQLITE_OK)
		r = sqlite3_exec(db, "SELECT count(*) FROM event", NULL, NULL, NULL);
	sqlite3_close(db);
	return r & 0xff;
}

/*
 * The locks of a handle outlive the opening of the next ones in the same process. Without them the
 * sqlite3 shell would remove the log on leaving, and what is written later would go with it.
 */
static void test_another_program_beside_our_handles(void **state)
{
	struct fixture *f = *state;
	struct program shell = program_start(f, look_and_leave),
	               later = program_start(f, look_and_leave);
	struct store *second, *reader;
	struct stat before, after;
	char path[128];

	assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &f->store), 0);
	assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &second), 0);
	assert_int_equal(store_open(f->dir, STORE_READ_ONLY, &reader), 0);
	add_event(f->store, "1", "/x", 1);
	assert_int_equal(stat(path_of(f, "baseline.db-wal", path), &before), 0);
	assert_int_equal(program_run(shell), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	store_free(reader);
	store_free(second);
	assert_int_equal(program_run(later), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	add_event(f->store, "2", "/x", 2);
	assert_int_equal(count_events(f->store, QUERY(0), &(struct seen){0}), 2);
}

static void test_a_reader_beside_the_writer(void **state)
{
	struct fixture *f = *state;
	struct container_info c = container();
	struct store_drop drop = drop_of(1, "/x");
	struct store *reader;
	struct seen seen;
	int64_t id;

	add_event(f->store, "5-1", "/bin/x", 1);
	assert_int_equal(store_open(f->dir, STORE_READ_ONLY, &reader), 0);
	assert_int_equal(store_begin(f->store), 0);
	add_event(f->store, "5-2", "/bin/y", 2);
	assert_int_equal(count_events(reader, QUERY(0), &seen), 1);
	assert_int_equal(store_commit(f->store), 0);
	assert_int_equal(count_events(reader, QUERY(0), &seen), 2);
	drop.container = &c;
	assert_int_equal(store_drop_add(reader, &drop, &id), -EACCES);
	store_free(reader);
}

static void test_a_second_writer_waits_and_is_told(void **state)
{
	struct fixture *f = *state;
	struct store *second;

	assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &second), 0);
	sqlite3_busy_timeout(second->db, 50); /* 5 s otherwise */
	assert_int_equal(store_begin(f->store), 0);
	assert_int_equal(store_setting_set(second, "mode", "enforce"), STORE_E_BUSY);
	assert_int_equal(store_prune(second, 1, 1, 0), -EBUSY);
	assert_int_equal(store_commit(f->store), 0);
	assert_int_equal(store_setting_set(second, "mode", "enforce"), 0);
	store_free(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_fresh_files, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_unsafe_modes, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_unsafe_owner, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_unsafe_kinds, setup_empty, teardown),
	        cmocka_unit_test_setup_teardown(test_newer_is_not_touched, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_foreign_databases, setup_empty, teardown),
	        cmocka_unit_test_setup_teardown(test_made_by_many_at_once, setup_empty, teardown),
	        cmocka_unit_test_setup_teardown(test_words_follow_the_enums, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_flipped_bytes, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_triggers_do_not_run, setup, teardown),
	        cmocka_unit_test_setup_teardown(
	                test_another_program_beside_our_handles, setup_empty, teardown),
	        cmocka_unit_test_setup_teardown(test_a_reader_beside_the_writer, setup, teardown),
	        cmocka_unit_test_setup_teardown(
	                test_a_second_writer_waits_and_is_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
