/*
 * A bill of materials: what is told has a name, and a digest or a lack of one; never more files
 * than the bound.
 */
#include "core/sbom.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static int count(const struct sbom_file *file, void *userdata)
{
	size_t *n = userdata;

	require(file->name && file->name[0] && file->lack < _SBOM_LACK_MAX);
	return ++*n == 1000 ? -ECANCELED : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sbom_error error = {0};
	size_t n = 0;
	int r = sbom_read((const char *)data, size, count, &n, &error);

	require(r == 0 || r == SBOM_E_INVALID || r == SBOM_E_UNKNOWN ||
	        (r == -ECANCELED && n == 1000));
	require(r <= 0 || error.message[0]);
	return 0;
}
