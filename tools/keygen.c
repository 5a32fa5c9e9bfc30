/*
 * execward keygen: a pair of files, PREFIX.key for the signer alone and PREFIX.pem for those who
 * are to believe it. Neither is ever written over: a key that is gone cannot be made again.
 */
#include "base/cleanup.h"
#include "crypto/key_file.h"
#include "tools/envelope_io.h"
#include "tools/passphrase.h"
#include "tools/print.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static int refuse(const struct call *call, const char *path, int r)
{
	_cleanup_free_ char *name = text_safe(path);

	fprintf(stderr, "execward %s: %s: %s\n", call->verb->name, name,
	        r == -EEXIST ? "is there already, and keys are never written over: name another"
	                     : strerror(-r));
	return r == -EACCES || r == -EPERM || r == -EROFS ? EX_NOPERM : EX_CANTCREAT;
}

struct pair {
	char *private, *public; /* paths */
};

static void pair_done(struct pair *pair)
{
	free(pair->private);
	free(pair->public);
}

/* The private half first: without it the public one is worth nothing. */
static int write_pair(const struct call *call, const struct pair *pair, const struct key *key,
        const struct secret *passphrase)
{
	_cleanup_(secret_done) struct secret pem = {0};
	_cleanup_free_ char *public_pem = NULL;
	int r = key_private_pem(key, passphrase, &pem);

	if (r == 0)
		r = key_public_pem(key, &public_pem);
	if (r < 0 || !public_pem) {
		fprintf(stderr, "execward keygen: %s\n", strerror(-r));
		return EX_SOFTWARE;
	}
	/* Asked before as well, so that no half of a pair is left beside somebody else's. */
	if (access(pair->public, F_OK) == 0)
		return refuse(call, pair->public, -EEXIST);
	r = key_file_write_new(pair->private, pem.data, pem.size, 0600);
	if (r < 0)
		return refuse(call, pair->private, r);
	r = key_file_write_new(pair->public, public_pem, strlen(public_pem), 0644);
	if (r < 0) {
		(void)unlink(pair->private); /* made here, a moment ago */
		return refuse(call, pair->public, r);
	}
	return 0;
}

static void show(const struct tool *tool, const struct pair *pair, const struct key *key)
{
	_cleanup_free_ char *private = text_safe(pair->private), *public = text_safe(pair->public);
	char id[DIGEST_HEX_SIZE];

	id_text(key, id);
	if (tool->json) {
		json_t *object = json_pack("{s:s, s:s, s:o, s:o}", "key_id", id, "scheme",
		        key_scheme_name(key_scheme(key)), "private", json_string(pair->private),
		        "public", json_string(pair->public));

		print_json(object);
		json_decref(object);
		return;
	}
	printf("key id   %s\nscheme   %s\nprivate  %s (keep it secret)\n"
	       "public   %s (for the keys' directory of hosts that are to trust it)\n",
	        id, key_scheme_name(key_scheme(key)), private, public);
}

int verb_keygen(const struct tool *tool, const struct call *call)
{
	_cleanup_(secret_done) struct secret passphrase = {0};
	_cleanup_(key_freep) struct key *key = NULL;
	_cleanup_(pair_done) struct pair pair = {0};
	const char *out = call->values[OPTION_OUT], *name = call->values[OPTION_TYPE];
	enum key_type type = name ? key_type_from_name(name) : KEY_TYPE_ED25519;
	bool plain = call_has(call, OPTION_UNENCRYPTED);
	int r = passphrase_check(call, false);

	if (r != 0)
		return r;
	if (type == KEY_TYPE_UNSET || !strcmp(out, "-") ||
	        (plain && call_has(call, OPTION_PASSIN))) {
		fputs(type == KEY_TYPE_UNSET
		                ? "execward keygen: --type: ed25519, p256, p384 or rsa3072\n"
		        : plain ? "execward keygen: --unencrypted and --passin exclude each other\n"
		                : "execward keygen: --out: a prefix; two files are written\n",
		        stderr);
		return EX_USAGE;
	}
	pair.private = text_format("%s.key", out);
	pair.public = text_format("%s.pem", out);
	if (access(pair.private, F_OK) == 0)
		return refuse(call, pair.private, -EEXIST); /* before anybody types a passphrase */
	if (!plain)
		r = passphrase_get(call, pair.private, true, &passphrase);
	if (r != 0)
		return r;
	r = key_generate(type, &key);
	if (r < 0) {
		fprintf(stderr, "execward keygen: %s\n", strerror(-r));
		return EX_SOFTWARE;
	}
	r = write_pair(call, &pair, key, plain ? NULL : &passphrase);
	if (r == 0)
		show(tool, &pair, key);
	return r;
}
