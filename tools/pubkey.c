/* execward pubkey: the public half of a key, of a file or of a token, and how it is named. */
#include "base/cleanup.h"
#include "tools/envelope_io.h"
#include "tools/passphrase.h"
#include "tools/print.h"
#include "tools/signing_key.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static void show_json(const struct key *key, const char *pem)
{
	char id[DIGEST_HEX_SIZE];
	json_t *object = json_pack("{s:s, s:s, s:i}", "key_id", id_text(key, id), "scheme",
	        key_scheme_name(key_scheme(key)), "bits", (int)key_bits(key));

	if (pem)
		json_object_set_new(object, "pem", json_string(pem));
	print_json(object);
	json_decref(object);
}

int verb_pubkey(const struct tool *tool, const struct call *call)
{
	_cleanup_(key_freep) struct key *key = NULL;
	_cleanup_free_ char *pem = NULL;
	char id[DIGEST_HEX_SIZE];
	bool to_stdout = output_is_stdout(call);
	int r = passphrase_check(call, false);

	if (r == 0)
		r = any_key_open(call, &key);
	if (r != 0)
		return r;
	if (key_public_pem(key, &pem) < 0) {
		fputs("execward pubkey: out of memory\n", stderr);
		return EX_SOFTWARE;
	}
	if (!to_stdout || !tool->json)
		r = output_write(call, pem, strlen(pem));
	if (r != 0)
		return r;
	if (tool->json)
		show_json(key, to_stdout ? pem : NULL);
	else
		fprintf(to_stdout ? stderr : stdout, "key id %s (%s)\n", id_text(key, id),
		        key_scheme_name(key_scheme(key)));
	return 0;
}
