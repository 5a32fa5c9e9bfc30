/*
 * What is left out of a snapshot of a host: what containers keep, whose images vouch for it, and
 * our own state. The same for `create` and `check`, or each check would find the difference.
 */
#pragma once

#include "config/config.h"

#define SKIPS_MAX 64u

struct skips {
	char *paths[SKIPS_MAX + 1]; /* ends with NULL: walk_options.skip */
	size_t n;
};

/* Those of them that lie below @below. */
void skips_find(const struct config *config, const char *below, struct skips *ret_skips);
void skips_done(struct skips *skips);
