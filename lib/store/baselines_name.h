/* A name that is known only when the snapshot is complete: a layer's, that comes as a stream. */
#pragma once

#include "store/baselines.h"

/* Renames @id while this handle builds it. STORE_E_NOTFOUND when it is not BUILDING; -EMSGSIZE. */
int store_snapshot_rename(struct store *store, int64_t id, const char *name);
