/*
 * Keys that sign and verify: what kind they are, which one scheme they are bound to, and how they
 * are named. The scheme comes from the key and never from the message.
 *
 * A public key has exactly one encoding here (its DER SubjectPublicKeyInfo with a named curve and
 * an uncompressed point), so that one key cannot pass for two; its id is the SHA-256 of that.
 */
#pragma once

#include "base/cleanup.h"
#include "core/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEY_RSA_BITS_MIN   2048u  /* docs/formats.md */
#define KEY_RSA_BITS_MAX   8192u  /* what verifying costs is bounded by it */
#define KEY_PEM_MAX        65536u /* bytes of a key file; RSA of 8192 bits takes 6500 */
#define KEY_SIGNATURE_MAX  (KEY_RSA_BITS_MAX / 8) /* bytes */
#define KEY_PASSPHRASE_MAX 1024u                  /* bytes; PEM_BUFSIZE of OpenSSL */

enum key_scheme {
	KEY_SCHEME_UNSET = 0,
	KEY_ED25519,
	KEY_ECDSA_SHA256,     /* P-256 */
	KEY_ECDSA_SHA384,     /* P-384 */
	KEY_RSA_PKCS1_SHA256, /* 2048 bits or more */
	_KEY_SCHEME_MAX,
};

const char *key_scheme_name(enum key_scheme scheme); /* ed25519, ecdsa-sha256, ... */
enum key_scheme key_scheme_from_name(const char *name);

/* Why a key is not taken. */
enum {
	KEY_E_FORMAT = 1, /* not one PEM block of a public key, or of PKCS#8 */
	KEY_E_KIND,       /* a kind of key that has no scheme here */
	KEY_E_PSS,        /* an RSA-PSS key; ours are bound to PKCS#1 v1.5 */
	KEY_E_WEAK,       /* RSA under 2048 bits, or with a bad modulus or exponent */
	KEY_E_LARGE,      /* RSA over 8192 bits */
	KEY_E_CURVE,      /* explicit curve parameters, or another curve than P-256 and P-384 */
	KEY_E_POINT,      /* a compressed point: the same key would have a second id */
	KEY_E_LEGACY,     /* a private key, but not in PKCS#8 */
	KEY_E_PRIVATE,    /* a private key where a public one belongs */
	KEY_E_PASSPHRASE, /* encrypted, and the passphrase is missing or wrong */
	KEY_E_TOKEN,      /* pkcs11: said in words by whoever opened it */
	_KEY_E_MAX,
};

/* What is wrong and how to mend it, for a message; NULL for what is none of the above. */
const char *key_error_text(int error);

struct key;
void key_free(struct key *key);
DEFINE_FREEP(key, key_free)

/* 0, a KEY_E_X, or -ENOMEM. The caller frees with key_free(). */
int key_from_der(const uint8_t *der, size_t size, struct key **ret_key);
/* One "PUBLIC KEY" block with white space around it at most. */
int key_from_pem(const char *pem, size_t size, struct key **ret_key);

enum key_scheme key_scheme(const struct key *key);
const struct digest *key_id(const struct key *key);
bool key_equal(const struct key *a, const struct key *b);
bool key_is_private(const struct key *key);
unsigned int key_bits(const struct key *key); /* of the modulus or the curve */

/*
 * The last 4 bytes of the SHA-1 of the public key's bits, by which security.ima names it. A
 * certificate's subject key id is that SHA-1, unless its issuer chose another (RFC 5280, 4.2.1.2).
 */
#define KEY_IMA_ID_SIZE 4u
void key_ima_id(const struct key *key, uint8_t ret_id[KEY_IMA_ID_SIZE]);

/* The public key as PEM, terminated. The caller frees. 0, -ENOMEM or -EIO. */
int key_public_pem(const struct key *key, char **ret_pem);

enum signature_state {
	SIGNATURE_UNCHECKED = 0,
	SIGNATURE_GOOD,
	SIGNATURE_BAD, /* also whatever could not be checked */
};

/*
 * By the key's own scheme, over the message. ECDSA's signature may be DER, or r and s of exactly
 * the curve's size each.
 */
enum signature_state key_verify(const struct key *key, const void *message, size_t message_size,
        const uint8_t *signature, size_t size);

/* Hashes that security.ima names, by its numbers; enum hash_algo of linux/hash_info.h. */
enum key_hash {
	KEY_HASH_UNSET = 0,
	KEY_HASH_SHA256 = 4,
	KEY_HASH_SHA384 = 5,
	KEY_HASH_SHA512 = 6,
};
#define KEY_HASH_SIZE_MAX 64u /* bytes */
/* Bytes of its digest, 0 for none of these. */
size_t key_hash_size(enum key_hash hash);

/* A digest of a file under a hash, for key_verify_digest(). */
struct key_digest {
	enum key_hash hash;
	uint8_t bytes[KEY_HASH_SIZE_MAX];
};

/* RSA PKCS#1 v1.5 or ECDSA in DER over a digest; an Ed25519 key makes every signature bad. */
enum signature_state key_verify_digest(const struct key *key, const struct key_digest *digest,
        const uint8_t *signature, size_t size);

/*
 * Before anything else of this room: OpenSSL reads no configuration file, so that neither a file
 * nor the environment can load an engine or a provider into a program that decides. 0 or -EIO.
 */
int key_setup(void);
