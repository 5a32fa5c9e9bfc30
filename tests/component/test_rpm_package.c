/*
 * The files' signatures in an .rpm: of a package that rpmbuild made, with the signatures that
 * evmctl made put into it as `rpmsign --signfiles` would, read as rpm(8) reads them; and of headers
 * that are faulty in each way.
 */
#include "allowlists/file_signature.h"
#include "allowlists/rpm_package.h"
#include "base/file.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "crypto/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#define DIRINDEXES   1116
#define BASENAMES    1117
#define DIRNAMES     1118
#define SIGNATURES   274 /* in the header of signatures */
#define INT32        4
#define STRING_ARRAY 8

static char root[] = "/tmp/execward-rpm-XXXXXX";

struct bytes {
	uint8_t data[65536];
	size_t size;
};

static void put(struct bytes *bytes, const void *data, size_t size)
{
	assert_true(bytes->size + size <= sizeof(bytes->data));
	memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
}

static void put_number(struct bytes *bytes, uint32_t value)
{
	const uint8_t text[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
	        (uint8_t)(value >> 8), (uint8_t)value};

	put(bytes, text, sizeof(text));
}

struct header {
	struct bytes index, store;
	uint32_t n;
};

static void add_entry(struct header *header, uint32_t tag, uint32_t type, uint32_t count)
{
	put_number(&header->index, tag);
	put_number(&header->index, type);
	put_number(&header->index, (uint32_t)header->store.size);
	put_number(&header->index, count);
	header->n++;
}

static void add_texts(struct header *header, uint32_t tag, const char *const *texts, uint32_t n)
{
	add_entry(header, tag, STRING_ARRAY, n);
	for (uint32_t i = 0; i < n; i++)
		put(&header->store, texts[i], strlen(texts[i]) + 1);
}

static void add_numbers(struct header *header, uint32_t tag, const uint32_t *numbers, uint32_t n)
{
	while (header->store.size % 4)
		put(&header->store, "", 1);
	add_entry(header, tag, INT32, n);
	for (uint32_t i = 0; i < n; i++)
		put_number(&header->store, numbers[i]);
}

static void put_header(struct bytes *file, const struct header *header)
{
	put(file, "\x8e\xad\xe8\x01\0\0\0\0", 8);
	put_number(file, header->n);
	put_number(file, (uint32_t)header->store.size);
	put(file, header->index.data, header->index.size);
	put(file, header->store.data, header->store.size);
}

static void put_lead(struct bytes *file)
{
	static const uint8_t lead[96] = {0xed, 0xab, 0xee, 0xdb, 3};

	put(file, lead, sizeof(lead));
}

static void put_padding(struct bytes *file)
{
	while (file->size % 8)
		put(file, "", 1);
}

/* 0 with the package, or what rpm_package_read() says. */
static int read_bytes(const struct bytes *file, struct rpm_package **ret_package)
{
	_cleanup_close_ int fd = memfd_create("rpm", MFD_CLOEXEC);

	assert_int_equal(write(fd, file->data, file->size), (ssize_t)file->size);
	return rpm_package_read(fd, ret_package);
}

static const char *const names[] = {"b", "a", "c"};
static const char *const dirs[] = {"/usr/bin/", "/"};
static const char *const signatures[] = {"0302aa", "", "0g"};
static const uint32_t indexes[] = {0, 1, 0};

/* A package of three files; @fault leaves out, or breaks, one thing of it. */
enum fault {
	SOUND,
	NO_DIRS,
	NO_INDEXES,
	FEW_INDEXES,
	FEW_SIGNATURES,
	DIR_OUT_OF_RANGE,
	RELATIVE_DIR,
	SAME_PATH,
	NAMES_TWICE,
	NAMES_AS_NUMBERS,
	COUNT_PAST_STORE,
	OFFSET_PAST_STORE,
	NO_FILES,
};

static void add_names(struct header *header, enum fault fault)
{
	if (fault == NAMES_AS_NUMBERS)
		add_numbers(header, BASENAMES, indexes, 3);
	else if (fault == COUNT_PAST_STORE)
		add_entry(header, BASENAMES, STRING_ARRAY, 900000);
	else if (fault == SAME_PATH)
		add_texts(header, BASENAMES, (const char *const[]){"b", "a", "b"}, 3);
	else
		add_texts(header, BASENAMES, names, 3);
	if (fault == NAMES_TWICE)
		add_texts(header, BASENAMES, names, 3);
}

static void build(struct bytes *file, enum fault fault)
{
	static struct header signed_by, header;
	static const char *const relative[] = {"usr/bin/", "/"};

	memset(&signed_by, 0, sizeof(signed_by));
	memset(&header, 0, sizeof(header));
	file->size = 0;
	add_texts(&signed_by, SIGNATURES, signatures, fault == FEW_SIGNATURES ? 2 : 3);
	if (fault != NO_INDEXES && fault != NO_FILES)
		add_numbers(&header, DIRINDEXES,
		        fault == DIR_OUT_OF_RANGE ? (const uint32_t[]){0, 2, 0} : indexes,
		        fault == FEW_INDEXES ? 2 : 3);
	if (fault != NO_DIRS && fault != NO_FILES)
		add_texts(&header, DIRNAMES, fault == RELATIVE_DIR ? relative : dirs, 2);
	if (fault != NO_FILES)
		add_names(&header, fault);
	if (fault == OFFSET_PAST_STORE)
		header.index.data[header.index.size - 6] = 0xff;
	put_lead(file);
	put_header(file, &signed_by);
	put_padding(file);
	put_header(file, &header);
	put(file, "payload", 7);
}

static void test_files(void **state)
{
	static struct bytes file;
	_cleanup_(rpm_package_freep) struct rpm_package *package = NULL;
	uint8_t bytes[3];
	size_t size;

	(void)state;
	build(&file, SOUND);
	assert_int_equal(read_bytes(&file, &package), 0);
	assert_int_equal(rpm_package_files(package), 3);
	assert_string_equal(rpm_package_path(package, 0), "/a");
	assert_string_equal(rpm_package_path(package, 1), "/usr/bin/b");
	assert_int_equal(rpm_package_signature(package, "/usr/bin/b", bytes, 3, &size), 0);
	assert_int_equal(size, 3);
	assert_memory_equal(bytes, "\x03\x02\xaa", 3);
	assert_int_equal(rpm_package_signature(package, "/usr/bin/b", bytes, 2, &size),
	        RPM_PACKAGE_E_FORMAT);
	assert_int_equal(rpm_package_signature(package, "/a", bytes, 3, &size), -ENODATA);
	assert_int_equal(rpm_package_signature(package, "/usr/bin/c", bytes, 3, &size),
	        RPM_PACKAGE_E_FORMAT);
	assert_int_equal(rpm_package_signature(package, "/usr/bin/", bytes, 3, &size), -ENOENT);
	assert_int_equal(rpm_package_signature(package, "/b", bytes, 3, &size), -ENOENT);
}

static void test_faults(void **state)
{
	static struct bytes file;

	(void)state;
	for (enum fault fault = NO_DIRS; fault < NO_FILES; fault++) {
		_cleanup_(rpm_package_freep) struct rpm_package *package = NULL;

		build(&file, fault);
		if (read_bytes(&file, &package) != RPM_PACKAGE_E_FORMAT)
			fail_msg("fault %d was taken", (int)fault);
	}
	build(&file, NO_FILES);
	for (size_t n = 0; n < file.size - 7; n++) {
		_cleanup_(rpm_package_freep) struct rpm_package *package = NULL;
		struct bytes shorter = file;

		shorter.size = n;
		assert_int_equal(read_bytes(&shorter, &package),
		        n < 4 ? RPM_PACKAGE_E_NONE : RPM_PACKAGE_E_FORMAT);
	}
}

static void test_no_package(void **state)
{
	_cleanup_(rpm_package_freep) struct rpm_package *package = NULL;
	struct bytes file = {0};

	(void)state;
	put(&file, "!<arch>\ndebian-binary", 21);
	assert_int_equal(read_bytes(&file, &package), RPM_PACKAGE_E_NONE);
	assert_int_equal(rpm_package_read(-1, &package), -EBADF);
	/* Sizes past the bounds are refused before memory is asked for. */
	file.size = 0;
	put_lead(&file);
	put(&file, "\x8e\xad\xe8\x01\0\0\0\0\0\0\0\1\xff\xff\xff\xff", 16);
	assert_int_equal(read_bytes(&file, &package), RPM_PACKAGE_E_FORMAT);
}

/*
 * A real one.
 */
static int run(const char *out, const char *const *argv)
{
	posix_spawn_file_actions_t actions;
	int status = -1;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(
	        &actions, 1, out ?: "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0644);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ) !=
	        0)
		pid = -1;
	posix_spawn_file_actions_destroy(&actions);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

#define RUN(out, ...) run(out, (const char *const[]){__VA_ARGS__, NULL})

static void write_text(const char *name, const char *text)
{
	assert_int_equal(file_write_atomic(name, text, strlen(text), 0644), 0);
}

static void build_package(void)
{
	static const char spec[] = "Name: tool\nVersion: 1\nRelease: 1\nSummary: x\nLicense: x\n"
	                           "BuildArch: noarch\n%description\nx\n%install\n"
	                           "mkdir -p %{buildroot}/usr/bin %{buildroot}/opt\n"
	                           "printf one > %{buildroot}/usr/bin/one\n"
	                           "printf two > %{buildroot}/usr/bin/two\n"
	                           "ln -s one %{buildroot}/usr/bin/link\n"
	                           "printf three > %{buildroot}/opt/three\n"
	                           "%files\n/usr/bin/one\n/usr/bin/two\n/usr/bin/link\n"
	                           "%dir /opt\n/opt/three\n";
	_cleanup_free_ char *top = NULL;

	assert_true(asprintf(&top, "_topdir %s/top", root) > 0);
	write_text("tool.spec", spec);
	assert_int_equal(RUN(NULL, "rpmbuild", "-bb", "--define", top, "tool.spec"), 0);
	assert_int_equal(RUN(NULL, "mv", "top/RPMS/noarch/tool-1-1.noarch.rpm", "tool.rpm"), 0);
}

/* What `rpmsign --signfiles` does, which Debian's is built without: "" for what is no file. */
static void sign_file(const char *content, char *ret_hex, size_t room)
{
	_cleanup_free_ char *bytes = NULL;
	size_t size;

	write_text("f", content);
	assert_int_equal(
	        RUN(NULL, "evmctl", "ima_sign", "-n", "-f", "-a", "sha256", "-k", "k", "f"), 0);
	assert_int_equal(file_read_at(AT_FDCWD, "f.sig", 4096, &bytes, &size), 0);
	assert_true(2 * size < room);
	hex_encode((uint8_t *)bytes, size, ret_hex);
}

static uint32_t number_at(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

/* Puts another header of signatures into tool.rpm: signed.rpm. */
static void put_signatures(const char *const *texts, uint32_t n)
{
	static struct header header;
	static struct bytes file;
	_cleanup_free_ char *old = NULL;
	const uint8_t *bytes;
	size_t size, end;

	memset(&header, 0, sizeof(header));
	file.size = 0;
	assert_int_equal(file_read_at(AT_FDCWD, "tool.rpm", 65536, &old, &size), 0);
	bytes = (const uint8_t *)old;
	end = 96 + 16 + 16 * (size_t)number_at(bytes + 96 + 8) + number_at(bytes + 96 + 12);
	end = (end + 7) / 8 * 8;
	add_texts(&header, SIGNATURES, texts, n);
	put(&file, bytes, 96);
	put_header(&file, &header);
	put_padding(&file);
	put(&file, bytes + end, size - end);
	assert_int_equal(file_write_atomic("signed.rpm", file.data, file.size, 0644), 0);
}

/* The texts in the order of the package's files, as rpm(8) lists them. */
static void in_order(const char *listing, const char *const *paths, const char *const *texts,
        const char **ret_texts, uint32_t *ret_n)
{
	uint32_t n = 0;

	for (const char *line = listing; *line; line = strchr(line, '\n') + 1) {
		ret_texts[n] = "";
		for (size_t i = 0; paths[i]; i++)
			if (!strncmp(line, paths[i], strlen(paths[i])) &&
			        line[strlen(paths[i])] == '\n')
				ret_texts[n] = texts[i];
		n++;
	}
	*ret_n = n;
}

static enum ima_result check(const struct rpm_package *package, const char *path,
        const char *content, const struct trust *trust)
{
	struct file_signature answer;
	uint8_t bytes[IMA_SIZE_MAX];
	struct digest digest;
	size_t size;

	if (rpm_package_signature(package, path, bytes, sizeof(bytes), &size) != 0)
		return IMA_NONE;
	assert_int_equal(digest_data(content, strlen(content), &digest), 0);
	assert_int_equal(
	        file_signature_check(&(struct file_content){&digest, -1, 0}, FILE_SIGNATURE_PACKAGE,
	                bytes, size, &(struct file_signature_terms){trust, 1}, &answer),
	        0);
	assert_int_equal(answer.source, FILE_SIGNATURE_PACKAGE);
	assert_true((answer.key != NULL) == (answer.result == IMA_GOOD));
	return answer.result;
}

static void test_a_real_package(void **state)
{
	static const char *const paths[] = {"/usr/bin/one", "/usr/bin/two", NULL};
	_cleanup_(rpm_package_freep) struct rpm_package *package = NULL, *plain = NULL;
	_cleanup_(key_freep) struct key *key = NULL;
	_cleanup_free_ char *listing = NULL, *queried = NULL;
	_cleanup_close_ int fd = -1, plain_fd = -1;
	char one[1024], two[1024];
	const char *texts[16];
	struct trust_key trusted = {.use = TRUST_USE_IMA, .expires_ns = INT64_MAX};
	struct trust trust = {.keys = &trusted, .n_keys = 1};
	uint32_t n;
	size_t size;

	(void)state;
	build_package();
	assert_int_equal(RUN(NULL, "openssl", "genpkey", "-quiet", "-out", "k", "-algorithm", "EC",
	                         "-pkeyopt", "ec_paramgen_curve:P-256"),
	        0);
	assert_int_equal(key_file_read("k", NULL, &key, NULL), 0);
	trusted.key = key;
	sign_file("one", one, sizeof(one));
	sign_file("not two", two, sizeof(two));
	assert_int_equal(RUN("listing", "rpm", "-qpl", "tool.rpm"), 0);
	assert_int_equal(file_read_at(AT_FDCWD, "listing", 4096, &listing, &size), 0);
	in_order(listing, paths, (const char *const[]){one, two}, texts, &n);
	assert_int_equal(n, 5);
	put_signatures(texts, n);

	fd = open("signed.rpm", O_RDONLY | O_CLOEXEC);
	assert_int_equal(rpm_package_read(fd, &package), 0);
	assert_int_equal(rpm_package_files(package), 5);
	assert_int_equal(check(package, "/usr/bin/one", "one", &trust), IMA_GOOD);
	assert_int_equal(check(package, "/usr/bin/one", "two", &trust), IMA_BAD_SIGNATURE);
	assert_int_equal(check(package, "/usr/bin/two", "two", &trust), IMA_BAD_SIGNATURE);
	assert_int_equal(check(package, "/opt/three", "three", &trust), IMA_NONE);
	assert_int_equal(check(package, "/usr/bin/link", "", &trust), IMA_NONE);
	trusted.revoked = true;
	plain_fd = open("tool.rpm", O_RDONLY | O_CLOEXEC);
	assert_int_equal(rpm_package_read(plain_fd, &plain), 0);
	assert_int_equal(check(plain, "/usr/bin/one", "one", &trust), IMA_NONE);

	/* rpm(8) finds the same texts at the same files. */
	assert_int_equal(RUN("queried", "rpm", "-qp", "--nosignature", "--nodigest", "--qf",
	                         "[%{FILENAMES} %{FILESIGNATURES}\\n]", "signed.rpm"),
	        0);
	assert_int_equal(file_read_at(AT_FDCWD, "queried", 65536, &queried, &size), 0);
	assert_non_null(strstr(queried, "/usr/bin/one 0302"));
	assert_non_null(strstr(queried, one));
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(root) && chdir(root) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return RUN(NULL, "rm", "-rf", root) == 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_files),
	        cmocka_unit_test(test_faults),
	        cmocka_unit_test(test_no_package),
	        cmocka_unit_test(test_a_real_package),
	};

	if (RUN(NULL, "rpmbuild", "--version") != 0 || RUN(NULL, "evmctl", "--version") != 0) {
		puts("skipped: needs rpmbuild (rpm) and evmctl (ima-evm-utils)");
		return 77;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
