/*
 * SHA-256 is known by then. Another hash means that the file is read once more, a step at a time as
 * for the first: a large one holds up nobody, and the deadline answers for it.
 *
 * Whoever can set the attribute (root of the host: the kernel asks for CAP_SYS_ADMIN there) vouches
 * for nothing by that; a trusted key does, and only for the content that it has signed.
 */
#include "daemon/exec_signature.h"

#include "base/clock.h"
#include "daemon/backing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool exec_signature_matters(const struct exec_signature *signature, bool enabled,
        const struct trust *trust, const struct exec_facts *facts,
        const struct policy_decision *decision)
{
	if (!enabled || !trust || signature->asked || !facts->has_digest)
		return false;
	/* Learned is what nobody vouches for. */
	if (decision->reason == REASON_DENYLISTED ||
	        (decision->verdict == VERDICT_ALLOW && decision->reason != REASON_LEARNING))
		return false;
	switch (facts->origin) {
	case ORIGIN_DROPPED:
	case ORIGIN_MODIFIED:
	case ORIGIN_VOLUME:
	case ORIGIN_HOST:
		return !trust_is_revoked(trust, &facts->digest);
	default:
		return false;
	}
}

/* The attribute, parsed: IMA_UNCHECKED, or why there is nothing to check. */
static enum ima_result read_attribute(struct exec_signature *s, int fd, int *reterr_errno)
{
	size_t size;
	int r;

	s->bytes = malloc(IMA_SIZE_MAX);
	r = s->bytes ? ima_read(fd, s->bytes, &size) : -ENOMEM;
	if (r == 0)
		return ima_parse(s->bytes, size, &s->signature);
	if (r == -ERANGE)
		return IMA_MALFORMED;
	if (r != -ENODATA && r != -EOPNOTSUPP)
		*reterr_errno = -r;
	return IMA_NONE;
}

static void verify(struct exec_signature *s, const struct key_digest *digest,
        const struct trust *trust, int64_t now_ns)
{
	const struct trust_key *key;

	s->result = ima_verify(&s->signature, digest, trust, now_ns, &key);
	if (s->result == IMA_GOOD)
		s->until_ns = key->expires_ns == INT64_MAX ? 0 : key->expires_ns;
}

static enum hash_state begin(struct exec_signature *s, const struct hashing *self,
        const struct digest *sha256, const struct trust *trust, int64_t now_ns)
{
	struct key_digest digest = {.hash = KEY_HASH_SHA256};
	int error = 0;

	s->asked = true;
	s->result = read_attribute(s, self->fd, &error);
	if (s->result != IMA_UNCHECKED)
		return error ? HASH_FAILED : HASH_DONE;
	memcpy(digest.bytes, sha256->bytes, DIGEST_SIZE);
	/* A key that nobody has is found out before a large file is read for it. */
	if (s->signature.hash == KEY_HASH_SHA256 ||
	        ima_verify(&s->signature, &digest, trust, now_ns, NULL) == IMA_UNKNOWN_KEY) {
		verify(s, &digest, trust, now_ns);
		return HASH_DONE;
	}
	s->source = (struct digest_source){.fd = self->fd, .expected_size = self->identity.size};
	return ima_stream_new(s->signature.hash, &s->stream) == 0 ? HASH_AGAIN : HASH_FAILED;
}

/* Both digests are of the same content: it is still as it was before the first. */
static bool unchanged(const struct hashing *self)
{
	struct file_identity now;
	mode_t mode;

	return hashing_still_leased(self) && file_identity_of(self->fd, &now, &mode) == 0 &&
	       file_identity_equal(&now, &self->identity);
}

enum hash_state exec_signature_step(struct exec_signature *s, const struct hashing *self,
        const struct digest *sha256, const struct trust *trust, int64_t now_ns)
{
	struct key_digest digest;
	int error = 0;

	if (!hashing_still_leased(self))
		return HASH_MUTABLE;
	if (!s->asked)
		return begin(s, self, sha256, trust, now_ns);
	switch (ima_stream_file(s->stream, &s->source, HASH_STEP_BYTES, &digest, &error)) {
	case DIGEST_MORE:
		return HASH_AGAIN;
	case DIGEST_DONE:
		if (!unchanged(self))
			return HASH_MUTABLE;
		verify(s, &digest, trust, now_ns);
		return HASH_DONE;
	case DIGEST_LONGER:
	case DIGEST_SHORTER:
		return HASH_MUTABLE;
	default:
		return HASH_FAILED;
	}
}

int64_t exec_signature_now(const struct ruling *ruling)
{
	int64_t now_ns = clock_realtime_ns();
	struct allowlists_terms terms;

	ruling_terms(ruling, now_ns, &terms);
	return terms.limits.latest_now_ns > now_ns ? terms.limits.latest_now_ns : now_ns;
}

void exec_signature_done(struct exec_signature *s)
{
	digest_stream_free(s->stream);
	free(s->bytes);
	s->stream = NULL;
	s->bytes = NULL;
}
