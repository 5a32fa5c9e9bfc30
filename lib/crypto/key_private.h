/*
 * Private keys: made, read, written as PKCS#8, used. Only tools have any; the daemon has public
 * keys alone.
 */
#pragma once

#include "crypto/key.h"

/* Bytes to encrypt with; wiped by secret_done(). Never part of a message. */
struct secret {
	char *data; /* may hold any byte but is terminated, too */
	size_t size;
};

void secret_done(struct secret *secret);
/* Overwrites memory that held key material, where a compiler would leave memset() out. */
void secret_wipe(void *data, size_t size);

enum key_type {
	KEY_TYPE_UNSET = 0,
	KEY_TYPE_ED25519,
	KEY_TYPE_P256,
	KEY_TYPE_P384,
	KEY_TYPE_RSA3072,
	_KEY_TYPE_MAX,
};

const char *key_type_name(enum key_type type); /* ed25519, p256, p384, rsa3072 */
enum key_type key_type_from_name(const char *name);

/* 0, -EINVAL for no type, -ENOMEM or -EIO. The caller frees with key_free(). */
int key_generate(enum key_type type, struct key **ret_key);

enum key_private_kind {
	KEY_PRIVATE_NONE = 0, /* no private key that is read here */
	KEY_PRIVATE_PLAIN,
	KEY_PRIVATE_ENCRYPTED,
};
/* What the first block of a PEM text says, so that nobody is asked for a passphrase in vain. */
enum key_private_kind key_private_kind(const char *pem, size_t size);

/*
 * One PKCS#8 block, with white space around it at most. @passphrase is borrowed; NULL when there is
 * none. 0, a KEY_E_X or -errno.
 */
int key_private_from_pem(
        const char *pem, size_t size, const struct secret *passphrase, struct key **ret_key);
/*
 * PKCS#8 in PEM: under a passphrase with AES-256-CBC and PBKDF2, plain when that is NULL. The
 * caller wipes and frees. 0, -EINVAL for an empty passphrase or a key without a private part,
 * -errno.
 */
int key_private_pem(const struct key *key, const struct secret *passphrase, struct secret *ret_pem);

/* By the key's scheme; ECDSA in DER. The caller frees. 0, -EINVAL for a public key, or -EIO. */
int key_sign(const struct key *key, const void *message, size_t message_size,
        uint8_t **ret_signature, size_t *ret_size);
