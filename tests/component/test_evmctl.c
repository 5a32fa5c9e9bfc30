/*
 * What `evmctl ima_sign` writes is accepted, for each kind of key and each hash; its mutants, and
 * the garbage that it writes for an Ed25519 key, are not. Also from the attribute, where that can
 * be set.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "crypto/ima.h"
#include "crypto/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <cmocka.h>

#define CONTENT "hello world\n"

static char root[] = "/tmp/execward-evmctl-XXXXXX";

/* The exit code of a program, which says nothing; -1 when there is no such program. */
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

static void make_key(const char *algorithm, const char *option)
{
	const char *argv[] = {"openssl", "genpkey", "-quiet", "-out", "k", "-algorithm", algorithm,
	        option ? "-pkeyopt" : NULL, option, NULL};

	assert_int_equal(run(argv), 0);
}

static struct trust *trust_of(struct key *key)
{
	struct trust *trust = calloc(1, sizeof(*trust));

	trust->keys = calloc(1, sizeof(*trust->keys));
	trust->n_keys = 1;
	trust->keys[0] =
	        (struct trust_key){.key = key, .use = TRUST_USE_IMA, .expires_ns = INT64_MAX};
	return trust;
}

static enum ima_result check(
        const uint8_t *xattr, size_t size, const char *file, const struct trust *trust)
{
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct ima_signature signature;
	struct key_digest digest;
	enum ima_result result = ima_parse(xattr, size, &signature);

	if (result != IMA_UNCHECKED)
		return result;
	assert_int_equal(ima_digest(fd, signature.hash, 4096, &digest), 0);
	return ima_verify(&signature, &digest, trust, 1, NULL);
}

static void check_mutants(uint8_t *xattr, size_t size, const struct trust *trust)
{
	for (size_t i = 0; i < size; i++) {
		uint8_t bit = (uint8_t)(1 << i % 8);

		xattr[i] ^= bit;
		assert_int_not_equal(check(xattr, size, "f", trust), IMA_GOOD);
		xattr[i] ^= bit;
	}
	for (size_t n = 0; n < size; n++)
		assert_int_not_equal(check(xattr, n, "f", trust), IMA_GOOD);
	assert_int_equal(check(xattr, size, "g", trust), IMA_BAD_SIGNATURE);
}

static void check_attribute(const uint8_t *xattr, size_t size, const struct trust *trust)
{
	_cleanup_close_ int fd = open("f", O_RDONLY | O_CLOEXEC);
	uint8_t again[IMA_SIZE_MAX];
	size_t n;

	assert_int_equal(ima_read(fd, again, &n), -ENODATA);
	if (fsetxattr(fd, IMA_XATTR, xattr, size, 0) < 0)
		return; /* only root, and not on every filesystem */
	assert_int_equal(ima_read(fd, again, &n), 0);
	assert_int_equal(check(again, n, "f", trust), IMA_GOOD);
	assert_int_equal(fremovexattr(fd, IMA_XATTR), 0);
}

static int sign(const char *hash, char **ret_xattr, size_t *ret_size)
{
	const char *argv[] = {"evmctl", "ima_sign", "-n", "-f", "-a", hash, "-k", "k", "f", NULL};
	int r = run(argv);

	if (r != 0)
		return r;
	assert_int_equal(file_read_at(AT_FDCWD, "f.sig", 4096, ret_xattr, ret_size), 0);
	return 0;
}

static void test_matrix(void **state)
{
	static const struct {
		const char *algorithm, *option;
	} kinds[] = {{"RSA", "rsa_keygen_bits:2048"}, {"RSA", "rsa_keygen_bits:3072"},
	        {"EC", "ec_paramgen_curve:P-256"}, {"EC", "ec_paramgen_curve:P-384"}};
	static const char *const hashes[] = {"sha256", "sha384", "sha512"};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		_cleanup_(trust_freep) struct trust *trust = NULL;
		struct key *key = NULL;

		make_key(kinds[i].algorithm, kinds[i].option);
		assert_int_equal(key_file_read("k", NULL, &key, NULL), 0);
		trust = trust_of(key);
		for (size_t k = 0; k < 3; k++) {
			_cleanup_free_ char *xattr = NULL;
			size_t size;

			assert_int_equal(sign(hashes[k], &xattr, &size), 0);
			assert_int_equal(check((uint8_t *)xattr, size, "f", trust), IMA_GOOD);
			check_mutants((uint8_t *)xattr, size, trust);
			check_attribute((uint8_t *)xattr, size, trust);
		}
	}
}

/* evmctl 1.4 exits 0 for an Ed25519 key; other releases may refuse it. */
static void test_garbage(void **state)
{
	_cleanup_(trust_freep) struct trust *trust = NULL;
	_cleanup_free_ char *xattr = NULL;
	struct key *key = NULL;
	size_t size;

	(void)state;
	make_key("ED25519", NULL);
	assert_int_equal(key_file_read("k", NULL, &key, NULL), 0);
	trust = trust_of(key);
	if (sign("sha256", &xattr, &size) == 0)
		assert_int_not_equal(check((uint8_t *)xattr, size, "f", trust), IMA_GOOD);
	free(xattr);
	xattr = NULL;
	make_key("EC", "ec_paramgen_curve:P-256");
	/* A hash that is none of ours. */
	if (sign("sha1", &xattr, &size) == 0)
		assert_int_equal(check((uint8_t *)xattr, size, "f", trust), IMA_UNSUPPORTED);
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(root) || chdir(root) < 0)
		return -1;
	return file_write_atomic("f", CONTENT, strlen(CONTENT), 0644) == 0 &&
	                       file_write_atomic("g", CONTENT "x", strlen(CONTENT) + 1, 0644) == 0
	               ? 0
	               : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = {"f", "g", "f.sig", "k"};

	(void)state;
	for (size_t i = 0; i < 4; i++)
		(void)unlink(names[i]);
	return rmdir(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_matrix),
	        cmocka_unit_test(test_garbage),
	};
	const char *const wanted[] = {"evmctl", "--version", NULL};

	if (run(wanted) != 0) {
		puts("skipped: needs evmctl (ima-evm-utils)");
		return 77;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
