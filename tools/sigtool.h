/*
 * The same program by the name of `sigtool`: field tools call it to ask whether a file is signed,
 * and look at its exit code alone.
 */
#pragma once

#include <stdbool.h>

/* By the last part of argv[0]. */
bool sigtool_is_called(const char *program);
/* An exit code: 0 only when a trusted signature vouches for every file that was named. */
int sigtool_main(int argc, char **argv);
