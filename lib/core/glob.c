/*
 * The classic matcher with one remembered star instead of recursion: on a mismatch the text is
 * tried again from one byte further on. A '*' that may not cross '/' gives up at a '/', and then
 * an outer '**', if there was one, goes on. Bytes, not characters: names need not be UTF-8.
 */
#include "core/glob.h"

#include <errno.h>
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
	for (const char *p = pattern; *p; p++) {
		const char *end = p;

		if (*p == '[')
			end = set_end(p);
		else if (*p == '\\')
			end = p[1] ? p + 1 : NULL;
		if (!end || (size_t)(p - pattern) >= GLOB_PATTERN_MAX) {
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

/* Matches one byte against the pattern's next item; the item's end, or NULL. */
static const char *match_one(const char *p, enum glob_kind kind, char c)
{
	const char *end;

	switch (*p) {
	case '\0':
	case '*':
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

struct star {
	const char *pattern; /* behind the star; NULL: none yet */
	const char *text;    /* where its run ends at present */
};

static bool retry(struct star *star, bool crosses, const char **p, const char **t)
{
	if (!star->pattern || !*star->text || (!crosses && *star->text == '/'))
		return false;
	star->text++;
	*p = star->pattern;
	*t = star->text;
	return true;
}

bool glob_match(const char *pattern, enum glob_kind kind, const char *text)
{
	struct star one = {0}, any = {0}; /* `*` within a component, `**` (or `*` in names) */
	const char *p = pattern, *t = text;

	for (;;) {
		const char *next = *t ? match_one(p, kind, *t) : NULL;

		if (*p == '*') {
			bool crosses = kind == GLOB_TEXT || p[1] == '*';

			while (*p == '*')
				p++;
			if (crosses) {
				any = (struct star){p, t};
				one.pattern = NULL;
			} else {
				one = (struct star){p, t};
			}
			continue;
		}
		if (next) {
			p = next;
			t++;
			continue;
		}
		if (!*p && !*t)
			return true;
		if (retry(&one, false, &p, &t))
			continue;
		one.pattern = NULL;
		if (!retry(&any, true, &p, &t))
			return false;
	}
}
