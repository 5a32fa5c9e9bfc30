/*
 * Who has signed an envelope, of those that are trusted. Before this has said ALLOWLIST_ACCEPTED
 * nobody parses the body; after it, the signers must also be asked whether they may sign the body's
 * series, which only the body tells.
 */
#pragma once

#include "core/allowlist.h"
#include "crypto/dsse.h"
#include "crypto/trust.h"

/* How one signature of the envelope fared. */
struct dsse_finding {
	enum signature_state state;
	const struct trust_key *key; /* who signed, of all keys; NULL when nobody known did */
};

struct dsse_verification {
	enum allowlist_reason reason; /* zero: nobody looked */
	uint32_t threshold;
	struct dsse_finding findings[DSSE_SIGNATURES_MAX]; /* of dsse->signatures, in their order */
	/* Different usable keys that have signed, in the order of the trusted keys; borrowed. */
	const struct trust_key *signers[DSSE_SIGNATURES_MAX];
	size_t n_signers;
};

/*
 * The keys that count are those of use manifest that are neither revoked nor expired at @now_ns.
 * @threshold is how many different ones must have signed: 1 up to their number. A bad signature
 * beside good ones is passed over; a key id only says which key to try first.
 */
void dsse_verify(const struct dsse *dsse, const struct trust *trust, uint32_t threshold,
        int64_t now_ns, struct dsse_verification *ret_verification);

/*
 * The second half, with the series that the verified body names: the signers that may sign it must
 * still be as many as the threshold. Never better than the first half's reason.
 */
enum allowlist_reason dsse_verify_series(
        const struct dsse_verification *verification, const char *series);
