/*
 * Keys on a token, by a pkcs11: URI (RFC 7512), through OpenSSL's engine of that name: Debian 12
 * has no provider for it. The engine loads the token's module, which is foreign code: this file is
 * a library of its own, which only the signing tool links.
 *
 * Which module: PKCS11_MODULE_PATH, else p11-kit's list.
 */
#pragma once

#include "crypto/key_private.h"

#define KEY_TOKEN_SCHEME "pkcs11:"

/*
 * @pin is borrowed; NULL when the URI names it (pin-source, pin-value) or the token asks for none.
 * Nobody is asked on a terminal. 0; KEY_E_TOKEN with words in *reterr_message (NULL without memory;
 * the caller frees); another KEY_E_X when the key is none of ours; -ENOMEM.
 */
int key_token_open(
        const char *uri, const struct secret *pin, struct key **ret_key, char **reterr_message);
