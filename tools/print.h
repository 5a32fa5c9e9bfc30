/* What the verbs print alike. Text from outside is made harmless for a terminal. */
#pragma once

#include "tools/verbs.h"

#include <jansson.h>
#include <stdint.h>

enum colour { COLOUR_NONE, COLOUR_GOOD, COLOUR_BAD, COLOUR_WARN, COLOUR_DIM };

/* One JSON value on one line of stdout. */
void print_json(const json_t *value);
/* @text in colour where stdout takes it. */
void print_word(const struct tool *tool, enum colour colour, const char *text);
/* Text of a field, harmless; "-" when it is missing. The caller frees. */
char *text_of(const json_t *object, const char *key);
/* Local time, "2026-11-24 10:59:52". @ret_text has room for 32 bytes. */
void local_time(int64_t time_ns, char ret_text[32]);
