#include "crypto/dsse_scan.h"

#include <errno.h>
#include <string.h>

#define PAYLOAD "payload"

/* The quote that ends the string whose content starts at @at; @size when none does. */
static size_t end_of_string(const char *text, size_t size, size_t at)
{
	while (at < size) {
		size_t step = 0;

		while (at + step < size && text[at + step] != '"' && text[at + step] != '\\')
			step++;
		at += step;
		if (at >= size || text[at] == '"')
			return at < size ? at : size;
		at += 2; /* a backslash and what it escapes */
	}
	return size;
}

static size_t skip_blanks(const char *text, size_t size, size_t at)
{
	while (at < size &&
	        (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n'))
		at++;
	return at;
}

/* Whether the string that ends before @at is followed by a colon and a string, whose content starts
 * at *ret_at. */
static bool is_member(const char *text, size_t size, size_t at, size_t *ret_at)
{
	at = skip_blanks(text, size, at);
	if (at >= size || text[at] != ':')
		return false;
	at = skip_blanks(text, size, at + 1);
	*ret_at = at + 1;
	return at < size && text[at] == '"';
}

int dsse_scan(const char *text, size_t size, unsigned int depth_max, struct dsse_scan *ret_scan)
{
	struct dsse_scan scan = {0};
	unsigned int depth = 0;

	for (size_t at = 0; at < size; at++) {
		size_t begin = at + 1, end;

		if (text[at] == '{' || text[at] == '[') {
			if (++depth > depth_max)
				return -EINVAL;
		} else if ((text[at] == '}' || text[at] == ']') && depth > 0) {
			depth--;
		}
		if (text[at] != '"')
			continue;
		end = end_of_string(text, size, begin);
		if (end == size)
			return -EINVAL;
		at = end;
		if (scan.found || depth != 1 || end - begin != strlen(PAYLOAD) ||
		        memcmp(text + begin, PAYLOAD, end - begin) != 0 ||
		        !is_member(text, size, end + 1, &begin))
			continue;
		end = end_of_string(text, size, begin);
		if (end == size)
			return -EINVAL;
		scan = (struct dsse_scan){
		        .found = true, .payload_at = begin, .payload_size = end - begin};
		at = end;
	}
	*ret_scan = scan;
	return 0;
}
