/*
 * When a file's own signature is asked for in a verdict, and what is made of it step by step;
 * whether it runs then is for tests/kernel/test_ima.py.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "crypto/key_file.h"
#include "daemon/backing.h"
#include "daemon/exec_signature.h"

#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <cmocka.h>

#define LARGE (2 * HASH_STEP_BYTES + 1)

static const struct trust nobody;

static bool matters(enum origin origin, enum verdict verdict, enum reason reason)
{
	struct exec_facts facts = {.origin = origin, .has_digest = true};

	return exec_signature_matters(&(struct exec_signature){0}, true, &nobody, &facts,
	        &(struct policy_decision){.verdict = verdict, .reason = reason});
}

/* Where nobody else vouches, or only a rule or learning speaks. */
static void test_matters(void **state)
{
	static const struct {
		enum origin origin;
		enum verdict verdict;
		enum reason reason;
		bool matters;
	} rows[] = {
	        {ORIGIN_DROPPED, VERDICT_DENY, REASON_DROPPED, true},
	        {ORIGIN_DROPPED, VERDICT_DENY, REASON_DROPPED_COPY, true},
	        {ORIGIN_DROPPED, VERDICT_WOULD_DENY, REASON_DROPPED, true},
	        {ORIGIN_MODIFIED, VERDICT_DENY, REASON_MODIFIED, true},
	        {ORIGIN_VOLUME, VERDICT_DENY, REASON_VOLUME, true},
	        {ORIGIN_HOST, VERDICT_DENY, REASON_HOST, true},
	        {ORIGIN_DROPPED, VERDICT_ALLOW, REASON_LEARNING, true},
	        {ORIGIN_DROPPED, VERDICT_DENY, REASON_RULE, true},
	        {ORIGIN_DROPPED, VERDICT_ALLOW, REASON_RULE, false},
	        {ORIGIN_DROPPED, VERDICT_ALLOW, REASON_APPROVED, false},
	        {ORIGIN_DROPPED, VERDICT_ALLOW, REASON_ALLOWLISTED, false},
	        {ORIGIN_DROPPED, VERDICT_ALLOW, REASON_TRUSTED_WRITER, false},
	        {ORIGIN_DROPPED, VERDICT_DENY, REASON_DENYLISTED, false},
	        {ORIGIN_MUTABLE, VERDICT_DENY, REASON_MUTABLE, false},
	        {ORIGIN_UNKNOWN, VERDICT_DENY, REASON_UNKNOWN, false},
	        {ORIGIN_IMAGE, VERDICT_ALLOW, REASON_IMAGE, false},
	        {ORIGIN_COPIED, VERDICT_ALLOW, REASON_COPIED, false},
	        {ORIGIN_UNGUARDED, VERDICT_ALLOW, REASON_UNGUARDED, false},
	};
	struct exec_facts facts = {.origin = ORIGIN_DROPPED, .has_digest = true};
	struct digest revoked = {{0}};
	const struct trust revoking = {.revoked_digests = &revoked, .n_revoked_digests = 1};
	struct policy_decision deny = {.verdict = VERDICT_DENY, .reason = REASON_DROPPED};
	struct exec_signature s = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (matters(rows[i].origin, rows[i].verdict, rows[i].reason) != rows[i].matters)
			fail_msg("row %zu", i);
	assert_true(exec_signature_matters(&s, true, &nobody, &facts, &deny));
	assert_false(exec_signature_matters(&s, false, &nobody, &facts, &deny));
	assert_false(exec_signature_matters(&s, true, NULL, &facts, &deny));
	assert_false(exec_signature_matters(&s, true, &revoking, &facts, &deny));
	s.asked = true;
	assert_false(exec_signature_matters(&s, true, &nobody, &facts, &deny));
	s.asked = false;
	facts.has_digest = false;
	assert_false(exec_signature_matters(&s, true, &nobody, &facts, &deny));
}

/*
 * Steps, on a file of three of them.
 */
struct box {
	int fd;
	struct trust_key key;
	struct trust trust;
	struct hashing self;
	struct digest sha256;
};

static int run(const char *const *argv)
{
	posix_spawn_file_actions_t actions;
	int status = -1;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ) !=
	        0)
		pid = -1;
	posix_spawn_file_actions_destroy(&actions);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void sign(const char *hash)
{
	_cleanup_free_ char *bytes = NULL;
	size_t size;

	assert_int_equal(RUN("evmctl", "ima_sign", "-n", "-f", "-a", hash, "-k", "k", "f"), 0);
	assert_int_equal(file_read_at(AT_FDCWD, "f.sig", 4096, &bytes, &size), 0);
	assert_int_equal(setxattr("f", IMA_XATTR, bytes, size, 0), 0);
}

static void open_box(struct box *box)
{
	mode_t mode;
	struct file_identity identity;
	_cleanup_free_ char *content = calloc(1, LARGE);

	memset(box, 0, sizeof(*box));
	assert_int_equal(file_write_atomic("f", content, LARGE, 0755), 0);
	sign("sha512");
	box->fd = open("f", O_RDONLY | O_CLOEXEC);
	assert_int_equal(file_identity_of(box->fd, &identity, &mode), 0);
	assert_int_equal(digest_file(box->fd, &box->sha256), 0);
	box->self = (struct hashing){.fd = box->fd, .identity = identity};
	box->key = (struct trust_key){.use = TRUST_USE_IMA, .expires_ns = 1000};
	assert_int_equal(key_file_read("k", NULL, &box->key.key, NULL), 0);
	box->trust = (struct trust){.keys = &box->key, .n_keys = 1};
}

static void close_box(struct box *box)
{
	key_free(box->key.key);
	close(box->fd);
}

static enum hash_state step(struct box *box, struct exec_signature *s)
{
	return exec_signature_step(s, &box->self, &box->sha256, &box->trust, 1);
}

static void test_another_hash_is_made_in_steps(void **state)
{
	struct exec_signature s = {0};
	struct box box;

	(void)state;
	open_box(&box);
	assert_int_equal(step(&box, &s), HASH_AGAIN);
	assert_true(s.asked);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(step(&box, &s), HASH_AGAIN);
		assert_int_not_equal(s.result, IMA_GOOD);
	}
	assert_int_equal(step(&box, &s), HASH_DONE);
	assert_int_equal(s.result, IMA_GOOD);
	assert_int_equal(s.until_ns, 1000);
	exec_signature_done(&s);
	close_box(&box);
}

static void test_sha256_is_known(void **state)
{
	struct exec_signature s = {0};
	struct box box;

	(void)state;
	open_box(&box);
	sign("sha256");
	box.key.expires_ns = INT64_MAX;
	assert_int_equal(step(&box, &s), HASH_DONE);
	assert_int_equal(s.result, IMA_GOOD);
	assert_int_equal(s.until_ns, 0);
	exec_signature_done(&s);
	/* A digest that is not the file's. */
	s = (struct exec_signature){0};
	box.sha256.bytes[0] ^= 1;
	assert_int_equal(step(&box, &s), HASH_DONE);
	assert_int_equal(s.result, IMA_BAD_SIGNATURE);
	exec_signature_done(&s);
	close_box(&box);
}

/* Between the first digest and the end of the second somebody has written, or asks to. */
static void test_what_changes_is_mutable(void **state)
{
	struct exec_signature s = {0};
	struct box box;

	(void)state;
	open_box(&box);
	assert_int_equal(step(&box, &s), HASH_AGAIN);
	box.self.identity.ctime_ns--;
	assert_int_equal(step(&box, &s), HASH_AGAIN);
	assert_int_equal(step(&box, &s), HASH_AGAIN);
	assert_int_equal(step(&box, &s), HASH_MUTABLE);
	assert_int_not_equal(s.result, IMA_GOOD);
	exec_signature_done(&s);

	s = (struct exec_signature){0};
	box.self.identity.ctime_ns++;
	assert_int_equal(step(&box, &s), HASH_AGAIN);
	assert_int_equal(truncate("f", 10), 0);
	assert_int_equal(step(&box, &s), HASH_MUTABLE);
	exec_signature_done(&s);

	s = (struct exec_signature){0};
	box.self.lease = true; /* and it has none */
	assert_int_equal(step(&box, &s), HASH_MUTABLE);
	exec_signature_done(&s);
	close_box(&box);
}

/* A large file is not read again for a key that nobody has, and for no signature at all. */
static void test_nothing_is_read_for_nothing(void **state)
{
	struct exec_signature s = {0};
	struct box box;

	(void)state;
	open_box(&box);
	box.trust.n_keys = 0;
	assert_int_equal(step(&box, &s), HASH_DONE);
	assert_int_equal(s.result, IMA_UNKNOWN_KEY);
	assert_null(s.stream);
	exec_signature_done(&s);

	s = (struct exec_signature){0};
	assert_int_equal(removexattr("f", IMA_XATTR), 0);
	assert_int_equal(step(&box, &s), HASH_DONE);
	assert_int_equal(s.result, IMA_NONE);
	exec_signature_done(&s);

	s = (struct exec_signature){0};
	box.self.fd = -1;
	assert_int_equal(step(&box, &s), HASH_FAILED);
	assert_int_not_equal(s.result, IMA_GOOD);
	exec_signature_done(&s);
	close_box(&box);
}

static char root[] = "/var/tmp/execward-signature-XXXXXX";

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(root) || chdir(root) < 0)
		return -1;
	return RUN("openssl", "genpkey", "-quiet", "-out", "k", "-algorithm", "EC", "-pkeyopt",
	        "ec_paramgen_curve:P-256");
}

static int teardown(void **state)
{
	(void)state;
	return RUN("rm", "-rf", root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_matters),
	        cmocka_unit_test(test_another_hash_is_made_in_steps),
	        cmocka_unit_test(test_sha256_is_known),
	        cmocka_unit_test(test_what_changes_is_mutable),
	        cmocka_unit_test(test_nothing_is_read_for_nothing),
	};

	if (geteuid() != 0 || RUN("evmctl", "--version") != 0) {
		puts("skipped: needs root (security.ima) and evmctl (ima-evm-utils)");
		return 77;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
