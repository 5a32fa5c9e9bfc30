/*
 * The first byte tells which runtime's file the rest is: 'd' Docker's config.v2.json, 'p' the list
 * of containers/storage, 'o' an OCI bundle, 'i' images.json, 'r' repositories.json. What comes out
 * is bounded, an id is an id, and what names nothing leaves the answer alone.
 */
#include "base/cleanup.h"
#include "daemon/metadata_json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The layer, or the image, that is looked for. */
#define WANTED "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_text(const char *text)
{
	require(!text || (*text && strlen(text) <= METADATA_TEXT_MAX));
}

static void check(enum metadata_result result, const struct container_info *info)
{
	static const struct container_info untouched;

	if (result != METADATA_NAMED) {
		require(result == METADATA_NONE || result == METADATA_BROKEN);
		require(!memcmp(info, &untouched, sizeof(untouched)));
		return;
	}
	require(info->runtime != NULL && info->key == NULL && info->start_ns >= 0);
	require(!info->id || metadata_is_id(info->id));
	require(!info->image_id || metadata_is_id(info->image_id));
	check_text(info->name);
	check_text(info->image);
	check_text(info->ns);
	check_text(info->pod);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(container_info_done) struct container_info info = {0};
	_cleanup_free_ char *image = NULL;
	const char *text = (const char *)data + 1;

	switch (size > 0 ? data[0] : 0) {
	case 'd':
		check(metadata_parse_docker(text, size - 1, &info), &info);
		break;
	case 'p':
		check(metadata_parse_podman(text, size - 1, WANTED, &info), &info);
		break;
	case 'o':
		check(metadata_parse_oci(text, size - 1, &info), &info);
		break;
	case 'i':
		image = metadata_podman_image(text, size - 1, WANTED);
		break;
	case 'r':
		image = metadata_docker_image(text, size - 1, WANTED);
		break;
	default:
		break;
	}
	check_text(image);
	return 0;
}
