/*
 * Any bytes as text: UTF-8 comes out as jansson accepts it, unchanged when it was UTF-8 already,
 * and what goes to a terminal holds no control character.
 */
#include "base/cleanup.h"
#include "core/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static bool is_utf8(const char *text)
{
	json_t *value = json_string(text);

	json_decref(value);
	return value != NULL;
}

static void check_utf8(const char *text)
{
	_cleanup_free_ char *utf8 = text_to_utf8(text);

	require(utf8 && is_utf8(utf8));
	require(is_utf8(text) == !strcmp(text, utf8));
}

static void check_terminal(const char *text)
{
	_cleanup_free_ char *shown = text_for_terminal(text);

	require(shown && is_utf8(shown));
	for (const char *p = shown; *p; p++)
		require((unsigned char)*p >= 0x20 && *p != 0x7f &&
		        !((unsigned char)p[0] == 0xc2 && (unsigned char)p[1] < 0xa0));
}

static void check_time(const char *text)
{
	char time[TIME_TEXT_SIZE];
	int64_t time_ns = 0;

	memcpy(&time_ns, text, strnlen(text, sizeof(time_ns)));
	time_to_rfc3339(time_ns, time);
	require(strlen(time) == TIME_TEXT_SIZE - 1 && time[10] == 'T' && time[29] == 'Z');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = strndup((const char *)data, size);

	if (!text)
		return 0;
	check_utf8(text);
	check_terminal(text);
	check_time(text);
	return 0;
}
