/* A user's crontab: its first byte says whether entries name a user. */
#include "core/crontab.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take_word(const char *word, void *userdata)
{
	(void)userdata;
	if (strlen(word) >= SHELL_WORD_MAX || !*word)
		abort();
	return 0;
}

static int take_line(const char *command, bool is_path, void *userdata)
{
	return is_path ? 0 : shell_line_each(command, take_word, userdata);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0 &&
	        crontab_each((const char *)data + 1, size - 1, data[0] & 1, take_line, NULL) != 0)
		abort();
	return 0;
}
