/*
 * Integers become reals, since a limit of "unlimited" does not fit jansson's integers, and no
 * number is used here. A NUL in one text is that text's fault alone.
 */
#include "snapshot/image_json.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Brackets outside of texts, before jansson recurses into them (it allows 2048 levels). */
static bool is_shallow(const char *text, size_t size)
{
	unsigned int depth = 0;
	bool inside = false;

	for (size_t i = 0; i < size; i++) {
		if (inside && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			inside = !inside;
		else if (!inside && (text[i] == '{' || text[i] == '[') &&
		         ++depth > IMAGE_JSON_DEPTH_MAX)
			return false;
		else if (!inside && (text[i] == '}' || text[i] == ']') && depth > 0)
			depth--;
	}
	return true;
}

json_t *image_json_load(const char *text, size_t size)
{
	if (size > IMAGE_JSON_MAX || !is_shallow(text, size))
		return NULL;
	return json_loadb(text, size,
	        JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
}

const char *image_json_text(const json_t *value)
{
	const char *text = json_string_value(value);

	if (!text || !*text || json_string_length(value) != strlen(text) ||
	        strlen(text) > IMAGE_TEXT_MAX)
		return NULL;
	return text;
}

const char *image_json_get(const json_t *object, const char *key)
{
	return image_json_text(json_object_get(object, key));
}

int image_json_digest(const char *text, struct digest *ret_digest)
{
	if (!text || strncmp(text, "sha256:", 7) != 0 ||
	        strspn(text + 7, "0123456789abcdef") != 2 * DIGEST_SIZE)
		return -EINVAL;
	return digest_from_hex(text + 7, ret_digest);
}
