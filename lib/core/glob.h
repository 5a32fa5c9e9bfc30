/*
 * Shell-like patterns without a shell, a locale or a recursion that an attacker can make slow:
 * `*` any run of bytes (not '/' in path patterns), `**` any run, `?` one byte, `[abc]`, `[a-z]`,
 * `[!a]`, `\x` the byte x. In a set a ']' that comes first and a '-' at an end stand for
 * themselves, and a backslash is a byte like another. Time is O(pattern * text), memory O(pattern)
 * on the stack.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define GLOB_PATTERN_MAX 4096u /* bytes */

enum glob_kind {
	GLOB_TEXT = 0, /* `*` matches every byte: image and container names */
	GLOB_PATH,     /* `*`, `?` and sets do not match '/'; `**` does */
};

/* 0, or -EINVAL with the 0-based byte of the fault in @reterr_at: open '[', trailing '\\', too
 * long. */
int glob_check(const char *pattern, size_t *reterr_at);

/* @pattern must have passed glob_check(); a faulty one never matches. */
bool glob_match(const char *pattern, enum glob_kind kind, const char *text);
