/* The key that --key names: a file, or a pkcs11: URI. */
#pragma once

#include "crypto/key_private.h"
#include "tools/verbs.h"

/*
 * The private key of --key, its passphrase or PIN from where --passin says. The caller frees with
 * key_free(). 0, or an exit code after saying what is wrong: 66, 77, 65 for no key of ours, 69 for
 * a token.
 */
int signing_key_open(const struct call *call, struct key **ret_key);
/* A public or a private key, whichever it is. */
int any_key_open(const struct call *call, struct key **ret_key);
/* A public key: a private one is refused, so that nobody hands one over for nothing. */
int public_key_open(const struct call *call, struct key **ret_key);
