/*
 * containers/storage: overlay-images/images.json names images and each one's upper layer,
 * overlay-layers/layers.json each layer's parent and diff id, and overlay/ID/diff is what is in it.
 * Short names are tried as podman does: first under localhost/, then under docker.io.
 */
#include "snapshot/image_storage.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "snapshot/image_ref.h"
#include "snapshot/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static bool is_id(const char *text)
{
	return text && strlen(text) == 2 * DIGEST_SIZE &&
	       strspn(text, "0123456789abcdef") == 2 * DIGEST_SIZE;
}

static const char *id_of(const json_t *image)
{
	const char *id = image_json_get(image, "id");

	return is_id(id) ? id : NULL;
}

/*
 * Which image.
 */
struct match {
	const json_t *image;
	const char *name; /* the one that matched; NULL: by id */
};

static struct match by_name(const json_t *images, const char *wanted)
{
	const json_t *image, *name;
	size_t i, j;

	json_array_foreach(images, i, image)
	{
		json_array_foreach(json_object_get(image, "names"), j, name)
		{
			const char *text = image_json_text(name);

			if (text && !strcmp(text, wanted))
				return (struct match){.image = image, .name = text};
		}
	}
	return (struct match){0};
}

static bool has_digest(const json_t *image, const char *digest)
{
	const char *own = image_json_get(image, "digest"), *key;
	json_t *value;

	if (own && !strcmp(own, digest))
		return true;
	json_object_foreach(
	        json_object_get((json_t *)(uintptr_t)image, "big-data-digests"), key, value)
	{
		const char *text = image_json_text(value);

		if (!strncmp(key, "manifest", 8) && text && !strcmp(text, digest))
			return true;
	}
	return false;
}

/* NAME@DIGEST of an image that has the digest, and a name in that repository. */
static struct match by_digest(const json_t *images, const char *wanted)
{
	const char *digest = image_ref_digest(wanted);
	const json_t *image, *name;
	size_t i, j;

	if (!digest)
		return (struct match){0};
	json_array_foreach(images, i, image)
	{
		if (!has_digest(image, digest))
			continue;
		json_array_foreach(json_object_get(image, "names"), j, name)
		{
			const char *text = image_json_text(name);

			if (text && image_ref_same_repository(text, wanted))
				return (struct match){.image = image, .name = text};
		}
	}
	return (struct match){0};
}

static int by_id(const json_t *images, const char *wanted, struct match *ret_match,
        struct image_fault *fault)
{
	const json_t *image, *found = NULL;
	size_t i;

	json_array_foreach(images, i, image)
	{
		const char *id = id_of(image);

		if (!id || !image_id_matches(wanted, id))
			continue;
		if (found)
			return image_fail(fault, SOURCE_E_AMBIGUOUS,
			        "%s is the beginning of several image ids, %s and %s among them",
			        wanted, id_of(found), id);
		found = image;
	}
	ret_match->image = found;
	ret_match->name = NULL;
	return found ? 0 : SOURCE_E_NOTFOUND;
}

static int find_image(const json_t *images, const char *wanted, struct match *ret_match,
        struct image_fault *fault)
{
	static const char *const registries[] = {"localhost", "docker.io"};
	struct match match = by_name(images, wanted);

	for (size_t i = 0; i < sizeof(registries) / sizeof(registries[0]) && !match.image; i++) {
		_cleanup_free_ char *whole = image_ref_complete(wanted, registries[i]);

		if (whole)
			match = by_name(images, whole);
		if (whole && !match.image)
			match = by_digest(images, whole);
	}
	if (!match.image)
		return by_id(images, wanted, ret_match, fault);
	*ret_match = match;
	return 0;
}

/*
 * Which layers.
 */
static const json_t *layer_by_id(const json_t *layers, const char *wanted)
{
	const json_t *layer;
	size_t i;

	json_array_foreach(layers, i, layer)
	{
		const char *id = id_of(layer);

		if (id && !strcmp(id, wanted))
			return layer;
	}
	return NULL;
}

/* A layer that was made without a diff id can be shared by the id that it has here only. */
static char *layer_name(const json_t *layer)
{
	const char *diff = image_json_get(layer, "diff-digest");
	struct digest digest;
	char *name;

	if (image_json_digest(diff, &digest) == 0)
		return strdup(diff + strlen("sha256:"));
	return asprintf(&name, "podman-layer:%s", id_of(layer)) < 0 ? NULL : name;
}

static int add_layer(struct image_found *found, const json_t *layer)
{
	char *path;

	if (asprintf(&path, "overlay/%s/diff", id_of(layer)) < 0)
		path = NULL;
	return image_found_add(found, layer_name(layer), path);
}

static void reverse(struct image_found *found)
{
	for (size_t i = 0, j = found->n_layers; i + 1 < j; i++) {
		struct image_layer layer = found->layers[i];

		found->layers[i] = found->layers[--j];
		found->layers[j] = layer;
	}
}

/* From the upper one down by their parents; a circle is as long as nothing may be. */
static int find_layers(const json_t *layers, const json_t *image, struct image_found *found,
        struct image_fault *fault)
{
	const char *id = image_json_get(image, "layer");
	int r = 0;

	while (r == 0 && id) {
		const json_t *layer = layer_by_id(layers, id);

		if (!layer)
			return image_fail(fault, SOURCE_E_CORRUPT,
			        "podman's storage has no layer %s of image %s", id, found->id);
		r = add_layer(found, layer);
		id = image_json_get(layer, "parent");
	}
	reverse(found);
	if (r == -E2BIG)
		return image_fail(fault, SOURCE_E_CORRUPT, "image %s has more than %u layers",
		        found->id, IMAGE_LAYERS_MAX);
	return r;
}

/* Without one of its own, the image is called by the first of its names. */
static int name_image(const struct match *match, struct image_found *found)
{
	const char *name = match->name;

	if (!name)
		name = image_json_text(json_array_get(json_object_get(match->image, "names"), 0));
	found->reference = name ? strdup(name) : NULL;
	return name && !found->reference ? -ENOMEM : 0;
}

int image_podman_parse(const char *const texts[2], const size_t sizes[2], const char *reference,
        struct image_found *ret_found, struct image_fault *fault)
{
	_cleanup_(image_json_decref) json_t *images = image_json_load(texts[0], sizes[0]);
	_cleanup_(image_json_decref) json_t *layers = image_json_load(texts[1], sizes[1]);
	_cleanup_(image_found_done) struct image_found found = {0};
	struct match match = {0};
	const char *id;
	int r;

	if (!json_is_array(images) || !json_is_array(layers))
		return image_fail(fault, SOURCE_E_CORRUPT, "%s of podman's storage is malformed",
		        json_is_array(images) ? "overlay-layers/layers.json"
		                              : "overlay-images/images.json");
	r = find_image(images, reference, &match, fault);
	if (r != 0)
		return r;
	id = id_of(match.image);
	if (!id)
		return image_fail(fault, SOURCE_E_CORRUPT,
		        "podman's storage has no proper id for image %s", reference);
	memcpy(found.id, id, IMAGE_ID_SIZE);
	r = name_image(&match, &found);
	if (r == 0)
		r = find_layers(layers, match.image, &found, fault);
	if (r != 0)
		return r;
	*ret_found = found;
	memset(&found, 0, sizeof(found));
	return 0;
}

/*
 * The files.
 */
static bool exists(int dirfd, const char *path)
{
	struct stat st;

	return fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Storage of another driver, and nothing of ours. */
static int check_driver(int dirfd, const char *directory, struct image_fault *fault)
{
	static const char *const drivers[] = {"vfs", "btrfs", "zfs", "aufs", "devicemapper"};

	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s-images/images.json", drivers[i]);
		if (exists(dirfd, path))
			return image_fail(fault, SOURCE_E_UNSUPPORTED,
			        "%s is kept by the storage driver %s; only overlay is supported: "
			        "save the image (podman save) and give that with --archive",
			        directory, drivers[i]);
	}
	return SOURCE_E_NOTFOUND;
}

/*
 * Each layer has its directory. One that composefs puts together from single files elsewhere has
 * not all of its files there.
 */
static int check_layers(int dirfd, const struct image_found *found, struct image_fault *fault)
{
	for (size_t i = 0; i < found->n_layers; i++) {
		const char *path = found->layers[i].path;
		_cleanup_free_ char *composed = NULL;

		if (asprintf(&composed, "%.*scomposefs-data", (int)(strlen(path) - strlen("diff")),
		            path) < 0)
			return -ENOMEM;
		if (!exists(dirfd, path))
			return image_fail(fault, SOURCE_E_CORRUPT,
			        "podman's storage lacks %s of image %s", path, found->id);
		if (exists(dirfd, composed))
			return image_fail(fault, SOURCE_E_UNSUPPORTED,
			        "%s of image %s is kept by composefs, which is not supported: "
			        "save the image (podman save) and give that with --archive",
			        path, found->id);
	}
	return 0;
}

int image_podman_find(const char *directory, const char *reference, struct image_found *ret_found,
        struct image_fault *fault)
{
	_cleanup_close_ int dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *images = NULL, *layers = NULL;
	_cleanup_(image_found_done) struct image_found found = {0};
	size_t sizes[2];
	int r;

	if (dirfd < 0)
		return errno == ENOENT || errno == ENOTDIR ? SOURCE_E_NOTFOUND : -errno;
	r = file_read_at(dirfd, "overlay-images/images.json", IMAGE_JSON_MAX, &images, &sizes[0]);
	if (r == -ENOENT)
		return check_driver(dirfd, directory, fault);
	if (r == 0)
		r = file_read_at(
		        dirfd, "overlay-layers/layers.json", IMAGE_JSON_MAX, &layers, &sizes[1]);
	if (r == 0)
		r = image_podman_parse(
		        (const char *const[]){images, layers}, sizes, reference, &found, fault);
	if (r == 0)
		r = check_layers(dirfd, &found, fault);
	if (r != 0)
		return r;
	*ret_found = found;
	memset(&found, 0, sizeof(found));
	return 0;
}
