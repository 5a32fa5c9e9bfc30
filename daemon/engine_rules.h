/* What engine.c needs of engine_rules.c. */
#pragma once

#include "daemon/engine.h"

/* Builds the first ruling, or the next one after a reload, from @shared. 0, STORE_E_* or -errno. */
int engine_rules_load(struct engine *engine, struct shared_config *shared);
/* recorder_context.learned */
void engine_rules_learned(void *userdata);
