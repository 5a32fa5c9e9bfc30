/*
 * proc(5), "/proc/pid/mountinfo": id parent major:minor root mountpoint options optional... - type
 * source superblock-options. Fields are separated by one space; space, tab, newline and backslash
 * in them are octal escapes, so that neither a mount point nor a source can make a field or a line
 * of its own. A field may be empty (the source of some mounts is).
 *
 * A line without its newline was cut off: half of a layer's path is the path of something else.
 */
#include "core/mountinfo.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void mountinfo_line_done(struct mountinfo_line *line)
{
	free(line->root);
	free(line->mountpoint);
	free(line->fstype);
	free(line->source);
	free(line->options);
	memset(line, 0, sizeof(*line));
}

/* The next field, or NULL at the end of the line. */
static const char *next_field(const char **p, const char *end, size_t *ret_size)
{
	const char *start = *p, *space;

	if (start >= end)
		return NULL;
	space = memchr(start, ' ', (size_t)(end - start));
	*ret_size = (size_t)((space ?: end) - start);
	*p = space ? space + 1 : end;
	return start;
}

static int digit(char c)
{
	return c >= '0' && c <= '7' ? c - '0' : -1;
}

static char *unescape(const char *text, size_t size)
{
	char *out = malloc(size + 1), *q = out;

	if (!out)
		return NULL;
	for (size_t i = 0; i < size; i++) {
		int code = -1;

		if (text[i] == '\\' && size - i > 3 && digit(text[i + 1]) >= 0 &&
		        digit(text[i + 2]) >= 0 && digit(text[i + 3]) >= 0)
			code = digit(text[i + 1]) * 64 + digit(text[i + 2]) * 8 +
			       digit(text[i + 3]);
		if (code > 0 && code < 256) { /* neither a NUL nor past a byte */
			*q++ = (char)code;
			i += 3;
		} else {
			*q++ = text[i];
		}
	}
	*q = '\0';
	return out;
}

static int parse_number(const char *text, size_t size, char stop, uint64_t *ret, size_t *ret_used)
{
	uint64_t value = 0;
	size_t i = 0;

	for (; i < size && text[i] >= '0' && text[i] <= '9'; i++) {
		if (value > (UINT64_MAX - 9) / 10)
			return -EINVAL;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	if (i == 0 || (stop ? i >= size || text[i] != stop : i != size))
		return -EINVAL;
	*ret = value;
	*ret_used = i + (stop ? 1 : 0);
	return 0;
}

static int parse_dev(const char *text, size_t size, struct mountinfo_line *line)
{
	uint64_t major = 0, minor = 0;
	size_t used, rest;

	if (parse_number(text, size, ':', &major, &used) < 0 ||
	        parse_number(text + used, size - used, 0, &minor, &rest) < 0 ||
	        major > UINT32_MAX || minor > UINT32_MAX)
		return -EINVAL;
	line->dev_major = (uint32_t)major;
	line->dev_minor = (uint32_t)minor;
	return 0;
}

/* A copy of the next field with its escapes undone. */
static int next_text(const char **p, const char *end, char **ret_text)
{
	size_t size;
	const char *field = next_field(p, end, &size);

	if (!field)
		return -EINVAL;
	*ret_text = unescape(field, size);
	return *ret_text ? 0 : -ENOMEM;
}

static int next_number(const char **p, const char *end, uint64_t *ret)
{
	size_t size, used;
	const char *field = next_field(p, end, &size);

	return field ? parse_number(field, size, 0, ret, &used) : -EINVAL;
}

/* Everything up to the mount point. */
static int parse_head(const char **p, const char *end, struct mountinfo_line *line)
{
	const char *field;
	size_t size;
	int r;

	if (next_number(p, end, &line->id) < 0 || next_number(p, end, &line->parent) < 0)
		return -EINVAL;
	field = next_field(p, end, &size);
	if (!field || parse_dev(field, size, line) < 0)
		return -EINVAL;
	r = next_text(p, end, &line->root);
	return r < 0 ? r : next_text(p, end, &line->mountpoint);
}

/* Skips the mount's options and the optional fields (shared:N, master:N), then reads the rest. */
static int parse_tail(const char **p, const char *end, struct mountinfo_line *line)
{
	const char *field;
	size_t size;
	int r;

	if (!next_field(p, end, &size))
		return -EINVAL;
	do {
		field = next_field(p, end, &size);
		if (!field)
			return -EINVAL;
	} while (size != 1 || field[0] != '-');
	r = next_text(p, end, &line->fstype);
	if (r == 0)
		r = next_text(p, end, &line->source);
	if (r < 0)
		return r;
	field = next_field(p, end, &size);
	if (!field || size == 0) /* "rw" or "ro" at least */
		return -EINVAL;
	line->options = strndup(field, size);
	return line->options ? 0 : -ENOMEM;
}

int mountinfo_next(const char **cursor, const char *end, struct mountinfo_line *ret_line)
{
	_cleanup_(mountinfo_line_done) struct mountinfo_line line = {0};
	const char *p = *cursor, *newline;
	int r;

	if (p >= end)
		return 0;
	newline = memchr(p, '\n', (size_t)(end - p));
	*cursor = newline ? newline + 1 : end;
	if (!newline || memchr(p, '\0', (size_t)(newline - p)))
		return -EINVAL;
	r = parse_head(&p, newline, &line);
	if (r == 0)
		r = parse_tail(&p, newline, &line);
	if (r < 0)
		return r;
	*ret_line = line;
	memset(&line, 0, sizeof(line));
	return 1;
}
