/*
 * A pattern, a NUL, a text. A pattern that glob_check() refuses never matches; one that it accepts
 * matches what it must: itself when it is literal, and everything behind a leading `**`.
 */
#include "base/cleanup.h"
#include "core/glob.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check(const char *pattern, enum glob_kind kind, const char *text)
{
	_cleanup_free_ char *longer = NULL;
	size_t at = SIZE_MAX;
	bool faulty = glob_check(pattern, &at) < 0;
	bool matches = glob_match(pattern, kind, text);

	require(!faulty || (!matches && at <= strlen(pattern)));
	require(faulty || at == SIZE_MAX);
	if (!faulty && !strpbrk(pattern, "*?[\\"))
		require(matches == !strcmp(pattern, text));
	if (!matches || asprintf(&longer, "**%s", pattern) < 0)
		return;
	require(strlen(longer) > GLOB_PATTERN_MAX || glob_match(longer, kind, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *pattern = strndup((const char *)data, size);
	_cleanup_free_ char *text = NULL;
	size_t used;

	if (!pattern)
		return 0;
	used = strlen(pattern) < size ? strlen(pattern) + 1 : size;
	text = strndup((const char *)data + used, size - used);
	if (!text)
		return 0;
	check(pattern, GLOB_TEXT, text);
	check(pattern, GLOB_PATH, text);
	return 0;
}
