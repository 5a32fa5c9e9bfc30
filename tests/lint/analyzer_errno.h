/*
 * Given to clang-tidy before each file, never compiled. The analyser does not know that errno is
 * positive after a failed call, and so takes every `return -errno` for a possible 0 and what ret_x
 * points to for unset. Paths on which errno is 0 are the price: strtoul's callers, which tests
 * cover.
 */
#pragma once

#include <errno.h>

static inline int *analyzer_errno(void)
{
	int *location = __errno_location();

	if (*location <= 0)
		__builtin_unreachable();
	return location;
}

#undef errno
#define errno (*analyzer_errno())
