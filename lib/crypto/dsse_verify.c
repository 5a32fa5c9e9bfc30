#include "crypto/dsse_verify.h"

#include <string.h>

static bool is_hinted(const struct dsse_signature *signature, const struct trust_key *key)
{
	char id[DIGEST_HEX_SIZE];

	digest_to_hex(key_id(key->key), id);
	return signature->keyid && !strcmp(signature->keyid, id);
}

static bool try_key(const struct dsse *dsse, size_t i, const struct trust_key *key,
        struct dsse_verification *verification)
{
	const struct dsse_signature *signature = &dsse->signatures[i];
	enum signature_state state =
	        key_verify(key->key, dsse->pae, dsse->pae_size, signature->bytes, signature->size);

	if (state != SIGNATURE_GOOD)
		return false;
	verification->findings[i] = (struct dsse_finding){.state = SIGNATURE_GOOD, .key = key};
	return true;
}

/*
 * The key that a hint names comes first: each try reads the whole list. An honest envelope then
 * costs one try a signature.
 */
static void examine(const struct dsse *dsse, size_t i, const struct trust *trust,
        struct dsse_verification *verification)
{
	for (int hinted = 1; hinted >= 0; hinted--)
		for (size_t k = 0; k < trust->n_keys; k++) {
			const struct trust_key *key = &trust->keys[k];

			if (key->use == TRUST_USE_MANIFEST &&
			        is_hinted(&dsse->signatures[i], key) == hinted &&
			        try_key(dsse, i, key, verification))
				return;
		}
	verification->findings[i].state = SIGNATURE_BAD;
}

static bool has_signed(const struct dsse_verification *verification, const struct dsse *dsse,
        const struct trust_key *key)
{
	for (size_t i = 0; i < dsse->n_signatures; i++)
		if (verification->findings[i].state == SIGNATURE_GOOD &&
		        verification->findings[i].key == key)
			return true;
	return false;
}

/* What to say when not one usable key has signed. */
static enum allowlist_reason why_none(const struct dsse *dsse, const struct trust *trust,
        const struct dsse_verification *verification)
{
	enum allowlist_reason reason = ALLOWLIST_UNKNOWN_KEY;

	if (dsse->n_signatures == 0)
		return ALLOWLIST_UNSIGNED;
	for (size_t k = 0; k < trust->n_keys; k++) {
		const struct trust_key *key = &trust->keys[k];

		if (key->use != TRUST_USE_MANIFEST)
			continue;
		if (has_signed(verification, dsse, key))
			return key->revoked ? ALLOWLIST_REVOKED_KEY : ALLOWLIST_EXPIRED_KEY;
		for (size_t i = 0; i < dsse->n_signatures; i++)
			if (is_hinted(&dsse->signatures[i], key))
				reason = ALLOWLIST_TAMPERED;
	}
	return reason;
}

void dsse_verify(const struct dsse *dsse, const struct trust *trust, uint32_t threshold,
        int64_t now_ns, struct dsse_verification *ret_verification)
{
	struct dsse_verification *v = ret_verification;
	size_t usable = trust_count_usable(trust, TRUST_USE_MANIFEST, now_ns);
	enum allowlist_reason why;

	*v = (struct dsse_verification){.threshold = threshold};
	for (size_t i = 0; i < dsse->n_signatures; i++)
		examine(dsse, i, trust, v);
	/* Keys are counted, not signatures: one key may have signed twice. */
	for (size_t k = 0; k < trust->n_keys; k++)
		if (trust_key_usable(&trust->keys[k], TRUST_USE_MANIFEST, now_ns) &&
		        has_signed(v, dsse, &trust->keys[k]))
			v->signers[v->n_signers++] = &trust->keys[k];
	why = v->n_signers > 0 ? ALLOWLIST_UNCHECKED : why_none(dsse, trust, v);
	if (threshold == 0)
		v->reason = ALLOWLIST_BAD_THRESHOLD;
	else if (why == ALLOWLIST_REVOKED_KEY || why == ALLOWLIST_EXPIRED_KEY)
		v->reason = why; /* says more than that too few keys are left */
	else if (usable == 0)
		v->reason = ALLOWLIST_NO_KEYS;
	else if (threshold > usable)
		v->reason = ALLOWLIST_BAD_THRESHOLD;
	else if (v->n_signers == 0)
		v->reason = why;
	else if (v->n_signers < threshold)
		v->reason = ALLOWLIST_THRESHOLD_NOT_MET;
	else
		v->reason = ALLOWLIST_ACCEPTED;
}

enum allowlist_reason dsse_verify_series(
        const struct dsse_verification *verification, const char *series)
{
	size_t n = 0;

	if (verification->reason != ALLOWLIST_ACCEPTED)
		return verification->reason;
	for (size_t i = 0; i < verification->n_signers; i++)
		n += trust_key_signs_series(verification->signers[i], series);
	if (n >= verification->threshold && verification->threshold > 0)
		return ALLOWLIST_ACCEPTED;
	return n == 0 ? ALLOWLIST_OTHER_SERIES : ALLOWLIST_THRESHOLD_NOT_MET;
}
