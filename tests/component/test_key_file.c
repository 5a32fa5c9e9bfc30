/* Key files: written once, for their owner alone, whole or not at all. */
#include "base/cleanup.h"
#include "base/file.h"
#include "crypto/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

static char root[] = "/tmp/execward-keys-XXXXXX";

static const char *at(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void test_written_once(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t size;
	mode_t mask = umask(0);

	(void)state;
	assert_int_equal(key_file_write_new(at("a"), "secret", 6, 0600), 0);
	umask(mask);
	assert_int_equal(stat(at("a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(key_file_write_new(at("a"), "other!", 6, 0600), -EEXIST);
	assert_int_equal(file_read_at(AT_FDCWD, at("a"), 100, &text, &size), 0);
	assert_memory_equal(text, "secret", 6);
	/* Nor through a link, dangling or not. */
	assert_int_equal(symlink("nowhere", at("link")), 0);
	assert_int_equal(key_file_write_new(at("link"), "x", 1, 0600), -EEXIST);
	assert_int_equal(access(at("nowhere"), F_OK), -1);
	assert_int_equal(unlink(at("link")), 0);
	/* A public key is for others, whatever the umask of whoever made it. */
	mask = umask(077);
	assert_int_equal(key_file_write_new(at("public"), "x", 1, 0644), 0);
	umask(mask);
	assert_int_equal(stat(at("public"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(unlink(at("public")), 0);
	assert_int_equal(key_file_write_new(at("none/a"), "x", 1, 0600), -ENOENT);
	assert_int_equal(unlink(at("a")), 0);
}

/* A full disk, as a limit on the size of files: nothing is left behind. */
static void test_whole_or_not_at_all(void **state)
{
	struct rlimit before, limit;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(key_file_write_new(at("b"), "secret", 6, 0600), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(access(at("b"), F_OK), -1);
}

static void test_read(void **state)
{
	_cleanup_(key_freep) struct key *key = NULL, *again = NULL, *public = NULL;
	_cleanup_(secret_done) struct secret pem = {0};
	_cleanup_free_ char *public_pem = NULL;
	bool open_mode = true;

	(void)state;
	assert_int_equal(key_generate(KEY_TYPE_P256, &key), 0);
	assert_int_equal(key_private_pem(key, NULL, &pem), 0);
	assert_int_equal(key_file_write_new(at("k"), pem.data, pem.size, 0600), 0);
	assert_int_equal(key_file_read(at("k"), NULL, &again, &open_mode), 0);
	assert_true(key_equal(key, again) && key_is_private(again) && !open_mode);
	key_free(again);
	again = NULL;
	assert_int_equal(chmod(at("k"), 0640), 0);
	assert_int_equal(key_file_read(at("k"), NULL, &again, &open_mode), 0);
	assert_true(open_mode);
	assert_int_equal(key_public_pem(key, &public_pem), 0);
	assert_int_equal(key_file_write_new(at("p"), public_pem, strlen(public_pem), 0644), 0);
	assert_int_equal(key_file_read(at("p"), NULL, &public, NULL), 0);
	assert_true(key_equal(key, public) && !key_is_private(public));
	assert_int_equal(key_file_read(at("none"), NULL, &public, NULL), -ENOENT);
	assert_int_equal(key_file_read(root, NULL, &public, NULL), -EISDIR);
	assert_int_equal(key_file_read("/dev/zero", NULL, &public, NULL), KEY_E_FORMAT);
	assert_int_equal(unlink(at("k")), 0);
	assert_int_equal(unlink(at("p")), 0);
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_written_once),
	        cmocka_unit_test(test_whole_or_not_at_all),
	        cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
