/*
 * Lines for people. The escaping is core's (text_for_terminal); what is here decides what a missing
 * field looks like, and what may stand in a command line that the reader will copy.
 */
#include "tools/print.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "core/alert.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

static char *must(char *text)
{
	if (text)
		return text;
	fputs("execward: out of memory\n", stderr);
	exit(EX_SOFTWARE);
}

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

enum colour colour_of_verdict(const char *verdict)
{
	if (!strcmp(verdict, "deny"))
		return COLOUR_BAD;
	return strcmp(verdict, "allow") ? COLOUR_WARN : COLOUR_GOOD;
}

enum colour colour_of_mode(const char *mode)
{
	return strcmp(mode, "enforce") ? COLOUR_WARN : COLOUR_GOOD;
}

char *text_safe(const char *text)
{
	return must(text && *text ? text_for_terminal(text) : strdup("-"));
}

char *text_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (json_is_integer(value))
		return text_format("%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return text_safe(json_string_value(value));
}

const char *raw_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && *text ? text : NULL;
}

json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

const char *scope_of_event(const json_t *fields)
{
	return raw_of(fields, "execward.image") ?: raw_of(fields, "execward.container_key");
}

char *text_format(const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	return must(n < 0 ? NULL : text);
}

char *text_of_rows(const json_t *rows)
{
	char *text = must(strdup("")), *longer;
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *start = json_array_size(rows) > 1 ? "rows " : "row ";

		longer = text_format("%s%s%lld", i == 0 ? start : text, i == 0 ? "" : ", ",
		        json_integer_value(row));
		free(text);
		text = longer;
	}
	return text;
}

char *text_shell_word(const char *text)
{
	_cleanup_free_ char *safe = text_safe(text);
	size_t plain = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	                            "%+,-./:=@_");
	char *word, *out;

	if (strcmp(safe, text))
		return NULL;
	if (!text[plain] && text[0] != '-')
		return must(strdup(text));
	/* In single quotes nothing is special but their end, which goes to double quotes. */
	word = out = must(malloc(strlen(text) * strlen("'\"'\"'") + sizeof("''")));
	*out++ = '\'';
	for (; *text; text++) {
		if (*text == '\'')
			out = stpcpy(out, "'\"'\"'");
		else
			*out++ = *text;
	}
	memcpy(out, "'", sizeof("'"));
	return word;
}

void local_time(int64_t time_ns, char ret_text[LOCAL_TIME_SIZE])
{
	time_t t = (time_t)(time_ns / NS_PER_SEC);
	struct tm tm;

	if (!localtime_r(&t, &tm) ||
	        strftime(ret_text, LOCAL_TIME_SIZE, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		memcpy(ret_text, "-", sizeof("-"));
}
