/*
 * What snapshots of images and of archives have in common: layers that are staged, published when
 * all is well, and merged into the image's own snapshot.
 */
#pragma once

#include "snapshot/build.h"
#include "snapshot/image_fault.h"
#include "snapshot/sources.h"

/* The layers of one image, the lowest first. */
struct image_stack {
	const struct source_request *request; /* borrowed */
	int64_t *ids;                         /* snapshots */
	size_t n;
	struct walk_totals totals; /* hashed, hashed_bytes and too_long, of all */
	struct source_stats stats;
};

struct image_identity {
	enum snapshot_kind kind;
	const char *name;
	const char *reference; /* NULL: none */
	const char *id;        /* 64 hex */
};

void image_stack_done(struct image_stack *stack);
/* The next layer upwards. 0, -E2BIG or -ENOMEM. */
int image_stack_add(struct image_stack *stack, int64_t id);
/* A row for a layer, as store_snapshot_begin() wants it; its texts are borrowed. */
struct snapshot_info image_layer_info(const struct source_request *request, const char *name);
/*
 * Merges and publishes; every layer with @published is recorded as used (NULL: all). 0,
 * -ECANCELED, STORE_E_* or -errno.
 */
int image_compose(const struct image_stack *stack, const struct image_identity *identity,
        const bool *published, struct snapshot_info *ret_info);
