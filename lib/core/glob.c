/*
 * All the ways a pattern can match are followed at once: a list of the places in the pattern that
 * the text read so far can have reached, ascending and without repeats. One pass over the text, at
 * most one step a place and byte, and memory for the pattern only, so that no name can make a match
 * slow. Bytes, not characters: names need not be UTF-8.
 */
#include "core/glob.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* The end of the set that starts at p ('['), or NULL when it is open. */
static const char *set_end(const char *p)
{
	p++;
	if (*p == '!')
		p++;
	if (*p == ']')
		p++; /* a ']' that comes first stands for itself */
	while (*p && *p != ']')
		p++;
	return *p ? p : NULL;
}

int glob_check(const char *pattern, size_t *reterr_at)
{
	if (strnlen(pattern, GLOB_PATTERN_MAX + 1) > GLOB_PATTERN_MAX) {
		*reterr_at = GLOB_PATTERN_MAX;
		return -EINVAL;
	}
	for (const char *p = pattern; *p; p++) {
		const char *end = p;

		if (*p == '[')
			end = set_end(p);
		else if (*p == '\\')
			end = p[1] ? p + 1 : NULL;
		if (!end) {
			*reterr_at = (size_t)(p - pattern);
			return -EINVAL;
		}
		p = end;
	}
	return 0;
}

static bool set_has(const char *p, const char *end, unsigned char c)
{
	bool negated = p[1] == '!', found = false;

	p += negated ? 2 : 1;
	do {
		unsigned char low = (unsigned char)*p, high = low;

		if (p[1] == '-' && p + 2 < end) {
			high = (unsigned char)p[2];
			p += 2;
		}
		found |= c >= low && c <= high;
		p++;
	} while (p < end);
	return found != negated;
}

/* Matches one byte against the item at p, which is no star; the item's end, or NULL. */
static const char *match_one(const char *p, enum glob_kind kind, char c)
{
	const char *end;

	switch (*p) {
	case '\0':
		return NULL;
	case '?':
		return kind == GLOB_PATH && c == '/' ? NULL : p + 1;
	case '[':
		end = set_end(p);
		if (!end || (kind == GLOB_PATH && c == '/') || !set_has(p, end, (unsigned char)c))
			return NULL;
		return end + 1;
	case '\\':
		return p[1] && p[1] == c ? p + 2 : NULL;
	default:
		return *p == c ? p + 1 : NULL;
	}
}

/* The stars at p as one item: where it ends, and whether it may cross '/'. */
static const char *stars_end(const char *p, enum glob_kind kind, bool *ret_crosses)
{
	*ret_crosses = kind == GLOB_TEXT || p[1] == '*';
	while (*p == '*')
		p++;
	return p;
}

/* Places in the pattern, as offsets. */
struct places {
	size_t n;
	uint16_t at[GLOB_PATTERN_MAX + 1];
};

/*
 * Adds p, and what is behind it when it is a star: a star may match nothing. Places come in
 * ascending order, except one that the place before has added already.
 */
static void add(struct places *places, const char *pattern, const char *p, enum glob_kind kind)
{
	uint16_t at = (uint16_t)(p - pattern);
	bool crosses;

	if (places->n > 0 && at <= places->at[places->n - 1])
		return;
	if (*p != '*') {
		places->at[places->n++] = at;
		return;
	}
	p = stars_end(p, kind, &crosses);
	/* A star that takes anything can wait for ever: what is still before it adds nothing. */
	if (crosses)
		places->n = 0;
	places->at[places->n++] = at;
	places->at[places->n++] = (uint16_t)(p - pattern);
}

/* The places that are reached from @from by one byte. */
static void step(const struct places *from, const char *pattern, enum glob_kind kind, char c,
        struct places *ret_to)
{
	ret_to->n = 0;
	for (size_t i = 0; i < from->n; i++) {
		const char *p = pattern + from->at[i];
		bool crosses = false;

		if (*p == '*') {
			(void)stars_end(p, kind, &crosses);
			if (!crosses && c == '/')
				continue;
		} else {
			p = match_one(p, kind, c);
		}
		if (p)
			add(ret_to, pattern, p, kind);
	}
}

bool glob_match(const char *pattern, enum glob_kind kind, const char *text)
{
	struct places a, b, *here = &a, *next = &b;
	size_t length = strnlen(pattern, GLOB_PATTERN_MAX + 1);

	if (length > GLOB_PATTERN_MAX)
		return false;
	here->n = 0;
	add(here, pattern, pattern, kind);
	for (; *text && here->n > 0; text++) {
		struct places *swap = here;

		step(here, pattern, kind, *text, next);
		here = next;
		next = swap;
	}
	return here->n > 0 && here->at[here->n - 1] == length;
}
