/* One value: text to what a key's type wants. */
#pragma once

#include "config/schema.h"

struct scalar_fault {
	const char *why; /* what is wrong, static; NULL: not what scalar_expected() says */
	size_t at;       /* byte of the text that is wrong; 0: the text as a whole */
};

/*
 * Writes @text to @field as @key's type says. 0; -EINVAL or -ERANGE (outside key->min and max),
 * with
 * @reterr_fault filled; -ENOMEM.
 */
int scalar_set(
        const struct key *key, const char *text, void *field, struct scalar_fault *reterr_fault);

/* "report or enforce": completes "must be". */
const char *scalar_expected(enum key_type type);
