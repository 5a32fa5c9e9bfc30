/* Whether an installed list is believed now, until when, and where. */
#include "allowlists/in_force.h"
#include "crypto/digest.h"

#include "crypto_fixture.h"

#include <errno.h>

#define NOW        INT64_C(1000)
#define END        INT64_C(2000)
#define SERIES     "example.org/web"
#define T(literal) ((char *)(uintptr_t)(literal))

struct world {
	struct trust trust;
	struct trust_key keys[2];
	struct digest signers[2];
	struct allowlist_info info;
	struct allowlist_limits limits;
	uint32_t threshold;
};

static int compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct digest));
}

static int setup(void **state)
{
	static const char *const names[] = {"ed25519.pem", "p256.pem"};
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	for (size_t i = 0; i < 2; i++) {
		w->keys[i] = (struct trust_key){.key = golden_key(names[i]),
		        .use = TRUST_USE_MANIFEST,
		        .expires_ns = INT64_MAX};
		w->signers[i] = *key_id(w->keys[i].key);
	}
	qsort(w->signers, 2, sizeof(w->signers[0]), compare_digests);
	w->trust = (struct trust){.keys = w->keys, .n_keys = 2};
	w->info = (struct allowlist_info){
	        .statement = {.series = T(SERIES),
	                .version = 7,
	                .issued_ns = 500,
	                .expires_ns = END,
	                .bind = STATEMENT_BIND_DIGEST},
	        .signers = w->signers,
	        .n_signers = 2,
	};
	w->limits = (struct allowlist_limits){.now_ns = NOW, .max_validity_ns = 10000};
	w->threshold = 1;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < 2; i++)
		key_free(w->keys[i].key);
	free(w);
	return 0;
}

static enum allowlist_reason ask(const struct world *w)
{
	return allowlist_in_force(&w->info, &w->trust, w->threshold, &w->limits);
}

static int64_t until(const struct world *w)
{
	return allowlist_in_force_until(&w->info, &w->trust, w->threshold, &w->limits);
}

static void test_in_force(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask(w), ALLOWLIST_ACCEPTED);
	assert_int_equal(until(w), END);
	w->threshold = 2;
	assert_int_equal(ask(w), ALLOWLIST_ACCEPTED);
	w->threshold = 3;
	assert_int_equal(ask(w), ALLOWLIST_THRESHOLD_NOT_MET);
	assert_int_equal(until(w), INT64_MAX);
	w->threshold = 0;
	assert_int_equal(ask(w), ALLOWLIST_BAD_THRESHOLD);
	assert_int_equal(allowlist_in_force(&w->info, NULL, 1, &w->limits), ALLOWLIST_NO_KEYS);
}

static void test_a_key_counts_once(void **state)
{
	struct world *w = *state;

	w->signers[1] = w->signers[0];
	w->threshold = 2;
	assert_int_equal(ask(w), ALLOWLIST_THRESHOLD_NOT_MET);
}

static void test_signers(void **state)
{
	struct world *w = *state;
	struct digest revoked = *key_id(w->keys[0].key);
	char *other[] = {T("other/*")};

	w->keys[0].revoked = true;
	assert_int_equal(ask(w), ALLOWLIST_ACCEPTED);
	w->threshold = 2;
	assert_int_equal(ask(w), ALLOWLIST_THRESHOLD_NOT_MET);
	w->threshold = 1;
	w->keys[1].expires_ns = NOW;
	assert_int_equal(ask(w), ALLOWLIST_REVOKED_KEY);
	w->keys[0].revoked = false;
	w->keys[0].series = other;
	w->keys[0].n_series = 1;
	assert_int_equal(ask(w), ALLOWLIST_EXPIRED_KEY);
	w->keys[1].use = TRUST_USE_IMA;
	assert_int_equal(ask(w), ALLOWLIST_OTHER_SERIES);
	w->trust.n_keys = 0;
	assert_int_equal(ask(w), ALLOWLIST_UNKNOWN_KEY);
	/* Revoked, though its file is gone. */
	w->trust.revoked_keys = &revoked;
	w->trust.n_revoked_keys = 1;
	assert_int_equal(ask(w), ALLOWLIST_REVOKED_KEY);
	w->info.n_signers = 0;
	assert_int_equal(ask(w), ALLOWLIST_UNSIGNED);
}

static void test_body_and_version(void **state)
{
	struct world *w = *state;
	struct trust_floor floor = {.series = T(SERIES), .version = 8};

	w->trust.revoked_digests = &w->info.payload;
	w->trust.n_revoked_digests = 1;
	assert_int_equal(ask(w), ALLOWLIST_REVOKED_DIGEST);
	w->trust.n_revoked_digests = 0;
	w->trust.floors = &floor;
	w->trust.n_floors = 1;
	assert_int_equal(ask(w), ALLOWLIST_BELOW_FLOOR);
	floor.version = 7;
	assert_int_equal(ask(w), ALLOWLIST_ACCEPTED);
	w->limits.floor_version = 8;
	assert_int_equal(ask(w), ALLOWLIST_BELOW_FLOOR);
}

static void test_time(void **state)
{
	struct world *w = *state;

	w->limits.grace_ns = 50;
	assert_int_equal(until(w), END + 50);
	w->limits.now_ns = END + 49;
	assert_int_equal(ask(w), ALLOWLIST_ACCEPTED);
	w->limits.now_ns = END + 50;
	assert_int_equal(ask(w), ALLOWLIST_EXPIRED);
	assert_int_equal(until(w), INT64_MAX);
	/* What ends is told exactly: then it is so, a nanosecond before it is not. */
	w->limits =
	        (struct allowlist_limits){.now_ns = 300, .skew_ns = 100, .max_validity_ns = 10000};
	assert_int_equal(ask(w), ALLOWLIST_NOT_YET_VALID);
	w->limits.now_ns = until(w) - 1;
	assert_int_equal(ask(w), ALLOWLIST_NOT_YET_VALID);
	w->limits.now_ns++;
	assert_int_equal(ask(w), ALLOWLIST_ACCEPTED);
	w->limits.latest_now_ns = 700;
	assert_int_equal(ask(w), ALLOWLIST_CLOCK_TURNED_BACK);
	w->limits.now_ns = until(w) - 1;
	assert_int_equal(ask(w), ALLOWLIST_CLOCK_TURNED_BACK);
	w->limits.now_ns++;
	assert_int_equal(ask(w), ALLOWLIST_ACCEPTED);
	w->info.statement.expires_ns = INT64_MAX;
	w->limits.max_validity_ns = INT64_MAX;
	w->limits.grace_ns = 5;
	assert_int_equal(until(w), INT64_MAX);
}

static void test_until_a_needed_key_ends(void **state)
{
	struct world *w = *state;

	w->keys[0].expires_ns = 1200;
	w->keys[1].expires_ns = 1500;
	assert_int_equal(until(w), 1500);
	w->threshold = 2;
	assert_int_equal(until(w), 1200);
	w->limits.now_ns = 1199;
	assert_int_equal(ask(w), ALLOWLIST_ACCEPTED);
	w->limits.now_ns = 1200;
	assert_int_equal(ask(w), ALLOWLIST_THRESHOLD_NOT_MET);
}

static void test_scope(void **state)
{
	struct world *w = *state;
	struct exec_facts host = {0};
	struct exec_facts web = {.has_container = true,
	        .container = {.image = T("docker.io/library/web:1"), .ns = T("prod")}};
	/* A container that is not said to be one is none. */
	struct exec_facts unknown = {.container = web.container};
	struct statement_scope *scope = &w->info.statement.scope;
	char *labels[] = {T("rack7")};

	assert_true(allowlist_scope_holds(&w->info, &host, NULL, 0));
	assert_int_equal(
	        statement_scope_add(scope, STATEMENT_SCOPE_IMAGES, "docker.io/library/web:*"), 0);
	assert_true(allowlist_scope_holds(&w->info, &web, NULL, 0));
	assert_false(allowlist_scope_holds(&w->info, &host, NULL, 0));
	assert_false(allowlist_scope_holds(&w->info, &unknown, NULL, 0));
	assert_int_equal(statement_scope_add(scope, STATEMENT_SCOPE_HOSTS, "rack*"), 0);
	assert_false(allowlist_scope_holds(&w->info, &web, NULL, 0));
	assert_true(allowlist_scope_holds(&w->info, &web, labels, 1));
	statement_scope_done(scope);
}

static void test_key(void **state)
{
	struct digest digest = {.bytes = {1, 2, 3}}, key, wanted;
	char bytes[DIGEST_SIZE + 6], longer[STATEMENT_TEXT_MAX + 2];

	(void)state;
	assert_int_equal(allowlist_key(STATEMENT_BIND_DIGEST, &digest, NULL, &key), 0);
	assert_memory_equal(&key, &digest, sizeof(key));
	memcpy(bytes, digest.bytes, DIGEST_SIZE);
	memcpy(bytes + DIGEST_SIZE, "/bin/x", 6);
	assert_int_equal(digest_data(bytes, sizeof(bytes), &wanted), 0);
	assert_int_equal(allowlist_key(STATEMENT_BIND_PATH, &digest, "/bin/x", &key), 0);
	assert_memory_equal(&key, &wanted, sizeof(key));
	assert_int_equal(allowlist_key(STATEMENT_BIND_UNSET, &digest, "/bin/x", &key), -EINVAL);
	assert_int_equal(allowlist_key(STATEMENT_BIND_PATH, &digest, NULL, &key), -EINVAL);
	assert_int_equal(allowlist_key(STATEMENT_BIND_PATH, &digest, "", &key), -EINVAL);
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(allowlist_key(STATEMENT_BIND_PATH, &digest, longer, &key), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_in_force, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_a_key_counts_once, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_signers, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_body_and_version, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_time, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_until_a_needed_key_ends, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_scope, setup, teardown),
	        cmocka_unit_test(test_key),
	};

	return cmocka_run_group_tests_name("in_force", tests, NULL, NULL);
}
