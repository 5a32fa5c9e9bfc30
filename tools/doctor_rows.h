/* What the doctor knows about the daemon's faults and features, by the daemon's names for them. */
#pragma once

#include "tools/findings.h"

#include <stdbool.h>

/* For a fault that this tool does not know too. */
const struct advice *doctor_fault_advice(const char *name);

/* Programs can get past, or be denied by mistake, while the feature is missing. */
bool doctor_feature_is_grave(const char *name);
