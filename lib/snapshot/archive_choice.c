/*
 * The configuration names each layer by the digest of its tar, and is itself named by its digest:
 * that is the image's id. An archive of newer docker save lists its images twice, and readers
 * differ in which list they go by: what both say of an image has to be the same.
 */
#include "snapshot/archive_choice.h"

#include "base/cleanup.h"
#include "snapshot/archive_images.h"
#include "snapshot/image_ref.h"
#include "snapshot/image_storage.h"
#include "snapshot/sources.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LISTED_MAX 16u /* images in a message */

void archive_choice_done(struct archive_choice *choice)
{
	free(choice->reference);
	free(choice->layers);
	*choice = (struct archive_choice){0};
}

/*
 * Choosing.
 */
/* What there is, for a message. The caller frees; NULL when memory is short. */
static char *list(const struct archive_images *images)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		return NULL;
	for (size_t i = 0; images->items && i < images->n && i < LISTED_MAX; i++) {
		const struct archive_image *image = &images->items[i];

		fprintf(stream, "%s%s (%.12s)", i ? ", " : "",
		        image->n_names ? image->names[0] : "without a name", image->id);
	}
	if (images->n > LISTED_MAX)
		fprintf(stream, " and %zu more", images->n - LISTED_MAX);
	if (fclose(stream) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static const char *find_name(const struct archive_image *image, const char *whole)
{
	for (size_t i = 0; whole && i < image->n_names; i++)
		if (!strcmp(image->names[i], whole))
			return image->names[i];
	return NULL;
}

/* The name that @wanted is, "" when it is the id, NULL when it is another image. */
static const char *match(const struct archive_image *image, const char *wanted)
{
	_cleanup_free_ char *whole = image_ref_normalize(wanted);
	_cleanup_free_ char *local = image_ref_complete(wanted, "localhost");
	const char *name = find_name(image, whole);

	if (!name)
		name = find_name(image, local);
	return name || !image_id_matches(wanted, image->id) ? name : "";
}

static int refuse(const struct archive_images *images, int outcome, const char *wanted,
        struct image_fault *fault)
{
	_cleanup_free_ char *listed = list(images);

	if (outcome == SOURCE_E_NOTFOUND)
		return image_fail(fault, outcome, "the archive has no image %s, but %s", wanted,
		        listed ? listed : "others");
	return image_fail(fault, outcome,
	        "the archive has several images%s%s: name one of %s by its reference or id",
	        wanted ? " that could be " : "", wanted ? wanted : "", listed ? listed : "them");
}

static int choose(const struct archive_images *images, const char *wanted,
        const struct archive_image **ret_image, const char **ret_name, struct image_fault *fault)
{
	const struct archive_image *found = NULL;
	const char *name = NULL;

	for (size_t i = 0; images->items && i < images->n; i++) {
		const struct archive_image *image = &images->items[i];
		const char *as = wanted ? match(image, wanted) : "";

		if (!as)
			continue;
		if (found && strcmp(found->id, image->id) != 0)
			return refuse(images, SOURCE_E_AMBIGUOUS, wanted, fault);
		if (!found || (!name && image->n_names > 0)) {
			found = image;
			name = *as ? as : (image->n_names ? image->names[0] : NULL);
		}
	}
	if (!found)
		return refuse(images, SOURCE_E_NOTFOUND, wanted, fault);
	*ret_image = found;
	*ret_name = name;
	return 0;
}

/*
 * Checking.
 */
/* A configuration is often named by its digest: "HEX.json", "sha256:HEX", "blobs/sha256/HEX". */
static bool is_misnamed(const struct archive_image *image)
{
	const char *base = strrchr(image->config, '/');
	struct digest digest;
	char hex[DIGEST_HEX_SIZE];

	base = base ? base + 1 : image->config;
	if (!strncmp(base, "sha256:", 7))
		base += 7;
	snprintf(hex, sizeof(hex), "%.*s", (int)(2 * DIGEST_SIZE), base);
	if (base[strspn(base, "0123456789abcdef")] != '\0' &&
	        strcmp(base + strspn(base, "0123456789abcdef"), ".json") != 0)
		return false;
	return digest_from_hex(hex, &digest) == 0 && strcmp(hex, image->id) != 0;
}

static int check_layer(const char *path, const struct digest *diff_id, struct member *member,
        struct image_fault *fault)
{
	char wanted[DIGEST_HEX_SIZE], found[DIGEST_HEX_SIZE];

	if (!member)
		return image_fail(fault, SOURCE_E_CORRUPT, "the archive lacks the layer %s", path);
	if (member->kind != MEMBER_LAYER)
		return image_fail(fault, SOURCE_E_CORRUPT, "%s is no layer: it is no tar", path);
	if (digest_equal(&member->diff, diff_id))
		return 0;
	digest_to_hex(diff_id, wanted);
	digest_to_hex(&member->diff, found);
	return image_fail(fault, SOURCE_E_CORRUPT,
	        "the layer %s has the digest %s, but the image says %s", path, found, wanted);
}

static int take_layers(const struct members *members, char *const *paths,
        const struct digest *diff_ids, struct archive_choice *choice, struct image_fault *fault)
{
	int r = 0;

	for (size_t i = 0; i < choice->n_layers && r == 0; i++) {
		choice->layers[i] = members_find(members, paths[i]);
		r = check_layer(paths[i], &diff_ids[i], choice->layers[i], fault);
	}
	return r;
}

struct paths {
	char **items;
	size_t n;
};

static void paths_done(struct paths *paths)
{
	archive_layers_free(paths->items, paths->n);
}

static int check_image(const struct members *members, const struct archive_image *image,
        struct archive_choice *choice, struct image_fault *fault)
{
	_cleanup_(paths_done) struct paths paths = {0};
	_cleanup_free_ struct digest *diff_ids = NULL;
	const struct member *config = members_find(members, image->config);
	size_t n = 0;
	int r;

	if (is_misnamed(image))
		return image_fail(fault, SOURCE_E_CORRUPT,
		        "%s has the digest %s: it is not what its name says", image->config,
		        image->id);
	r = config->kind == MEMBER_JSON
	            ? image_config_parse(config->text, config->size, &diff_ids, &n)
	            : -EINVAL;
	if (r == -EINVAL || r == -E2BIG)
		return image_fail(fault, SOURCE_E_CORRUPT, "%s is no configuration of an image",
		        image->config);
	if (r == 0)
		r = archive_image_layers(members, image, &paths.items, &paths.n, fault);
	if (r != 0)
		return r;
	if (paths.n != n)
		return image_fail(fault, SOURCE_E_CORRUPT,
		        "the archive lists %zu layers for an image of %zu", paths.n, n);
	if (n == 0)
		return image_fail(fault, SOURCE_E_UNSUPPORTED,
		        "the image has no layers: there is nothing in it");
	choice->layers = calloc(n, sizeof(struct member *));
	choice->n_layers = n;
	return choice->layers ? take_layers(members, paths.items, diff_ids, choice, fault)
	                      : -ENOMEM;
}

/* The other list has the image, and calls nothing else by its name. */
static bool is_agreed(
        const struct archive_images *others, const struct archive_image *image, const char *name)
{
	bool has = others->n == 0;

	for (size_t i = 0; others->items && i < others->n; i++) {
		if (!strcmp(others->items[i].id, image->id))
			has = true;
		else if (find_name(&others->items[i], name))
			return false;
	}
	return has;
}

int archive_choose(const struct members *members, const char *wanted,
        struct archive_choice *ret_choice, struct image_fault *fault)
{
	_cleanup_(archive_images_done) struct archive_images docker = {0}, oci = {0};
	_cleanup_(archive_choice_done) struct archive_choice choice = {0};
	const struct archive_image *image = NULL;
	const char *name = NULL;
	int r = archive_images_docker(members, &docker, fault);

	if (r == 0)
		r = archive_images_oci(members, &oci, fault);
	if (r != 0)
		return r;
	if (docker.n == 0 && oci.n == 0)
		return image_fail(fault, SOURCE_E_CORRUPT,
		        "the archive is neither one of docker save nor an OCI layout, or not "
		        "whole: it names no image that is in it");
	r = choose(docker.n ? &docker : &oci, wanted, &image, &name, fault);
	if (r != 0 || !image)
		return r ?: -EINVAL;
	if (docker.n > 0 && !is_agreed(&oci, image, name))
		r = image_fail(fault, SOURCE_E_CORRUPT,
		        "manifest.json and index.json do not agree which image %s is",
		        name ? name : image->id);
	if (r == 0)
		r = check_image(members, image, &choice, fault);
	if (r != 0)
		return r;
	memcpy(choice.id, image->id, sizeof(choice.id));
	if (name) {
		choice.reference = strdup(name);
		if (!choice.reference)
			return -ENOMEM;
	}
	*ret_choice = choice;
	choice = (struct archive_choice){0};
	return 0;
}
