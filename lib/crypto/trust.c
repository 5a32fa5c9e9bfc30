#include "crypto/trust.h"

#include "base/strtab.h"
#include "core/glob.h"
#include "crypto/trust_internal.h"

#include <stdlib.h>
#include <string.h>

static const char *const use_names[_TRUST_USE_MAX] = {
        [TRUST_USE_UNSET] = "unset",
        [TRUST_USE_MANIFEST] = "manifest",
        [TRUST_USE_IMA] = "ima",
};

const char *trust_use_name(enum trust_use use)
{
	return strtab_name(use_names, _TRUST_USE_MAX, (int)use);
}

enum trust_use trust_use_from_name(const char *name)
{
	int value = strtab_value(use_names, _TRUST_USE_MAX, name);

	return value > 0 ? (enum trust_use)value : TRUST_USE_UNSET;
}

void trust_key_done(struct trust_key *key)
{
	key_free(key->key);
	free(key->name);
	for (size_t i = 0; i < key->n_series; i++)
		free(key->series[i]);
	free(key->series);
	*key = (struct trust_key){0};
}

void trust_free(struct trust *trust)
{
	if (!trust)
		return;
	for (size_t i = 0; i < trust->n_keys; i++)
		trust_key_done(&trust->keys[i]);
	for (size_t i = 0; i < trust->n_floors; i++)
		free(trust->floors[i].series);
	free(trust->keys);
	free(trust->floors);
	free(trust->revoked_keys);
	free(trust->revoked_digests);
	free(trust);
}

void trust_error_done(struct trust_error *error)
{
	free(error->path);
	free(error->message);
	*error = (struct trust_error){0};
}

bool trust_key_usable(const struct trust_key *key, enum trust_use use, int64_t now_ns)
{
	return use != TRUST_USE_UNSET && key->use == use && !key->revoked &&
	       key->expires_ns > now_ns;
}

size_t trust_count_usable(const struct trust *trust, enum trust_use use, int64_t now_ns)
{
	size_t n = 0;

	for (size_t i = 0; i < trust->n_keys; i++)
		n += trust_key_usable(&trust->keys[i], use, now_ns);
	return n;
}

bool trust_key_signs_series(const struct trust_key *key, const char *series)
{
	for (size_t i = 0; i < key->n_series; i++)
		if (glob_match(key->series[i], GLOB_TEXT, series))
			return true;
	return key->n_series == 0;
}

int trust_compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct digest));
}

bool trust_is_revoked(const struct trust *trust, const struct digest *digest)
{
	return trust->n_revoked_digests > 0 &&
	       bsearch(digest, trust->revoked_digests, trust->n_revoked_digests, sizeof(*digest),
	               trust_compare_digests);
}

bool trust_is_revoked_key(const struct trust *trust, const struct digest *id)
{
	return trust->n_revoked_keys > 0 && bsearch(id, trust->revoked_keys, trust->n_revoked_keys,
	                                            sizeof(*id), trust_compare_digests);
}

uint64_t trust_floor(const struct trust *trust, const char *series)
{
	for (size_t i = 0; i < trust->n_floors; i++)
		if (!strcmp(trust->floors[i].series, series))
			return trust->floors[i].version;
	return 0;
}
