/* Engines are deprecated in OpenSSL 3.0 and gone in 4; they are what Debian 12 has for tokens. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "crypto/key_pkcs11.h"

#include "crypto/key_internal.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/ui.h>
#include <string.h>

#define REASONS_MAX 4 /* of OpenSSL's queue, the newest */

static const char no_engine[] =
        "the engine pkcs11 cannot be loaded: install libengine-pkcs11-openssl";
/*
 * libp11 0.4.12 lists all keys of a token before it picks one, and gives up at the first kind that
 * it does not know; to its caller that looks as if the key were not there.
 */
static const char not_found[] =
        "no such key on a token; or the token holds an Ed25519 key, which makes this engine "
        "(libp11 "
        "0.4.12) fail for every key on it: use a token without one, or sign the output of "
        "`execward pae` with the token's own tool and `execward attach` the result";

/* What OpenSSL and the engine said, the deepest reason first. NULL without memory. */
static char *reasons(void)
{
	char *said = strdup("");
	unsigned long error;

	for (int n = 0; said && (error = ERR_get_error()) != 0; n++) {
		const char *reason = ERR_reason_error_string(error);
		char *longer;

		if (n >= REASONS_MAX || !reason)
			continue;
		if (asprintf(&longer, "%s: %s", said, reason) < 0)
			longer = NULL;
		free(said);
		said = longer;
	}
	ERR_clear_error();
	return said;
}

/* In words for whoever holds the token. The engine's codes are its own: its words are what is
 * known. */
static char *explain(const char *what)
{
	_cleanup_free_ char *said = reasons();
	char *message;

	if (said && strstr(said, "PIN incorrect"))
		what = "the PIN is wrong";
	else if (said && strstr(said, "PIN locked"))
		what = "the PIN is locked";
	else if (said && strstr(said, "object not found"))
		what = not_found;
	else if (said && strstr(said, "PKCS#11 module"))
		what = "the token's module cannot be used: is PKCS11_MODULE_PATH right?";
	return asprintf(&message, "%s%s", what, said ?: "") < 0 ? NULL : message;
}

static void engine_finishp(ENGINE **engine)
{
	if (!*engine)
		return;
	(void)ENGINE_finish(*engine);
	(void)ENGINE_free(*engine);
}

/* Ready for use, by its one name: none from a configuration. */
static ENGINE *engine_open(void)
{
	ENGINE *engine;

	if (OPENSSL_init_crypto(OPENSSL_INIT_ENGINE_DYNAMIC, NULL) != 1)
		return NULL;
	engine = ENGINE_by_id("pkcs11");
	if (engine && ENGINE_init(engine) == 1)
		return engine;
	(void)ENGINE_free(engine);
	return NULL;
}

static bool give_pin(ENGINE *engine, const struct secret *pin)
{
	/* What it would print is in its errors. */
	(void)ENGINE_ctrl_cmd_string(engine, "QUIET", NULL, 0);
	return !pin || ENGINE_ctrl_cmd_string(engine, "PIN", pin->data, 0) == 1;
}

int key_token_open(
        const char *uri, const struct secret *pin, struct key **ret_key, char **reterr_message)
{
	_cleanup_(engine_finishp) ENGINE *engine = engine_open();
	/* UI_null() answers nothing: the engine's own question would wait for a terminal. */
	UI_METHOD *silent = (UI_METHOD *)(uintptr_t)UI_null();
	EVP_PKEY *pkey;

	*reterr_message = NULL;
	if (!engine) {
		*reterr_message = explain(no_engine);
		return KEY_E_TOKEN;
	}
	if (!give_pin(engine, pin)) {
		*reterr_message = explain("the engine takes no PIN");
		return KEY_E_TOKEN;
	}
	pkey = ENGINE_load_private_key(engine, uri, silent, NULL);
	if (!pkey) {
		*reterr_message = explain("the key cannot be loaded");
		return KEY_E_TOKEN;
	}
	return key_adopt(pkey, true, ret_key);
}
