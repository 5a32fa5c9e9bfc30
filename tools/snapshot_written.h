/* What trusted writers wrote on one filesystem, by digest. */
#pragma once

#include "store/baselines.h"

#include <stddef.h>

struct written {
	struct provenance *rows; /* sorted by digest; owned */
	size_t n, room;
};

/* Those of the filesystem @uuid that hold at @now_ns. 0, STORE_E_* or -errno. */
int written_read(struct store *store, const char *uuid, int64_t now_ns, struct written *ret);
void written_done(struct written *written);
/* Borrowed; NULL: nobody whom we trust has written that. */
const struct provenance *written_find(const struct written *written, const struct digest *digest);
