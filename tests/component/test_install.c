/* From an envelope to a list: the parent's own judgement, the helper, and what fails on the way. */
#include "allowlists_fixture.h"

#include "allowlists/install.h"
#include "base/clock.h"
#include "crypto/key_file.h"
#include "crypto/key_private.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define KEYS TEST_SOURCE_DIR "/tests/golden/keys"
#define DAY  (INT64_C(86400) * NS_PER_SEC)

struct place {
	struct fixture *f;
	void *fixture_state;
	char keys_dir[64];
	struct trust *trust;
	struct install_request request;
};

static int setup_place(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	_cleanup_free_ char *pem = NULL;
	char path[128];
	size_t size;

	assert_non_null(p);
	assert_int_equal(key_setup(), 0);
	setup(&p->fixture_state);
	p->f = p->fixture_state;
	strcpy(p->keys_dir, "/tmp/execward-keys-XXXXXX");
	assert_non_null(mkdtemp(p->keys_dir));
	assert_int_equal(chmod(p->keys_dir, 0755), 0);
	assert_int_equal(file_read_at(AT_FDCWD, KEYS "/ed25519.pem", 65536, &pem, &size), 0);
	snprintf(path, sizeof(path), "%s/a.pem", p->keys_dir);
	assert_int_equal(file_write_atomic(path, pem, size, 0644), 0);
	assert_int_equal(trust_load(p->keys_dir, geteuid(), &p->trust, NULL), 0);
	p->request = (struct install_request){.trust = p->trust,
	        .keys_dir = p->keys_dir,
	        .threshold = 1,
	        .limits = {.now_ns = clock_realtime_ns(),
	                .skew_ns = ALLOWLIST_SKEW_NS,
	                .max_validity_ns = ALLOWLIST_MAX_VALIDITY_NS},
	        .source = "directory:list.dsse"};
	*state = p;
	return 0;
}

static int teardown_place(void **state)
{
	struct place *p = *state;
	char path[128];

	trust_free(p->trust);
	snprintf(path, sizeof(path), "%s/a.pem", p->keys_dir);
	(void)unlink(path);
	(void)rmdir(p->keys_dir);
	teardown(&p->fixture_state);
	free(p);
	return 0;
}

/* An open envelope of @n subjects, signed by the golden key. */
static int envelope_of(const char *series, uint64_t version, size_t n)
{
	_cleanup_(key_freep) struct key *key = NULL;
	_cleanup_(dsse_freep) struct dsse *dsse = NULL;
	_cleanup_free_ struct statement_subject *subjects = calloc(n, sizeof(*subjects));
	_cleanup_free_ char *body = NULL, *text = NULL;
	_cleanup_free_ uint8_t *signature = NULL;
	struct statement statement = {.series = T(series),
	        .version = version,
	        .issued_ns = clock_realtime_ns() / DAY * DAY - DAY,
	        .expires_ns = clock_realtime_ns() / DAY * DAY + 30 * DAY,
	        .bind = STATEMENT_BIND_PATH};
	size_t size;
	int fd = memfd_create("envelope", MFD_CLOEXEC);

	for (size_t i = 0; i < n; i++) {
		char name[64];

		snprintf(name, sizeof(name), "/usr/bin/tool-%06zu", i);
		subjects[i] = (struct statement_subject){
		        .name = strdup(name), .digest = digest_of((uint8_t)i)};
	}
	assert_int_equal(statement_print(&statement, subjects, n, &body, &size), 0);
	assert_int_equal(dsse_new(body, size, &dsse), 0);
	assert_int_equal(key_file_read(KEYS "/ed25519.key", NULL, &key, NULL), 0);
	assert_int_equal(key_sign(key, dsse->pae, dsse->pae_size, &signature, &size), 0);
	assert_int_equal(dsse_add(dsse, NULL, signature, size), 0);
	assert_int_equal(dsse_print(dsse, &text, &size), 0);
	assert_int_equal(write(fd, text, size), size);
	for (size_t i = 0; i < n; i++)
		free(subjects[i].name);
	return fd;
}

static int run(struct place *p, struct store *store, struct reader_helper *helper, int envelope,
        enum allowlist_reason *ret_reason)
{
	_cleanup_(install_result_done) struct install_result result = {0};
	int r;

	assert_int_equal(lseek(envelope, 0, SEEK_SET), 0);
	r = allowlist_install(store, helper, envelope, &p->request, false, &result);
	*ret_reason = result.reason;
	return r;
}

static enum allowlist_reason reason_of(struct place *p, struct reader_helper *helper, int envelope)
{
	enum allowlist_reason reason;

	assert_int_equal(run(p, p->f->store, helper, envelope, &reason), 0);
	return reason;
}

static void test_installs(void **state)
{
	struct place *p = *state;
	_cleanup_close_ int seven = envelope_of("a", 7, 3), eight = envelope_of("a", 8, 3);
	struct list_seen seen;
	int64_t now = 0;

	assert_int_equal(reason_of(p, NULL, seven), ALLOWLIST_ACCEPTED);
	assert_int_equal(reason_of(p, NULL, seven), ALLOWLIST_UNCHANGED);
	assert_int_equal(reason_of(p, NULL, eight), ALLOWLIST_ACCEPTED);
	assert_int_equal(reason_of(p, NULL, seven), ALLOWLIST_ROLLED_BACK);
	seen = lists_of(p->f->store);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.version, 8);
	assert_int_equal(store_trusted_now(p->f->store, &now), 0);
	assert_int_equal(now, p->request.limits.now_ns);
}

/* The keys have changed since the reader has read them: its word is not enough. */
static void test_the_parent_asks_the_keys_again(void **state)
{
	struct place *p = *state;
	_cleanup_close_ int fd = envelope_of("a", 7, 3);
	struct trust_floor floor = {.series = T("a"), .version = 9};
	char *other[] = {T("b*")};

	p->trust->keys[0].revoked = true;
	assert_int_equal(reason_of(p, NULL, fd), ALLOWLIST_REVOKED_KEY);
	p->trust->keys[0].revoked = false;
	p->trust->keys[0].series = other;
	p->trust->keys[0].n_series = 1;
	assert_int_equal(reason_of(p, NULL, fd), ALLOWLIST_OTHER_SERIES);
	p->trust->keys[0].series = NULL;
	p->trust->keys[0].n_series = 0;
	p->trust->floors = &floor;
	p->trust->n_floors = 1;
	assert_int_equal(reason_of(p, NULL, fd), ALLOWLIST_BELOW_FLOOR);
	p->trust->floors = NULL;
	p->trust->n_floors = 0;
	assert_int_equal(lists_of(p->f->store).n, 0);
	assert_int_equal(reason_of(p, NULL, fd), ALLOWLIST_ACCEPTED);
}

struct thread {
	struct place *p;
	struct reader_helper *helper;
	int fd;
	int r;
	enum allowlist_reason reason;
};

static void *install_from_a_thread(void *userdata)
{
	struct thread *thread = userdata;
	struct store *store = NULL;

	thread->r = store_open(thread->p->f->dir, STORE_READ_WRITE, &store);
	if (thread->r == 0)
		thread->r = run(thread->p, store, thread->helper, thread->fd, &thread->reason);
	store_free(store);
	return NULL;
}

/* Several at once by the helper, each with a handle of its own. */
static void test_by_the_helper(void **state)
{
	struct place *p = *state;
	struct reader_helper *helper = NULL;
	struct thread threads[6];
	pthread_t ids[6];
	unsigned int accepted = 0;

	assert_int_equal(reader_helper_start(&helper), 0);
	for (size_t i = 0; i < 6; i++) {
		threads[i] = (struct thread){
		        .p = p, .helper = helper, .fd = envelope_of("a", i + 1, 50)};
		assert_int_equal(
		        pthread_create(&ids[i], NULL, install_from_a_thread, &threads[i]), 0);
	}
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(pthread_join(ids[i], NULL), 0);
		assert_int_equal(threads[i].r, 0);
		assert_true(threads[i].reason == ALLOWLIST_ACCEPTED ||
		            threads[i].reason == ALLOWLIST_ROLLED_BACK);
		accepted += threads[i].reason == ALLOWLIST_ACCEPTED;
		close(threads[i].fd);
	}
	assert_true(accepted >= 1);
	assert_int_equal(threads[5].reason, ALLOWLIST_ACCEPTED);
	assert_int_equal(lists_of(p->f->store).version, 6);
	reader_helper_stop(helper);
}

/* A helper that is gone is said, and nothing is waited for. */
static void test_a_helper_that_is_gone(void **state)
{
	struct place *p = *state;
	struct reader_helper *helper = NULL;
	_cleanup_close_ int fd = envelope_of("a", 7, 3);
	enum allowlist_reason reason;
	char path[64], children[64] = "";
	_cleanup_free_ char *text = NULL;
	size_t size;

	assert_int_equal(reader_helper_start(&helper), 0);
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)gettid());
	assert_int_equal(file_read_at(AT_FDCWD, path, 4096, &text, &size), 0);
	snprintf(children, sizeof(children), "%s", text);
	assert_int_equal(kill((pid_t)strtol(children, NULL, 10), SIGKILL), 0);
	/* Either it has gone when it is asked, or it takes the question with it. */
	assert_true(run(p, p->f->store, helper, fd, &reason) < 0);
	assert_int_equal(lists_of(p->f->store).n, 0);
	reader_helper_stop(helper);
}

static void test_a_full_disk(void **state)
{
	struct place *p = *state;
	_cleanup_close_ int small = envelope_of("a", 7, 3), large = envelope_of("a", 8, 30000);
	enum allowlist_reason reason;
	struct rlimit limit;

	assert_int_equal(reason_of(p, NULL, small), ALLOWLIST_ACCEPTED);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 20, limit.rlim_max}), 0);
	assert_int_equal(run(p, p->f->store, NULL, large, &reason), STORE_E_FULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(lists_of(p->f->store).version, 7);
	assert_int_equal(state_of(p->f->store, "a").version, 7);
	assert_int_equal(reason_of(p, NULL, large), ALLOWLIST_ACCEPTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_installs, setup_place, teardown_place),
	        cmocka_unit_test_setup_teardown(
	                test_the_parent_asks_the_keys_again, setup_place, teardown_place),
	        cmocka_unit_test_setup_teardown(test_by_the_helper, setup_place, teardown_place),
	        cmocka_unit_test_setup_teardown(
	                test_a_helper_that_is_gone, setup_place, teardown_place),
	        cmocka_unit_test_setup_teardown(test_a_full_disk, setup_place, teardown_place),
	};

	return cmocka_run_group_tests_name("install", tests, NULL, NULL);
}
