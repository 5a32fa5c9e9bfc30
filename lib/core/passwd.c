/* name:password:uid:...; lines that are anything else are passed over. */
#include "core/passwd.h"

#include <string.h>

/* The number between two colons; -1 when it is none. */
static int64_t parse_uid(const char *text, const char *end)
{
	int64_t value = 0;

	if (text == end)
		return -1;
	for (; text < end && *text >= '0' && *text <= '9'; text++) {
		value = value * 10 + (*text - '0');
		if (value > UINT32_MAX)
			return -1;
	}
	return text == end ? value : -1;
}

char *passwd_find(const char *text, size_t size, int64_t uid)
{
	const char *end = text + size;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text)) ?: end;
		const char *name = memchr(text, ':', (size_t)(newline - text));
		const char *password =
		        name ? memchr(name + 1, ':', (size_t)(newline - name) - 1) : NULL;
		const char *last =
		        password ? memchr(password + 1, ':', (size_t)(newline - password) - 1)
		                 : NULL;

		if (last && name > text && (size_t)(name - text) <= PASSWD_NAME_MAX &&
		        parse_uid(password + 1, last) == uid)
			return strndup(text, (size_t)(name - text));
		text = newline < end ? newline + 1 : end;
	}
	return NULL;
}
