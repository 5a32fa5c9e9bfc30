/*
 * A file's own signature (security.ima) in a verdict: asked for where nobody else vouches, and only
 * with trust.ima. Read from the descriptor that was hashed, under its lease.
 */
#pragma once

#include "core/policy.h"
#include "crypto/ima.h"
#include "daemon/hashing.h"
#include "daemon/ruling.h"

struct exec_signature {
	bool asked;             /* once for each request */
	enum ima_result result; /* IMA_GOOD: it vouches */
	int64_t until_ns;       /* CLOCK_REALTIME: when its key expires; 0: never */
	uint8_t *bytes;         /* of the attribute; what follows points into them */
	struct ima_signature signature;
	struct digest_stream *stream; /* of SHA-384 or SHA-512; NULL until it is needed */
	struct digest_source source;
};

/*
 * Whether it can make a difference to @decision, which was made without it: there is a digest, its
 * file can be vouched for, and nobody does. @trust NULL: nobody is trusted.
 */
bool exec_signature_matters(const struct exec_signature *signature, bool enabled,
        const struct trust *trust, const struct exec_facts *facts,
        const struct policy_decision *decision);

/*
 * A step of looking, at most HASH_STEP_BYTES of the file: HASH_AGAIN; HASH_DONE with the result;
 * HASH_MUTABLE when somebody can write the file or has; HASH_FAILED, then there is no good result.
 * @self is of the file, done, and leased where it wants to be; @digest is what it has found.
 */
enum hash_state exec_signature_step(struct exec_signature *signature, const struct hashing *self,
        const struct digest *digest, const struct trust *trust, int64_t now_ns);
/* When keys are asked: a clock that goes back revives none. CLOCK_REALTIME. */
int64_t exec_signature_now(const struct ruling *ruling);
void exec_signature_done(struct exec_signature *signature);
