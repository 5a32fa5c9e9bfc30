/*
 * A key is checked twice over: by what OpenSSL makes of it, and by its encoding, byte by byte.
 * OpenSSL reports a group's name even for explicit parameters that merely resemble it
 * (CVE-2020-0601's kind of fault), so the encoding alone settles which curve it is.
 */
#include "crypto/key.h"

#include "base/cleanup.h"
#include "base/strtab.h"
#include "crypto/base64.h"
#include "crypto/key_internal.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#define PEM_BEGIN "-----BEGIN PUBLIC KEY-----"
#define PEM_END   "-----END PUBLIC KEY-----"
#define PEM_WIDTH 64u /* characters of a line; RFC 7468 */

static const char *const scheme_names[_KEY_SCHEME_MAX] = {
        [KEY_SCHEME_UNSET] = "unset",
        [KEY_ED25519] = "ed25519",
        [KEY_ECDSA_SHA256] = "ecdsa-sha256",
        [KEY_ECDSA_SHA384] = "ecdsa-sha384",
        [KEY_RSA_PKCS1_SHA256] = "rsa-pkcs1-sha256",
};

static const char *const error_texts[_KEY_E_MAX] = {
        [KEY_E_FORMAT] = "is not one key in PEM (-----BEGIN PUBLIC KEY-----, or PKCS#8 for a "
                         "private key)",
        [KEY_E_KIND] = "is a kind of key that is not supported: use ed25519, p256, p384 or rsa",
        [KEY_E_PSS] = "is an RSA-PSS key; signatures here are PKCS#1 v1.5: use a plain RSA key",
        [KEY_E_WEAK] = "is an RSA key of less than 2048 bits, or with a bad modulus or exponent",
        [KEY_E_LARGE] = "is an RSA key of more than 8192 bits",
        [KEY_E_CURVE] = "has a curve that is not P-256 or P-384 by its name: make it with "
                        "`execward keygen`, or with openssl's -pkeyopt ec_param_enc:named_curve",
        [KEY_E_POINT] = "has a compressed point: convert it with `openssl ec -conv_form "
                        "uncompressed`",
        [KEY_E_LEGACY] = "is a private key in an old format: convert it with `openssl pkcs8 "
                         "-topk8`",
        [KEY_E_PRIVATE] = "is a private key where a public one belongs: see `execward pubkey`",
        [KEY_E_PASSPHRASE] = "is encrypted, and the passphrase is missing or wrong",
        [KEY_E_TOKEN] = "could not be used on its token",
};

/* What comes before the key's own bits; X.690 of RFC 8410 and RFC 5480, named curves, 04. */
static const uint8_t head_ed25519[] = {
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
static const uint8_t head_p256[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce,
        0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42,
        0x00, 0x04};
static const uint8_t head_p384[] = {0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce,
        0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04};

static const struct shape {
	enum key_scheme scheme;
	const uint8_t *head;
	size_t head_size, size; /* of the whole */
} shapes[] = {
        {KEY_ED25519, head_ed25519, sizeof(head_ed25519), sizeof(head_ed25519) + 32},
        {KEY_ECDSA_SHA256, head_p256, sizeof(head_p256), sizeof(head_p256) + 64},
        {KEY_ECDSA_SHA384, head_p384, sizeof(head_p384), sizeof(head_p384) + 96},
};

const char *key_scheme_name(enum key_scheme scheme)
{
	return strtab_name(scheme_names, _KEY_SCHEME_MAX, (int)scheme);
}

enum key_scheme key_scheme_from_name(const char *name)
{
	int value = strtab_value(scheme_names, _KEY_SCHEME_MAX, name);

	return value > 0 ? (enum key_scheme)value : KEY_SCHEME_UNSET;
}

const char *key_error_text(int error)
{
	return error > 0 && error < _KEY_E_MAX ? error_texts[error] : NULL;
}

int key_setup(void)
{
	return OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1 ? 0 : -EIO;
}

void key_free(struct key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	free(key);
}

enum key_scheme key_scheme(const struct key *key)
{
	return key->scheme;
}

const struct digest *key_id(const struct key *key)
{
	return &key->id;
}

bool key_equal(const struct key *a, const struct key *b)
{
	return digest_equal(&a->id, &b->id);
}

bool key_is_private(const struct key *key)
{
	return key->is_private;
}

unsigned int key_bits(const struct key *key)
{
	return (unsigned int)EVP_PKEY_get_bits(key->pkey);
}

void key_ima_id(const struct key *key, uint8_t ret_id[KEY_IMA_ID_SIZE])
{
	memcpy(ret_id, key->ima_id, KEY_IMA_ID_SIZE);
}

/*
 * The rules.
 */
static int check_rsa(const EVP_PKEY *pkey)
{
	int bits = EVP_PKEY_get_bits(pkey);

	if (bits < (int)KEY_RSA_BITS_MIN)
		return KEY_E_WEAK;
	return bits > (int)KEY_RSA_BITS_MAX ? KEY_E_LARGE : 0;
}

/* Why an EC key has none of the shapes: the field after the OID is a name's OID, or parameters. */
static int why_no_shape(const uint8_t *der, size_t size)
{
	/* SEQUENCE, SEQUENCE, OID ecPublicKey (9 bytes), then an OID; short lengths only. */
	if (size < 32 || der[1] > 0x7f || der[2] != 0x30 || der[3] > 0x7f || der[13] != 0x06)
		return KEY_E_CURVE;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		size_t oid = (size_t)der[3] + 2; /* the algorithm, with its tag and length */

		if (shapes[i].scheme != KEY_ED25519 && 2 + oid < size &&
		        !memcmp(der + 2, shapes[i].head + 2, oid))
			return KEY_E_POINT;
	}
	return KEY_E_CURVE;
}

static int scheme_of(EVP_PKEY *pkey, const uint8_t *der, size_t size, enum key_scheme *ret_scheme)
{
	int type = EVP_PKEY_get_base_id(pkey), r;

	if (type == EVP_PKEY_RSA_PSS)
		return KEY_E_PSS;
	if (type == EVP_PKEY_RSA) {
		r = check_rsa(pkey);
		if (r == 0)
			*ret_scheme = KEY_RSA_PKCS1_SHA256;
		return r;
	}
	if (type != EVP_PKEY_ED25519 && type != EVP_PKEY_EC)
		return KEY_E_KIND;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		if (size != shapes[i].size || memcmp(der, shapes[i].head, shapes[i].head_size) != 0)
			continue;
		*ret_scheme = shapes[i].scheme;
		return 0;
	}
	return type == EVP_PKEY_EC ? why_no_shape(der, size) : KEY_E_FORMAT;
}

/* On the curve; an RSA modulus without small factors, an odd exponent above 1. */
static int check_numbers(EVP_PKEY *pkey)
{
	_cleanup_(key_pkey_ctx_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);

	if (!ctx)
		return -ENOMEM;
	if (EVP_PKEY_public_check(ctx) == 1)
		return 0;
	return EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA ? KEY_E_WEAK : KEY_E_FORMAT;
}

/* The bits of the public key, without the algorithm: what a subject key id is the SHA-1 of. */
static int public_bits_sha1(const uint8_t *der, size_t size, uint8_t ret_sha1[20])
{
	const uint8_t *at = der, *bits;
	X509_PUBKEY *spki = d2i_X509_PUBKEY(NULL, &at, (long)size);
	unsigned int n = 20;
	int length, ok;

	ok = spki && X509_PUBKEY_get0_param(NULL, &bits, &length, NULL, spki) == 1 &&
	     EVP_Digest(bits, (size_t)length, ret_sha1, &n, EVP_sha1(), NULL) == 1;
	X509_PUBKEY_free(spki);
	return ok ? 0 : -EIO;
}

static int describe(struct key *key)
{
	_cleanup_(key_openssl_freep) uint8_t *der = NULL;
	unsigned int n = DIGEST_SIZE;
	uint8_t sha1[20];
	int size = i2d_PUBKEY(key->pkey, &der), r;

	if (size <= 0)
		return KEY_E_FORMAT;
	r = scheme_of(key->pkey, der, (size_t)size, &key->scheme);
	if (r == 0)
		r = public_bits_sha1(der, (size_t)size, sha1);
	if (r != 0)
		return r;
	memcpy(key->ima_id, sha1 + sizeof(sha1) - KEY_IMA_ID_SIZE, KEY_IMA_ID_SIZE);
	return EVP_Digest(der, (size_t)size, key->id.bytes, &n, EVP_sha256(), NULL) == 1 ? 0 : -EIO;
}

int key_adopt(EVP_PKEY *pkey, bool is_private, struct key **ret_key)
{
	_cleanup_(key_freep) struct key *key = calloc(1, sizeof(*key));
	int r;

	if (!key) {
		EVP_PKEY_free(pkey);
		return -ENOMEM;
	}
	key->pkey = pkey;
	key->is_private = is_private;
	r = describe(key);
	ERR_clear_error();
	if (r == 0)
		*ret_key = TAKE_PTR(key);
	return r;
}

int key_from_der(const uint8_t *der, size_t size, struct key **ret_key)
{
	_cleanup_(key_freep) struct key *key = NULL;
	_cleanup_(key_openssl_freep) uint8_t *again = NULL;
	const uint8_t *at = der;
	EVP_PKEY *pkey;
	int r, n;

	if (size == 0 || size > KEY_PEM_MAX)
		return KEY_E_FORMAT;
	pkey = d2i_PUBKEY(NULL, &at, (long)size);
	ERR_clear_error();
	if (!pkey)
		return KEY_E_FORMAT;
	r = key_adopt(pkey, false, &key);
	if (r != 0)
		return r;
	/* Trailing bytes, or another way to write the same key: it would have a second id. */
	n = i2d_PUBKEY(key->pkey, &again);
	if (n <= 0 || (size_t)n != size || memcmp(again, der, size) != 0)
		return KEY_E_FORMAT;
	r = check_numbers(key->pkey);
	ERR_clear_error();
	if (r == 0)
		*ret_key = TAKE_PTR(key);
	return r;
}

/*
 * PEM, by RFC 7468's strict grammar but for the lengths of lines.
 */
static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void trim(const char **text, size_t *size)
{
	while (*size > 0 && is_blank(**text)) {
		(*text)++;
		(*size)--;
	}
	while (*size > 0 && is_blank((*text)[*size - 1]))
		(*size)--;
}

static bool strip(const char **text, size_t *size)
{
	size_t begin = sizeof(PEM_BEGIN) - 1, end = sizeof(PEM_END) - 1;

	trim(text, size);
	if (*size < begin + end || memcmp(*text, PEM_BEGIN, begin) != 0 ||
	        memcmp(*text + *size - end, PEM_END, end) != 0)
		return false;
	*text += begin;
	*size -= begin + end;
	return true;
}

int key_from_pem(const char *pem, size_t size, struct key **ret_key)
{
	_cleanup_free_ char *digits = NULL;
	_cleanup_free_ uint8_t *der = NULL;
	size_t n = 0, der_size = 0;

	if (size > KEY_PEM_MAX)
		return KEY_E_FORMAT;
	if (memmem(pem, size, "PRIVATE KEY-----", 16))
		return KEY_E_PRIVATE;
	if (!strip(&pem, &size))
		return KEY_E_FORMAT;
	digits = malloc(size + 1);
	der = malloc(base64_decoded_max(size) + 1);
	if (!digits || !der)
		return -ENOMEM;
	for (size_t i = 0; i < size; i++)
		if (!is_blank(pem[i]))
			digits[n++] = pem[i];
	if (base64_decode(digits, n, der, &der_size) < 0)
		return KEY_E_FORMAT;
	return key_from_der(der, der_size, ret_key);
}

int key_public_pem(const struct key *key, char **ret_pem)
{
	_cleanup_(key_openssl_freep) uint8_t *der = NULL;
	_cleanup_free_ char *digits = NULL, *pem = NULL;
	int n = i2d_PUBKEY(key->pkey, &der);
	size_t size;
	char *at;

	if (n <= 0)
		return -EIO;
	size = base64_encoded_size((size_t)n);
	digits = malloc(size + 1);
	pem = malloc(sizeof(PEM_BEGIN) + sizeof(PEM_END) + 2 + size + size / PEM_WIDTH + 2);
	if (!digits || !pem)
		return -ENOMEM;
	base64_encode(der, (size_t)n, digits);
	at = stpcpy(pem, PEM_BEGIN "\n");
	for (size_t i = 0; i < size; i += PEM_WIDTH) {
		at = mempcpy(at, digits + i, size - i < PEM_WIDTH ? size - i : PEM_WIDTH);
		*at++ = '\n';
	}
	memcpy(at, PEM_END "\n", sizeof(PEM_END "\n"));
	*ret_pem = TAKE_PTR(pem);
	return 0;
}
