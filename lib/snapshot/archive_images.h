/*
 * The images that an archive says it has: manifest.json of docker save and podman save, index.json
 * of an OCI layout. Newer docker save writes both. Nothing is believed here yet: archive_choice.h
 * checks the one that is taken.
 */
#pragma once

#include "snapshot/archive_members.h"
#include "snapshot/image_fault.h"

#include <stdbool.h>
#include <stddef.h>

#define ARCHIVE_IMAGES_MAX 256u
#define ARCHIVE_NAMES_MAX  256u /* of one image */
#define ARCHIVE_DEPTH_MAX  4u   /* indexes within indexes */

struct archive_image {
	char **names; /* whole references: image_ref_normalize() */
	size_t n_names;
	char *config;   /* a member's path */
	char *manifest; /* of an OCI layout: the member that lists the layers; NULL: manifest.json
	                 */
	size_t at;      /* of manifest.json: which of its images */
	char id[2 * DIGEST_SIZE + 1]; /* the digest of the configuration */
};

struct archive_images {
	struct archive_image *items;
	size_t n;
};

void archive_images_done(struct archive_images *images);
/*
 * Adds what manifest.json, or index.json, names and has a configuration in the archive. 0 (also
 * when there is no such member); SOURCE_E_CORRUPT with a message; -ENOMEM.
 */
int archive_images_docker(
        const struct members *members, struct archive_images *images, struct image_fault *fault);
int archive_images_oci(
        const struct members *members, struct archive_images *images, struct image_fault *fault);
/*
 * The layers of @image as paths of members, the lowest first. 0; SOURCE_E_CORRUPT with a message;
 * -ENOMEM. archive_layers_free().
 */
int archive_image_layers(const struct members *members, const struct archive_image *image,
        char ***ret_layers, size_t *ret_n, struct image_fault *fault);
void archive_layers_free(char **layers, size_t n);
