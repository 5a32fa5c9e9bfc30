/* What decodes is exactly what encoding gives back, in the one alphabet or the other. */
#include "base/cleanup.h"
#include "crypto/base64.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char standard(char c)
{
	return c == '-' ? '+' : c == '_' ? '/' : c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ uint8_t *bytes = malloc(base64_decoded_max(size) + 1);
	_cleanup_free_ char *again = malloc(size + 1);
	const char *text = (const char *)data;
	size_t n = 0;

	if (!bytes || !again || base64_decode(text, size, bytes, &n) < 0)
		return 0;
	if (n > base64_decoded_max(size) || base64_encoded_size(n) != size)
		abort();
	base64_encode(bytes, n, again);
	for (size_t i = 0; i < size; i++)
		if (again[i] != standard(text[i]))
			abort();
	return 0;
}
