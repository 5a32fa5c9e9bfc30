/*
 * The matcher against a table, against a slow and obvious matcher on random input, and against
 * patterns that make a backtracking matcher take for ever.
 */
#include "core/glob.h"

#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row {
	const char *pattern;
	enum glob_kind kind;
	const char *text;
	bool matches;
};

static const struct row rows[] = {
        {"", GLOB_TEXT, "", true},
        {"", GLOB_TEXT, "a", false},
        {"a", GLOB_TEXT, "", false},
        {"a", GLOB_TEXT, "a", true},
        {"a", GLOB_TEXT, "ab", false},
        {"*", GLOB_TEXT, "", true},
        {"*", GLOB_TEXT, "a/b", true},
        {"*", GLOB_PATH, "ab", true},
        {"*", GLOB_PATH, "a/b", false},
        {"**", GLOB_PATH, "a/b", true},
        {"***", GLOB_PATH, "a/b", true},
        {"docker.io/library/gcc:*", GLOB_TEXT, "docker.io/library/gcc:12", true},
        {"docker.io/library/gcc:*", GLOB_TEXT, "docker.io/library/gcc-evil:12", false},
        {"*/gcc:*", GLOB_TEXT, "docker.io/library/gcc:12", true},
        {"/usr/bin/*", GLOB_PATH, "/usr/bin/ls", true},
        {"/usr/bin/*", GLOB_PATH, "/usr/bin/", true},
        {"/usr/bin/*", GLOB_PATH, "/usr/bin/x/ls", false},
        {"/usr/**", GLOB_PATH, "/usr/bin/x/ls", true},
        {"/usr/**/ls", GLOB_PATH, "/usr/bin/x/ls", true},
        {"/usr/**/ls", GLOB_PATH, "/usr/bin/x/lsx", false},
        {"/usr/**/ls", GLOB_PATH, "/usr/ls", false},
        {"/usr/**ls", GLOB_PATH, "/usr/ls", true},
        {"/**/*.sh", GLOB_PATH, "/a/b/c.sh", true},
        {"/**/*.sh", GLOB_PATH, "/a/b.sh/c", false},
        {"/*/*/x", GLOB_PATH, "/a/b/x", true},
        {"/*/x", GLOB_PATH, "/a/b/x", false},
        {"/tmp/a?c", GLOB_PATH, "/tmp/abc", true},
        {"/tmp?abc", GLOB_PATH, "/tmp/abc", false},
        {"/tmp?abc", GLOB_TEXT, "/tmp/abc", true},
        {"/tmp[/]abc", GLOB_PATH, "/tmp/abc", false},
        {"/tmp[!x]abc", GLOB_PATH, "/tmp/abc", false},
        {"/tmp[!x]abc", GLOB_TEXT, "/tmp/abc", true},
        {"[abc]", GLOB_TEXT, "b", true},
        {"[abc]", GLOB_TEXT, "d", false},
        {"[a-c]x", GLOB_TEXT, "bx", true},
        {"[a-c]", GLOB_TEXT, "-", false},
        {"[a-]", GLOB_TEXT, "-", true},
        {"[-a]", GLOB_TEXT, "-", true},
        {"[!a-c]", GLOB_TEXT, "d", true},
        {"[!a-c]", GLOB_TEXT, "b", false},
        {"[c-a]", GLOB_TEXT, "b", false},
        {"[]]", GLOB_TEXT, "]", true},
        {"[!]]", GLOB_TEXT, "]", false},
        {"[!]]", GLOB_TEXT, "a", true},
        {"[]-a]", GLOB_TEXT, "_", true},
        {"[\\]]", GLOB_TEXT, "\\]", true},
        {"[!\x80-\xff]", GLOB_TEXT, "\xc3", false},
        {"[\x80-\xff]", GLOB_TEXT, "\xc3", true},
        {"[a-z]", GLOB_TEXT, "\xc3", false},
        {"\\*", GLOB_TEXT, "*", true},
        {"\\*", GLOB_TEXT, "a", false},
        {"\\a", GLOB_TEXT, "a", true},
        {"a\\[b", GLOB_TEXT, "a[b", true},
        {"\\\\", GLOB_TEXT, "\\", true},
        {"a*b*c", GLOB_TEXT, "abcbc", true},
        {"a*b*c", GLOB_TEXT, "abcb", false},
        {"*ab", GLOB_TEXT, "aab", true},
        {"*ab", GLOB_TEXT, "abab", true},
        {"*a*b", GLOB_PATH, "xa/b", false},
        {"**a*b", GLOB_PATH, "a/xab", true},
        {"**/a*b", GLOB_PATH, "/a/ab", true},
        {"*?", GLOB_TEXT, "", false},
        {"*?", GLOB_TEXT, "a", true},
        /* Faulty patterns never match. */
        {"[a", GLOB_TEXT, "a", false},
        {"[a", GLOB_TEXT, "[a", false},
        {"a\\", GLOB_TEXT, "a\\", false},
        {"a\\", GLOB_TEXT, "a", false},
        {"*[", GLOB_TEXT, "a", false},
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];

		if (glob_match(row->pattern, row->kind, row->text) != row->matches)
			fail_msg(
			        "\"%s\" and \"%s\": not %d", row->pattern, row->text, row->matches);
	}
}

static void check_fault(const char *pattern, size_t expected_at)
{
	size_t at = SIZE_MAX;

	assert_int_equal(glob_check(pattern, &at), -EINVAL);
	assert_int_equal(at, expected_at);
}

static void test_check(void **state)
{
	char longest[GLOB_PATTERN_MAX + 2];
	size_t at = 77;

	(void)state;
	check_fault("[a", 0);
	check_fault("ab[", 2);
	check_fault("ab[!", 2);
	check_fault("ab[]", 2);
	check_fault("ab[!]", 2);
	check_fault("a[b]\\", 4);
	memset(longest, 'a', sizeof(longest));
	longest[GLOB_PATTERN_MAX + 1] = '\0';
	check_fault(longest, GLOB_PATTERN_MAX);
	assert_false(glob_match(longest, GLOB_TEXT, longest));
	/* The last item's own length counts, too. */
	longest[10] = '[';
	longest[GLOB_PATTERN_MAX] = ']';
	check_fault(longest, GLOB_PATTERN_MAX);
	longest[10] = 'a';
	longest[GLOB_PATTERN_MAX] = '\0';
	assert_int_equal(glob_check(longest, &at), 0);
	assert_true(glob_match(longest, GLOB_TEXT, longest));
	assert_int_equal(glob_check("a]b[]]c[!]]\\[", &at), 0);
	assert_int_equal(at, 77); /* written on failure only */
}

/*
 * The definition, word for word, with no thought of speed.
 */
static bool slow(const char *p, enum glob_kind kind, const char *t);

static bool slow_set(const char *p, enum glob_kind kind, const char *t)
{
	bool negated = p[1] == '!', found = false;
	const char *first = p + (negated ? 2 : 1), *end = *first ? strchr(first + 1, ']') : NULL;

	if (!end || !*t || (kind == GLOB_PATH && *t == '/'))
		return false;
	for (const char *s = first; s < end; s++) {
		if (s[1] == '-' && s + 2 < end) {
			for (int c = (unsigned char)s[0]; c <= (unsigned char)s[2]; c++)
				found |= c == (unsigned char)*t;
			s += 2;
		} else {
			found |= *s == *t;
		}
	}
	return found != negated && slow(end + 1, kind, t + 1);
}

static bool slow(const char *p, enum glob_kind kind, const char *t)
{
	switch (*p) {
	case '\0':
		return !*t;
	case '*':
		if (kind == GLOB_PATH && p[1] != '*') {
			if (slow(p + 1, kind, t))
				return true;
			return *t && *t != '/' && slow(p, kind, t + 1);
		}
		if (slow(p + strspn(p, "*"), kind, t))
			return true;
		return *t && slow(p, kind, t + 1);
	case '?':
		return *t && !(kind == GLOB_PATH && *t == '/') && slow(p + 1, kind, t + 1);
	case '[':
		return slow_set(p, kind, t);
	case '\\':
		return p[1] && p[1] == *t && slow(p + 2, kind, t + 1);
	default:
		return *p == *t && slow(p + 1, kind, t + 1);
	}
}

static uint32_t next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u; /* Numerical Recipes' generator */
	return *seed >> 8;
}

static void fill(char *out, size_t max, const char *alphabet, uint32_t *seed)
{
	size_t n = next(seed) % max;

	for (size_t i = 0; i < n; i++)
		out[i] = alphabet[next(seed) % strlen(alphabet)];
	out[n] = '\0';
}

static void test_against_definition(void **state)
{
	uint32_t seed = 20260921;
	unsigned int matched = 0;

	(void)state;
	for (unsigned int i = 0; i < 400000; i++) {
		enum glob_kind kind = i % 2 ? GLOB_PATH : GLOB_TEXT;
		char pattern[12], text[10];
		bool expected;

		fill(pattern, sizeof(pattern), "aab/**?[]!-\\", &seed);
		fill(text, sizeof(text), "aab/]-", &seed);
		expected = slow(pattern, kind, text);
		matched += expected;
		if (glob_match(pattern, kind, text) != expected)
			fail_msg("kind %d, \"%s\" and \"%s\": not %d", kind, pattern, text,
			        expected);
	}
	assert_true(matched > 1000);
}

/* Long patterns and texts that never match: 1024 * 4096 steps each, not cubes or powers of two. */
static void test_hostile_is_linear(void **state)
{
	static const char *const pieces[] = {
	        "*a", "**a", "?*a", "*aaaaaaaaaaaaaaab", "**/*a", "*[a-b]"};
	static char pattern[1024], text[4096];
	int64_t start = clock_monotonic_ns();

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		size_t n = 0, piece = strlen(pieces[i]);

		for (; n + piece + 1 < sizeof(pattern); n += piece)
			memcpy(pattern + n, pieces[i], piece);
		pattern[n] = 'c';
		pattern[n + 1] = '\0';
		assert_false(glob_match(pattern, GLOB_PATH, text));
		assert_false(glob_match(pattern, GLOB_TEXT, text));
	}
	assert_true(
	        clock_monotonic_ns() - start < 20 * NS_PER_SEC); /* sanitizers, loaded machine */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_table),
	        cmocka_unit_test(test_check),
	        cmocka_unit_test(test_against_definition),
	        cmocka_unit_test(test_hostile_is_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
