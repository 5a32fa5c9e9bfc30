/*
 * DSSE envelopes (docs/formats.md): read, made, written. What was signed is decoded once, into the
 * very bytes that are verified: struct dsse holds the pre-authentication encoding, and the body is
 * its tail. Who parses the body parses what was verified.
 *
 * Nothing here looks into the body, and nothing here says that an envelope is to be trusted: that
 * is dsse_verify.h.
 */
#pragma once

#include "base/cleanup.h"

#include <stddef.h>
#include <stdint.h>

#define DSSE_ENVELOPE_MAX   (64u << 20) /* bytes of the JSON text */
#define DSSE_BESIDE_MAX     (1u << 20) /* bytes of it beside the payload; bounds what jansson makes */
#define DSSE_SIGNATURES_MAX 32u
#define DSSE_TEXT_MAX       4096u /* bytes of a string beside the payload */
#define DSSE_DEPTH_MAX      16u   /* of arrays and objects in each other */

#define DSSE_PAYLOAD_TYPE "application/vnd.in-toto+json"

/* Why an envelope is not taken. */
enum {
	DSSE_E_TOO_LARGE = 1,
	DSSE_E_JSON,       /* not strict JSON: a key twice, something behind the end, too deep */
	DSSE_E_FIELDS,     /* payload, payloadType or signatures missing, or of another type */
	DSSE_E_BASE64,     /* payload or a signature in faulty base64 */
	DSSE_E_SIGNATURES, /* more than DSSE_SIGNATURES_MAX, or an empty one */
	DSSE_E_TYPE,       /* another payloadType than DSSE_PAYLOAD_TYPE */
	_DSSE_E_MAX,
};

const char *dsse_error_name(int error); /* a stable word: envelope_too_large, not_json, ... */
const char *dsse_error_text(int error); /* a message's part */

struct dsse_signature {
	char *keyid; /* unauthenticated: it may decide nothing. NULL when there is none */
	uint8_t *bytes;
	size_t size;
};

struct dsse {
	uint8_t *pae; /* what is signed */
	size_t pae_size;
	const uint8_t *body; /* in pae, up to its end */
	size_t body_size;
	struct dsse_signature signatures[DSSE_SIGNATURES_MAX];
	size_t n_signatures; /* may be 0 */
};

void dsse_free(struct dsse *dsse);
DEFINE_FREEP(dsse, dsse_free)

/*
 * @text is borrowed, and can be freed at once. 0, a DSSE_E_X, or -ENOMEM. Members that are not
 * known are ignored. The caller frees with dsse_free().
 */
int dsse_parse(const char *text, size_t size, struct dsse **ret_dsse);
/*
 * The same of memory from malloc() that is taken, whatever comes of it: the payload is decoded in
 * its place, so that an envelope of 64 MiB is in memory once.
 */
int dsse_parse_taken(char *text, size_t size, struct dsse **ret_dsse);

/* An envelope without a signature, of our payload type. 0, DSSE_E_TOO_LARGE or -ENOMEM. */
int dsse_new(const void *body, size_t size, struct dsse **ret_dsse);

/*
 * Adds a signature, copied; one that is there already is not added again. @keyid may be NULL. 0,
 * DSSE_E_SIGNATURES or -ENOMEM.
 */
int dsse_add(struct dsse *dsse, const char *keyid, const uint8_t *bytes, size_t size);

/*
 * The envelope as one line of JSON, keys sorted, standard base64; the same envelope gives the same
 * bytes. 0, DSSE_E_TOO_LARGE or -ENOMEM. The caller frees *ret_text.
 */
int dsse_print(const struct dsse *dsse, char **ret_text, size_t *ret_size);
