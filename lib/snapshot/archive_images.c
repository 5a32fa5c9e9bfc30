/* An OCI layout names blobs by digest; docker save names members by path. Both become paths here.
 */
#include "snapshot/archive_images.h"

#include "base/cleanup.h"
#include "snapshot/image_json.h"
#include "snapshot/image_ref.h"
#include "snapshot/image_storage.h"
#include "snapshot/sources.h"

#include <errno.h>
#include <string.h>

#define MANIFEST "manifest.json"
#define INDEX    "index.json"

static void image_done(struct archive_image *image)
{
	for (size_t i = 0; i < image->n_names; i++)
		free(image->names[i]);
	free(image->names);
	free(image->config);
	free(image->manifest);
	*image = (struct archive_image){0};
}

void archive_images_done(struct archive_images *images)
{
	for (size_t i = 0; i < images->n; i++)
		image_done(&images->items[i]);
	free(images->items);
	*images = (struct archive_images){0};
}

void archive_layers_free(char **layers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(layers[i]);
	free(layers);
}

static int malformed(struct image_fault *fault, const char *path)
{
	return image_fail(fault, SOURCE_E_CORRUPT, "%s is malformed", path);
}

static json_t *load(const struct members *members, const char *path)
{
	const struct member *member = members_find(members, path);

	return member && member->kind == MEMBER_JSON ? image_json_load(member->text, member->size)
	                                             : NULL;
}

/* Takes @image, also when it fails. One whose configuration is not here is none. */
static int add_image(const struct members *members, struct archive_image *image,
        struct archive_images *images, struct image_fault *fault)
{
	_cleanup_(image_done) struct archive_image taken = *image;
	const struct member *config = taken.config ? members_find(members, taken.config) : NULL;
	struct archive_image *items;

	if (!config)
		return 0;
	if (images->n == ARCHIVE_IMAGES_MAX)
		return image_fail(fault, SOURCE_E_CORRUPT, "the archive names more than %u images",
		        ARCHIVE_IMAGES_MAX);
	items = reallocarray(images->items, images->n + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	images->items = items;
	digest_to_hex(&config->blob, taken.id);
	items[images->n++] = taken;
	memset(&taken, 0, sizeof(taken));
	return 0;
}

/* A text that is no reference gives no name: "latest" alone, in an OCI layout, is a tag. */
static int add_name(struct archive_image *image, const char *text)
{
	_cleanup_free_ char *name = text ? image_ref_normalize(text) : NULL;
	char **names;

	if (!name || image->n_names == ARCHIVE_NAMES_MAX)
		return 0;
	names = reallocarray(image->names, image->n_names + 1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	image->names = names;
	names[image->n_names++] = TAKE_PTR(name);
	return 0;
}

/*
 * docker save.
 */
static int docker_image(const json_t *entry, size_t at, struct archive_image *image)
{
	const char *config = image_json_get(entry, "Config");
	const json_t *tag;
	size_t i;
	int r = 0;

	image->at = at;
	image->config = config ? strdup(config) : NULL;
	if (!image->config)
		return config ? -ENOMEM : -EINVAL;
	json_array_foreach(json_object_get(entry, "RepoTags"), i, tag)
	{
		if (r == 0)
			r = add_name(image, image_json_text(tag));
	}
	return r;
}

int archive_images_docker(
        const struct members *members, struct archive_images *images, struct image_fault *fault)
{
	_cleanup_(image_json_decref) json_t *root = load(members, MANIFEST);
	const json_t *entry;
	size_t i;

	if (!members_find(members, MANIFEST))
		return 0;
	if (!json_is_array(root))
		return malformed(fault, MANIFEST);
	json_array_foreach(root, i, entry)
	{
		struct archive_image image = {0};
		int r = docker_image(entry, i, &image);

		if (r != 0)
			image_done(&image);
		else
			r = add_image(members, &image, images, fault);
		if (r != 0)
			return r == -EINVAL ? malformed(fault, MANIFEST) : r;
	}
	return 0;
}

/*
 * OCI layouts.
 */
/* Where a blob lies; NULL when its digest is none of ours. */
static char *blob_path(const json_t *descriptor)
{
	const char *text = image_json_get(descriptor, "digest");
	struct digest digest;
	char *path;

	if (image_json_digest(text, &digest) < 0 ||
	        asprintf(&path, "blobs/sha256/%s", text + strlen("sha256:")) < 0)
		return NULL;
	return path;
}

/* What says how an image was built lies beside it, as if it was one. */
static bool is_attestation(const json_t *descriptor)
{
	const json_t *platform = json_object_get(descriptor, "platform");
	const char *os = image_json_get(platform, "os");

	return json_object_get(
	               json_object_get(descriptor, "annotations"), "vnd.docker.reference.type") ||
	       (os && !strcmp(os, "unknown"));
}

/* skopeo and podman write the reference as "ref.name", containerd beside it. */
static const char *name_of(const json_t *descriptor)
{
	const json_t *annotations = json_object_get(descriptor, "annotations");
	const char *name = image_json_get(annotations, "io.containerd.image.name");

	if (name)
		return name;
	name = image_json_get(annotations, "org.opencontainers.image.ref.name");
	return name && strpbrk(name, "/:@") ? name : NULL;
}

struct oci {
	const struct members *members;
	struct archive_images *images;
	struct image_fault *fault;
};

static int oci_index(
        const struct oci *oci, const json_t *index, const char *name, unsigned int depth);

/* Takes @path. */
static int oci_manifest(const struct oci *oci, const json_t *root, char *path, const char *name)
{
	struct archive_image image = {.manifest = path};
	int r = 0;

	image.config = blob_path(json_object_get(root, "config"));
	r = add_name(&image, name);
	if (r == 0)
		return add_image(oci->members, &image, oci->images, oci->fault);
	image_done(&image);
	return r;
}

static int oci_descriptor(
        const struct oci *oci, const json_t *descriptor, const char *name, unsigned int depth)
{
	_cleanup_free_ char *path = blob_path(descriptor);
	_cleanup_(image_json_decref) json_t *root = NULL;
	const char *own = name_of(descriptor);

	/* Of an index for many platforms an archive may have one. */
	if (!path || is_attestation(descriptor) || !members_find(oci->members, path))
		return 0;
	root = load(oci->members, path);
	if (!json_is_object(root))
		return malformed(oci->fault, path);
	if (json_object_get(root, "manifests"))
		return oci_index(oci, root, own ? own : name, depth + 1);
	return oci_manifest(oci, root, TAKE_PTR(path), own ? own : name);
}

static int oci_index(
        const struct oci *oci, const json_t *index, const char *name, unsigned int depth)
{
	const json_t *descriptor;
	size_t i;
	int r = 0;

	if (depth > ARCHIVE_DEPTH_MAX || !json_is_array(json_object_get(index, "manifests")))
		return malformed(oci->fault, INDEX);
	json_array_foreach(json_object_get(index, "manifests"), i, descriptor)
	{
		if (r == 0)
			r = oci_descriptor(oci, descriptor, name, depth);
	}
	return r;
}

int archive_images_oci(
        const struct members *members, struct archive_images *images, struct image_fault *fault)
{
	_cleanup_(image_json_decref) json_t *root = load(members, INDEX);
	const struct oci oci = {.members = members, .images = images, .fault = fault};

	if (!members_find(members, INDEX))
		return 0;
	return json_is_object(root) ? oci_index(&oci, root, NULL, 1) : malformed(fault, INDEX);
}

/*
 * Layers.
 */
static char *layer_path_of(const struct archive_image *image, const json_t *layer)
{
	const char *path;

	if (image->manifest)
		return blob_path(layer);
	path = image_json_text(layer);
	return path ? strdup(path) : NULL;
}

int archive_image_layers(const struct members *members, const struct archive_image *image,
        char ***ret_layers, size_t *ret_n, struct image_fault *fault)
{
	const char *of = image->manifest ? image->manifest : MANIFEST;
	_cleanup_(image_json_decref) json_t *root = load(members, of);
	const json_t *list = image->manifest
	                             ? json_object_get(root, "layers")
	                             : json_object_get(json_array_get(root, image->at), "Layers");
	size_t n = json_array_size(list);
	char **layers;

	if (!json_is_array(list) || n > IMAGE_LAYERS_MAX)
		return malformed(fault, of);
	layers = calloc(n ? n : 1, sizeof(*layers));
	if (!layers)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		layers[i] = layer_path_of(image, json_array_get(list, i));
		if (!layers[i]) {
			archive_layers_free(layers, i);
			return malformed(fault, of);
		}
	}
	*ret_layers = layers;
	*ret_n = n;
	return 0;
}
