/*
 * What a runtime's storage on disk has of one image. The parsers are pure, for tests and fuzzing;
 * all that comes out of them is safe as a part of a path.
 */
#pragma once

#include "snapshot/image_fault.h"
#include "snapshot/image_json.h"

#include <stdbool.h>
#include <stddef.h>

#define IMAGE_ID_SIZE    (2 * DIGEST_SIZE + 1)
#define IMAGE_LAYERS_MAX 1024u /* as merge.h */

struct image_layer {
	char *name; /* of its snapshot: the diff id as 64 digits */
	char *path; /* its directory, beneath the storage's */
};

struct image_found {
	char *reference;            /* as the daemon would show it; NULL: the image has no name */
	char id[IMAGE_ID_SIZE];     /* 64 hex */
	struct image_layer *layers; /* the lowest first */
	size_t n_layers;
};

void image_found_done(struct image_found *found);
/* Takes both texts, also when it fails: -E2BIG, -ENOMEM (or one of them is NULL). */
int image_found_add(struct image_found *found, char *name, char *path);

/*
 * Both: 0; SOURCE_E_NOTFOUND without a message when there is no such storage or no such image in
 * it; SOURCE_E_UNSUPPORTED, SOURCE_E_CORRUPT with one; -errno.
 */
int image_podman_find(const char *directory, const char *reference, struct image_found *ret_found,
        struct image_fault *fault);
int image_docker_find(const char *directory, const char *reference, struct image_found *ret_found,
        struct image_fault *fault);

/* images.json and layers.json of containers/storage. */
int image_podman_parse(const char *const texts[2], const size_t sizes[2], const char *reference,
        struct image_found *ret_found, struct image_fault *fault);
/*
 * repositories.json: the image that is called @reference, and how it is written there. 0;
 * SOURCE_E_NOTFOUND; SOURCE_E_CORRUPT; -ENOMEM. The caller frees *ret_reference.
 */
int image_docker_parse(const char *text, size_t size, const char *reference,
        char ret_id[IMAGE_ID_SIZE], char **ret_reference);
/* What the daemon calls the image @id: the first of its names with a tag. NULL; the caller frees.
 */
char *image_docker_name(const char *text, size_t size, const char *id);
/* The diff ids of an image's configuration, the lowest first. -EINVAL, -E2BIG, -ENOMEM. */
int image_config_parse(
        const char *text, size_t size, struct digest **ret_diff_ids, size_t *ret_n_diff_ids);
