/*
 * MD5, which anybody can forge: for comparing with what package databases keep, as an explanation.
 * Nothing is trusted for it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MD5_SIZE 16u /* bytes; RFC 1321 */

struct md5_stream;

/* 0, -ENOMEM, or -EIO when OpenSSL has no MD5 (a FIPS provider alone). */
int md5_stream_new(struct md5_stream **ret_stream);
void md5_stream_free(struct md5_stream *stream);
int md5_stream_update(struct md5_stream *stream, const void *data, size_t size);
/* Ends the stream; it can only be freed afterwards. */
int md5_stream_final(struct md5_stream *stream, uint8_t ret_md5[MD5_SIZE]);
