/* A unit file, and the lines for a shell in it. */
#include "core/crontab.h"
#include "core/unit_exec.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count(const char *word, void *userdata)
{
	size_t *n = userdata;

	*n += strlen(word);
	return 0;
}

static int take(enum unit_word_kind kind, const char *word, void *userdata)
{
	if (strlen(word) >= UNIT_WORD_MAX || !*word)
		abort();
	return kind == UNIT_WORD_SCRIPT ? shell_line_each(word, count, userdata) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool installs;
	size_t n = 0;

	if (unit_exec_each((const char *)data, size, take, &n, &installs) != 0)
		abort();
	return 0;
}
