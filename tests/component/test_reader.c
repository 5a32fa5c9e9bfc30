/*
 * The process that reads envelopes: what it may not do, what becomes of one that does it all the
 * same, and what the other end takes from it.
 */
#include "allowlists_fixture.h"

#include "allowlists/install.h"
#include "allowlists/reader_internal.h"
#include "allowlists/sandbox.h"
#include "base/clock.h"
#include "crypto/dsse_verify.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define KEYS TEST_SOURCE_DIR "/tests/golden/keys"

/*
 * The sandbox.
 */
struct
try {
	const char *name;
	void (*run)(void);
};

static void try_open(void)
{
	(void)!open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static void try_open_by_number(void)
{
	(void)syscall(SYS_open, "/etc/passwd", O_RDONLY);
}

static void try_exec(void)
{
	char *const argv[] = {T("true"), NULL};

	execv("/bin/true", argv);
}

static void try_fork(void)
{
	(void)syscall(SYS_fork);
}

static void try_socket(void)
{
	(void)socket(AF_UNIX, SOCK_STREAM, 0);
}

static void try_connect_back(void)
{
	(void)syscall(SYS_connect, 0, NULL, 0);
}

static void try_kill(void)
{
	(void)kill(getppid(), 0);
}

static void try_ptrace(void)
{
	(void)syscall(SYS_ptrace, 0, 0, 0, 0);
}

static void try_memory_to_run(void)
{
	(void)syscall(
	        SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void try_file_mapping(void)
{
	(void)syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, 0, 0);
}

static void try_alarm_off(void)
{
	(void)alarm(0);
}

static void try_root_again(void)
{
	(void)syscall(SYS_setresuid, 0, 0, 0);
}

static void try_duplicate(void)
{
	(void)!dup(0);
}

static const struct try tries[] = {
        {"open", try_open},
        {"open by its old number", try_open_by_number},
        {"exec", try_exec},
        {"fork", try_fork},
        {"socket", try_socket},
        {"connect", try_connect_back},
        {"kill", try_kill},
        {"ptrace", try_ptrace},
        {"memory to run", try_memory_to_run},
        {"mapping of a file", try_file_mapping},
        {"alarm", try_alarm_off},
        {"another user", try_root_again},
        {"another descriptor", try_duplicate},
};

/* What became of a child that enters and then runs @run. */
static int status_of(void (*run)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		if (sandbox_enter() != 0)
			_exit(2);
		run();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_forbidden_calls_kill(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		int status = status_of(tries[i].run);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("%s: status %x", tries[i].name, (unsigned int)status);
	}
}

/* All that is needed. */
static void use_memory(void)
{
	char *large = malloc(64 << 20), *more;

	if (!large)
		_exit(3);
	memset(large, 1, 64 << 20);
	more = realloc(large, 96 << 20);
	if (!more)
		_exit(4);
	memset(more, 2, 96 << 20);
	free(more);
	for (int i = 0; i < 1000; i++)
		free(malloc((size_t)i * 100));
	_exit(write(1, "", 0) == 0 ? 7 : 5);
}

static void test_allowed_calls(void **state)
{
	int status = status_of(use_memory);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

/* Who it is, as the kernel shows it: asked of a child that waits. */
static void wait_for_end(void)
{
	char byte;

	(void)!read(0, &byte, 1);
}

static void expect_line(const char *text, const char *line)
{
	if (!strstr(text, line))
		fail_msg("no %s in\n%s", line, text);
}

static void test_nobody_with_nothing(void **state)
{
	int ends[2], ready[2];
	char path[64], byte;
	_cleanup_free_ char *text = NULL;
	size_t size;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		dup2(ends[0], 0);
		dup2(ready[1], 1);
		close_range(3, ~0u, 0);
		if (sandbox_enter() == 0 && write(1, "", 1) == 1)
			wait_for_end();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	assert_int_equal(file_read_at(AT_FDCWD, path, 65536, &text, &size), 0);
	expect_line(text, "Uid:\t65534\t65534\t65534\t65534\n");
	expect_line(text, "Gid:\t65534\t65534\t65534\t65534\n");
	expect_line(text, "Groups:\t \n");
	expect_line(text, "CapInh:\t0000000000000000\n");
	expect_line(text, "CapPrm:\t0000000000000000\n");
	expect_line(text, "CapEff:\t0000000000000000\n");
	expect_line(text, "CapAmb:\t0000000000000000\n");
	expect_line(text, "NoNewPrivs:\t1\n");
	expect_line(text, "Seccomp:\t2\n");
	close(ends[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(ends[0]);
	close(ready[0]);
}

/*
 * A reader that has been taken over.
 */
static void work_opens(const struct reader_request *request)
{
	(void)request;
	if (sandbox_enter() == 0)
		try_open();
}

static void work_says_nothing(const struct reader_request *request)
{
	(void)request;
}

static void work_says_nonsense(const struct reader_request *request)
{
	(void)request;
	for (int i = 0; i < 100; i++)
		(void)!write(READER_OUT, "nonsense, again and again", 25);
}

static void work_crashes(const struct reader_request *request)
{
	(void)request;
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
}

static void work_fails(const struct reader_request *request)
{
	const struct frame_head head = {FRAME_FAILURE, sizeof(int32_t)};
	const int32_t failure = -ENOMEM;

	(void)request;
	(void)!write(READER_OUT, &head, sizeof(head));
	(void)!write(READER_OUT, &failure, sizeof(failure));
}

/* Says all of a refusal, and then does not end as it should. */
static void work_dies_late(const struct reader_request *request)
{
	const struct frame_head head = {FRAME_VERDICT, sizeof(struct frame_verdict)};
	const struct frame_head head_of_end = {FRAME_END, sizeof(struct frame_end)};
	const struct frame_verdict verdict = {.reason = ALLOWLIST_UNSIGNED};
	const struct frame_end end = {.reason = ALLOWLIST_UNSIGNED};

	(void)request;
	(void)!write(READER_OUT, &head, sizeof(head));
	(void)!write(READER_OUT, &verdict, sizeof(verdict));
	(void)!write(READER_OUT, &head_of_end, sizeof(head_of_end));
	(void)!write(READER_OUT, &end, sizeof(end));
	raise(SIGKILL);
}

static void work_hangs(const struct reader_request *request)
{
	(void)request;
	for (;;)
		pause();
}

/* One that has taken its alarm back is killed. */
static void work_hangs_on(const struct reader_request *request)
{
	alarm(0);
	work_hangs(request);
}

static int64_t seconds_of(void (*run)(const struct reader_request *request))
{
	const struct reader_work work = {run, 1};
	const struct reader_request request = {.threshold = 1};
	_cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct reader_answer answer = {0};
	int64_t began = clock_monotonic_ns();

	assert_int_equal(reader_read_with(&work, fd, &request, &answer), -ETIMEDOUT);
	return (clock_monotonic_ns() - began) / NS_PER_SEC;
}

/* The daemon, which cannot kill it, counts on the first; the second is for what it still holds. */
static void test_a_reader_that_hangs(void **state)
{
	(void)state;
	assert_true(seconds_of(work_hangs) < 5);
	assert_true(seconds_of(work_hangs_on) >= 5);
}

static void test_bad_readers(void **state)
{
	static const struct {
		void (*run)(const struct reader_request *request);
		unsigned int seconds;
		int r;
	} rows[] = {
	        {work_opens, 60, -EPROTO},
	        {work_says_nothing, 60, -EPROTO},
	        {work_says_nonsense, 60, -EPROTO},
	        {work_crashes, 60, -EPROTO},
	        {work_dies_late, 60, -EPROTO},
	        {work_fails, 60, -ENOMEM},
	};
	_cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct reader_work work = {rows[i].run, rows[i].seconds};
		const struct reader_request request = {.threshold = 1};
		struct reader_answer answer = {0};

		if (reader_read_with(&work, fd, &request, &answer) != rows[i].r)
			fail_msg("row %zu", i);
		assert_null(answer.packed);
	}
}

/* It has two descriptors, whatever its parent has. */
static void work_counts_descriptors(const struct reader_request *request)
{
	int n = 0;

	(void)request;
	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	if (n == (SANDBOX_SANITIZED ? 3 : 2))
		work_fails(request);
}

static void test_two_descriptors(void **state)
{
	const struct reader_work work = {work_counts_descriptors, 60};
	const struct reader_request request = {.threshold = 1};
	struct reader_answer answer = {0};
	_cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int many[20];

	(void)state;
	for (size_t i = 0; i < 20; i++)
		many[i] = dup(fd);
	assert_int_equal(reader_read_with(&work, fd, &request, &answer), -ENOMEM);
	for (size_t i = 0; i < 20; i++)
		close(many[i]);
}

/*
 * The real one, directly and by the helper.
 */
static char keys_dir[] = "/tmp/execward-keys-XXXXXX";

static int make_keys(void **state)
{
	_cleanup_free_ char *pem = NULL;
	char path[128];
	size_t size;

	(void)state;
	assert_non_null(mkdtemp(keys_dir));
	assert_int_equal(chmod(keys_dir, 0755), 0);
	assert_int_equal(file_read_at(AT_FDCWD, KEYS "/ed25519.pem", 65536, &pem, &size), 0);
	snprintf(path, sizeof(path), "%s/a.pem", keys_dir);
	assert_int_equal(file_write_atomic(path, pem, size, 0644), 0);
	return key_setup();
}

static int remove_keys(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/a.pem", keys_dir);
	(void)unlink(path);
	return rmdir(keys_dir);
}

/* An open file with that text; it is gone from the directory already. */
static int file_of(const char *text)
{
	int fd = memfd_create("envelope", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static struct reader_answer answer_of(struct reader_helper *helper, const char *text)
{
	struct reader_request request = {.threshold = 1, .now_ns = clock_realtime_ns()};
	struct reader_answer answer = {0};
	_cleanup_close_ int fd = file_of(text);

	snprintf(request.keys_dir, sizeof(request.keys_dir), "%s", keys_dir);
	assert_int_equal(reader_read(helper, fd, &request, &answer), 0);
	return answer;
}

static const char unsigned_one[] =
        "{\"payload\":\"e30=\",\"payloadType\":\"" DSSE_PAYLOAD_TYPE "\",\"signatures\":[]}";

static void read_both(struct reader_helper *helper)
{
	struct reader_answer answer = answer_of(helper, unsigned_one);

	assert_int_equal(answer.reason, ALLOWLIST_UNSIGNED);
	assert_int_equal(answer.envelope, 0);
	reader_answer_done(&answer);
	answer = answer_of(helper, "{");
	assert_int_equal(answer.envelope, DSSE_E_JSON);
	assert_int_equal(answer.reason, ALLOWLIST_BAD_STATEMENT);
	reader_answer_done(&answer);
}

static void test_reads_directly(void **state)
{
	(void)state;
	read_both(NULL);
}

static void *read_from_a_thread(void *userdata)
{
	for (int i = 0; i < 5; i++)
		read_both(userdata);
	return NULL;
}

static void test_reads_by_the_helper(void **state)
{
	struct reader_helper *helper = NULL;
	pthread_t threads[4];

	(void)state;
	assert_int_equal(reader_helper_start(&helper), 0);
	read_both(helper);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_from_a_thread, helper), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	reader_helper_stop(helper);
}

/* Keys that cannot be read there are no reason to believe anything. */
static void test_no_keys_there(void **state)
{
	const struct reader_request request = {
	        .threshold = 1, .now_ns = 1, .keys_dir = "/nonexistent"};
	struct reader_answer answer = {0};
	_cleanup_close_ int fd = file_of(unsigned_one);

	(void)state;
	assert_int_equal(reader_read(NULL, fd, &request, &answer), -EAGAIN);
}

/*
 * Frames.
 */
static void test_frames_in_any_pieces(void **state)
{
	struct {
		struct frame_head head;
		struct frame_verdict verdict;
		struct frame_head head_of_end;
		struct frame_end end;
	} said = {
	        .head = {FRAME_VERDICT, sizeof(struct frame_verdict)},
	        .verdict = {.reason = ALLOWLIST_TAMPERED},
	        .head_of_end = {FRAME_END, sizeof(struct frame_end)},
	        .end = {.reason = ALLOWLIST_TAMPERED},
	};
	const size_t steps[] = {1, 7, 8, 100, sizeof(said)};
	/* Packed by hand: the compiler may pad between them. */
	char bytes[sizeof(said)], *at = bytes;

	(void)state;
	at = mempcpy(at, &said.head, sizeof(said.head));
	at = mempcpy(at, &said.verdict, sizeof(said.verdict));
	at = mempcpy(at, &said.head_of_end, sizeof(said.head_of_end));
	at = mempcpy(at, &said.end, sizeof(said.end));
	for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
		struct reader_answer answer = {0};
		size_t size = (size_t)(at - bytes);

		for (size_t i = 0; i < size; i += steps[s]) {
			assert_int_equal(reader_answer_finish(&answer), -EPROTO);
			assert_int_equal(reader_answer_feed(&answer, bytes + i,
			                         size - i < steps[s] ? size - i : steps[s]),
			        0);
		}
		assert_int_equal(reader_answer_finish(&answer), 0);
		assert_int_equal(answer.reason, ALLOWLIST_TAMPERED);
		/* Nothing comes after the end. */
		assert_int_equal(reader_answer_feed(&answer, bytes, sizeof(said.head)), 0);
		assert_int_equal(reader_answer_finish(&answer), -EPROTO);
		reader_answer_done(&answer);
	}
}

/* The fuzzer's corpus, by what comes of each. */
static void test_frames_of_the_corpus(void **state)
{
	static const struct {
		const char *name;
		int r;
		enum allowlist_reason reason;
		uint64_t subjects;
	} rows[] = {
	        {"accepted", 0, ALLOWLIST_ACCEPTED, 2},
	        {"scoped", 0, ALLOWLIST_ACCEPTED, 1},
	        {"refused", 0, ALLOWLIST_TAMPERED, 0},
	        {"faulty", 0, ALLOWLIST_BAD_STATEMENT, 1},
	        {"empty", 0, ALLOWLIST_EMPTY, 0},
	        {"no-envelope", 0, ALLOWLIST_BAD_STATEMENT, 0},
	        {"failure", -ENOMEM, 0, 0},
	        {"failure-late", -ENOMEM, 0, 0},
	        {"order", -EPROTO, 0, 0},
	        {"count", -EPROTO, 0, 0},
	        {"signers", -EPROTO, 0, 0},
	        {"name", -EPROTO, 0, 0},
	        {"huge", -EPROTO, 0, 0},
	        {"after", -EPROTO, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_free_ char *data = NULL;
		struct reader_answer answer = {0};
		char path[512];
		size_t size;
		int r;

		snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/fuzz_reader_frames/%s",
		        TEST_SOURCE_DIR, rows[i].name);
		assert_int_equal(file_read_at(AT_FDCWD, path, 65536, &data, &size), 0);
		r = reader_answer_feed(&answer, data + 1, size - 1);
		if (r == 0)
			r = reader_answer_finish(&answer);
		if (r != rows[i].r)
			fail_msg("%s: %d", rows[i].name, r);
		if (r == 0) {
			assert_int_equal(answer.reason, rows[i].reason);
			assert_int_equal(answer.subjects, rows[i].subjects);
		}
		reader_answer_done(&answer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_forbidden_calls_kill),
	        cmocka_unit_test(test_allowed_calls),
	        cmocka_unit_test(test_nobody_with_nothing),
	        cmocka_unit_test(test_bad_readers),
	        cmocka_unit_test(test_a_reader_that_hangs),
	        cmocka_unit_test(test_two_descriptors),
	        cmocka_unit_test(test_reads_directly),
	        cmocka_unit_test(test_reads_by_the_helper),
	        cmocka_unit_test(test_no_keys_there),
	        cmocka_unit_test(test_frames_in_any_pieces),
	        cmocka_unit_test(test_frames_of_the_corpus),
	};

	return cmocka_run_group_tests_name("reader", tests, make_keys, remove_keys);
}
