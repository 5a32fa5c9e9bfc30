/* The daemon's configuration, as tools read it. */
#pragma once

#include "config/config.h"

/* @path, or where it lies by default, or without that the defaults. 0, or says what is wrong and
 * returns an exit code. */
int tool_config_load(const char *path, struct config **ret_config);
