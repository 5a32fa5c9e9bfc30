/*
 * The executables of image layers by size, to recognise a dropped copy of a program that the image
 * itself has: only files of equal size are ever hashed. A layer's index is made once, on first use
 * or ahead of it, and shared by every overlay that has the layer.
 */
#pragma once

#include "daemon/overlays.h"

#include <stddef.h>
#include <stdint.h>

#define IMAGE_INDEX_FILES_MAX 262144u /* executables of one layer */
#define IMAGE_INDEX_DEPTH_MAX 64u     /* directories deep */
#define IMAGE_CANDIDATES_MAX  64u     /* files of equal size that are hashed for one verdict */

/* Frees the index of a layer; for overlays_new(). */
void image_index_free(void *index);

/* Serialises the making of indexes. */
struct image_indexer;
int image_indexer_new(struct image_indexer **ret_indexer);
void image_indexer_free(struct image_indexer *indexer);

/* Makes the indexes of @overlay's lower layers that do not exist yet. */
void image_indexer_prepare(struct image_indexer *indexer, const struct overlay *overlay);

struct image_candidate {
	int fd;     /* the lower file, open for reading; owned */
	char *path; /* in the container */
};

/*
 * Opens the executables of @overlay's lowers that have @size bytes, uppermost layer first, into
 * @ret_candidates (IMAGE_CANDIDATES_MAX). Returns how many. Opens files: for the pool only.
 */
size_t image_indexer_candidates(struct image_indexer *indexer, const struct overlay *overlay,
        uint64_t size, struct image_candidate *ret_candidates);
void image_candidates_done(struct image_candidate *candidates, size_t n);
