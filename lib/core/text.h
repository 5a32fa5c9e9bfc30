/*
 * Hostile bytes as text that can be shown, and times as RFC 3339. Nothing here knows a locale or a
 * time zone.
 */
#pragma once

#include <stdint.h>

/* Replaces what is not UTF-8 by U+FFFD. The caller frees; NULL when memory is short or @text is. */
char *text_to_utf8(const char *text);

/*
 * For a terminal: every control character (C0, DEL, C1), bidirectional control, invisible character
 * and line separator as \xNN or \u{NNNN}, a byte that is not UTF-8 as \xNN, and a backslash
 * doubled. The caller frees; NULL when memory is short or @text is.
 */
char *text_for_terminal(const char *text);

/*
 * `2026-09-21T14:14:02.123456789Z`. A time before 1970 is shown as 1970.
 */
#define TIME_TEXT_SIZE 31u /* bytes, with the NUL */
void time_to_rfc3339(int64_t time_ns, char ret_text[TIME_TEXT_SIZE]);
