/*
 * An image out of its layers, as overlayfs shows it: what is above hides what is below by
 * whiteouts, opaque directories, and whatever is no directory where there was one. The layers are
 * in the store, in order, and are read side by side; what is held of them is bounded.
 */
#pragma once

#include "snapshot/walk.h"
#include "store/baselines.h"

#define MERGE_LAYERS_MAX 1024u                 /* of one image; overlayfs takes 500 */
#define MERGE_BYTES      (16u * 1024u * 1024u) /* of entries in memory, about, of all layers */

struct merge_options {
	struct store *store;   /* borrowed */
	const int64_t *layers; /* snapshots, the uppermost first; one may be there twice */
	size_t n_layers;       /* at most MERGE_LAYERS_MAX */
	bool all_files;        /* all entries, not executables only */
	const volatile sig_atomic_t *stop; /* NULL, or: -ECANCELED soon after it is set */
	int (*add)(const struct entry *entry, void *userdata); /* not 0: ends it */
	void *userdata;
};

/*
 * Entries come in the order of entry_path_compare(), each path once, without the root itself (its
 * mode is the runtime's, not the image's), without whiteouts, ENTRY_OPAQUE and inodes.
 * 0, what add() returned, -E2BIG, -ECANCELED, STORE_E_* or -errno. @ret_totals has no hashed.
 */
int merge_layers(const struct merge_options *options, struct walk_totals *ret_totals);
