/*
 * execward export: the envelope with one signature alone, which is what sigstore's tools take. The
 * one is named by its public key, and checked.
 */
#include "base/cleanup.h"
#include "tools/envelope_io.h"
#include "tools/print.h"
#include "tools/signing_key.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

int verb_export(const struct tool *tool, const struct call *call)
{
	_cleanup_(dsse_freep) struct dsse *dsse = NULL, *one = NULL;
	_cleanup_(key_freep) struct key *key = NULL;
	char id[DIGEST_HEX_SIZE];
	int at, r = public_key_open(call, &key);

	if (r == 0)
		r = envelope_read(call, call->argument, &dsse, NULL);
	if (r != 0)
		return r;
	at = signature_of(dsse, key);
	if (at < 0) {
		_cleanup_free_ char *name = text_safe(call->argument);

		fprintf(stderr, "execward export: %s: no signature by this key is good\n", name);
		return 1;
	}
	if (dsse_new(dsse->body, dsse->body_size, &one) != 0 ||
	        dsse_add(one, id_text(key, id), dsse->signatures[at].bytes,
	                dsse->signatures[at].size) != 0)
		return EX_SOFTWARE;
	r = envelope_write(call, one);
	if (r == 0 && tool->json && !output_is_stdout(call)) {
		json_t *object = json_pack("{s:s}", "key_id", id);

		print_json(object);
		json_decref(object);
	}
	return r;
}
