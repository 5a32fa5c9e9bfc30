/* A line on the control socket: parsing, and the table of requests and fields. */
#include "daemon/control_requests.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct request_row *row = NULL;
	json_t *request = NULL;
	char *message = NULL;
	const char *word = control_parse((const char *)data, size, &request, &row, &message);

	/* Either a request with its row, or a word that says why not. */
	if (word ? row != NULL || request != NULL : row == NULL || request == NULL)
		abort();
	json_decref(request);
	free(message);
	return 0;
}
