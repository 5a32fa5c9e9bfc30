/*
 * Snapshots from walks: the digest is the tree's, what is half built is not there, what has not
 * changed is told to be so, and a cursor finds what the store finds.
 */
#include "snapshot/build.h"
#include "snapshot/cursor.h"
#include "snapshot/unchanged.h"
#include "tests/component/walk_fixture.h"

#include <stdint.h>

#define T(literal) ((char *)(uintptr_t)(literal))

struct built {
	struct fixture *tree;
	struct store *store;
	char dir[64];
};

static int setup_built(void **state)
{
	struct built *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	setup((void **)&b->tree);
	strcpy(b->dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm/execward-build-XXXXXX"
	                                             : "/tmp/execward-build-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	assert_int_equal(store_open(b->dir, STORE_READ_WRITE, &b->store), 0);
	*state = b;
	return 0;
}

static int teardown_built(void **state)
{
	struct built *b = *state;

	store_free(b->store);
	empty(b->dir);
	assert_int_equal(rmdir(b->dir), 0);
	teardown((void **)&b->tree);
	free(b);
	return 0;
}

static struct snapshot_info info_of(const struct built *b, const char *name)
{
	(void)b;
	return (struct snapshot_info){
	        .kind = SNAPSHOT_ROOTFS, .name = T(name), .all_files = true, .created_ns = 1};
}

static struct build *begin(struct built *b, const char *name, bool rehash)
{
	struct snapshot_info info = info_of(b, name);
	struct build *build;

	assert_int_equal(
	        build_begin(
	                &(struct build_options){.store = b->store, .info = &info, .rehash = rehash},
	                &build),
	        0);
	return build;
}

/* The snapshot of the tree as it is. */
static struct snapshot_info build_tree(struct built *b, const char *name, bool rehash)
{
	struct walk_options options = b->tree->options;
	struct build *build = begin(b, name, rehash);
	struct snapshot_info info;
	struct walk_totals totals;

	options.known = build_known;
	options.add = build_add;
	options.problem = NULL;
	options.progress = NULL;
	options.userdata = build;
	assert_int_equal(walk_tree(&options, &totals), 0);
	assert_int_equal(build_publish(build, &totals, &info), 0);
	build_free(build);
	return info;
}

static void make_tree(struct built *b)
{
	char name[32];

	assert_int_equal(mkdirat(b->tree->fd, "sub", 0755), 0);
	assert_int_equal(mkdirat(b->tree->fd, "sub/deep", 0755), 0);
	assert_int_equal(symlinkat("target", b->tree->fd, "link"), 0);
	for (unsigned int i = 0; i < 700; i++) {
		snprintf(name, sizeof(name), "%sf%u", i % 3 ? "sub/" : "", i);
		make_text(b->tree, name, name, i % 2 ? 0755 : 0644);
	}
	settle(b->tree, "f699");
}

/*
 * The digest.
 */
static void test_digest(void **state)
{
	struct built *b = *state;
	struct snapshot_info first, second;
	struct digest again;

	make_tree(b);
	first = build_tree(b, "one", false);
	second = build_tree(b, "two", true);
	assert_int_equal(first.entries, 704);
	assert_int_equal(second.hashed, 700);
	assert_true(first.has_digest);
	assert_true(digest_equal(&first.digest, &second.digest));
	/* On the way, and from the rows. */
	assert_int_equal(snapshot_digest(b->store, first.id, &again), 0);
	assert_true(digest_equal(&first.digest, &again));
	snapshot_info_done(&first);
	snapshot_info_done(&second);
	make_text(b->tree, "f699", "changed", 0755);
	second = build_tree(b, "two", false);
	assert_int_equal(second.hashed, 1);
	assert_false(digest_equal(&second.digest, &again));
	snapshot_info_done(&second);
}

static struct entry file_of(const char *path)
{
	return (struct entry){.path = T(path), .type = ENTRY_FILE, .mode = 0755};
}

/* Entries that a forger could make look like others: each must change the digest. */
static void test_digest_is_injective(void **state)
{
	struct built *b = *state;
	struct entry variants[] = {file_of("/a"), file_of("/a"), file_of("/a"), file_of("/a"),
	        file_of("/a\n"), file_of("/a b"), file_of("/a"), file_of("/a"), file_of("/a"),
	        file_of("/ab"), file_of("/a")};
	struct digest digests[sizeof(variants) / sizeof(variants[0])];

	variants[1].mode = 04755;
	variants[2].uid = 1;
	variants[3].gid = 1;
	variants[6].type = ENTRY_SYMLINK;
	variants[6].target = T("b");
	variants[7].flags = ENTRY_IMA;
	variants[8].caps_size = 1;
	variants[10].content = CONTENT_KNOWN;
	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		struct build *build = begin(b, "forged", false);

		assert_int_equal(build_add(&variants[i], build), 0);
		assert_int_equal(snapshot_digest(b->store, build_id(build), &digests[i]), 0);
		for (size_t j = 0; j < i; j++)
			assert_false(digest_equal(&digests[i], &digests[j]));
		build_free(build);
	}
}

/* Whatever the order in which they came. */
static void test_any_order(void **state)
{
	static const char *const paths[] = {"/b", "/a-b", "/a/c", "/a"};
	struct built *b = *state;
	struct walk_totals totals = {.entries = 4};
	struct snapshot_info infos[2];

	for (size_t i = 0; i < 2; i++) {
		struct build *build = begin(b, "ordered", false);

		for (size_t j = 0; j < 4; j++) {
			struct entry entry = file_of(paths[i ? 3 - j : j]);

			assert_int_equal(build_add(&entry, build), 0);
		}
		assert_int_equal(build_publish(build, &totals, &infos[i]), 0);
		build_free(build);
	}
	assert_true(digest_equal(&infos[0].digest, &infos[1].digest));
	snapshot_info_done(&infos[0]);
	snapshot_info_done(&infos[1]);
}

/*
 * What is not published.
 */
static void test_half_built_is_removed(void **state)
{
	struct built *b = *state;
	struct entry entry = file_of("/a"), found;
	struct build *build = begin(b, "half", false);
	struct snapshot_info info = info_of(b, "half");
	int64_t id = build_id(build);

	assert_int_equal(build_add(&entry, build), 0);
	assert_int_equal(build_before(b->store, &info, &info), STORE_E_NOTFOUND);
	build_free(build);
	assert_int_equal(store_entry_find(b->store, id, "/a", &found, NULL), STORE_E_NOTFOUND);
}

/*
 * Unchanged.
 */
static bool holds(struct built *b, const char *name)
{
	struct walk_options options = b->tree->options;
	struct snapshot_info info = info_of(b, name), stands;
	struct unchanged *unchanged;
	struct walk_totals totals;
	bool yes;
	int r;

	assert_int_equal(unchanged_begin(b->store, &info, &unchanged), 0);
	options.known = unchanged_known;
	options.add = unchanged_add;
	options.problem = NULL;
	options.progress = NULL;
	options.userdata = unchanged;
	r = walk_tree(&options, &totals);
	assert_true(r == 0 || r == UNCHANGED_E_DIFFERS);
	yes = r == 0 && unchanged_holds(unchanged, &stands);
	if (yes) {
		assert_int_equal(totals.hashed, 0);
		snapshot_info_done(&stands);
	}
	unchanged_free(unchanged);
	return yes;
}

static void test_unchanged(void **state)
{
	struct built *b = *state;
	struct snapshot_info info, other;
	struct unchanged *unchanged;

	make_tree(b);
	info = build_tree(b, "tree", false);
	snapshot_info_done(&info);
	assert_true(holds(b, "tree"));
	assert_true(holds(b, "tree"));
	other = info_of(b, "tree");
	other.all_files = false;
	assert_int_equal(unchanged_begin(b->store, &other, &unchanged), STORE_E_NOTFOUND);
	other = info_of(b, "none");
	assert_int_equal(unchanged_begin(b->store, &other, &unchanged), STORE_E_NOTFOUND);
}

/* One for another: the counts alone would agree. */
static void swap_names(struct built *b)
{
	assert_int_equal(unlinkat(b->tree->fd, "f0", 0), 0);
	make_text(b->tree, "g0", "f0", 0644);
}

static void lose_one(struct built *b)
{
	assert_int_equal(unlinkat(b->tree->fd, "sub/f1", 0), 0);
}

static void lose_the_last(struct built *b)
{
	assert_int_equal(unlinkat(b->tree->fd, "sub/f698", 0), 0);
}

static void gain_one(struct built *b)
{
	make_text(b->tree, "sub/deep/new", "", 0644);
}

static void become_a_directory(struct built *b)
{
	assert_int_equal(unlinkat(b->tree->fd, "f0", 0), 0);
	assert_int_equal(mkdirat(b->tree->fd, "f0", 0644), 0);
}

static void lead_elsewhere(struct built *b)
{
	assert_int_equal(unlinkat(b->tree->fd, "link", 0), 0);
	assert_int_equal(symlinkat("tarGet", b->tree->fd, "link"), 0);
}

static void close_a_directory(struct built *b)
{
	assert_int_equal(fchmodat(b->tree->fd, "sub/deep", 0700, 0), 0);
}

static void same_content_again(struct built *b)
{
	make_text(b->tree, "f0", "f0", 0644);
}

static void test_every_difference(void **state)
{
	static void (*const changes[])(struct built * b) = {swap_names, lose_one, lose_the_last,
	        gain_one, become_a_directory, lead_elsewhere, close_a_directory,
	        same_content_again};
	struct built *b = *state;

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct snapshot_info info;

		make_tree(b);
		info = build_tree(b, "tree", false);
		snapshot_info_done(&info);
		assert_true(holds(b, "tree"));
		changes[i](b);
		assert_false(holds(b, "tree"));
		empty(b->tree->dir);
	}
}

/*
 * Cursors.
 */
static int remember(const struct entry *entry, int64_t entry_id, void *userdata)
{
	(void)entry_id;
	return add(entry, userdata) < 0 ? -ENOMEM : 0;
}

static void test_cursor(void **state)
{
	static const char *const none[] = {
	        "/", "/!", "/f0x", "/sub/f1/below", "/sub/f1x", "/zzz", "/sub/zzz"};
	struct built *b = *state;
	struct fixture *f = b->tree;
	struct snapshot_info info;
	const struct entry *found;
	struct cursor *cursor;
	struct entry root;

	make_tree(b);
	info = build_tree(b, "tree", false);
	assert_int_equal(store_entries(b->store, info.id, NULL, remember, f), 0);
	assert_int_equal(f->n, 704);
	assert_int_equal(cursor_new(b->store, info.id, &cursor), 0);
	/* In order, backwards, and here and there; what is not there between. */
	for (size_t step = 1; step < 704; step = step * 5 + 2) {
		for (size_t i = 0; i < 2 * f->n; i++) {
			size_t at = i < f->n ? i * step % f->n : 2 * f->n - 1 - i;
			const char *missing = none[1 + i % 6];

			assert_int_equal(cursor_find(cursor, f->entries[at].path, &found), 0);
			assert_string_equal(found->path, f->entries[at].path);
			if (i % 50 == 0)
				assert_int_equal(
				        cursor_find(cursor, missing, &found), STORE_E_NOTFOUND);
		}
	}
	assert_int_equal(store_entry_find(b->store, info.id, none[0], &root, NULL), 0);
	entry_done(&root);
	cursor_free(cursor);
	snapshot_info_done(&info);
}

#define TEST_BUILT(name) cmocka_unit_test_setup_teardown(name, setup_built, teardown_built)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST_BUILT(test_digest),
	        TEST_BUILT(test_digest_is_injective),
	        TEST_BUILT(test_any_order),
	        TEST_BUILT(test_half_built_is_removed),
	        TEST_BUILT(test_unchanged),
	        TEST_BUILT(test_every_difference),
	        TEST_BUILT(test_cursor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
