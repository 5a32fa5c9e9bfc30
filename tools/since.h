/* --since and --for of several verbs. */
#pragma once

#include <stdint.h>

/* A duration back from now, a date or a time. 0, or EX_USAGE after saying what is wrong. */
int parse_since(const char *verb, const char *text, int64_t *ret_ns);
/* A duration of more than nothing. 0, or EX_USAGE after saying what is wrong. */
int parse_for(const char *verb, const char *text, int64_t *ret_ns);
