/*
 * An allowlist's body: what is written is read back, byte by byte the same; what is malformed, or
 * says what is not known here, is refused; golden files.
 */
#include "core/statement.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEX            "a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447"
#define SUBJECT        "{\"name\":\"/a\",\"digest\":{\"sha256\":\"" HEX "\"}}"
#define TYPE           "\"_type\":\"" STATEMENT_TYPE "\""
#define KIND           "\"predicateType\":\"" STATEMENT_PREDICATE "\""
#define TIMES          "\"issued\":\"2026-01-01T00:00:00Z\",\"expires\":\"2026-07-01T00:00:00Z\""
#define HEADER         "\"series\":\"s\",\"version\":7," TIMES
#define PREDICATE      "\"predicate\":{" HEADER "}"
#define REST           "," KIND "," PREDICATE "}"
#define BODY(subjects) "{" TYPE ",\"subject\":[" subjects "]" REST
#define WITH(members)  "{" TYPE ",\"subject\":[" SUBJECT "]," KIND ",\"predicate\":{" members "}}"

#define T(literal) ((char *)(uintptr_t)(literal))

struct seen {
	size_t headers, subjects;
	char last[STATEMENT_TEXT_MAX + 1];
	int answer; /* of the subject() */
};

static int on_header(const struct statement *statement, void *userdata)
{
	struct seen *seen = userdata;

	assert_non_null(statement->series);
	assert_int_equal(seen->subjects, 0);
	seen->headers++;
	return 0;
}

static int on_subject(const struct statement_subject *subject, void *userdata)
{
	struct seen *seen = userdata;

	assert_int_equal(seen->headers, 1);
	seen->subjects++;
	strcpy(seen->last, subject->name);
	return seen->answer;
}

static int parse(const char *text, struct seen *seen, struct statement *ret)
{
	struct statement_reader reader = {on_header, on_subject, seen};
	struct statement_error error = {0};
	/* Exactly as long as it is, so that the sanitizer sees a step too far. */
	size_t size = strlen(text);
	char *exact = malloc(size ? size : 1);
	int r;

	assert_non_null(exact);
	memcpy(exact, text, size);
	memset(seen, 0, offsetof(struct seen, answer));
	r = statement_parse(exact, size, &reader, ret, &error);
	free(exact);
	if (r == STATEMENT_E_INVALID) {
		assert_true(strlen(error.message) > 0);
		assert_true(error.at <= size);
	}
	return r;
}

static void refused(const char *text)
{
	struct seen seen = {0};

	if (parse(text, &seen, NULL) != STATEMENT_E_INVALID)
		fail_msg("not refused: %s", text);
}

static void accepted(const char *text)
{
	struct seen seen = {0};

	if (parse(text, &seen, NULL) != 0)
		fail_msg("refused: %s", text);
}

static void test_reads(void **state)
{
	_cleanup_(statement_done) struct statement s = {0};
	struct seen seen = {0};

	(void)state;
	assert_int_equal(parse(BODY(SUBJECT), &seen, &s), 0);
	assert_int_equal(seen.headers, 1);
	assert_int_equal(seen.subjects, 1);
	assert_string_equal(seen.last, "/a");
	assert_string_equal(s.series, "s");
	assert_int_equal(s.version, 7);
	assert_int_equal(s.issued_ns, INT64_C(1767225600) * 1000000000);
	assert_int_equal(s.bind, STATEMENT_BIND_DIGEST);
	accepted(" \t\r\n" BODY(SUBJECT "," SUBJECT) " \n");
	accepted("{" KIND "," PREDICATE ",\"subject\" : [ " SUBJECT " ] ," TYPE "}");
	accepted("{" TYPE ",\"sub\\u006aect\":[" SUBJECT "]" REST);
	accepted("{" TYPE ",\"more\":{\"a\":[1,{}]},\"subject\":[" SUBJECT "]" REST);
	accepted(WITH(HEADER ",\"bind\":\"digest\",\"critical\":[],\"x\":null"));
	accepted(WITH(HEADER ",\"bind\":\"path\",\"critical\":[\"bind\",\"expires\"]"));
	accepted(BODY("{\"name\":\"/a\",\"digest\":{\"sha512\":\"00\",\"sha256\":\"" HEX "\"}}"));
	accepted(BODY("{\"name\":\"/\\\"\\\\]}\",\"digest\":{\"sha256\":\"" HEX "\"}}"));
}

static void test_refuses_shapes(void **state)
{
	static const char *const texts[] = {"", " ", "{", "}", "[]", "null", "\"a\"", "{}",
	        BODY(SUBJECT) "x", BODY(SUBJECT) "{}", BODY(""), BODY(SUBJECT ","),
	        BODY("," SUBJECT), BODY(SUBJECT " " SUBJECT), BODY("{}"), BODY("1"), BODY("\"/a\""),
	        "{" TYPE ",\"subject\":{}" REST, "{" TYPE ",\"subject\":null" REST,
	        "{" TYPE "," TYPE ",\"subject\":[" SUBJECT "]" REST,
	        "{" TYPE ",\"x\":1,\"x\":1,\"subject\":[" SUBJECT "]" REST,
	        "{" TYPE ",\"subject\":[" SUBJECT "],\"sub\\u006aect\":[" SUBJECT "]" REST,
	        "{" TYPE ",\"x\":1.5,\"subject\":[" SUBJECT "]" REST,
	        "{" TYPE ",\"x\":[}],\"subject\":[" SUBJECT "]" REST,
	        "{" TYPE ",\"x\":nul,\"subject\":[" SUBJECT "]" REST,
	        "{" TYPE ",\"x\":\"\\u0000\",\"subject\":[" SUBJECT "]" REST,
	        "{" TYPE ",\"x\" 1,\"subject\":[" SUBJECT "]" REST,
	        "{" TYPE ",\"x\":\xff,\"subject\":[" SUBJECT "]" REST,
	        "{\"_type\":\"x\",\"subject\":[" SUBJECT "]" REST,
	        "{" TYPE ",\"subject\":[" SUBJECT "],\"predicateType\":\"https://example.org/"
	        "exec-allowlist/v1\"," PREDICATE "}",
	        "{" TYPE ",\"subject\":[" SUBJECT "]," KIND "}",
	        "{" TYPE ",\"subject\":[" SUBJECT "]," PREDICATE "}",
	        "{\"payload\":\"e30=\",\"payloadType\":\"application/vnd.in-toto+json\","
	        "\"signatures\":[]}",
	        "\xef\xbb\xbf" BODY(SUBJECT)};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		refused(texts[i]);
}

static void test_refuses_predicates(void **state)
{
	static const char *const texts[] = {WITH(""), WITH("\"version\":7," TIMES),
	        WITH("\"series\":\"\",\"version\":7," TIMES),
	        WITH("\"series\":\"a\\nb\",\"version\":7," TIMES),
	        WITH("\"series\":\"s\",\"version\":0," TIMES),
	        WITH("\"series\":\"s\",\"version\":-1," TIMES),
	        WITH("\"series\":\"s\",\"version\":7.0," TIMES),
	        WITH("\"series\":\"s\",\"version\":\"7\"," TIMES),
	        WITH("\"series\":\"s\",\"version\":9223372036854775808," TIMES),
	        WITH("\"series\":\"s\",\"version\":7"), WITH(HEADER ",\"bind\":\"x\""),
	        WITH(HEADER ",\"bind\":null"), WITH(HEADER ",\"bind\":1"),
	        WITH(HEADER ",\"critical\":null"), WITH(HEADER ",\"critical\":[\"scope\"]"),
	        WITH(HEADER ",\"scope\":1,\"critical\":[\"scope\"]"),
	        WITH(HEADER ",\"critical\":[\"bind\"]"), WITH(HEADER ",\"critical\":[1]"),
	        WITH(HEADER ",\"critical\":[\"series\",\"series\"]"),
	        WITH(HEADER ",\"series\":\"t\""),
	        WITH("\"series\":\"s\",\"version\":7,\"issued\":\"2026-01-01T00:00:00Z\","
	             "\"expires\":\"2026-01-01T00:00:00Z\""),
	        WITH("\"series\":\"s\",\"version\":7,\"issued\":\"2026-01-01\","
	             "\"expires\":\"2026-01-02T00:00:00Z\"")};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		refused(texts[i]);
}

#define NAMED(name) BODY("{\"name\":\"" name "\",\"digest\":{\"sha256\":\"" HEX "\"}}")

static void test_refuses_subjects(void **state)
{
	static const char *const texts[] = {NAMED(""), NAMED("a"), NAMED("/"), NAMED("//a"),
	        NAMED("/a/"), NAMED("/a//b"), NAMED("/./a"), NAMED("/a/.."), NAMED("/a/../b"),
	        NAMED("/a\\n"), NAMED("/a\\u001b"), NAMED("/a\\u007f"), NAMED("/a\\u0085"),
	        NAMED("/a\xff"), NAMED("/\xc0\xaf"), BODY("{\"digest\":{\"sha256\":\"" HEX "\"}}"),
	        BODY("{\"name\":\"/a\"}"), BODY("{\"name\":\"/a\",\"digest\":{}}"),
	        BODY("{\"name\":\"/a\",\"digest\":{\"sha256\":\"\"}}"),
	        BODY("{\"name\":\"/a\",\"digest\":{\"sha256\":\"" HEX "0\"}}"),
	        BODY("{\"name\":\"/a\",\"digest\":{\"sha256\":"
	             "\"A948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447\"}}"),
	        BODY("{\"name\":\"/a\",\"name\":\"/b\",\"digest\":{\"sha256\":\"" HEX "\"}}"),
	        BODY("{\"name\":\"/a\",\"digest\":{\"sha256\":\"" HEX "\",\"x\":1}}"),
	        BODY("{\"name\":\"/a\",\"digest\":{\"sha256\":\"" HEX "\"},\"x\":1e3}")};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		refused(texts[i]);
	accepted(NAMED("/..a/.b/c.../\xc3\xa9"));
}

/* Brackets, strings, members past their bounds; none of it is held in memory. */
static char *repeat(const char *before, const char *text, size_t n, const char *after)
{
	size_t size = strlen(text);
	char *out = malloc(strlen(before) + n * size + strlen(after) + 1), *at = out;

	assert_non_null(out);
	at = stpcpy(at, before);
	for (size_t i = 0; i < n; i++, at += size)
		memcpy(at, text, size);
	strcpy(at, after);
	return out;
}

static void with(const char *before, const char *text, size_t n, const char *after, int expected)
{
	_cleanup_free_ char *body = repeat(before, text, n, after);
	struct seen seen = {0};

	assert_int_equal(parse(body, &seen, NULL), expected);
}

static void test_bounds(void **state)
{
	const char *x = "{" TYPE ",\"subject\":[" SUBJECT "],\"x\":";
	const int bad = STATEMENT_E_INVALID;

	(void)state;
	with("{" TYPE ",\"x\":[[[[[[[[[[[[[[", "", 0,
	        "1]]]]]]]]]]]]]],\"subject\":[" SUBJECT "]" REST, 0);
	with("{" TYPE ",\"x\":[[[[[[[[[[[[[[[", "", 0,
	        "1]]]]]]]]]]]]]]],\"subject\":[" SUBJECT "]" REST, 0);
	with("{" TYPE ",\"x\":[[[[[[[[[[[[[[[[", "", 0,
	        "1]]]]]]]]]]]]]]]],\"subject\":[" SUBJECT "]" REST, bad);
	with("{" TYPE ",\"x\":", "[", STATEMENT_DEPTH_MAX, "", bad);
	with("{" TYPE ",\"x\":", "[", 1000000, "", bad);
	with("", "{\"a\":", 1000000, "", bad);
	with(x, "\"", 1, "a\"" REST, 0);
	with("{" TYPE ",\"subject\":[" SUBJECT "],\"x\":\"", "a", STATEMENT_TEXT_MAX, "\"" REST, 0);
	with("{" TYPE ",\"subject\":[" SUBJECT "],\"x\":\"", "a", STATEMENT_TEXT_MAX + 1, "\"" REST,
	        bad);
	with("{" TYPE ",\"subject\":[" SUBJECT "],\"", "a", STATEMENT_TEXT_MAX + 1, "\":1" REST,
	        bad);
	with(BODY("{\"x\":[0"), "", 0, "", bad);
	with("{" TYPE ",\"subject\":[" SUBJECT "],\"x\":[0", ",0", STATEMENT_VALUE_MAX, "]" REST,
	        bad);
	with("{" TYPE ",\"subject\":[{\"name\":\"/", "a", STATEMENT_TEXT_MAX - 1,
	        "\",\"digest\":{\"sha256\":\"" HEX "\"}}]" REST, 0);
	with("{" TYPE ",\"subject\":[{\"name\":\"/", "a", STATEMENT_TEXT_MAX,
	        "\",\"digest\":{\"sha256\":\"" HEX "\"}}]" REST, bad);
}

static void test_too_long_is_not_looked_at(void **state)
{
	struct statement_error error = {0};

	(void)state;
	/* No byte of it is there. */
	assert_int_equal(statement_parse("", (size_t)STATEMENT_SIZE_MAX + 1, NULL, NULL, &error),
	        STATEMENT_E_INVALID);
}

static void test_reader_ends_it(void **state)
{
	struct seen seen = {.answer = -EIO};

	(void)state;
	assert_int_equal(parse(BODY(SUBJECT "," SUBJECT), &seen, NULL), -EIO);
	assert_int_equal(seen.subjects, 1);
}

/*
 * Writing.
 */
static void check_golden(const char *name, const char *text, size_t size)
{
	_cleanup_free_ char *path = NULL, *golden = NULL;
	size_t golden_size;

	assert_true(asprintf(&path, "%s/tests/golden/statements/%s", TEST_SOURCE_DIR, name) > 0);
	if (getenv("EXECWARD_UPDATE_GOLDEN"))
		assert_int_equal(file_write_atomic(path, text, size, 0644), 0);
	assert_int_equal(file_read_at(AT_FDCWD, path, 65536, &golden, &golden_size), 0);
	assert_int_equal(size, golden_size);
	assert_memory_equal(text, golden, size);
}

static struct statement example(void)
{
	struct statement s = {
	        .series = T("example.org/web"), .version = 7, .bind = STATEMENT_BIND_DIGEST};

	assert_int_equal(statement_time_parse("2026-01-01T00:00:00Z", &s.issued_ns), 0);
	assert_int_equal(statement_time_parse("2026-07-01T00:00:00Z", &s.expires_ns), 0);
	return s;
}

static void test_writes_golden(void **state)
{
	struct statement_subject subjects[] = {{.name = T("/usr/bin/tool")},
	        {.name = T("/usr/bin/hello")}, {.name = T("/usr/bin/\"q\"\\\xc3\xa9")},
	        {.name = T("/usr/bin-x")}};
	struct statement s = example();
	struct seen seen = {0};
	char *text;
	size_t size;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(digest_from_hex(HEX, &subjects[i].digest), 0);
	statement_sort(subjects, 4);
	assert_string_equal(subjects[0].name, "/usr/bin-x");
	assert_int_equal(statement_print(&s, subjects, 4, &text, &size), 0);
	check_golden("digest.json", text, size);
	free(text);
	s.bind = STATEMENT_BIND_PATH;
	assert_int_equal(statement_print(&s, subjects, 4, &text, &size), 0);
	check_golden("path.json", text, size);
	text = realloc(text, size + 1);
	assert_non_null(text);
	text[size] = '\0';
	assert_int_equal(parse(text, &seen, NULL), 0);
	assert_int_equal(seen.subjects, 4);
	assert_string_equal(seen.last, "/usr/bin/tool");
	free(text);
}

static void refuse_print(struct statement s, const char *name, size_t n)
{
	struct statement_subject subject = {.name = T(name)};
	char *text = T("untouched");
	size_t size;

	assert_int_equal(statement_print(&s, &subject, n, &text, &size), -EINVAL);
	assert_string_equal(text, "untouched");
}

static void test_writes_nothing_that_it_would_not_read(void **state)
{
	struct statement s = example();

	(void)state;
	refuse_print(s, "/a", 0);
	refuse_print(s, "/a\n", 1);
	refuse_print(s, "/\xff", 1);
	s.bind = STATEMENT_BIND_UNSET;
	refuse_print(s, "/a", 1);
	s = example();
	s.version = 0;
	refuse_print(s, "/a", 1);
	s.version = UINT64_MAX;
	refuse_print(s, "/a", 1);
	s = example();
	s.series = T("a\x1b");
	refuse_print(s, "/a", 1);
	s = example();
	s.expires_ns = s.issued_ns;
	refuse_print(s, "/a", 1);
	s.expires_ns = INT64_MAX;
	refuse_print(s, "/a", 1);
	s = example();
	s.issued_ns = -1;
	refuse_print(s, "/a", 1);
}

static void test_times(void **state)
{
	static const char *const good[] = {"1970-01-01T00:00:00Z", "2000-02-29T23:59:59Z",
	        "2024-02-29T12:00:00Z", "2100-02-28T00:00:00Z", "2261-12-31T23:59:59Z"};
	static const char *const bad[] = {"", "2026-01-01", "2026-01-01T00:00:00",
	        "2026-01-01t00:00:00z", "2026-01-01T00:00:00.0Z", "2026-01-01T00:00:00+00:00",
	        "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
	        "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
	        "2026-01-01T00:00:60Z", "1969-12-31T23:59:59Z", "2262-01-01T00:00:00Z",
	        " 2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z ", "-026-01-01T00:00:00Z"};
	char text[STATEMENT_TIME_SIZE];
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(statement_time_parse(good[i], &ns), 0);
		assert_int_equal(statement_time_print(ns + 999999999, text), 0);
		assert_string_equal(text, good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(statement_time_parse(bad[i], &ns), -EINVAL);
	assert_int_equal(statement_time_print(INT64_MAX, text), -EINVAL);
	assert_int_equal(statement_time_print(-1, text), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_reads),
	        cmocka_unit_test(test_refuses_shapes),
	        cmocka_unit_test(test_refuses_predicates),
	        cmocka_unit_test(test_refuses_subjects),
	        cmocka_unit_test(test_bounds),
	        cmocka_unit_test(test_too_long_is_not_looked_at),
	        cmocka_unit_test(test_reader_ends_it),
	        cmocka_unit_test(test_writes_golden),
	        cmocka_unit_test(test_writes_nothing_that_it_would_not_read),
	        cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
