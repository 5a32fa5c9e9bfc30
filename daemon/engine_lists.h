/*
 * Signed lists and the keys that they are believed by, as engine_rules.c needs them to build a
 * ruling; and what `status` says of them.
 */
#pragma once

#include "daemon/engine.h"

/*
 * The lists that are in the database now, as a reference; those from before (NULL: none) when they
 * cannot be read, which engine_lists_error() tells. With them comes the latest trusted now. Loading
 * held.
 */
struct allowlists *engine_lists_next(struct engine *engine);

/*
 * The keys directory of @config for a reload: 0; CONFIG_E_INVALID when it is faulty, then with its
 * fault as the message of @reterr_error; -ENOMEM.
 */
int engine_lists_believe(const struct config *config, struct believed **ret_believed,
        struct config_error *reterr_error);
/* The same for the start, where a faulty one is logged and believes nobody. 0 or -ENOMEM. */
int engine_lists_believe_first(const struct config *config, struct believed **ret_believed);

/* One list, and how it is believed: a new reference, or NULL when memory is short. */
json_t *engine_lists_row(const struct allowlist_info *info, const struct allowlists_terms *terms);
/* `allowlists` and `trust` of the status: new references. */
json_t *engine_lists_json(struct engine *engine, const struct ruling *ruling);
json_t *engine_lists_trust_json(const struct ruling *ruling);
