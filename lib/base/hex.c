#include "base/hex.h"

#include <errno.h>

void hex_encode(const uint8_t *data, size_t size, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		ret_text[2 * i] = digits[data[i] >> 4];
		ret_text[2 * i + 1] = digits[data[i] & 0xf];
	}
	ret_text[2 * size] = '\0';
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(const char *text, size_t text_size, uint8_t *ret_data, size_t size)
{
	if (text_size / 2 != size || text_size % 2)
		return -EINVAL;
	for (size_t i = 0; i < size; i++) {
		int hi = digit_value(text[2 * i]), lo = digit_value(text[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -EINVAL;
		ret_data[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}
