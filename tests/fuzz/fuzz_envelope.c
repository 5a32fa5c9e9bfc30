/*
 * Envelopes: what is taken is what jansson alone reads in the whole text, and comes back the same
 * when it is written. Nothing but the example's own body is ever accepted by its key.
 */
#include "base/cleanup.h"
#include "crypto/base64.h"
#include "crypto/dsse_verify.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* TEST 1 of RFC 8032, 7.1. */
static const uint8_t spki[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21,
        0x00, 0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64,
        0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7,
        0x07, 0x51, 0x1a};
/* Of the example's body; docs/formats.md. */
static const char example[] =
        "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"name\":"
        "\"/usr/bin/hello\",";

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* The payload as jansson sees it in the whole text, decoded. */
static void check_against_jansson(const struct dsse *dsse, const char *text, size_t size)
{
	json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	const json_t *payload = json_object_get(root, "payload");
	_cleanup_free_ uint8_t *bytes = malloc(size + 1);
	size_t n = 0;

	require(root && json_is_string(payload) && bytes);
	require(base64_decode(json_string_value(payload), json_string_length(payload), bytes, &n) ==
	        0);
	require(n == dsse->body_size && !memcmp(bytes, dsse->body, n));
	require(json_array_size(json_object_get(root, "signatures")) >= dsse->n_signatures);
	json_decref(root);
}

static void check_written(const struct dsse *dsse)
{
	_cleanup_(dsse_freep) struct dsse *again = NULL;
	_cleanup_free_ char *text = NULL;
	size_t size;

	require(dsse_print(dsse, &text, &size) == 0);
	require(dsse_parse(text, size, &again) == 0);
	require(again->pae_size == dsse->pae_size && again->n_signatures == dsse->n_signatures);
	require(!memcmp(again->pae, dsse->pae, dsse->pae_size));
}

static void check_verdict(const struct dsse *dsse)
{
	struct trust_key key = {.use = TRUST_USE_MANIFEST, .expires_ns = INT64_MAX};
	struct trust trust = {.keys = &key, .n_keys = 1};
	struct dsse_verification verification;

	require(key_from_der(spki, sizeof(spki), &key.key) == 0);
	dsse_verify(dsse, &trust, 1, 1, &verification);
	require(verification.reason != ALLOWLIST_UNCHECKED);
	if (verification.reason == ALLOWLIST_ACCEPTED)
		require(dsse->body_size == 343 && !memcmp(dsse->body, example, strlen(example)));
	key_free(key.key);
}

/* Decoded in its own place it is the same. */
static void check_taken(const uint8_t *data, size_t size, int expected, const struct dsse *dsse)
{
	_cleanup_(dsse_freep) struct dsse *taken = NULL;
	char *copy = malloc(size ? size : 1);

	require(copy != NULL);
	memcpy(copy, data, size);
	require(dsse_parse_taken(copy, size, &taken) == expected);
	if (expected != 0)
		return;
	require(taken->pae_size == dsse->pae_size && taken->n_signatures == dsse->n_signatures);
	require(!memcmp(taken->pae, dsse->pae, dsse->pae_size));
	require(taken->body - taken->pae == dsse->body - dsse->pae);
	require(taken->body_size == dsse->body_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(dsse_freep) struct dsse *dsse = NULL;
	int r = dsse_parse((const char *)data, size, &dsse);

	require((r == 0) == (dsse != NULL));
	check_taken(data, size, r, dsse);
	if (r != 0)
		return 0;
	require(dsse->body + dsse->body_size == dsse->pae + dsse->pae_size);
	check_against_jansson(dsse, (const char *)data, size);
	check_written(dsse);
	check_verdict(dsse);
	return 0;
}
