#include "base/strtab.h"

#include <string.h>

const char *strtab_name(const char *const *table, size_t n, int value)
{
	if (value < 0 || (size_t)value >= n || !table[value])
		return "unknown";
	return table[value];
}

int strtab_value(const char *const *table, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (name && table[i] && !strcmp(table[i], name))
			return (int)i;
	return -1;
}
