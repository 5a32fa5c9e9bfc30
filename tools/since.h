/* --since of several verbs. */
#pragma once

#include <stdint.h>

/* A duration back from now, or a UTC time. 0, or EX_USAGE after saying what is wrong. */
int parse_since(const char *text, int64_t *ret_ns);
