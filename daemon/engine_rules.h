/* What engine.c needs of engine_rules.c. */
#pragma once

#include "daemon/engine.h"

/*
 * Builds the first ruling, or the next one after a reload, from @shared, with the baselines
 * and the lists as they are now: with those from before, if any, when they cannot be read. 0,
 * STORE_E_* or -errno.
 */
int engine_rules_load(
        struct engine *engine, struct shared_config *shared, struct believed *believed);
/* lists_watch_context.changed, clock_set */
int engine_rules_lists(void *userdata);
void engine_rules_clock_set(void *userdata);
/* Whether enforcement is switched off (disabled.h); then @config is made one that reports. */
void engine_look_disabled(struct engine *engine, struct config *config);
/* recorder_context.learned */
void engine_rules_learned(void *userdata);

/* Why something of the database could not be loaded: of STORE_E_X, or -errno; NULL for 0. @too_many
 * for -E2BIG. */
const char *engine_rules_words(int r, const char *too_many);
