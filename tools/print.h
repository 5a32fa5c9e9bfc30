/*
 * What the verbs print alike. Text from outside is made harmless for a terminal. A tool that has no
 * memory left for a line says so and exits: nothing here returns NULL unless it says so.
 */
#pragma once

#include "tools/verbs.h"

#include <jansson.h>
#include <stdint.h>

enum colour { COLOUR_NONE, COLOUR_GOOD, COLOUR_BAD, COLOUR_WARN, COLOUR_DIM };

/* One JSON value on one line of stdout, keys sorted. */
void print_json(const json_t *value);
/* @text in colour where stdout takes it. */
void print_word(const struct tool *tool, enum colour colour, const char *text);
/* The colour of a verdict's or a mode's name. */
enum colour colour_of_verdict(const char *verdict);
enum colour colour_of_mode(const char *mode);

/* @text harmless for a terminal; "-" for NULL and "". The caller frees. */
char *text_safe(const char *text);
/* The same of an object's field, string or number. */
char *text_of(const json_t *object, const char *key);
/* The field as it came: NULL when it is no string, or "". Borrowed. */
const char *raw_of(const json_t *object, const char *key);
json_int_t number_of(const json_t *object, const char *key);

/* "rows 9, 10" for an array of numbers of the threat matrix; "" where there is none. The caller
 * frees. */
char *text_of_rows(const json_t *rows);

/*
 * What a grant for an event's image is scoped to, as the daemon scopes what it learns: the image,
 * or the container's own key where no image is known. NULL outside containers. Borrowed.
 */
const char *scope_of_event(const json_t *fields);

/* printf to fresh memory. The caller frees. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * @text as one word of a shell's command line. NULL when it holds what a terminal must not see:
 * such a name cannot be shown for copying. The caller frees.
 */
char *text_shell_word(const char *text);

/* Local time, "2026-11-24 10:59:52". @ret_text has room. */
#define LOCAL_TIME_SIZE 32u
void local_time(int64_t time_ns, char ret_text[LOCAL_TIME_SIZE]);
