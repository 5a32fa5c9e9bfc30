#include "tools/signing_key.h"

#include "base/cleanup.h"
#include "crypto/key_file.h"
#include "crypto/key_pkcs11.h"
#include "tools/passphrase.h"
#include "tools/print.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static int refuse(const struct call *call, int code, const char *what)
{
	_cleanup_free_ char *name = text_safe(call->values[OPTION_KEY]);

	fprintf(stderr, "execward %s: %s: %s\n", call->verb->name, name, what);
	return code;
}

static int refuse_errno(const struct call *call, int r)
{
	return refuse(call,
	        r == -EACCES || r == -EPERM ? EX_NOPERM
	        : r == -ENOMEM || r == -EIO ? EX_SOFTWARE
	                                    : EX_NOINPUT,
	        strerror(-r));
}

/* A URI may carry a PIN: it is shown up to its query. */
static int token_open(const struct call *call, struct key **ret_key)
{
	const char *uri = call->values[OPTION_KEY];
	_cleanup_(secret_done) struct secret pin = {0};
	_cleanup_free_ char *said = NULL, *shown = NULL, *printable = NULL;
	int r = 0;

	if (call_has(call, OPTION_PASSIN) || !strstr(uri, "pin-"))
		r = passphrase_get(call, "the token (PIN)", false, &pin);
	if (r != 0)
		return r;
	r = key_token_open(uri, pin.data ? &pin : NULL, ret_key, &said);
	if (r == 0)
		return 0;
	shown = text_format("%.*s", (int)strcspn(uri, "?"), uri);
	printable = text_safe(shown);
	fprintf(stderr, "execward %s: %s: %s\n", call->verb->name, printable,
	        said ?: key_error_text(r) ?: strerror(r < 0 ? -r : EIO));
	return r == KEY_E_TOKEN ? EX_UNAVAILABLE : r > 0 ? EX_DATAERR : EX_SOFTWARE;
}

static void warn_open_mode(const struct call *call)
{
	_cleanup_free_ char *name = text_safe(call->values[OPTION_KEY]);

	fprintf(stderr,
	        "execward %s: warning: %s: others can read this private key: chmod 0600 it\n",
	        call->verb->name, name);
}

static int file_open(const struct call *call, struct key **ret_key)
{
	_cleanup_(secret_done) struct secret passphrase = {0};
	const char *path = call->values[OPTION_KEY];
	bool open_mode = false;
	int r = key_file_read(path, NULL, ret_key, &open_mode);

	if (r == KEY_E_PASSPHRASE) {
		r = passphrase_get(call, path, false, &passphrase);
		if (r != 0)
			return r;
		r = key_file_read(path, &passphrase, ret_key, &open_mode);
		if (r == KEY_E_PASSPHRASE)
			return refuse(call, EX_NOPERM, "the passphrase is wrong");
	}
	if (r > 0)
		return refuse(call, EX_DATAERR, key_error_text(r));
	if (r < 0)
		return refuse_errno(call, r);
	if (open_mode && key_is_private(*ret_key))
		warn_open_mode(call);
	return 0;
}

int any_key_open(const struct call *call, struct key **ret_key)
{
	const char *name = call->values[OPTION_KEY];

	if (!strncmp(name, KEY_TOKEN_SCHEME, strlen(KEY_TOKEN_SCHEME)))
		return token_open(call, ret_key);
	return file_open(call, ret_key);
}

int signing_key_open(const struct call *call, struct key **ret_key)
{
	_cleanup_(key_freep) struct key *key = NULL;
	int r = any_key_open(call, &key);

	if (r != 0)
		return r;
	if (!key_is_private(key))
		return refuse(call, EX_DATAERR, "is a public key: signing needs the private one");
	*ret_key = TAKE_PTR(key);
	return 0;
}

int public_key_open(const struct call *call, struct key **ret_key)
{
	_cleanup_(key_freep) struct key *key = NULL;
	int r = key_file_read(call->values[OPTION_KEY], NULL, &key, NULL);

	if (r == KEY_E_PASSPHRASE || (r == 0 && key_is_private(key)))
		r = KEY_E_PRIVATE;
	if (r > 0)
		return refuse(call, EX_DATAERR, key_error_text(r));
	if (r < 0)
		return refuse_errno(call, r);
	*ret_key = TAKE_PTR(key);
	return 0;
}
