/* A container's /etc/passwd. */
#include "core/passwd.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int64_t uid = 0; uid < 3; uid++)
		free(passwd_find((const char *)data, size, uid));
	return 0;
}
