/*
 * String tables: the one mapping between an enum and its names. A table is a `const char *const`
 * array indexed by the enum; NULL marks a value without a name.
 */
#pragma once

#include <stddef.h>

/* The name of @value, or "unknown" when it has none. Never NULL; static storage. */
const char *strtab_name(const char *const *table, size_t n, int value);

/* The index of @name, or -1; NULL is no name. */
int strtab_value(const char *const *table, size_t n, const char *name);

#define STRTAB_SIZE(table) (sizeof(table) / sizeof((table)[0]))
