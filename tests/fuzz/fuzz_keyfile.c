/*
 * Key files and the settings beside them. A public key that is taken has one text and one id. No
 * passphrase is given: what an encrypted key asks of PBKDF2 is its owner's business.
 */
#include "base/cleanup.h"
#include "crypto/key_private.h"
#include "crypto/trust_internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_public(struct key *key)
{
	_cleanup_(key_freep) struct key *again = NULL;
	_cleanup_free_ char *pem = NULL;

	require(key_scheme(key) != KEY_SCHEME_UNSET && !key_is_private(key));
	require(key_public_pem(key, &pem) == 0);
	require(key_from_pem(pem, strlen(pem), &again) == 0 && key_equal(key, again));
	key_free(key);
}

static void check_settings(const char *text, size_t size)
{
	struct trust_key key = {.use = TRUST_USE_MANIFEST, .expires_ns = INT64_MAX};
	_cleanup_(trust_freep) struct trust *trust = calloc(1, sizeof(*trust));
	_cleanup_free_ char *message = NULL, *other = NULL;

	require(trust != NULL && key_generate(KEY_TYPE_P256, &key.key) == 0);
	require(trust_parse_key(text, size, &key, &message) == 0 || message != NULL);
	require(trust_parse_settings(text, size, trust, &other) == 0 || other != NULL);
	trust_key_done(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct key *key = NULL;

	if (key_from_pem(text, size, &key) == 0)
		check_public(key);
	if (key_from_der(data, size, &key) == 0)
		check_public(key);
	if (key_private_from_pem(text, size, NULL, &key) == 0)
		key_free(key);
	if (size > 0 && data[0] == '{')
		check_settings(text, size);
	return 0;
}
