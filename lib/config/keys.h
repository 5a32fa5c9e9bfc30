/* Every key of the configuration; tests compare documentation and default file with it. */
#pragma once

#include "config/schema.h"

/* Fills a struct config. */
extern const struct record config_record;
