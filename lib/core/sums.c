#include "core/sums.h"

#include <string.h>

#define HEX_SIZE (2u * DIGEST_SIZE)

bool sums_absolute(const char *name, char ret_name[SUMS_NAME_MAX + 2])
{
	size_t n;

	while (name[0] == '.' && name[1] == '/')
		name += 1 + strspn(name + 1, "/");
	n = strlen(name);
	if (n == 0 || n > SUMS_NAME_MAX)
		return false;
	ret_name[0] = '/';
	memcpy(ret_name + (name[0] != '/'), name, n + 1);
	return true;
}

/* Backslash, n or r. False for what sha256sum does not write. */
static bool unescape(char *text)
{
	char *out = text;

	for (; *text; text++) {
		if (*text != '\\') {
			*out++ = *text;
			continue;
		}
		text++;
		if (*text == '\\')
			*out++ = '\\';
		else if (*text == 'n')
			*out++ = '\n';
		else if (*text == 'r')
			*out++ = '\r';
		else
			return false;
	}
	*out = '\0';
	return true;
}

static bool take_digest(const char *text, struct digest *ret_digest)
{
	char hex[DIGEST_HEX_SIZE];

	memcpy(hex, text, HEX_SIZE);
	hex[HEX_SIZE] = '\0';
	return strspn(hex, "0123456789abcdefABCDEF") == HEX_SIZE &&
	       digest_from_hex(hex, ret_digest) == 0;
}

static int take_name(const char *name, size_t size, bool escaped, char ret_name[SUMS_NAME_MAX + 2])
{
	char text[SUMS_NAME_MAX + 1];

	if (size == 0 || size > SUMS_NAME_MAX || memchr(name, '\0', size))
		return SUMS_E_INVALID;
	memcpy(text, name, size);
	text[size] = '\0';
	if (escaped && !unescape(text))
		return SUMS_E_INVALID;
	return sums_absolute(text, ret_name) ? 0 : SUMS_E_INVALID;
}

/* "SHA256 (NAME) = HEX"; a name may hold ") = ", so it is read from the end. */
static int bsd_line(const char *line, size_t size, bool escaped, struct digest *ret_digest,
        char ret_name[SUMS_NAME_MAX + 2])
{
	static const char begin[] = "SHA256 (", middle[] = ") = ";
	const size_t b = strlen(begin), m = strlen(middle);

	if (size < b + m + HEX_SIZE || memcmp(line, begin, b) != 0)
		return SUMS_E_INVALID;
	size -= HEX_SIZE;
	if (memcmp(line + size - m, middle, m) != 0 || !take_digest(line + size, ret_digest))
		return SUMS_E_INVALID;
	return take_name(line + b, size - b - m, escaped, ret_name);
}

static size_t digits_of(const char *line, size_t size)
{
	size_t n = 0;

	while (n < size && strchr("0123456789abcdefABCDEF", line[n]) && line[n])
		n++;
	return n;
}

int sums_line(
        const char *line, size_t size, struct digest *ret_digest, char ret_name[SUMS_NAME_MAX + 2])
{
	bool escaped = size > 0 && line[0] == '\\';
	size_t digits;

	line += escaped;
	size -= escaped;
	if (bsd_line(line, size, escaped, ret_digest, ret_name) == 0)
		return 0;
	digits = digits_of(line, size);
	if (size < digits + 3 || line[digits] != ' ' ||
	        (line[digits + 1] != ' ' && line[digits + 1] != '*'))
		return SUMS_E_INVALID;
	/* MD5, SHA-1, SHA-224, SHA-384, SHA-512 */
	if (digits == 32 || digits == 40 || digits == 56 || digits == 96 || digits == 128)
		return SUMS_E_OTHER;
	if (digits != HEX_SIZE || !take_digest(line, ret_digest))
		return SUMS_E_INVALID;
	return take_name(line + digits + 2, size - digits - 2, escaped, ret_name);
}
