/* Rows as JSON objects, for the control requests. New references, or NULL when memory is short. */
#pragma once

#include "store/store.h"

#include <jansson.h>

json_t *control_drop_json(const struct store_drop_row *row);
json_t *control_grant_json(const struct grant *grant);
