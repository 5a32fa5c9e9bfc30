/*
 * Lists as verdicts ask for them: real rows and real indexes, clocks and keys that are made up.
 */
#include "store_fixture.h"

#include "base/clock.h"
#include "crypto/digest.h"
#include "crypto/key_private.h"
#include "daemon/allowlists.h"
#include "daemon/believed.h"

#define NOW (INT64_C(1800000000) * NS_PER_SEC) /* 2027 */
#define DAY (86400 * NS_PER_SEC)

struct room {
	struct trust trust;
	struct trust_key keys[2];
	struct allowlists_terms terms;
};

static void room_done(struct room *room)
{
	for (size_t i = 0; i < room->trust.n_keys; i++)
		key_free(room->keys[i].key);
}

static void room_init(struct room *room, uint32_t threshold)
{
	*room = (struct room){.trust = {.keys = room->keys, .n_keys = 2}};
	for (size_t i = 0; i < 2; i++) {
		room->keys[i] = (struct trust_key){
		        .use = TRUST_USE_MANIFEST, .expires_ns = INT64_MAX, .name = (char[]){"k"}};
		assert_int_equal(key_generate(KEY_TYPE_ED25519, &room->keys[i].key), 0);
	}
	room->terms = (struct allowlists_terms){
	        .trust = &room->trust,
	        .threshold = threshold,
	        .limits = {.now_ns = NOW,
	                .skew_ns = 300 * NS_PER_SEC,
	                .max_validity_ns = 400 * DAY},
	};
}

static struct digest hash_of(const char *text)
{
	struct digest digest;

	assert_int_equal(digest_data(text, strlen(text), &digest), 0);
	return digest;
}

struct made {
	const char *series;
	uint64_t version;
	enum statement_bind bind;
	int64_t expires_ns;
	const char *content, *path;
	struct statement_scope scope;
	size_t n_signers; /* of the room's keys */
};

static int compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct digest));
}

static int64_t put(struct fixture *f, const struct room *room, const struct made *made)
{
	struct digest signers[2] = {*key_id(room->keys[0].key), *key_id(room->keys[1].key)};
	struct statement_subject subject = {
	        .name = (char *)(uintptr_t)made->path, .digest = hash_of(made->content)};
	struct allowlist_info info = {
	        .statement = {.series = (char *)(uintptr_t)made->series,
	                .version = made->version,
	                .issued_ns = NOW - DAY,
	                .expires_ns = made->expires_ns ?: NOW + DAY,
	                .bind = made->bind,
	                .scope = made->scope},
	        .signers = signers,
	        .n_signers = made->n_signers ?: 1,
	        .subjects = 1,
	        .installed_ns = NOW,
	        .source = (char[]){"install"},
	};
	struct digest key;
	int64_t id;

	info.payload = hash_of(made->series);
	info.payload.bytes[0] = (uint8_t)made->version;
	qsort(signers, info.n_signers, sizeof(signers[0]), compare_digests);
	assert_int_equal(allowlist_key(made->bind, &subject.digest, made->path, &key), 0);
	assert_int_equal(store_witness(f->store), 0);
	assert_int_equal(store_begin(f->store), 0);
	assert_int_equal(store_allowlist_put(f->store, &info, &id), 0);
	assert_int_equal(store_allowlist_add(f->store, id, &subject, &key), 0);
	assert_int_equal(store_allowlist_finish(f->store, id, 1), 0);
	assert_int_equal(store_commit(f->store), 0);
	return id;
}

static struct allowlists *load(struct fixture *f, struct allowlists *before)
{
	struct allowlists *set = NULL;

	assert_int_equal(allowlists_load(f->store, f->dir, before, &set), 0);
	return set;
}

static struct exec_facts facts_of(const char *content, const char *path)
{
	return (struct exec_facts){.origin = ORIGIN_DROPPED,
	        .has_digest = true,
	        .digest = hash_of(content),
	        .path = (char *)(uintptr_t)path};
}

static enum baseline_answer ask(const struct allowlists *set, const struct room *room,
        const char *content, const char *path, struct allowlists_voucher *ret_voucher)
{
	struct exec_facts facts = facts_of(content, path);

	return allowlists_ask(set, &room->terms, &facts, ret_voucher);
}

static void test_a_list_is_asked_by_digest_and_by_path(void **state)
{
	struct fixture *f = *state;
	_cleanup_(room_done) struct room room;
	struct allowlists_voucher voucher;
	struct allowlists *set;
	char longest[STATEMENT_TEXT_MAX + 2];

	room_init(&room, 1);
	put(f, &room,
	        &(struct made){.series = "a",
	                .version = 1,
	                .bind = STATEMENT_BIND_DIGEST,
	                .content = "x",
	                .path = "/bin/x"});
	put(f, &room,
	        &(struct made){.series = "b",
	                .version = 1,
	                .bind = STATEMENT_BIND_PATH,
	                .content = "y",
	                .path = "/bin/y"});
	set = load(f, NULL);
	assert_int_equal(allowlists_count(set), 2);
	assert_string_equal(allowlists_get(set, 0)->statement.series, "a");
	assert_int_equal(ask(set, &room, "x", "/elsewhere", &voucher), BASELINE_KNOWN);
	assert_false(voucher.by_path);
	assert_int_equal(voucher.until_ns, NOW + DAY);
	assert_int_equal(ask(set, &room, "x", NULL, &voucher), BASELINE_KNOWN);
	assert_int_equal(ask(set, &room, "y", "/bin/y", &voucher), BASELINE_KNOWN);
	assert_true(voucher.by_path);
	assert_int_equal(ask(set, &room, "y", "/bin/x", &voucher), BASELINE_UNKNOWN);
	assert_int_equal(ask(set, &room, "y", NULL, &voucher), BASELINE_UNKNOWN);
	/* A path that no list can have is no fault of an index. */
	memset(longest, 'a', sizeof(longest) - 1);
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(ask(set, &room, "y", longest, &voucher), BASELINE_UNKNOWN);
	assert_int_equal(ask(set, &room, "z", "/bin/x", &voucher), BASELINE_UNKNOWN);
	assert_int_equal(ask(NULL, &room, "x", "/bin/x", &voucher), BASELINE_UNKNOWN);
	allowlists_unref(set);
}

/* The one that vouches for the content under any name, and then the one that does so for longest.
 */
static void test_the_best_of_several_vouches(void **state)
{
	struct fixture *f = *state;
	_cleanup_(room_done) struct room room;
	struct allowlists_voucher voucher;
	struct allowlists *set;

	room_init(&room, 1);
	put(f, &room,
	        &(struct made){.series = "a",
	                .version = 1,
	                .bind = STATEMENT_BIND_PATH,
	                .expires_ns = NOW + 9 * DAY,
	                .content = "x",
	                .path = "/x"});
	put(f, &room,
	        &(struct made){.series = "b",
	                .version = 1,
	                .bind = STATEMENT_BIND_DIGEST,
	                .expires_ns = NOW + 2 * DAY,
	                .content = "x",
	                .path = "/x"});
	put(f, &room,
	        &(struct made){.series = "c",
	                .version = 1,
	                .bind = STATEMENT_BIND_DIGEST,
	                .expires_ns = NOW + 3 * DAY,
	                .content = "x",
	                .path = "/x"});
	put(f, &room,
	        &(struct made){.series = "d",
	                .version = 1,
	                .bind = STATEMENT_BIND_PATH,
	                .expires_ns = NOW + 9 * DAY,
	                .content = "x",
	                .path = "/x"});
	set = load(f, NULL);
	assert_int_equal(ask(set, &room, "x", "/x", &voucher), BASELINE_KNOWN);
	assert_string_equal(voucher.info->statement.series, "c");
	assert_int_equal(voucher.until_ns, NOW + 3 * DAY);
	allowlists_unref(set);
}

static void test_who_is_believed_and_when(void **state)
{
	struct fixture *f = *state;
	_cleanup_(room_done) struct room room;
	struct allowlists_voucher voucher;
	struct allowlist_limits *limits = &room.terms.limits;
	struct trust_floor floor = {.series = (char[]){"a"}, .version = 3};
	struct allowlists *set;

	room_init(&room, 2);
	put(f, &room,
	        &(struct made){.series = "a",
	                .version = 2,
	                .bind = STATEMENT_BIND_DIGEST,
	                .expires_ns = NOW + DAY,
	                .content = "x",
	                .path = "/x",
	                .n_signers = 2});
	set = load(f, NULL);
	assert_int_equal(ask(set, &room, "x", "/x", &voucher), BASELINE_KNOWN);
	room.terms.threshold = 3;
	assert_int_equal(ask(set, &room, "x", "/x", &voucher), BASELINE_UNKNOWN);
	room.terms.threshold = 2;
	room.keys[1].revoked = true;
	assert_int_equal(ask(set, &room, "x", "/x", &voucher), BASELINE_UNKNOWN);
	room.keys[1].revoked = false;
	room.keys[1].expires_ns = NOW + 5;
	assert_int_equal(ask(set, &room, "x", "/x", &voucher), BASELINE_KNOWN);
	assert_int_equal(voucher.until_ns, NOW + 5); /* the key's end, before the list's */
	room.keys[1].expires_ns = NOW;
	assert_int_equal(ask(set, &room, "x", "/x", &voucher), BASELINE_UNKNOWN);
	room.keys[1].expires_ns = INT64_MAX;
	room.terms.trust = NULL;
	assert_int_equal(ask(set, &room, "x", "/x", &voucher), BASELINE_UNKNOWN);
	room.terms.trust = &room.trust;
	room.trust.floors = &floor;
	room.trust.n_floors = 1;
	assert_int_equal(ask(set, &room, "x", "/x", &voucher), BASELINE_UNKNOWN);
	room.trust.n_floors = 0;
	limits->now_ns = NOW + DAY;
	assert_int_equal(ask(set, &room, "x", "/x", &voucher), BASELINE_UNKNOWN);
	limits->grace_ns = DAY;
	assert_int_equal(ask(set, &room, "x", "/x", &voucher), BASELINE_KNOWN);
	assert_int_equal(voucher.until_ns, NOW + 2 * DAY);
	limits->grace_ns = 0;
	limits->now_ns = NOW;
	limits->latest_now_ns = NOW + 2 * DAY;
	assert_int_equal(ask(set, &room, "x", "/x", &voucher), BASELINE_UNKNOWN);
	allowlists_unref(set);
}

static void test_scope(void **state)
{
	struct fixture *f = *state;
	_cleanup_(room_done) struct room room;
	char *hosts[] = {(char[]){"web"}}, *labels[] = {(char[]){"db"}, (char[]){"web"}};
	struct statement_scope scope = {.of = {[STATEMENT_SCOPE_HOSTS] = {hosts, 1}}};
	struct allowlists_voucher voucher;
	struct allowlists *set;

	room_init(&room, 1);
	put(f, &room,
	        &(struct made){.series = "a",
	                .version = 1,
	                .bind = STATEMENT_BIND_DIGEST,
	                .content = "x",
	                .path = "/x",
	                .scope = scope});
	set = load(f, NULL);
	assert_int_equal(ask(set, &room, "x", "/x", &voucher), BASELINE_UNKNOWN);
	room.terms.labels = labels;
	room.terms.n_labels = 1;
	assert_int_equal(ask(set, &room, "x", "/x", &voucher), BASELINE_UNKNOWN);
	room.terms.n_labels = 2;
	assert_int_equal(ask(set, &room, "x", "/x", &voucher), BASELINE_KNOWN);
	allowlists_unref(set);
}

/* What is the same is not read again; what has changed is. */
static void test_indexes_are_shared(void **state)
{
	struct fixture *f = *state;
	_cleanup_(room_done) struct room room;
	struct allowlists_voucher voucher;
	struct allowlists *first, *second, *third;
	int64_t id;

	room_init(&room, 1);
	put(f, &room,
	        &(struct made){.series = "a",
	                .version = 1,
	                .bind = STATEMENT_BIND_DIGEST,
	                .content = "x",
	                .path = "/x"});
	id = put(f, &room,
	        &(struct made){.series = "b",
	                .version = 1,
	                .bind = STATEMENT_BIND_DIGEST,
	                .content = "y",
	                .path = "/y"});
	first = load(f, NULL);
	assert_int_equal(allowlists_shared(first), 0);
	put(f, &room,
	        &(struct made){.series = "b",
	                .version = 2,
	                .bind = STATEMENT_BIND_DIGEST,
	                .content = "z",
	                .path = "/z"});
	second = load(f, first);
	assert_int_equal(allowlists_shared(second), 1);
	assert_true(allowlists_generation(second) > allowlists_generation(first));
	/* A verdict under way keeps the set that it has. */
	assert_int_equal(ask(first, &room, "y", "/y", &voucher), BASELINE_KNOWN);
	allowlists_unref(first);
	assert_int_equal(ask(second, &room, "x", "/x", &voucher), BASELINE_KNOWN);
	assert_int_equal(ask(second, &room, "z", "/z", &voucher), BASELINE_KNOWN);
	assert_int_equal(ask(second, &room, "y", "/y", &voucher), BASELINE_UNKNOWN);
	assert_int_equal(
	        store_allowlist_remove(f->store, allowlists_get(second, 1)->id, 0, NOW, "test"), 0);
	assert_true(allowlists_get(second, 1)->id != id);
	third = load(f, second);
	allowlists_unref(second);
	assert_int_equal(allowlists_count(third), 1);
	assert_int_equal(allowlists_shared(third), 1);
	assert_int_equal(ask(third, &room, "z", "/z", &voucher), BASELINE_UNKNOWN);
	allowlists_unref(third);
}

static void test_the_clock_only_goes_forward(void **state)
{
	struct allowlists_clock clock = {0};

	(void)state;
	assert_int_equal(allowlists_clock_see(&clock, 100), 100);
	assert_int_equal(allowlists_clock_see(&clock, 50), 100);
	allowlists_clock_stored(&clock, 80);
	assert_int_equal(allowlists_clock_see(&clock, 50), 100);
	allowlists_clock_stored(&clock, 200);
	assert_int_equal(allowlists_clock_see(&clock, 50), 200);
	/* Less than the database had: an operator has reset it. */
	allowlists_clock_stored(&clock, 0);
	assert_int_equal(allowlists_clock_see(&clock, 50), 50);
}

static void test_a_directory_that_is_not_there_is_no_fault(void **state)
{
	struct fixture *f = *state;
	struct believed *believed;
	struct digest digest = {0};
	char path[128];

	assert_int_equal(believed_load(path_of(f, "none", path), &believed), 0);
	assert_null(believed_trust(believed));
	assert_null(believed_fault(believed));
	assert_non_null(believed_nobody(believed));
	assert_false(believed_revoked(believed, &digest));
	believed_unref(believed);
	assert_int_equal(believed_load(path_of(f, "baseline.db", path), &believed), 0);
	assert_null(believed_trust(believed));
	assert_true(believed_fault(believed) || believed_nobody(believed));
	believed_unref(believed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(
	                test_a_list_is_asked_by_digest_and_by_path, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_the_best_of_several_vouches, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_who_is_believed_and_when, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_scope, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_indexes_are_shared, setup, teardown),
	        cmocka_unit_test(test_the_clock_only_goes_forward),
	        cmocka_unit_test_setup_teardown(
	                test_a_directory_that_is_not_there_is_no_fault, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
