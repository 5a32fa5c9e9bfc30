/*
 * execward attach: a signature made elsewhere, over what `execward pae` wrote, goes into an
 * envelope. It is checked against the signer's public key first: a signature over something else,
 * or in a format that nobody will read, is found here and not on a host.
 */
#include "base/cleanup.h"
#include "crypto/base64.h"
#include "tools/envelope_io.h"
#include "tools/print.h"
#include "tools/signing_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct bytes {
	uint8_t *data;
	size_t size;
};

static void bytes_done(struct bytes *bytes)
{
	free(bytes->data);
}

static bool is_good(const struct dsse *dsse, const struct key *key, const void *data, size_t size)
{
	return key_verify(key, dsse->pae, dsse->pae_size, data, size) == SIGNATURE_GOOD;
}

/* The bytes of the file are the signature, or its base64 on one line: KMSes give either. */
static bool pick(const struct dsse *dsse, const struct key *key, const char *text, size_t size,
        struct bytes *ret_signature)
{
	struct bytes bytes = {.data = malloc(base64_decoded_max(size) + size + 1)};
	const char *end = memchr(text, '\n', size);

	if (!bytes.data)
		return false;
	memcpy(bytes.data, text, size);
	bytes.size = size;
	if (is_good(dsse, key, bytes.data, bytes.size)) {
		*ret_signature = bytes;
		return true;
	}
	if (end && end == text + size - 1)
		size--;
	if (base64_decode(text, size, bytes.data, &bytes.size) == 0 &&
	        is_good(dsse, key, bytes.data, bytes.size)) {
		*ret_signature = bytes;
		return true;
	}
	bytes_done(&bytes);
	return false;
}

static int refuse(const char *path, int code, const char *what)
{
	_cleanup_free_ char *name = text_safe(path);

	fprintf(stderr, "execward attach: %s: %s\n", name, what);
	return code;
}

int verb_attach(const struct tool *tool, const struct call *call)
{
	_cleanup_(dsse_freep) struct dsse *dsse = NULL;
	_cleanup_(key_freep) struct key *key = NULL;
	_cleanup_(bytes_done) struct bytes signature = {0};
	_cleanup_free_ char *text = NULL;
	const char *path = call->values[OPTION_SIGNATURE];
	char id[DIGEST_HEX_SIZE];
	size_t size;
	int r = public_key_open(call, &key);

	if (r == 0)
		r = input_read(call, path, DSSE_TEXT_MAX, &text, &size);
	if (r == 0)
		r = envelope_or_body_read(call, call->argument, &dsse);
	if (r != 0)
		return r;
	if (!pick(dsse, key, text, size, &signature))
		return refuse(path, 1,
		        "bad signature: not by this key, or not over what `execward pae` writes "
		        "for "
		        "this file");
	r = dsse_add(dsse, id_text(key, id), signature.data, signature.size);
	if (r != 0)
		return refuse(path, r > 0 ? EX_DATAERR : EX_SOFTWARE,
		        r > 0 ? dsse_error_text(r) : "out of memory");
	r = envelope_write(call, dsse);
	if (r == 0 && tool->json && !output_is_stdout(call)) {
		json_t *object = json_pack("{s:s, s:s, s:i}", "key_id", id, "scheme",
		        key_scheme_name(key_scheme(key)), "signatures", (int)dsse->n_signatures);

		print_json(object);
		json_decref(object);
	}
	return r;
}
