/*
 * The first byte tells what the rest is: 'p' images.json and layers.json of podman, a NUL between
 * them; 'r' repositories.json and 'c' a configuration of Docker; 'n' a reference; 'm' texts of an
 * archive, a NUL between them: manifest.json, index.json, then blobs under their digests.
 *
 * Ids are ids, paths stay beneath the storage, numbers stay within their bounds, and what is
 * refused changes nothing.
 */
#include "base/cleanup.h"
#include "crypto/digest.h"
#include "snapshot/archive_choice.h"
#include "snapshot/image_ref.h"
#include "snapshot/image_storage.h"
#include "snapshot/sources.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const references[] = {"x", "localhost/x:1",
        "x@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "aaaaaaaaaaaa"};
#define N_REFERENCES (sizeof(references) / sizeof(references[0]))

static void require(bool holds)
{
	if (!holds)
		abort();
}

static bool is_id(const char *text)
{
	return strlen(text) == 2 * DIGEST_SIZE &&
	       strspn(text, "0123456789abcdef") == 2 * DIGEST_SIZE;
}

/* Cuts at the first NUL; @ret_size is what is before it. */
static const char *cut(const char **text, size_t *size, size_t *ret_size)
{
	const char *part = *text, *end = memchr(part, '\0', *size);

	*ret_size = end ? (size_t)(end - part) : *size;
	*text = end ? end + 1 : part + *size;
	*size -= *ret_size + (end ? 1 : 0);
	return part;
}

static void run_podman(const char *text, size_t size)
{
	const char *texts[2];
	size_t sizes[2];

	texts[0] = cut(&text, &size, &sizes[0]);
	texts[1] = text;
	sizes[1] = size;
	for (size_t i = 0; i < N_REFERENCES; i++) {
		_cleanup_(image_found_done) struct image_found found = {0};
		_cleanup_(image_fault_done) struct image_fault fault = {0};
		int r = image_podman_parse(texts, sizes, references[i], &found, &fault);

		require((r == 0 || r == SOURCE_E_NOTFOUND) == !fault.message);
		require(r == 0 ? is_id(found.id) : found.n_layers == 0);
		require(found.n_layers <= IMAGE_LAYERS_MAX);
		for (size_t j = 0; j < found.n_layers; j++) {
			require(!strncmp(found.layers[j].path, "overlay/", 8));
			require(strlen(found.layers[j].path) == 8 + 64 + 5);
			require(!strstr(found.layers[j].path, ".."));
			require(is_id(found.layers[j].name) ||
			        !strncmp(found.layers[j].name, "podman-layer:", 13));
		}
	}
}

static void run_repositories(const char *text, size_t size)
{
	for (size_t i = 0; i < N_REFERENCES; i++) {
		_cleanup_free_ char *reference = NULL, *name = NULL;
		char id[IMAGE_ID_SIZE];
		int r = image_docker_parse(text, size, references[i], id, &reference);

		require(r == 0 || r == SOURCE_E_NOTFOUND || r == SOURCE_E_CORRUPT);
		require((r == 0) == (reference != NULL) && (r != 0 || is_id(id)));
		if (r == 0)
			name = image_docker_name(text, size, id);
		require(!name || image_ref_valid(name));
	}
}

static void run_config(const char *text, size_t size)
{
	_cleanup_free_ struct digest *ids = NULL;
	size_t n = 0;
	int r = image_config_parse(text, size, &ids, &n);

	require(r == 0 ? ids != NULL && n <= IMAGE_LAYERS_MAX : r == -EINVAL || r == -E2BIG);
}

static void run_reference(const char *text, size_t size)
{
	_cleanup_free_ char *copy = strndup(text, size), *whole = NULL, *again = NULL;

	require(copy != NULL);
	whole = image_ref_normalize(copy);
	if (!whole || strlen(whole) > IMAGE_TEXT_MAX)
		return;
	/* Whole is whole. */
	again = image_ref_normalize(whole);
	require(again && !strcmp(whole, again));
	require(image_ref_same_repository(whole, again));
}

static void add_member(struct members *members, const char *path, const char *text, size_t size)
{
	struct member *member;

	if (members_add(members, path, &member) != 0)
		return;
	require(digest_data(text, size, &member->blob) == 0);
	member->diff = member->blob;
	/* A text that begins with 'T' stands for a tar. */
	member->kind = size > 0 && *text == 'T' ? MEMBER_LAYER : MEMBER_JSON;
	member->text = strndup(text, size);
	member->size = size;
}

static void run_members(const char *text, size_t size)
{
	static const char *const names[] = {"manifest.json", "index.json"};
	_cleanup_(members_done) struct members members = {0};

	for (size_t i = 0; size > 0 && i < 64; i++) {
		char path[128], hex[DIGEST_HEX_SIZE];
		struct digest digest;
		size_t n;
		const char *part = cut(&text, &size, &n);

		require(digest_data(part, n, &digest) == 0);
		digest_to_hex(&digest, hex);
		snprintf(path, sizeof(path), "blobs/sha256/%s", hex);
		if (n > 0)
			add_member(&members, i < 2 ? names[i] : path, part, n);
	}
	for (size_t i = 0; i <= N_REFERENCES; i++) {
		_cleanup_(archive_choice_done) struct archive_choice choice = {0};
		_cleanup_(image_fault_done) struct image_fault fault = {0};
		int r = archive_choose(
		        &members, i < N_REFERENCES ? references[i] : NULL, &choice, &fault);

		require((r == 0) == !fault.message);
		require(r == 0 ? is_id(choice.id) && choice.n_layers > 0 : choice.n_layers == 0);
		for (size_t j = 0; j < choice.n_layers; j++)
			require(choice.layers[j]->kind == MEMBER_LAYER);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;

	switch (size > 0 ? data[0] : 0) {
	case 'p':
		run_podman(text, size - 1);
		break;
	case 'r':
		run_repositories(text, size - 1);
		break;
	case 'c':
		run_config(text, size - 1);
		break;
	case 'n':
		run_reference(text, size - 1);
		break;
	case 'm':
		run_members(text, size - 1);
		break;
	default:
		break;
	}
	return 0;
}
