/* Lowercase hexadecimal, both ways. No allocation, no locale. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Writes 2 * size lowercase digits and a NUL. @ret_text is the caller's, 2 * size + 1 bytes.
 */
void hex_encode(const uint8_t *data, size_t size, char *ret_text);

/*
 * Reads exactly 2 * size digits (either case) from @text, which need not be terminated but must
 * have @text_size readable bytes. Returns 0, or -EINVAL when text_size != 2 * size or a character
 * is no digit; @ret_data is unspecified then.
 */
int hex_decode(const char *text, size_t text_size, uint8_t *ret_data, size_t size);
