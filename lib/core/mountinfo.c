/*
 * proc(5), "/proc/pid/mountinfo": id parent major:minor root mountpoint options optional... - type
 * source superblock-options. Fields are separated by one space; space, tab, newline and backslash
 * in them are octal escapes.
 */
#include "core/mountinfo.h"

#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
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
			code = digit(text[i + 1]) * 64 + digit(text[i + 2]) * 8 + digit(text[i + 3]);
		if (code > 0 && code < 256) {
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

static int parse_head(const char **p, const char *end, struct mountinfo_line *line)
{
	const char *field;
	size_t size, used;

	field = next_field(p, end, &size);
	if (!field || parse_number(field, size, 0, &line->id, &used) < 0)
		return -EINVAL;
	field = next_field(p, end, &size);
	if (!field || parse_number(field, size, 0, &line->parent, &used) < 0)
		return -EINVAL;
	field = next_field(p, end, &size);
	if (!field || parse_dev(field, size, line) < 0)
		return -EINVAL;
	field = next_field(p, end, &size);
	if (!field || !(line->root = unescape(field, size)))
		return -EINVAL;
	field = next_field(p, end, &size);
	if (!field || !(line->mountpoint = unescape(field, size)))
		return -EINVAL;
	return 0;
}

static int parse_tail(const char **p, const char *end, struct mountinfo_line *line)
{
	const char *field;
	size_t size;

	do {
		field = next_field(p, end, &size);
		if (!field)
			return -EINVAL;
	} while (size != 1 || field[0] != '-');
	field = next_field(p, end, &size);
	if (!field || !(line->fstype = unescape(field, size)))
		return -EINVAL;
	field = next_field(p, end, &size);
	if (!field || !(line->source = unescape(field, size)))
		return -EINVAL;
	field = next_field(p, end, &size);
	line->options = strndup(field ?: "", field ? size : 0);
	return line->options ? 0 : -ENOMEM;
}

int mountinfo_next(const char **cursor, const char *end, struct mountinfo_line *ret_line)
{
	_cleanup_(mountinfo_line_done) struct mountinfo_line line = {0};
	const char *p = *cursor, *newline;

	if (p >= end)
		return 0;
	newline = memchr(p, '\n', (size_t)(end - p));
	*cursor = newline ? newline + 1 : end;
	if (memchr(p, '\0', (size_t)((newline ?: end) - p)))
		return -EINVAL;
	if (parse_head(&p, newline ?: end, &line) < 0 || parse_tail(&p, newline ?: end, &line) < 0)
		return -EINVAL;
	*ret_line = line;
	memset(&line, 0, sizeof(line));
	return 1;
}
