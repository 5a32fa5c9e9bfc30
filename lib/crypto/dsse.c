#include "crypto/dsse.h"

#include "base/strtab.h"
#include "crypto/base64.h"
#include "crypto/dsse_scan.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAE_HEAD_MAX 96u /* bytes: "DSSEv1", two lengths of 20 digits, the type, spaces */

static const char *const error_names[_DSSE_E_MAX] = {
        [0] = "none",
        [DSSE_E_TOO_LARGE] = "envelope_too_large",
        [DSSE_E_JSON] = "not_json",
        [DSSE_E_FIELDS] = "not_an_envelope",
        [DSSE_E_BASE64] = "bad_base64",
        [DSSE_E_SIGNATURES] = "bad_signatures",
        [DSSE_E_TYPE] = "other_payload_type",
};

static const char *const error_texts[_DSSE_E_MAX] = {
        [0] = "nothing is wrong",
        [DSSE_E_TOO_LARGE] = "larger than 64 MiB, or more than 1 MiB beside its payload",
        [DSSE_E_JSON] = "not strict JSON (one object, no key twice, nothing behind it, at most 16 "
                        "deep)",
        [DSSE_E_FIELDS] = "not a DSSE envelope (payload, payloadType, signatures)",
        [DSSE_E_BASE64] = "faulty base64",
        [DSSE_E_SIGNATURES] = "more than 32 signatures, or an empty one",
        [DSSE_E_TYPE] = "not of payload type " DSSE_PAYLOAD_TYPE,
};

const char *dsse_error_name(int error)
{
	return strtab_name(error_names, _DSSE_E_MAX, error);
}

const char *dsse_error_text(int error)
{
	return strtab_name(error_texts, _DSSE_E_MAX, error);
}

void dsse_free(struct dsse *dsse)
{
	if (!dsse)
		return;
	for (size_t i = 0; i < dsse->n_signatures; i++) {
		free(dsse->signatures[i].keyid);
		free(dsse->signatures[i].bytes);
	}
	free(dsse->pae);
	free(dsse);
}

/* What stands before a body of that size. */
static size_t head_of(size_t body_size, char ret_head[PAE_HEAD_MAX])
{
	return (size_t)snprintf(ret_head, PAE_HEAD_MAX, "DSSEv1 %zu %s %zu ",
	        strlen(DSSE_PAYLOAD_TYPE), DSSE_PAYLOAD_TYPE, body_size);
}

/* Room for a body of that size behind its head. */
static int begin(size_t body_size, struct dsse **ret_dsse, uint8_t **ret_body)
{
	_cleanup_(dsse_freep) struct dsse *dsse = calloc(1, sizeof(*dsse));
	char head[PAE_HEAD_MAX];
	size_t n;

	if (!dsse)
		return -ENOMEM;
	n = head_of(body_size, head);
	dsse->pae_size = n + body_size;
	dsse->pae = malloc(dsse->pae_size);
	if (!dsse->pae)
		return -ENOMEM;
	memcpy(dsse->pae, head, n);
	*ret_body = dsse->pae + n;
	dsse->body = *ret_body;
	dsse->body_size = body_size;
	*ret_dsse = TAKE_PTR(dsse);
	return 0;
}

int dsse_new(const void *body, size_t size, struct dsse **ret_dsse)
{
	uint8_t *room;
	int r;

	if (base64_encoded_size(size) > DSSE_ENVELOPE_MAX)
		return DSSE_E_TOO_LARGE;
	r = begin(size, ret_dsse, &room);
	if (r == 0)
		memcpy(room, body, size);
	return r;
}

int dsse_add(struct dsse *dsse, const char *keyid, const uint8_t *bytes, size_t size)
{
	struct dsse_signature *slot = &dsse->signatures[dsse->n_signatures];
	_cleanup_free_ uint8_t *copy = NULL;
	_cleanup_free_ char *hint = NULL;

	for (size_t i = 0; i < dsse->n_signatures; i++)
		if (dsse->signatures[i].size == size &&
		        !memcmp(dsse->signatures[i].bytes, bytes, size))
			return 0;
	if (dsse->n_signatures == DSSE_SIGNATURES_MAX || size == 0)
		return DSSE_E_SIGNATURES;
	copy = malloc(size);
	hint = keyid ? strdup(keyid) : NULL;
	if (!copy || (keyid && !hint))
		return -ENOMEM;
	memcpy(copy, bytes, size);
	*slot = (struct dsse_signature){
	        .keyid = TAKE_PTR(hint), .bytes = TAKE_PTR(copy), .size = size};
	dsse->n_signatures++;
	return 0;
}

/*
 * Reading.
 */
static int decode_text(const char *text, size_t size, struct dsse **ret_dsse)
{
	_cleanup_(dsse_freep) struct dsse *dsse = NULL;
	size_t room = base64_decoded_max(size), decoded = 0;
	uint8_t *body;
	int r;

	/* The head holds the decoded length, which padding tells before anything is decoded. */
	if (size >= 4 && size % 4 == 0)
		room -= (size_t)(text[size - 1] == '=') + (size_t)(text[size - 2] == '=');
	r = begin(room, &dsse, &body);
	if (r == 0 && base64_decode(text, size, body, &decoded) < 0)
		r = DSSE_E_BASE64;
	if (r == 0 && decoded != room)
		r = DSSE_E_BASE64;
	if (r == 0)
		*ret_dsse = TAKE_PTR(dsse);
	return r;
}

static void json_freep(json_t **value)
{
	json_decref(*value);
}

/* Encoders that escape '/' or '+': the literal is unescaped first. Rare, so its memory may be. */
static int decode_escaped(const char *literal, size_t size, struct dsse **ret_dsse)
{
	_cleanup_(json_freep) json_t *value = json_loadb(literal, size, JSON_DECODE_ANY, NULL);

	if (!json_is_string(value))
		return DSSE_E_JSON;
	return decode_text(json_string_value(value), json_string_length(value), ret_dsse);
}

static int decode_payload(const struct dsse_scan *scan, const char *text, struct dsse **ret_dsse)
{
	const char *payload = text + scan->payload_at;

	if (!memchr(payload, '\\', scan->payload_size))
		return decode_text(payload, scan->payload_size, ret_dsse);
	return decode_escaped(payload - 1, scan->payload_size + 2, ret_dsse);
}

/*
 * The payload in the very place of the text: each group of four is read before its three bytes are
 * written over it. The text becomes the PAE; 0 with *text NULL then.
 */
static int decode_in_place(const struct dsse_scan *scan, char **text, struct dsse **ret_dsse)
{
	_cleanup_(dsse_freep) struct dsse *dsse = calloc(1, sizeof(*dsse));
	char head[PAE_HEAD_MAX], *payload = *text + scan->payload_at, *smaller;
	size_t n, size = 0;

	if (!dsse)
		return -ENOMEM;
	if (base64_decode(payload, scan->payload_size, (uint8_t *)payload, &size) < 0)
		return DSSE_E_BASE64;
	n = head_of(size, head);
	memmove(*text + n, payload, size);
	memcpy(*text, head, n);
	smaller = realloc(*text, n + size);
	dsse->pae = (uint8_t *)(smaller ?: *text);
	*text = NULL;
	dsse->pae_size = n + size;
	dsse->body = dsse->pae + n;
	dsse->body_size = size;
	*ret_dsse = TAKE_PTR(dsse);
	return 0;
}

/* A short text has no room for the head; one with escapes is not base64 as it stands. */
static bool fits_in_place(const struct dsse_scan *scan, const char *text, size_t size)
{
	return base64_decoded_max(scan->payload_size) + PAE_HEAD_MAX <= size &&
	       !memchr(text + scan->payload_at, '\\', scan->payload_size);
}

/* The text without the content of its payload, piece by piece as json_load_callback() asks. */
struct around {
	const char *text;
	size_t at, end;    /* of the piece under way */
	size_t next, last; /* the piece after it; empty when it was the last */
};

static size_t give_around(void *buffer, size_t room, void *userdata)
{
	struct around *around = userdata;
	size_t n;

	if (around->at == around->end) {
		around->at = around->next;
		around->end = around->next = around->last;
	}
	n = around->end - around->at < room ? around->end - around->at : room;
	memcpy(buffer, around->text + around->at, n);
	around->at += n;
	return n;
}

static json_t *load_around(const char *text, size_t size, const struct dsse_scan *scan)
{
	struct around around = {
	        .text = text,
	        .end = scan->payload_at,
	        .next = scan->payload_at + scan->payload_size,
	        .last = size,
	};

	return json_load_callback(give_around, &around, JSON_REJECT_DUPLICATES, NULL);
}

static int add_one(struct dsse *dsse, const json_t *entry)
{
	const json_t *keyid = json_object_get(entry, "keyid"), *sig = json_object_get(entry, "sig");
	uint8_t bytes[DSSE_TEXT_MAX / 4 * 3];
	size_t size = 0;

	if (!json_is_string(sig))
		return DSSE_E_FIELDS;
	/* null and "" are what libraries write for none. */
	if (keyid && !json_is_string(keyid) && !json_is_null(keyid))
		return DSSE_E_FIELDS;
	if (json_string_length(sig) > DSSE_TEXT_MAX || json_string_length(keyid) > DSSE_TEXT_MAX)
		return DSSE_E_TOO_LARGE;
	if (base64_decode(json_string_value(sig), json_string_length(sig), bytes, &size) < 0)
		return DSSE_E_BASE64;
	return dsse_add(
	        dsse, json_string_length(keyid) > 0 ? json_string_value(keyid) : NULL, bytes, size);
}

static int add_all(struct dsse *dsse, const json_t *signatures)
{
	if (!json_is_array(signatures))
		return DSSE_E_FIELDS;
	if (json_array_size(signatures) > DSSE_SIGNATURES_MAX)
		return DSSE_E_SIGNATURES;
	for (size_t i = 0; i < json_array_size(signatures); i++) {
		int r = add_one(dsse, json_array_get(signatures, i));

		if (r != 0)
			return r;
	}
	return 0;
}

static int check_members(const json_t *root, const struct dsse_scan *scan)
{
	const json_t *type = json_object_get(root, "payloadType");

	/* A scan that found another payload than jansson would be a fault of ours. */
	if (!scan->found || !json_is_string(json_object_get(root, "payload")) ||
	        json_string_length(json_object_get(root, "payload")) != 0)
		return DSSE_E_FIELDS;
	if (!json_is_string(type))
		return DSSE_E_FIELDS;
	return strcmp(json_string_value(type), DSSE_PAYLOAD_TYPE) ? DSSE_E_TYPE : 0;
}

/* @taken is @text, or NULL when it is not ours to write over. */
static int parse(const char *text, size_t size, char **taken, struct dsse **ret_dsse)
{
	_cleanup_(json_freep) json_t *root = NULL;
	_cleanup_(dsse_freep) struct dsse *dsse = NULL;
	struct dsse_scan scan;
	int r;

	if (size > DSSE_ENVELOPE_MAX)
		return DSSE_E_TOO_LARGE;
	if (dsse_scan(text, size, DSSE_DEPTH_MAX, &scan) < 0)
		return DSSE_E_JSON;
	if (size - scan.payload_size > DSSE_BESIDE_MAX)
		return DSSE_E_TOO_LARGE;
	root = load_around(text, size, &scan);
	if (!root)
		return DSSE_E_JSON;
	r = check_members(root, &scan);
	if (r == 0 && taken && fits_in_place(&scan, text, size))
		r = decode_in_place(&scan, taken, &dsse);
	else if (r == 0)
		r = decode_payload(&scan, text, &dsse);
	if (r == 0)
		r = add_all(dsse, json_object_get(root, "signatures"));
	if (r == 0)
		*ret_dsse = TAKE_PTR(dsse);
	return r;
}

int dsse_parse(const char *text, size_t size, struct dsse **ret_dsse)
{
	return parse(text, size, NULL, ret_dsse);
}

int dsse_parse_taken(char *text, size_t size, struct dsse **ret_dsse)
{
	_cleanup_free_ char *taken = text;

	return parse(text, size, &taken, ret_dsse);
}

/*
 * Writing.
 */
static json_t *encoded(const uint8_t *bytes, size_t size)
{
	_cleanup_free_ char *text = malloc(base64_encoded_size(size) + 1);

	if (!text)
		return NULL;
	base64_encode(bytes, size, text);
	return json_string_nocheck(text);
}

static json_t *signatures_json(const struct dsse *dsse)
{
	json_t *list = json_array();

	for (size_t i = 0; i < dsse->n_signatures; i++) {
		const struct dsse_signature *signature = &dsse->signatures[i];
		json_t *entry =
		        json_pack("{s:o}", "sig", encoded(signature->bytes, signature->size));

		if (signature->keyid)
			json_object_set_new(entry, "keyid", json_string(signature->keyid));
		if (json_array_append_new(list, entry) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

int dsse_print(const struct dsse *dsse, char **ret_text, size_t *ret_size)
{
	_cleanup_(json_freep) json_t *root = NULL;
	_cleanup_free_ char *text = NULL, *line = NULL;
	size_t size;

	if (base64_encoded_size(dsse->body_size) > DSSE_ENVELOPE_MAX)
		return DSSE_E_TOO_LARGE;
	root = json_pack("{s:o, s:s, s:o}", "payload", encoded(dsse->body, dsse->body_size),
	        "payloadType", DSSE_PAYLOAD_TYPE, "signatures", signatures_json(dsse));
	text = root ? json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	if (!text)
		return -ENOMEM;
	size = strlen(text);
	if (size + 1 > DSSE_ENVELOPE_MAX)
		return DSSE_E_TOO_LARGE;
	line = realloc(text, size + 2);
	if (!line)
		return -ENOMEM;
	text = NULL; /* it is line's now */
	memcpy(line + size, "\n", 2);
	*ret_text = TAKE_PTR(line);
	*ret_size = size + 1;
	return 0;
}
