/*
 * Base64 of RFC 4648, decoded strictly: what is accepted has exactly one way to be written in its
 * alphabet. EVP_DecodeBlock() takes "====", loose bits after the last byte and white space, and
 * miscounts padding; two texts of the same bytes are what signature tools have tripped over.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Characters of @size bytes, padding included, the NUL not. */
size_t base64_encoded_size(size_t size);

/* The standard alphabet, padded, and a NUL: @ret_text has base64_encoded_size() + 1 bytes. */
void base64_encode(const uint8_t *data, size_t size, char *ret_text);

/* Bytes that @text_size characters can hold at most. */
size_t base64_decoded_max(size_t text_size);

/*
 * The standard (+/) or the URL-safe (-_) alphabet, not both in one text; padded; nothing else than
 * that, and no bits set behind the last byte. @ret_data has base64_decoded_max(text_size) bytes,
 * and is unspecified on failure. 0 or -EINVAL.
 */
int base64_decode(const char *text, size_t text_size, uint8_t *ret_data, size_t *ret_size);
