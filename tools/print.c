#include "tools/print.h"

#include "base/clock.h"
#include "core/alert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void print_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	putchar('\n');
}

void print_word(const struct tool *tool, enum colour colour, const char *text)
{
	static const char *const codes[] = {
		[COLOUR_NONE] = "",
		[COLOUR_GOOD] = "\033[32m",
		[COLOUR_BAD] = "\033[1;31m",
		[COLOUR_WARN] = "\033[33m",
		[COLOUR_DIM] = "\033[2m",
	};
	bool on = tool->colour && colour != COLOUR_NONE;

	printf("%s%s%s", on ? codes[colour] : "", text, on ? "\033[0m" : "");
}

char *text_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	char *text = NULL;

	if (json_is_string(value))
		return text_for_terminal(json_string_value(value));
	if (json_is_integer(value) &&
		asprintf(&text, "%" JSON_INTEGER_FORMAT, json_integer_value(value)) >= 0)
		return text;
	return strdup("-");
}

void local_time(int64_t time_ns, char ret_text[32])
{
	time_t t = (time_t)(time_ns / NS_PER_SEC);
	struct tm tm;

	if (!localtime_r(&t, &tm) || strftime(ret_text, 32, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		strcpy(ret_text, "-");
}
