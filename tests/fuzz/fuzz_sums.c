/* Lines of sha256sum: a name that is read is absolute and bounded. */
#include "core/sums.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[SUMS_NAME_MAX + 2];
	struct digest digest;
	char *exact = malloc(size ? size : 1);
	int r;

	if (!exact)
		abort();
	memcpy(exact, data, size);
	r = sums_line(exact, size, &digest, name);
	if (r != 0 && r != SUMS_E_INVALID && r != SUMS_E_OTHER)
		abort();
	if (r == 0 && (name[0] != '/' || strlen(name) > SUMS_NAME_MAX + 1))
		abort();
	free(exact);
	return 0;
}
