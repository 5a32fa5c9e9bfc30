/* Which image of an archive is meant, and that its layers are what its configuration says. */
#pragma once

#include "snapshot/archive_members.h"
#include "snapshot/image_fault.h"

#include <stddef.h>

struct archive_choice {
	char *reference;              /* whole; NULL: the image has none */
	char id[2 * DIGEST_SIZE + 1]; /* digest of its configuration */
	struct member **layers;       /* of the members, the lowest first */
	size_t n_layers;
};

void archive_choice_done(struct archive_choice *choice);
/*
 * @wanted as struct source_request's reference. 0; SOURCE_E_NOTFOUND, SOURCE_E_AMBIGUOUS (which
 * list what there is), SOURCE_E_UNSUPPORTED, SOURCE_E_CORRUPT, all with a message; -ENOMEM.
 */
int archive_choose(const struct members *members, const char *wanted,
        struct archive_choice *ret_choice, struct image_fault *fault);
