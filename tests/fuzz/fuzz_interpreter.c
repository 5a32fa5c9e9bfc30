/* The head of a file that something would start. */
#include "core/interpreter.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct interpreter found;

	if (interpreter_of(data, size, &found) &&
	        (!*found.path || strlen(found.path) >= INTERPRETER_PATH_MAX ||
	                strlen(found.name) >= INTERPRETER_PATH_MAX))
		abort();
	return 0;
}
