/*
 * Snapshots come and go: the one before stands until the next is whole, whatever ends its builder;
 * several build at once, and nobody is kept from writing.
 */
#include "baselines_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static int64_t rows_of(const struct fixture *f, int64_t id)
{
	char sql[160];

	snprintf(sql, sizeof(sql),
	        "SELECT (SELECT count(*) FROM entry WHERE snapshot = %lld) + (SELECT count(*) FROM "
	        "executable WHERE snapshot = %lld)",
	        (long long)id, (long long)id);
	return raw_int(f, sql);
}

/*
 * Publishing.
 */
static void test_publish(void **state)
{
	struct fixture *f = *state;
	int64_t id = begin(f->store, SNAPSHOT_HOST, "/usr"), second;
	struct snapshot_info info = {.id = id,
	        .entries = 1,
	        .files = 2,
	        .executables = 3,
	        .bytes = 4,
	        .hashed = 5,
	        .hashed_bytes = 6,
	        .unreadable = 7,
	        .mutable_files = 8,
	        .has_digest = true,
	        .digest = digest_of(3)};
	struct snapshot_info found = {0};
	struct where_seen seen;

	add(f->store, id, "/a", 1);
	assert_int_equal(generation(f->store), 0);
	assert_int_equal(store_snapshot_get(f->store, id, &found), STORE_E_NOTFOUND);
	assert_int_equal(store_snapshot_find(f->store, "/usr", &found), STORE_E_NOTFOUND);
	assert_int_equal(count_where(f->store, 1, &seen), 0);
	assert_int_equal(store_snapshot_publish(f->store, &info), 0);
	assert_int_equal(store_snapshot_publish(f->store, &info), STORE_E_NOTFOUND);
	assert_int_equal(generation(f->store), 1);
	assert_int_equal(store_snapshot_get(f->store, id, &found), 0);
	assert_int_equal(found.state, SNAPSHOT_CURRENT);
	assert_int_equal(found.kind, SNAPSHOT_HOST);
	assert_string_equal(found.name, "/usr");
	assert_string_equal(found.scope_value, "1234-abcd");
	assert_string_equal(found.root, "/usr");
	assert_null(found.image_id);
	assert_int_equal(found.by_uid, 1000);
	assert_int_equal(found.created_ns, 7);
	assert_int_equal(found.files * 10 + found.mutable_files, 28);
	assert_true(found.has_digest && digest_equal(&found.digest, &info.digest));
	snapshot_info_done(&found);
	second = make(f->store, SNAPSHOT_HOST, "/usr", "/a", 2);
	assert_int_equal(generation(f->store), 2);
	assert_int_equal(store_snapshot_get(f->store, id, &found), 0);
	assert_int_equal(found.state, SNAPSHOT_SUPERSEDED);
	snapshot_info_done(&found);
	assert_int_equal(count_where(f->store, 1, &seen), 0); /* vouches no more */
	assert_int_equal(count_where(f->store, 2, &seen), 1);
	assert_int_equal(seen.snapshot, second);
}

static void test_begin_refuses(void **state)
{
	struct fixture *f = *state;
	const struct snapshot_info good = info_of(SNAPSHOT_HOST, "/usr");
	struct snapshot_info bad[8];
	int64_t id;

	for (size_t i = 0; i < 8; i++)
		bad[i] = good;
	bad[0].kind = SNAPSHOT_UNSET;
	bad[1].kind = _SNAPSHOT_KIND_MAX;
	bad[2].name = NULL;
	bad[3].scope = SCOPE_NONE; /* with a value */
	bad[4].scope_value = NULL;
	bad[5].kind = SNAPSHOT_LAYER; /* vouches */
	bad[6].root = T("usr");
	bad[7].created_ns = -1;
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(store_snapshot_begin(f->store, &bad[i], &id), -EINVAL);
	assert_int_equal(store_begin(f->store), 0);
	assert_int_equal(store_snapshot_begin(f->store, &good, &id), -EINVAL);
	store_rollback(f->store);
	id = begin(f->store, SNAPSHOT_HOST, "/usr");
	add(f->store, id, "/a", 1);
	assert_int_equal(store_begin(f->store), 0);
	assert_int_equal(publish(f->store, id), -EINVAL);
	assert_int_equal(count_where(f->store, 1, &(struct where_seen){0}), 0);
	store_rollback(f->store);
	assert_int_equal(publish(f->store, id), 0);
}

static int64_t find(struct store *store, const char *text)
{
	_cleanup_(snapshot_info_done) struct snapshot_info info = {0};
	int r = store_snapshot_find(store, text, &info);

	return r == 0 ? info.id : -r;
}

static void test_find(void **state)
{
	struct fixture *f = *state;
	const char *const image = "docker.io/library/debian@sha256:12";
	int64_t first = make(f->store, SNAPSHOT_HOST, "/usr", "/a", 1);
	int64_t second = make(f->store, SNAPSHOT_HOST, "/usr", "/a", 1);
	int64_t third = make(f->store, SNAPSHOT_HOST, "/usr", "/a", 1), other, number,
	        ids[16] = {0};
	char text[32];

	assert_int_equal(find(f->store, "/usr"), third);
	assert_int_equal(find(f->store, "/usr@0"), third);
	assert_int_equal(find(f->store, "/usr@1"), second);
	assert_int_equal(find(f->store, "host:/usr@2"), first);
	assert_int_equal(find(f->store, "/usr@3"), -STORE_E_NOTFOUND);
	assert_int_equal(find(f->store, "/usr@99999999999999999999"), -STORE_E_NOTFOUND);
	other = make(f->store, SNAPSHOT_ROOTFS, "/usr", "/a", 1);
	assert_int_equal(find(f->store, "/usr"), ENOTUNIQ);
	assert_int_equal(find(f->store, "rootfs:/usr"), other);
	assert_int_equal(find(f->store, "host:/usr"), third);
	assert_int_equal(find(f->store, "layer:/usr"), -STORE_E_NOTFOUND);
	other = make(f->store, SNAPSHOT_IMAGE, image, "/a", 1);
	assert_int_equal(find(f->store, image), other);
	other = make(f->store, SNAPSHOT_IMAGE, "host:5000/x@1", "/a", 1);
	assert_int_equal(find(f->store, "host:5000/x@1"), other);
	snprintf(text, sizeof(text), "%lld", (long long)second);
	assert_int_equal(find(f->store, text), second);
	number = make(f->store, SNAPSHOT_CONTAINER, "4711", "/a", 1);
	assert_int_equal(find(f->store, "4711"), number);
	make(f->store, SNAPSHOT_LAYER, "abcd", "/a", 1);
	assert_int_equal(find(f->store, "abcd"), -STORE_E_NOTFOUND);
	assert_int_equal(find(f->store, ""), -STORE_E_NOTFOUND);
	assert_int_equal(store_snapshots(f->store, see_info, ids), 0);
	assert_int_equal(ids[0], 7); /* without the layer */
	assert_int_equal(ids[1], number);
	assert_int_equal(ids[7], first);
	assert_int_equal(store_snapshot_remove(f->store, third), 0);
	assert_int_equal(find(f->store, "host:/usr"), -STORE_E_NOTFOUND);
	assert_int_equal(find(f->store, "host:/usr@1"), second);
}

static int grow_while_reading(const struct entry *entry, int64_t entry_id, void *userdata)
{
	struct fixture *f = userdata;
	struct entry copy = *entry;

	(void)entry_id;
	copy.path = T("/x");
	return store_entry_put(f->store, 2, &copy) ?: store_snapshot_add(f->store, 2, entry);
}

static int remove_while_reading(const struct entry *entry, int64_t entry_id, void *userdata)
{
	struct fixture *f = userdata;

	(void)entry;
	(void)entry_id;
	return store_snapshot_remove(f->store, 1) == STORE_E_NOTFOUND ? 0 : 0;
}

/* Merging layers reads one and writes the other; what goes meanwhile is told. */
static void test_reading_while_things_change(void **state)
{
	struct fixture *f = *state;
	int64_t id = begin(f->store, SNAPSHOT_LAYER, "a");
	char path[16];

	for (int i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "/f%d", i);
		add(f->store, id, path, (uint8_t)i);
	}
	assert_int_equal(publish(f->store, id), 0);
	assert_int_equal(begin(f->store, SNAPSHOT_IMAGE, "i"), 2);
	assert_int_equal(store_entries(f->store, 1, NULL, grow_while_reading, f), 0);
	assert_int_equal(publish(f->store, 2), 0);
	assert_int_equal(count_entries(f->store, 2), 1001);
	assert_int_equal(
	        store_entries(f->store, 1, NULL, remove_while_reading, f), STORE_E_NOTFOUND);
	assert_int_equal(rows_of(f, 1), 0);
	assert_int_equal(
	        store_entries(f->store, 1, NULL, remove_while_reading, f), STORE_E_NOTFOUND);
	assert_int_equal(
	        store_snapshot_digests(f->store, 1, see_digests, &(struct digests_seen){0}),
	        STORE_E_NOTFOUND);
}

/*
 * Builders that end.
 */
struct child {
	pid_t pid;
	int ready, go;
};

/* Forked while there is no handle here: SQLite's state would be inherited. */
static struct child child_start(
        const struct fixture *f, void (*fn)(const struct fixture *f, int ready, int go))
{
	int ready[2], go[2];
	struct child child;

	assert_null(f->store);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		close(ready[0]);
		close(go[1]);
		fn(f, ready[1], go[0]);
		_exit(0);
	}
	close(ready[1]);
	close(go[0]);
	child.ready = ready[0];
	child.go = go[1];
	return child;
}

static int child_end(struct child child, int signal)
{
	int status;

	if (signal)
		assert_int_equal(kill(child.pid, signal), 0);
	close(child.go);
	assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
	close(child.ready);
	return status;
}

/* Flushes now and then, as what is larger than memory does; a byte each time. For ever. */
static void build_for_ever(const struct fixture *f, int ready, int go)
{
	struct snapshot_info info = info_of(SNAPSHOT_HOST, "/usr");
	struct entry found;
	struct store *store;
	int64_t id = 0;
	char path[32], byte = 0;

	(void)go;
	if (store_open(f->dir, STORE_READ_WRITE, &store) != 0 ||
	        store_snapshot_begin(store, &info, &id) != 0)
		_exit(1);
	for (unsigned int i = 0;; i++) {
		struct entry entry;

		snprintf(path, sizeof(path), "/f%u", i);
		entry = entry_of(path, 9);
		if (store_snapshot_add(store, id, &entry) != 0)
			_exit(2);
		if (i % 200 == 199) {
			if (store_entry_find(store, id, "/f0", &found, NULL) != 0)
				_exit(3);
			entry_done(&found);
			if (write(ready, &byte, 1) != 1)
				_exit(4);
		}
	}
}

static void read_bytes(int fd, size_t n)
{
	char byte;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(read(fd, &byte, 1), 1);
}

static void test_killed_while_building(void **state)
{
	struct fixture *f = *state;
	struct where_seen seen;

	for (size_t round = 1; round <= 4; round++) {
		struct child child;
		int64_t old, building;

		if (!f->store)
			assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &f->store), 0);
		old = make(f->store, SNAPSHOT_HOST, "/usr", "/old", 1);
		store_free(TAKE_PTR(f->store));
		child = child_start(f, build_for_ever);
		read_bytes(child.ready, 3 * round);
		assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &f->store), 0);
		assert_int_equal(find(f->store, "/usr"), old);
		building = raw_int(f, "SELECT max(id) FROM snapshot WHERE state = 0");
		assert_true(building > old && rows_of(f, building) > 0);
		/* A second one beside it sweeps nothing of one who lives. */
		make(f->store, SNAPSHOT_HOST, "/other", "/x", 2);
		assert_int_equal(raw_int(f, "SELECT count(*) FROM snapshot WHERE state = 0"), 1);
		assert_true(WIFSIGNALED(child_end(child, SIGKILL)));
		assert_int_equal(raw_int(f, "SELECT count(*) FROM snapshot WHERE state = 0"), 1);
		assert_int_equal(find(f->store, "/usr"), old);
		assert_int_equal(count_where(f->store, 1, &seen), 1);
		assert_int_equal(count_where(f->store, 9, &seen), 0);
		reopen(f, 0);
		make(f->store, SNAPSHOT_HOST, "/other", "/x", 2);
		assert_int_equal(rows_of(f, building), 0);
		assert_int_equal(raw_int(f, "SELECT count(*) FROM snapshot WHERE state = 0"), 0);
		assert_int_equal(find(f->store, "/usr"), old);
	}
	store_free(TAKE_PTR(f->store));
	assert_int_equal(raw_int(f, "SELECT count(*) FROM pragma_integrity_check WHERE "
	                            "integrity_check <> 'ok'"),
	        0);
}

/* A handle that is freed, and what a kill leaves of a removal. */
static void test_swept(void **state)
{
	struct fixture *f = *state;
	int64_t left = begin(f->store, SNAPSHOT_HOST, "/usr"), marked;

	add(f->store, left, "/a", 1);
	assert_int_equal(count_entries(f->store, left), 1);
	marked = make(f->store, SNAPSHOT_HOST, "/var", "/a", 1);
	raw(f, "UPDATE snapshot SET state = 3 WHERE name = '/var'");
	assert_int_equal(find(f->store, "/var"), -STORE_E_NOTFOUND);
	begin(f->store, SNAPSHOT_HOST, "/x"); /* by the same handle: it is at work with the first */
	assert_int_equal(rows_of(f, left), 2);
	assert_int_equal(rows_of(f, marked), 0);
	reopen(f, 0);
	begin(f->store, SNAPSHOT_HOST, "/x");
	assert_int_equal(rows_of(f, left), 0);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM snapshot"), 1);
	/* Ids are not used again. */
	assert_true(begin(f->store, SNAPSHOT_HOST, "/y") > marked + 2);
}

static void build_much(const struct fixture *f, int ready, int go)
{
	struct snapshot_info info = info_of(SNAPSHOT_ROOTFS, "/much");
	struct store *store;
	int64_t id = 0;
	char path[48], byte = 0;

	info.scope = SCOPE_NONE;
	info.scope_value = NULL;
	if (store_open(f->dir, STORE_READ_WRITE, &store) != 0 ||
	        store_snapshot_begin(store, &info, &id) != 0 || write(ready, &byte, 1) != 1 ||
	        read(go, &byte, 1) != 1)
		_exit(1);
	for (unsigned int i = 0; i < 60000; i++) {
		struct entry entry;

		snprintf(path, sizeof(path), "/d%u/f%u", (i * 7919) % 60000, i);
		entry = entry_of(path, (uint8_t)i);
		if (store_snapshot_add(store, id, &entry) != 0)
			_exit(2);
	}
	info.id = id;
	if (store_snapshot_publish(store, &info) != 0)
		_exit(3);
	store_free(store);
}

/* Two build while a third writes as the daemon does: each of its commits is done soon. */
static void test_many_writers(void **state)
{
	struct fixture *f = *state;
	struct child children[2];
	int64_t slowest_ns = 0;
	unsigned int events = 0;

	store_free(TAKE_PTR(f->store));
	for (size_t i = 0; i < 2; i++)
		children[i] = child_start(f, build_much);
	for (size_t i = 0; i < 2; i++)
		read_bytes(children[i].ready, 1);
	assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &f->store), 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(write(children[i].go, "", 1), 1);
	for (int left = 2; left > 0; events++) {
		int64_t start_ns = clock_monotonic_ns();
		char uid[16];

		snprintf(uid, sizeof(uid), "%u", events);
		add_event(f->store, uid, "/x", 1);
		start_ns = clock_monotonic_ns() - start_ns;
		slowest_ns = start_ns > slowest_ns ? start_ns : slowest_ns;
		for (size_t i = 0; i < 2; i++) {
			int status;

			if (children[i].pid == 0 || waitpid(children[i].pid, &status, WNOHANG) == 0)
				continue;
			assert_int_equal(status, 0);
			children[i].pid = 0;
			left--;
		}
	}
	print_message("%u events, the slowest took %lld ms\n", events,
	        (long long)(slowest_ns / NS_PER_MSEC));
	assert_int_equal(raw_int(f, "SELECT count(*) FROM entry"), 120000);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM snapshot WHERE state = 1"), 1);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM snapshot WHERE state = 2"), 1);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM event"), events);
}

/*
 * No room.
 */
static int build_until_refused(struct store *store)
{
	struct snapshot_info info = info_of(SNAPSHOT_HOST, "/usr");
	int64_t id = 0;
	int r = store_snapshot_begin(store, &info, &id);

	for (unsigned int i = 0; i < 50000 && r == 0; i++) {
		char path[32];
		struct entry entry;

		snprintf(path, sizeof(path), "/new/f%u", i);
		entry = entry_of(path, 9);
		r = store_snapshot_add(store, id, &entry);
	}
	info.id = id;
	if (r == 0)
		r = store_snapshot_publish(store, &info);
	if (r != 0 && id != 0)
		(void)store_snapshot_remove(store, id);
	return r;
}

static void assert_old_stands(struct fixture *f, int64_t old)
{
	struct where_seen seen;

	assert_int_equal(find(f->store, "/usr"), old);
	assert_int_equal(count_where(f->store, 1, &seen), 1);
	assert_int_equal(count_where(f->store, 9, &seen), 0);
	assert_int_equal(count_entries(f->store, old), 1);
}

static void test_full_disk(void **state)
{
	struct fixture *f = *state;
	const struct rlimit small = {.rlim_cur = 3 << 20, .rlim_max = RLIM_INFINITY};
	const struct rlimit none = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	int64_t old = make(f->store, SNAPSHOT_HOST, "/usr", "/old", 1);
	int r;

	raw_run(f->store->db, "PRAGMA max_page_count = 800");
	assert_int_equal(build_until_refused(f->store), STORE_E_FULL);
	assert_old_stands(f, old);
	raw_run(f->store->db, "PRAGMA max_page_count = 1000000");
	/* A file that may not grow, which the filesystem says. */
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	r = build_until_refused(f->store);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(r, STORE_E_FULL);
	assert_old_stands(f, old);
	reopen(f, 0);
	assert_old_stands(f, old);
	assert_int_equal(build_until_refused(f->store), 0);
	assert_int_equal(count_where(f->store, 9, &(struct where_seen){0}), 100);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM snapshot"), 2);
}

/* Room that comes back: what was refused is tried again, and nothing is there twice or missing. */
static void test_full_and_going_on(void **state)
{
	struct fixture *f = *state;
	int64_t id = begin(f->store, SNAPSHOT_HOST, "/usr");
	unsigned int refused = 0;
	int r = STORE_E_FULL;

	for (unsigned int i = 0; i < 20000; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/f%u", i);
		add(f->store, id, path, (uint8_t)i);
	}
	for (int pages = 200; r == STORE_E_FULL; pages += 137) {
		char sql[64];

		snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %d", pages);
		raw_run(f->store->db, sql);
		r = publish(f->store, id);
		refused++;
	}
	assert_int_equal(r, 0);
	assert_true(refused > 5);
	assert_int_equal(rows_of(f, id), 40000);
	assert_int_equal(raw_int(f, "SELECT count(DISTINCT entry) FROM executable"), 20000);
	assert_int_equal(
	        raw_int(f, "SELECT count(*) FROM executable x JOIN entry e ON e.id = x.entry "
	                   "WHERE e.sha256 = x.sha256"),
	        20000);
}

/*
 * Retention.
 */
static uint32_t prune(struct store *store, uint32_t keep)
{
	uint32_t removed = 99;

	assert_int_equal(store_baselines_prune(store, keep, 100, &removed), 0);
	return removed;
}

static void test_prune(void **state)
{
	struct fixture *f = *state;
	int64_t ids[5], other = 0;

	for (size_t i = 0; i < 5; i++) {
		ids[i] = make(f->store, SNAPSHOT_HOST, "/usr", "/a", (uint8_t)i);
		other = make(f->store, SNAPSHOT_HOST, i < 3 ? "/var" : "/tmp", "/a", 7);
	}
	assert_int_equal(prune(f->store, 3), 1);
	assert_int_equal(rows_of(f, ids[0]), 0);
	assert_int_equal(find(f->store, "/usr@3"), ids[1]);
	assert_int_equal(generation(f->store), 11);
	assert_int_equal(prune(f->store, 3), 0);
	assert_int_equal(generation(f->store), 11);
	assert_int_equal(prune(f->store, 0), 6);
	assert_int_equal(find(f->store, "/usr"), ids[4]);
	assert_int_equal(find(f->store, "/tmp"), other);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM snapshot"), 3);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM entry"), 3);
	assert_int_equal(store_prune(f->store, 10, 10, 0), 0); /* of the other rooms */
	assert_int_equal(count_entries(f->store, other), 1);
}

static void test_layers(void **state)
{
	struct fixture *f = *state;
	int64_t layer = make(f->store, SNAPSHOT_LAYER, "aa", "/a", 1), found = 0, image, unused;
	struct store *second, *reader;

	assert_int_equal(generation(f->store), 0);
	/* Who built it is still at work, for others, too: no image is on record yet. */
	assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &second), 0);
	assert_int_equal(prune(second, 0), 0);
	assert_int_equal(count_entries(f->store, layer), 1);
	assert_int_equal(store_snapshot_layer(second, "aa", false, &found), 0);
	assert_int_equal(found, layer);
	assert_int_equal(store_snapshot_layer(second, "aa", true, &found), STORE_E_NOTFOUND);
	assert_int_equal(store_snapshot_layer(second, "bb", false, &found), STORE_E_NOTFOUND);
	assert_int_equal(count_where(f->store, 1, &(struct where_seen){0}), 0);
	assert_int_equal(count_digests(f->store, layer), 0);
	store_free(TAKE_PTR(f->store));
	assert_int_equal(store_open(f->dir, STORE_READ_WRITE, &f->store), 0);
	assert_int_equal(prune(f->store, 0), 0); /* who found it, neither */
	assert_int_equal(count_entries(f->store, layer), 1);
	image = make(second, SNAPSHOT_IMAGE, "i", "/a", 1);
	assert_int_equal(store_snapshot_uses(second, image, layer), 0);
	assert_int_equal(store_snapshot_uses(second, image, layer), 0);
	unused = make(second, SNAPSHOT_LAYER, "cc", "/a", 1);
	store_free(second);
	assert_int_equal(store_open(f->dir, STORE_READ_ONLY, &reader), 0);
	assert_int_equal(store_snapshot_layer(reader, "cc", false, &found), 0);
	assert_int_equal(prune(f->store, 0), 0);
	assert_int_equal(rows_of(f, unused), 0);
	assert_int_equal(count_entries(reader, layer), 1);
	store_free(reader);
	assert_int_equal(store_snapshot_remove(f->store, image), 0);
	assert_int_equal(prune(f->store, 0), 0);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM snapshot"), 0);
	assert_int_equal(raw_int(f, "SELECT count(*) FROM snapshot_layer"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_publish, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_begin_refuses, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_find, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_reading_while_things_change, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_killed_while_building, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_swept, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_many_writers, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_full_and_going_on, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_prune, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_layers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
