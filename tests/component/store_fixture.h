/* What the tests of the store share: a database in a directory of its own, and rows to put there.
 */
#pragma once

#include "base/cleanup.h"
#include "base/file.h"
#include "store/allowlists.h"
#include "store/baselines.h"
#include "store/store.h"
#include "store/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

struct fixture {
	char dir[64];
	struct store *store;
};

static inline const char *path_of(const struct fixture *f, const char *name, char ret_path[128])
{
	snprintf(ret_path, 128, "%s/%s", f->dir, name);
	return ret_path;
}

/* Only the directory: for what must happen before the first handle. */
static inline int setup_empty(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->dir, "/tmp/execward-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	*state = f;
	return 0;
}

static inline int setup(void **state)
{
	struct fixture *f;

	setup_empty(state);
	f = *state;
	assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &f->store), 0);
	return 0;
}

static inline int teardown(void **state)
{
	static const char *const names[] = {"baseline.db", "baseline.db-wal", "baseline.db-shm",
	        "baseline.db-journal", "baseline.lock", "allowlists.witness"};
	struct fixture *f = *state;
	char path[128];

	store_free(f->store);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlink(path_of(f, names[i], path));
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

/* A connection as somebody with another program would have it. */
static inline sqlite3 *raw_open(const struct fixture *f)
{
	char path[128];
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path_of(f, "baseline.db", path), &db), SQLITE_OK);
	return db;
}

static inline void raw_run(sqlite3 *db, const char *sql)
{
	char *words = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &words) != SQLITE_OK)
		fail_msg("%s: %s", sql, words);
}

static inline void raw(const struct fixture *f, const char *sql)
{
	sqlite3 *db = raw_open(f);

	raw_run(db, sql);
	sqlite3_close(db);
}

static inline int64_t raw_int(const struct fixture *f, const char *sql)
{
	sqlite3 *db = raw_open(f);
	sqlite3_stmt *statement;
	int64_t value;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return value;
}

static inline void reopen(struct fixture *f, int expected)
{
	store_free(TAKE_PTR(f->store));
	assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &f->store), expected);
}

static inline struct digest digest_of(uint8_t byte)
{
	struct digest digest;

	memset(digest.bytes, byte, sizeof(digest.bytes));
	return digest;
}

/* Literals become fields without a copy: nothing here is freed. */
#define T(literal) ((char *)(uintptr_t)(literal))

#define KEY          "/storage/overlay/abc/diff"
#define CONTAINER_ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static inline struct container_info container(void)
{
	return (struct container_info){.key = T(KEY),
	        .name = T("web"),
	        .image = T("example/web:1"),
	        .id = T(CONTAINER_ID)};
}

static inline struct file_identity identity_of(uint64_t ino)
{
	return (struct file_identity){
	        .dev = 1, .ino = ino, .btime_ns = 5, .ctime_ns = 6, .mtime_ns = 7, .size = 8};
}

static inline struct store_drop drop_of(uint64_t ino, const char *path)
{
	return (struct store_drop){
	        .identity = identity_of(ino),
	        .path = path,
	        .kind = EXEC_KIND_ELF,
	        .writer_pid = 42,
	        .writer_uid = 1000,
	        .writer_exe = "/bin/cp",
	        .writer_cmdline = "cp a b",
	        .time_ns = (int64_t)ino * 1000,
	};
}

static inline int64_t add_drop(struct store *store, uint64_t ino, const char *path)
{
	struct container_info c = container();
	struct store_drop drop = drop_of(ino, path);
	int64_t row = 0;

	drop.container = &c;
	assert_int_equal(store_drop_add(store, &drop, &row), 0);
	return row;
}

static inline struct store_event event_of(const char *uid, const char *path, int64_t time_ns)
{
	return (struct store_event){
	        .uid = uid,
	        .time_ns = time_ns,
	        .last_ns = time_ns,
	        .verdict = VERDICT_DENY,
	        .reason = REASON_DROPPED,
	        .origin = ORIGIN_DROPPED,
	        .path = path,
	        .has_digest = true,
	        .digest = digest_of(2),
	        .count = 1,
	        .alert = "{}",
	};
}

static inline int64_t add_event(
        struct store *store, const char *uid, const char *path, int64_t time_ns)
{
	struct container_info c = container();
	struct store_event event = event_of(uid, path, time_ns);
	int64_t row = 0;

	event.container = &c;
	assert_int_equal(store_event_add(store, &event, &row), 0);
	return row;
}

/* What a walk has seen: how many, and the last of them. */
struct seen {
	unsigned int n;
	uint64_t count;
	char path[5000];
};

static inline int see_event(const struct store_event_row *row, void *userdata)
{
	struct seen *seen = userdata;

	seen->n++;
	seen->count = row->count;
	snprintf(seen->path, sizeof(seen->path), "%s", row->path);
	return 0;
}

static inline int see_drop(const struct store_drop_row *row, void *userdata)
{
	struct seen *seen = userdata;

	seen->n++;
	snprintf(seen->path, sizeof(seen->path), "%s", row->path);
	return 0;
}

static inline int see_grant(const struct grant *grant, void *userdata)
{
	struct seen *seen = userdata;

	(void)grant;
	seen->n++;
	return 0;
}

static inline unsigned int count_events(
        struct store *store, struct store_event_query query, struct seen *seen)
{
	memset(seen, 0, sizeof(*seen));
	assert_int_equal(store_events(store, &query, see_event, seen), 0);
	return seen->n;
}

static inline unsigned int count_drops(
        struct store *store, struct store_event_query query, struct seen *seen)
{
	memset(seen, 0, sizeof(*seen));
	assert_int_equal(store_drops(store, &query, see_drop, seen), 0);
	return seen->n;
}

static inline unsigned int count_grants(struct store *store)
{
	struct seen seen = {0};

	assert_int_equal(store_grants(store, see_grant, &seen), 0);
	return seen.n;
}

#define QUERY(...) ((struct store_event_query){__VA_ARGS__})
