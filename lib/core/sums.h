/*
 * What sha256sum(1) writes, line by line: "HEX  NAME", "HEX *NAME" in binary mode, "\HEX  NAME"
 * with \n, \r and \\ in the name, and the BSD form "SHA256 (NAME) = HEX". Pure.
 */
#pragma once

#include "core/types.h"

#include <stddef.h>

#define SUMS_NAME_MAX 4096u /* bytes; PATH_MAX */

enum {
	SUMS_E_INVALID = 1, /* the line is none of these */
	SUMS_E_OTHER,       /* a sum of another length: another program's */
};

/*
 * One line of @size bytes without its newline. @ret_name is absolute: a relative one is below the
 * root, "./usr/bin/x" and "usr/bin/x" alike. 0 or SUMS_E_X. Whether the name can be one of a list
 * is the caller's to ask: it is a string of any bytes.
 */
int sums_line(
        const char *line, size_t size, struct digest *ret_digest, char ret_name[SUMS_NAME_MAX + 2]);

/* @name as sums_line() gives it. False when it is empty or too long. */
bool sums_absolute(const char *name, char ret_name[SUMS_NAME_MAX + 2]);
