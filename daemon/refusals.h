/*
 * What the refuser's process tells, as alerts: which container, which task, which FUSE mount. The
 * execs were answered before, by the kernel; the file itself is never looked at.
 */
#pragma once

#include "daemon/refuser.h"
#include "daemon/verdicts.h"

struct refusals;

/* @verdicts counts them; all borrowed. */
int refusals_new(const struct verdicts_context *context, struct verdicts *verdicts,
        const struct refuser *refuser, struct refusals **ret_refusals);
int refusals_start(struct refusals *refusals);
void refusals_stop(struct refusals *refusals);
void refusals_free(struct refusals *refusals);
