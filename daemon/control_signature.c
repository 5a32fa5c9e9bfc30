#include "daemon/control_signature.h"

#include "base/clock.h"
#include "base/hex.h"
#include "crypto/ima.h"

#include <string.h>

/* Whatever a signature could vouch for at all (exec_signature.h). */
static bool may_be_signed(const struct exec_facts *facts)
{
	return facts->has_digest &&
	       (facts->origin == ORIGIN_DROPPED || facts->origin == ORIGIN_MODIFIED ||
	               facts->origin == ORIGIN_VOLUME || facts->origin == ORIGIN_HOST);
}

static bool read_hex(const char *text, uint8_t *ret_bytes, size_t room, size_t *ret_size)
{
	size_t n = text ? strlen(text) : 0;

	*ret_size = n / 2;
	return n > 0 && n / 2 <= room && hex_decode(text, n, ret_bytes, n / 2) == 0;
}

unsigned int control_signature_vouches(
        const json_t *request, const struct ruling *ruling, const struct exec_facts *facts)
{
	const char *other = json_string_value(json_object_get(request, "ima_digest"));
	const struct trust *trust = believed_trust(ruling_believed(ruling));
	struct ima_signature signature = {0};
	struct key_digest digest = {0};
	uint8_t xattr[IMA_SIZE_MAX];
	size_t size;

	if (!trust || !ruling_config(ruling)->ima || !may_be_signed(facts) ||
	        trust_is_revoked(trust, &facts->digest) ||
	        !read_hex(json_string_value(json_object_get(request, "ima")), xattr, sizeof(xattr),
	                &size) ||
	        ima_parse(xattr, size, &signature) != IMA_UNCHECKED)
		return VOUCH_NONE;
	digest.hash = signature.hash;
	if (signature.hash == KEY_HASH_SHA256)
		memcpy(digest.bytes, facts->digest.bytes, DIGEST_SIZE);
	else if (!read_hex(other, digest.bytes, sizeof(digest.bytes), &size) ||
	         size != key_hash_size(signature.hash))
		return VOUCH_NONE;
	return ima_verify(&signature, &digest, trust, clock_realtime_ns(), NULL) == IMA_GOOD
	               ? VOUCH_SIGNED
	               : VOUCH_NONE;
}
