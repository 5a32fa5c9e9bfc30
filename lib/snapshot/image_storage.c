/* What both runtimes' storages share: the image that was found, and its configuration. */
#include "snapshot/image_storage.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

void image_found_done(struct image_found *found)
{
	for (size_t i = 0; i < found->n_layers; i++) {
		free(found->layers[i].name);
		free(found->layers[i].path);
	}
	free(found->layers);
	free(found->reference);
	memset(found, 0, sizeof(*found));
}

int image_found_add(struct image_found *found, char *name, char *path)
{
	_cleanup_free_ char *taken_name = name, *taken_path = path;
	struct image_layer *layers;

	if (!name || !path)
		return -ENOMEM;
	if (found->n_layers == IMAGE_LAYERS_MAX)
		return -E2BIG;
	layers = reallocarray(found->layers, found->n_layers + 1, sizeof(*layers));
	if (!layers)
		return -ENOMEM;
	found->layers = layers;
	layers[found->n_layers++] = (struct image_layer){
	        .name = TAKE_PTR(taken_name),
	        .path = TAKE_PTR(taken_path),
	};
	return 0;
}

int image_config_parse(
        const char *text, size_t size, struct digest **ret_diff_ids, size_t *ret_n_diff_ids)
{
	_cleanup_(image_json_decref) json_t *root = image_json_load(text, size);
	const json_t *ids = json_object_get(json_object_get(root, "rootfs"), "diff_ids");
	_cleanup_free_ struct digest *digests = NULL;
	size_t n = json_array_size(ids);

	if (!json_is_array(ids))
		return -EINVAL;
	if (n > IMAGE_LAYERS_MAX)
		return -E2BIG;
	digests = calloc(n ? n : 1, sizeof(*digests));
	if (!digests)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (image_json_digest(image_json_text(json_array_get(ids, i)), &digests[i]) < 0)
			return -EINVAL;
	*ret_diff_ids = TAKE_PTR(digests);
	*ret_n_diff_ids = n;
	return 0;
}
