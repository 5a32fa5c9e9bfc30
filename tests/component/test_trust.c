/*
 * The keys' directory: what it takes, and that a directory which others could write, a link, a
 * faulty or unknown file, or a key with two meanings refuses the whole, by name and with the cure.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "crypto/trust.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define KEY_1_ID "06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9"
#define KEY_2_ID "deb2ded39dc26fce0e6085b6fc34bf6b5941913bbfe2ea614113cff9e004c170"

struct box {
	char root[64], dir[96];
	struct trust *trust;
	struct trust_error error;
};

static void put(const struct box *box, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", box->dir, name);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0644), 0);
}

static void put_key(const struct box *box, const char *name, const char *golden)
{
	char path[512], *text = NULL;
	size_t size;

	snprintf(path, sizeof(path), "%s/tests/golden/keys/%s", TEST_SOURCE_DIR, golden);
	assert_int_equal(file_read_at(AT_FDCWD, path, KEY_PEM_MAX, &text, &size), 0);
	put(box, name, text);
	free(text);
}

static void set_mode(const struct box *box, const char *name, mode_t mode)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", box->dir, name);
	assert_int_equal(chmod(path, mode), 0);
}

static int setup(void **state)
{
	static struct box box;

	box = (struct box){.root = "/tmp/execward-trust-XXXXXX"};
	if (!mkdtemp(box.root))
		return -1;
	snprintf(box.dir, sizeof(box.dir), "%s/keys.d", box.root);
	*state = &box;
	return mkdir(box.dir, 0755);
}

static int empty(const char *path)
{
	struct dirent **names = NULL;
	int n = scandir(path, &names, NULL, NULL);

	for (int i = 0; i < n; i++) {
		char child[512];

		snprintf(child, sizeof(child), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.' || strlen(names[i]->d_name) > 2) {
			if (unlink(child) < 0)
				(void)rmdir(child);
		}
		free(names[i]);
	}
	free(names);
	return 0;
}

static int teardown(void **state)
{
	struct box *box = *state;

	trust_free(box->trust);
	trust_error_done(&box->error);
	empty(box->dir);
	(void)rmdir(box->dir);
	empty(box->root);
	return rmdir(box->root);
}

static int load(struct box *box)
{
	trust_free(box->trust);
	box->trust = NULL;
	trust_error_done(&box->error);
	return trust_load(box->dir, geteuid(), &box->trust, &box->error);
}

/* Refused, and the message names that file and says that. */
static void refused(struct box *box, int error, const char *name, const char *said)
{
	int r = load(box);

	if (r != error)
		fail_msg("%s: %d, %s: %s", name, r, box->error.path, box->error.message);
	assert_null(box->trust);
	assert_non_null(box->error.path);
	if (!strstr(box->error.path, name) || !strstr(box->error.message, said))
		fail_msg("%s: %s", box->error.path, box->error.message);
}

static void test_plain(void **state)
{
	struct box *box = *state;

	put_key(box, "second.pem", "ed25519-2.pem");
	put_key(box, "first.pem", "ed25519.pem");
	put(box, "README.txt", "words");
	put(box, ".hidden", "words");
	assert_int_equal(load(box), 0);
	assert_int_equal(box->trust->n_keys, 2);
	assert_string_equal(box->trust->keys[0].name, "first");
	assert_string_equal(box->trust->keys[1].name, "second");
	assert_int_equal(trust_count_usable(box->trust, TRUST_USE_MANIFEST, INT64_MAX - 1), 2);
	assert_int_equal(trust_count_usable(box->trust, TRUST_USE_IMA, 0), 0);
	assert_true(trust_key_signs_series(&box->trust->keys[0], "anything"));
	assert_int_equal(trust_floor(box->trust, "anything"), 0);
}

static void test_settings(void **state)
{
	struct box *box = *state;
	const struct trust_key *key;
	struct digest digest;

	put_key(box, "a.pem", "ed25519.pem");
	put_key(box, "b.pem", "p256.pem");
	put_key(box, "c.pem", "ed25519-2.pem");
	put(box, "a.json",
	        "{\"scheme\":\"ed25519\",\"expires\":\"2027-01-01T00:00:00Z\",\"uses\":["
	        "\"manifest\"],"
	        "\"series\":[\"example.org/*\",\"example.com/x\"]}");
	put(box, "b.json", "{\"uses\":[\"ima\"],\"ima_key_ids\":[\"e0BBa7da\"]}");
	put(box, "trust.json",
	        "{\"revoked_keys\":[\"" KEY_2_ID "\"],\"revoked_digests\":[\"" KEY_1_ID
	        "\",\"" KEY_2_ID "\"],\"floors\":{\"example.org/web\":7,\"a\":1}}");
	assert_int_equal(load(box), 0);
	key = &box->trust->keys[0];
	assert_int_equal(key->expires_ns, INT64_C(1798761600) * 1000000000);
	assert_true(trust_key_usable(key, TRUST_USE_MANIFEST, key->expires_ns - 1));
	assert_false(trust_key_usable(key, TRUST_USE_MANIFEST, key->expires_ns));
	assert_false(trust_key_usable(key, TRUST_USE_UNSET, 0));
	assert_true(trust_key_signs_series(key, "example.org/a/b"));
	assert_true(trust_key_signs_series(key, "example.com/x"));
	assert_false(trust_key_signs_series(key, "example.com/xy"));
	key = &box->trust->keys[1];
	assert_int_equal(key->use, TRUST_USE_IMA);
	assert_int_equal(key->n_ima_ids, 1);
	assert_memory_equal(key->ima_ids[0], "\xe0\xbb\xa7\xda", 4);
	assert_true(box->trust->keys[2].revoked);
	assert_false(trust_key_usable(&box->trust->keys[2], TRUST_USE_MANIFEST, 0));
	assert_int_equal(trust_floor(box->trust, "example.org/web"), 7);
	assert_int_equal(trust_floor(box->trust, "example.org"), 0);
	assert_int_equal(digest_from_hex(KEY_1_ID, &digest), 0);
	assert_true(trust_is_revoked(box->trust, &digest));
	digest.bytes[0] ^= 1;
	assert_false(trust_is_revoked(box->trust, &digest));
}

static void test_modes(void **state)
{
	static const mode_t modes[] = {0020, 0002, 01002, 0777};
	struct box *box = *state;

	put_key(box, "a.pem", "ed25519.pem");
	put(box, "a.json", "{}");
	put(box, "trust.json", "{}");
	assert_int_equal(load(box), 0);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		static const char *const names[] = {"a.pem", "a.json", "trust.json"};

		for (size_t k = 0; k < 3; k++) {
			set_mode(box, names[k], 0644 | (modes[i] & 0777));
			refused(box, TRUST_E_UNSAFE, names[k], "chmod go-w");
			set_mode(box, names[k], 0644);
		}
		set_mode(box, ".", 0755 | modes[i]);
		refused(box, TRUST_E_UNSAFE, "keys.d", "chmod go-w");
		set_mode(box, ".", 0755);
		assert_int_equal(chmod(box->root, 0755 | (modes[i] & 0777)), 0);
		refused(box, TRUST_E_UNSAFE, "keys.d", "above it");
		assert_int_equal(chmod(box->root, 0755), 0);
	}
	assert_int_equal(chmod(box->root, 01777), 0); /* as /tmp */
	assert_int_equal(load(box), 0);
}

static void test_owner(void **state)
{
	struct box *box = *state;
	char path[256];

	if (geteuid() != 0)
		skip();
	put_key(box, "a.pem", "ed25519.pem");
	snprintf(path, sizeof(path), "%s/a.pem", box->dir);
	assert_int_equal(chown(path, 12345, 0), 0);
	refused(box, TRUST_E_UNSAFE, "a.pem", "user 12345");
	assert_int_equal(trust_load(box->dir, 12345, &box->trust, &box->error), 0);
	assert_int_equal(chown(path, 0, 0), 0);
	assert_int_equal(chown(box->dir, 12345, 0), 0);
	refused(box, TRUST_E_UNSAFE, "keys.d", "user 12345");
}

static void test_links(void **state)
{
	struct box *box = *state;
	char path[256], dir[256];

	put_key(box, "a.pem", "ed25519.pem");
	snprintf(path, sizeof(path), "%s/b.pem", box->dir);
	assert_int_equal(symlink("a.pem", path), 0);
	refused(box, TRUST_E_UNSAFE, "b.pem", "symlink");
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/link", box->root);
	assert_int_equal(symlink("keys.d", path), 0);
	strcpy(dir, box->dir);
	strcpy(box->dir, path);
	refused(box, TRUST_E_UNSAFE, "link", "symlink");
	strcat(box->dir, "/.");
	refused(box, TRUST_E_UNSAFE, "link", "symlink");
	strcpy(box->dir, dir);
	snprintf(path, sizeof(path), "%s/c.pem", box->dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	refused(box, TRUST_E_FORMAT, "c.pem", "regular file");
}

static void test_missing(void **state)
{
	struct box *box = *state;
	char dir[96];

	refused(box, TRUST_E_EMPTY, "keys.d", "has no key");
	put(box, "trust.json", "{}");
	refused(box, TRUST_E_EMPTY, "keys.d", "has no key");
	strcpy(dir, box->dir);
	strcat(box->dir, "x");
	refused(box, TRUST_E_MISSING, "keys.dx", "does not exist");
	strcpy(box->dir, dir);
}

static void test_strangers(void **state)
{
	static const char *const names[] = {"key.pub", "a.pem~", "notes", "trust.jsn", "a.key"};
	struct box *box = *state;

	put_key(box, "a.pem", "ed25519.pem");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[256];

		put(box, names[i], "x");
		refused(box, TRUST_E_FORMAT, names[i], "does not belong here");
		snprintf(path, sizeof(path), "%s/%s", box->dir, names[i]);
		assert_int_equal(unlink(path), 0);
	}
	put(box, "b.json", "{}");
	refused(box, TRUST_E_FORMAT, "b.json", "no key beside it");
}

static void test_bad_keys(void **state)
{
	struct box *box = *state;

	put_key(box, "a.pem", "refused-pss.pem");
	refused(box, TRUST_E_FORMAT, "a.pem", "PSS");
	put_key(box, "a.pem", "refused-explicit.pem");
	refused(box, TRUST_E_FORMAT, "a.pem", "curve");
	put_key(box, "a.pem", "ed25519.key");
	refused(box, TRUST_E_FORMAT, "a.pem", "private key");
	put(box, "a.pem", "");
	refused(box, TRUST_E_FORMAT, "a.pem", "PEM");
}

static void test_bad_settings(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
	        {"", "JSON"},
	        {"[]", "JSON"},
	        {"{} x", "JSON"},
	        {"{\"uses\":[\"ima\"],\"uses\":[\"ima\"]}", "JSON"},
	        {"{\"use\":[\"ima\"]}", "\"use\" is no member"},
	        {"{\"a\\u001bb\":1}", "a\\x1bb"},
	        {"{\"scheme\":\"rsa-pkcs1-sha256\"}", "\"scheme\" must be"},
	        {"{\"scheme\":\"x\"}", "\"scheme\""},
	        {"{\"scheme\":1}", "\"scheme\""},
	        {"{\"scheme\":null}", "\"scheme\""},
	        {"{\"uses\":[]}", "\"uses\""},
	        {"{\"uses\":\"manifest\"}", "\"uses\""},
	        {"{\"uses\":[\"manifest\",\"ima\"]}", "may not serve both"},
	        {"{\"uses\":[\"unset\"]}", "\"uses\""},
	        {"{\"uses\":[\"ima\"]}", "RSA and ECDSA only"}, /* the key is an Ed25519 one */
	        {"{\"expires\":\"2027-01-01\"}", "\"expires\""},
	        {"{\"expires\":\"\"}", "\"expires\""},
	        {"{\"expires\":1}", "\"expires\""},
	        {"{\"series\":[]}", "\"series\""},
	        {"{\"series\":\"a\"}", "\"series\""},
	        {"{\"series\":[\"[a\"]}", "\"series\""},
	        {"{\"series\":[\"\"]}", "\"series\""},
	        {"{\"series\":[1]}", "\"series\""},
	        {"{\"ima_key_ids\":[\"e0bba7da\"]}", "\"ima_key_ids\""},
	        {"{\"ima_key_ids\":[\"e0bba7\"]}", "\"ima_key_ids\""},
	        {"{\"ima_key_ids\":[]}", "\"ima_key_ids\""},
	};
	static const struct {
		const char *text, *said;
	} whole[] = {
	        {"{\"revoked_keys\":[\"ab\"]}", "\"revoked_keys\""},
	        {"{\"revoked_keys\":{}}", "\"revoked_keys\""},
	        {"{\"revoked_digests\":[1]}", "\"revoked_digests\""},
	        {"{\"floors\":[]}", "\"floors\""},
	        {"{\"floors\":{\"a\":0}}", "\"floors\""},
	        {"{\"floors\":{\"a\":1.0}}", "\"floors\""},
	        {"{\"floors\":{\"\":1}}", "\"floors\""},
	        {"{\"revoked\":[]}", "no member"},
	        {"{\"floors\":{\"a\":1,\"a\":2}}", "JSON"},
	};
	struct box *box = *state;

	put_key(box, "a.pem", "ed25519.pem");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put(box, "a.json", rows[i].text);
		refused(box, TRUST_E_FORMAT, "a.json", rows[i].said);
	}
	put(box, "a.json", "{}");
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		put(box, "trust.json", whole[i].text);
		refused(box, TRUST_E_FORMAT, "trust.json", whole[i].said);
	}
}

static void test_the_same_key_twice(void **state)
{
	struct box *box = *state;

	put_key(box, "a.pem", "p256.pem");
	put_key(box, "b.pem", "p256.pem");
	assert_int_equal(load(box), 0);
	assert_int_equal(box->trust->n_keys, 1);
	put(box, "b.json", "{\"uses\":[\"ima\"]}");
	refused(box, TRUST_E_CONFLICT, "b.pem", "both manifests and IMA");
	put(box, "b.json", "{\"series\":[\"x\"]}");
	refused(box, TRUST_E_CONFLICT, "b.pem", "other settings");
	put(box, "b.json", "{\"expires\":\"2027-01-01T00:00:00Z\"}");
	refused(box, TRUST_E_CONFLICT, "b.pem", "other settings");
	put(box, "b.json", "{\"uses\":[\"manifest\"],\"scheme\":\"ecdsa-sha256\"}");
	assert_int_equal(load(box), 0);
}

static void test_one_file(void **state)
{
	struct box *box = *state;
	char path[256];

	put_key(box, "a.pem", "rsa3072.pem");
	snprintf(path, sizeof(path), "%s/a.pem", box->dir);
	assert_int_equal(trust_load_file(path, &box->trust, &box->error), 0);
	assert_int_equal(box->trust->n_keys, 1);
	trust_free(box->trust);
	box->trust = NULL;
	put_key(box, "a.pem", "refused-rsa1024.pem");
	assert_int_equal(trust_load_file(path, &box->trust, &box->error), TRUST_E_FORMAT);
	assert_non_null(strstr(box->error.message, "2048"));
	assert_int_equal(trust_load_file(box->dir, &box->trust, &box->error), TRUST_E_FORMAT);
	assert_int_equal(trust_load_file("/none", &box->trust, &box->error), TRUST_E_MISSING);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_plain),
	        TEST(test_settings),
	        TEST(test_modes),
	        TEST(test_owner),
	        TEST(test_links),
	        TEST(test_missing),
	        TEST(test_strangers),
	        TEST(test_bad_keys),
	        TEST(test_bad_settings),
	        TEST(test_the_same_key_twice),
	        TEST(test_one_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
