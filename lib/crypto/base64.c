#include "crypto/base64.h"

#include <errno.h>

/* What a character is worth, and which alphabets have it. */
enum alphabet {
	ALPHABET_BOTH = 0x00,
	ALPHABET_STANDARD = 0x40,
	ALPHABET_URL = 0x80,
	ALPHABET_NONE = 0xff,
};

size_t base64_encoded_size(size_t size)
{
	return (size / 3 + (size % 3 != 0)) * 4;
}

size_t base64_decoded_max(size_t text_size)
{
	return text_size / 4 * 3;
}

void base64_encode(const uint8_t *data, size_t size, char *ret_text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	                             "0123456789+/";

	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		uint32_t bits = (uint32_t)data[i] << 16;

		if (left > 1)
			bits |= (uint32_t)data[i + 1] << 8;
		if (left > 2)
			bits |= data[i + 2];
		*ret_text++ = digits[bits >> 18];
		*ret_text++ = digits[bits >> 12 & 63];
		*ret_text++ = left > 1 ? digits[bits >> 6 & 63] : '=';
		*ret_text++ = left > 2 ? digits[bits & 63] : '=';
	}
	*ret_text = '\0';
}

/* Six bits, with the bits of enum alphabet above them. */
static unsigned int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned int)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned int)(c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0' + 52);
	switch (c) {
	case '+':
		return 62 | ALPHABET_STANDARD;
	case '/':
		return 63 | ALPHABET_STANDARD;
	case '-':
		return 62 | ALPHABET_URL;
	case '_':
		return 63 | ALPHABET_URL;
	default:
		return ALPHABET_NONE;
	}
}

/* Characters of padding at the end of a text of whole groups. */
static size_t padding_of(const char *text, size_t size)
{
	if (size == 0 || text[size - 1] != '=')
		return 0;
	return text[size - 2] == '=' ? 2 : 1;
}

int base64_decode(const char *text, size_t text_size, uint8_t *ret_data, size_t *ret_size)
{
	unsigned int alphabets = 0;
	uint32_t bits = 0;
	size_t padding, digits, n = 0;

	if (text_size % 4)
		return -EINVAL;
	padding = padding_of(text, text_size);
	digits = text_size - padding;
	for (size_t i = 0; i < digits; i++) {
		unsigned int value = value_of(text[i]);

		if (value == ALPHABET_NONE)
			return -EINVAL;
		alphabets |= value & (ALPHABET_STANDARD | ALPHABET_URL);
		bits = bits << 6 | (value & 63);
		if (i % 4 == 0)
			continue;
		/* The second digit of a group ends its first byte, and so on. */
		ret_data[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
	}
	/* One or two digits of padding leave four or two bits, which nobody may use. */
	if (padding > 0 && bits & (padding == 2 ? 0xf : 0x3))
		return -EINVAL;
	if (alphabets == (ALPHABET_STANDARD | ALPHABET_URL))
		return -EINVAL;
	*ret_size = n;
	return 0;
}
