/*
 * One pass over an image's archive, which may come through a pipe and say only at its end what is
 * in it: every tar within it is taken for a layer and staged, every small JSON text is kept, every
 * digest is taken, and what is of use is told afterwards (archive_choice.h).
 */
#pragma once

#include "snapshot/archive_members.h"
#include "snapshot/image_fault.h"
#include "snapshot/sources.h"

/*
 * Fills @members, also when it fails: their snapshots are the caller's to publish or to remove. 0,
 * SOURCE_E_CORRUPT with a message, STORE_E_*, -ECANCELED or -errno.
 */
int archive_read_members(const struct source_request *request, int fd, const char *name,
        struct members *members, struct image_fault *fault);
