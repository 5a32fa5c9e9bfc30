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
	if (r > 0) {
		assert_true(strlen(error.message) > 0);
		assert_true(error.at <= size);
	}
	return r;
}

static void refused_as(const char *text, int expected)
{
	struct seen seen = {0};
	int r = parse(text, &seen, NULL);

	if (r != expected)
		fail_msg("%d instead of %d: %s", r, expected, text);
}

static void refused(const char *text)
{
	refused_as(text, STATEMENT_E_INVALID);
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
	        BODY(SUBJECT) "x", BODY(SUBJECT) "{}", BODY(SUBJECT ","), BODY("," SUBJECT),
	        BODY(SUBJECT " " SUBJECT), BODY("{}"), BODY("1"), BODY("\"/a\""),
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
	        WITH(HEADER ",\"critical\":null"), WITH(HEADER ",\"critical\":{}"),
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

#define SCOPED(scope) WITH(HEADER ",\"scope\":" scope ",\"critical\":[\"scope\"]")

static void test_refuses_what_restricts_unknown(void **state)
{
	(void)state;
	refused_as(BODY(""), STATEMENT_E_EMPTY);
	refused_as(BODY(" "), STATEMENT_E_EMPTY);
	refused_as(WITH(HEADER ",\"critical\":[\"pods\"],\"pods\":[\"a\"]"),
	        STATEMENT_E_UNKNOWN_CRITICAL);
	refused_as(WITH(HEADER ",\"critical\":[\"pods\"]"), STATEMENT_E_UNKNOWN_CRITICAL);
	refused_as(WITH(HEADER ",\"critical\":[\"\"]"), STATEMENT_E_UNKNOWN_CRITICAL);
	refused_as(WITH(HEADER ",\"critical\":[\"Scope\"],\"scope\":{\"hosts\":[\"a\"]}"),
	        STATEMENT_E_UNKNOWN_CRITICAL);
	refused_as(SCOPED("{\"pods\":[\"a\"]}"), STATEMENT_E_UNKNOWN_CRITICAL);
	refused_as(SCOPED("{\"hosts\":[\"a\"],\"image\":[\"a\"]}"), STATEMENT_E_UNKNOWN_CRITICAL);
}

static void test_refuses_scopes(void **state)
{
	static const char *const texts[] = {
	        /* restricts, and whoever does not know it would not see */
	        WITH(HEADER ",\"scope\":{\"hosts\":[\"a\"]}"),
	        WITH(HEADER ",\"scope\":{\"hosts\":[\"a\"]},\"critical\":[]"),
	        WITH(HEADER ",\"scope\":{\"hosts\":[\"a\"]},\"critical\":[\"bind\"]"),
	        WITH(HEADER ",\"scope\":null"), WITH(HEADER ",\"critical\":[\"scope\"]"),
	        WITH(HEADER ",\"scope\":{\"hosts\":[\"a\"]},\"critical\":[\"scope\",\"scope\"]"),
	        WITH(HEADER ",\"scope\":{\"hosts\":[\"a\"]},\"critical\":\"scope\""), SCOPED("1"),
	        SCOPED("null"), SCOPED("[]"), SCOPED("\"web\""), SCOPED("{}"),
	        SCOPED("{\"hosts\":[]}"), SCOPED("{\"hosts\":\"a\"}"), SCOPED("{\"hosts\":null}"),
	        SCOPED("{\"hosts\":{\"a\":\"b\"}}"), SCOPED("{\"hosts\":[1]}"),
	        SCOPED("{\"hosts\":[\"\"]}"), SCOPED("{\"hosts\":[\"a\",\"a\"]}"),
	        SCOPED("{\"hosts\":[\"[a\"]}"), SCOPED("{\"hosts\":[\"a\\\\\"]}"),
	        SCOPED("{\"hosts\":[\"a\\n\"]}"), SCOPED("{\"hosts\":[\"a\",null]}"),
	        SCOPED("{\"hosts\":[\"a\"],\"hosts\":[\"b\"]}"),
	        SCOPED("{\"hosts\":[\"a\"],\"images\":[]}")};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		refused(texts[i]);
}

/* @n different patterns of the hosts, each @width bytes long. */
static int parse_patterns(size_t n, int width, struct statement *ret_statement)
{
	_cleanup_free_ char *text = NULL;
	struct seen seen = {0};
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	assert_non_null(stream);
	fputs("{" TYPE ",\"subject\":[" SUBJECT "]," KIND ",\"predicate\":{" HEADER
	      ",\"critical\":[\"scope\"],\"scope\":{\"hosts\":[",
	        stream);
	for (size_t i = 0; i < n; i++)
		fprintf(stream, "%s\"%0*zu\"", i > 0 ? "," : "", width, i);
	fputs("]}}}", stream);
	assert_int_equal(fclose(stream), 0);
	return parse(text, &seen, ret_statement);
}

static void test_reads_scopes(void **state)
{
	_cleanup_(statement_done) struct statement s = {0}, copy = {0};
	struct seen seen = {0};

	(void)state;
	assert_int_equal(parse(SCOPED("{\"namespaces\":[\"prod\",\"b*\"],\"images\":[\"web:?\"]}"),
	                         &seen, &s),
	        0);
	assert_false(statement_scope_is_everywhere(&s.scope));
	assert_int_equal(s.scope.of[STATEMENT_SCOPE_IMAGES].n, 1);
	assert_int_equal(s.scope.of[STATEMENT_SCOPE_HOSTS].n, 0);
	assert_int_equal(s.scope.of[STATEMENT_SCOPE_NAMESPACES].n, 2);
	assert_string_equal(s.scope.of[STATEMENT_SCOPE_NAMESPACES].items[0], "b*");
	assert_string_equal(s.scope.of[STATEMENT_SCOPE_NAMESPACES].items[1], "prod");
	assert_int_equal(statement_copy(&s, &copy), 0);
	statement_done(&s);
	assert_string_equal(copy.series, "s");
	assert_string_equal(copy.scope.of[STATEMENT_SCOPE_NAMESPACES].items[1], "prod");
	assert_int_equal(parse(BODY(SUBJECT), &seen, &s), 0);
	assert_true(statement_scope_is_everywhere(&s.scope));
	statement_done(&s);
	assert_int_equal(parse_patterns(STATEMENT_PATTERNS_MAX, 4, &s), 0);
	assert_int_equal(s.scope.of[STATEMENT_SCOPE_HOSTS].n, STATEMENT_PATTERNS_MAX);
	assert_int_equal(parse_patterns(STATEMENT_PATTERNS_MAX + 1, 4, NULL), STATEMENT_E_INVALID);
	assert_int_equal(parse_patterns(1, STATEMENT_TEXT_MAX + 1, NULL), STATEMENT_E_INVALID);
	assert_string_equal(statement_scope_kind_name(STATEMENT_SCOPE_HOSTS), "hosts");
	assert_int_equal(statement_scope_kind_from_name("images"), STATEMENT_SCOPE_IMAGES);
	assert_int_equal(statement_scope_kind_from_name("image"), STATEMENT_SCOPE_UNSET);
}

static void add(struct statement_scope *scope, enum statement_scope_kind kind, const char *pattern)
{
	assert_int_equal(statement_scope_add(scope, kind, pattern), 0);
}

static void test_scope_holds(void **state)
{
	_cleanup_(statement_scope_done) struct statement_scope scope = {0};
	char *labels[] = {T("dmz"), T("web-7")};

	(void)state;
	assert_true(statement_scope_holds(&scope, NULL, NULL, NULL, 0));
	add(&scope, STATEMENT_SCOPE_IMAGES, "docker.io/library/web:*");
	add(&scope, STATEMENT_SCOPE_IMAGES, "registry.example/db@sha256:*");
	/* What is not known does not match, not even "*". */
	assert_false(statement_scope_holds(&scope, NULL, NULL, NULL, 0));
	assert_false(statement_scope_holds(&scope, "docker.io/library/webs:1", NULL, NULL, 0));
	assert_false(statement_scope_holds(&scope, "localhost/web:1", NULL, NULL, 0));
	assert_true(statement_scope_holds(&scope, "docker.io/library/web:1", NULL, NULL, 0));
	assert_true(statement_scope_holds(&scope, "registry.example/db@sha256:0", NULL, NULL, 0));
	/* As docker shows what was typed. */
	assert_true(statement_scope_holds(&scope, "web", NULL, NULL, 0));
	assert_true(statement_scope_holds(&scope, "web:2", NULL, NULL, 0));
	assert_false(statement_scope_holds(&scope, "me/web:2", NULL, NULL, 0));
	add(&scope, STATEMENT_SCOPE_NAMESPACES, "*");
	assert_false(statement_scope_holds(&scope, "web", NULL, NULL, 0));
	assert_true(statement_scope_holds(&scope, "web", "prod", NULL, 0));
	add(&scope, STATEMENT_SCOPE_HOSTS, "web-*");
	assert_false(statement_scope_holds(&scope, "web", "prod", NULL, 0));
	assert_false(statement_scope_holds(&scope, "web", "prod", labels, 1));
	assert_true(statement_scope_holds(&scope, "web", "prod", labels, 2));
	assert_false(statement_scope_holds(&scope, "db", "prod", labels, 2));
}

static void test_ids_are_no_names(void **state)
{
	_cleanup_(statement_scope_done) struct statement_scope scope = {0};

	(void)state;
	add(&scope, STATEMENT_SCOPE_IMAGES, "docker.io/library/*");
	assert_true(statement_scope_holds(&scope, "abc", NULL, NULL, 0));
	assert_false(statement_scope_holds(&scope, "", NULL, NULL, 0));
	assert_false(statement_scope_holds(&scope, HEX, NULL, NULL, 0));
	assert_false(statement_scope_holds(&scope, "sha256:" HEX, NULL, NULL, 0));
	assert_false(statement_scope_holds(&scope, "quay.example/abc", NULL, NULL, 0));
	assert_false(statement_scope_holds(&scope, "localhost:5000/abc", NULL, NULL, 0));
}

static void test_scope_add(void **state)
{
	_cleanup_(statement_scope_done) struct statement_scope scope = {0};

	(void)state;
	add(&scope, STATEMENT_SCOPE_HOSTS, "b");
	add(&scope, STATEMENT_SCOPE_HOSTS, "c");
	add(&scope, STATEMENT_SCOPE_HOSTS, "a");
	assert_string_equal(scope.of[STATEMENT_SCOPE_HOSTS].items[0], "a");
	assert_string_equal(scope.of[STATEMENT_SCOPE_HOSTS].items[2], "c");
	assert_int_equal(statement_scope_add(&scope, STATEMENT_SCOPE_HOSTS, "b"), -EEXIST);
	assert_int_equal(statement_scope_add(&scope, STATEMENT_SCOPE_HOSTS, "["), -EINVAL);
	assert_int_equal(statement_scope_add(&scope, STATEMENT_SCOPE_HOSTS, ""), -EINVAL);
	assert_int_equal(statement_scope_add(&scope, STATEMENT_SCOPE_UNSET, "b"), -EINVAL);
	assert_int_equal(statement_scope_add(&scope, _STATEMENT_SCOPE_MAX, "b"), -EINVAL);
	assert_int_equal(scope.of[STATEMENT_SCOPE_HOSTS].n, 3);
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

static void test_writes_scopes(void **state)
{
	_cleanup_(statement_done) struct statement s = example(), again = {0};
	struct statement_subject subject = {.name = T("/usr/bin/tool")};
	struct statement_reader none = {0};
	_cleanup_free_ char *text = NULL;
	char *more;
	size_t size;

	(void)state;
	s.series = strdup(s.series);
	assert_int_equal(digest_from_hex(HEX, &subject.digest), 0);
	add(&s.scope, STATEMENT_SCOPE_HOSTS, "web");
	add(&s.scope, STATEMENT_SCOPE_IMAGES, "docker.io/library/web:*");
	add(&s.scope, STATEMENT_SCOPE_IMAGES, "a\"\\*");
	assert_int_equal(statement_print(&s, &subject, 1, &text, &size), 0);
	check_golden("scope.json", text, size);
	assert_int_equal(statement_parse(text, size, &none, &again, NULL), 0);
	assert_int_equal(again.scope.of[STATEMENT_SCOPE_IMAGES].n, 2);
	s.bind = STATEMENT_BIND_PATH;
	assert_int_equal(statement_print(&s, &subject, 1, &more, &size), 0);
	check_golden("scope_path.json", more, size);
	free(more);
	/* Not sorted, as no parser would leave it. */
	more = s.scope.of[STATEMENT_SCOPE_IMAGES].items[0];
	s.scope.of[STATEMENT_SCOPE_IMAGES].items[0] = s.scope.of[STATEMENT_SCOPE_IMAGES].items[1];
	s.scope.of[STATEMENT_SCOPE_IMAGES].items[1] = more;
	assert_int_equal(statement_print(&s, &subject, 1, &more, &size), -EINVAL);
	for (size_t i = 0; i < 20; i++) {
		char pattern[4000];

		memset(pattern, 'a', sizeof(pattern));
		pattern[i] = '*';
		pattern[sizeof(pattern) - 1] = '\0';
		add(&again.scope, STATEMENT_SCOPE_NAMESPACES, pattern);
	}
	assert_int_equal(statement_print(&again, &subject, 1, &more, &size), -EFBIG);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_reads),
	        cmocka_unit_test(test_refuses_shapes),
	        cmocka_unit_test(test_refuses_predicates),
	        cmocka_unit_test(test_refuses_what_restricts_unknown),
	        cmocka_unit_test(test_refuses_scopes),
	        cmocka_unit_test(test_reads_scopes),
	        cmocka_unit_test(test_scope_holds),
	        cmocka_unit_test(test_ids_are_no_names),
	        cmocka_unit_test(test_scope_add),
	        cmocka_unit_test(test_refuses_subjects),
	        cmocka_unit_test(test_bounds),
	        cmocka_unit_test(test_too_long_is_not_looked_at),
	        cmocka_unit_test(test_reader_ends_it),
	        cmocka_unit_test(test_writes_golden),
	        cmocka_unit_test(test_writes_scopes),
	        cmocka_unit_test(test_writes_nothing_that_it_would_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
