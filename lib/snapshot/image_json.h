/*
 * JSON of strangers: bounded in size and depth before it is parsed, keys once each, texts without
 * NUL and with a bound.
 */
#pragma once

#include "core/types.h"

#include <jansson.h>

#define IMAGE_JSON_MAX       (64u * 1024u * 1024u) /* bytes of one file */
#define IMAGE_JSON_DEPTH_MAX 32u
#define IMAGE_TEXT_MAX       1024u /* bytes of a reference, a digest or a member's name */

/* NULL when it is malformed, too large, too deep or memory is short. json_decref(). */
json_t *image_json_load(const char *text, size_t size);
/* The text of @value, or NULL: not a text, empty, too long, with a NUL. Borrowed. */
const char *image_json_text(const json_t *value);
const char *image_json_get(const json_t *object, const char *key);
/* A "sha256:<64 hex>". 0 or -EINVAL. */
int image_json_digest(const char *text, struct digest *ret_digest);

static inline void image_json_decref(json_t **json)
{
	json_decref(*json);
}
