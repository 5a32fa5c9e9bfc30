/*
 * PKCS#8 in and out. PBKDF2's count is far above OpenSSL's own 2048: who gets hold of a copy of a
 * key file tries passphrases at leisure.
 */
#include "crypto/key_private.h"

#include "base/strtab.h"
#include "crypto/key_internal.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#define PBKDF2_COUNT 600000 /* OWASP's figure for HMAC-SHA-256 (2023); 0.2 s */
#define SALT_SIZE    16     /* bytes; NIST SP 800-132, 5.1 */

#define BEGIN_PLAIN     "-----BEGIN PRIVATE KEY-----"
#define BEGIN_ENCRYPTED "-----BEGIN ENCRYPTED PRIVATE KEY-----"

static const char *const type_names[_KEY_TYPE_MAX] = {
        [KEY_TYPE_UNSET] = "unset",
        [KEY_TYPE_ED25519] = "ed25519",
        [KEY_TYPE_P256] = "p256",
        [KEY_TYPE_P384] = "p384",
        [KEY_TYPE_RSA3072] = "rsa3072",
};

const char *key_type_name(enum key_type type)
{
	return strtab_name(type_names, _KEY_TYPE_MAX, (int)type);
}

enum key_type key_type_from_name(const char *name)
{
	int value = strtab_value(type_names, _KEY_TYPE_MAX, name);

	return value > 0 ? (enum key_type)value : KEY_TYPE_UNSET;
}

void secret_wipe(void *data, size_t size)
{
	OPENSSL_cleanse(data, size);
}

void secret_done(struct secret *secret)
{
	if (secret->data)
		OPENSSL_cleanse(secret->data, secret->size);
	free(secret->data);
	*secret = (struct secret){0};
}

int key_generate(enum key_type type, struct key **ret_key)
{
	EVP_PKEY *pkey = NULL;
	int r;

	switch (type) {
	case KEY_TYPE_ED25519:
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		break;
	case KEY_TYPE_P256:
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
		break;
	case KEY_TYPE_P384:
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
		break;
	case KEY_TYPE_RSA3072:
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)3072);
		break;
	default:
		return -EINVAL;
	}
	if (!pkey)
		return -EIO;
	r = key_adopt(pkey, true, ret_key);
	return r > 0 ? -EIO : r;
}

/*
 * Reading.
 */
static bool starts(const char *text, size_t size, const char *with)
{
	size_t n = strlen(with);

	return size >= n && !memcmp(text, with, n);
}

enum key_private_kind key_private_kind(const char *pem, size_t size)
{
	const char *at = memmem(pem, size, "-----BEGIN ", 11);

	if (!at)
		return KEY_PRIVATE_NONE;
	size -= (size_t)(at - pem);
	if (starts(at, size, BEGIN_PLAIN))
		return KEY_PRIVATE_PLAIN;
	return starts(at, size, BEGIN_ENCRYPTED) ? KEY_PRIVATE_ENCRYPTED : KEY_PRIVATE_NONE;
}

/* Never OpenSSL's own callback, which would ask a terminal. */
static int give_passphrase(char *buffer, int room, int writing, void *userdata)
{
	const struct secret *passphrase = userdata;

	(void)writing;
	if (!passphrase || passphrase->size > (size_t)room)
		return -1;
	memcpy(buffer, passphrase->data, passphrase->size);
	return (int)passphrase->size;
}

static bool only_blanks(BIO *bio)
{
	char *rest;
	long n = BIO_get_mem_data(bio, &rest);

	for (long i = 0; i < n; i++)
		if (!strchr(" \t\r\n", rest[i]))
			return false;
	return true;
}

static int why_unread(const char *pem, size_t size, enum key_private_kind kind)
{
	if (kind == KEY_PRIVATE_ENCRYPTED)
		return KEY_E_PASSPHRASE;
	return kind == KEY_PRIVATE_NONE && memmem(pem, size, "PRIVATE KEY-----", 16) ? KEY_E_LEGACY
	                                                                             : KEY_E_FORMAT;
}

int key_private_from_pem(
        const char *pem, size_t size, const struct secret *passphrase, struct key **ret_key)
{
	_cleanup_(key_bio_freep) BIO *bio = NULL;
	_cleanup_(key_freep) struct key *key = NULL;
	enum key_private_kind kind = key_private_kind(pem, size);
	struct secret copy = passphrase ? *passphrase : (struct secret){0};
	EVP_PKEY *pkey;
	int r;

	if (kind == KEY_PRIVATE_NONE || size > KEY_PEM_MAX)
		return why_unread(pem, size, kind);
	if (kind == KEY_PRIVATE_ENCRYPTED && !passphrase)
		return KEY_E_PASSPHRASE;
	bio = BIO_new_mem_buf(pem, (int)size);
	if (!bio)
		return -ENOMEM;
	pkey = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, passphrase ? &copy : NULL);
	ERR_clear_error();
	if (!pkey)
		return why_unread(pem, size, kind);
	r = key_adopt(pkey, true, &key);
	if (r == 0 && !only_blanks(bio))
		r = KEY_E_FORMAT;
	if (r == 0)
		*ret_key = TAKE_PTR(key);
	return r;
}

/*
 * Writing.
 */
static void pkcs8_freep(PKCS8_PRIV_KEY_INFO **info)
{
	PKCS8_PRIV_KEY_INFO_free(*info);
}

static void sig_freep(X509_SIG **sig)
{
	X509_SIG_free(*sig);
}

static X509_SIG *encrypt(const struct secret *passphrase, PKCS8_PRIV_KEY_INFO *info)
{
	X509_ALGOR *how = PKCS5_pbe2_set_iv(
	        EVP_aes_256_cbc(), PBKDF2_COUNT, NULL, SALT_SIZE, NULL, NID_hmacWithSHA256);
	X509_SIG *sig;

	if (!how)
		return NULL;
	sig = PKCS8_set0_pbe(passphrase->data, (int)passphrase->size, info, how);
	if (!sig)
		X509_ALGOR_free(how);
	return sig;
}

static int write_pkcs8(const struct key *key, const struct secret *passphrase, BIO *bio)
{
	_cleanup_(pkcs8_freep) PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key->pkey);
	_cleanup_(sig_freep) X509_SIG *sig = NULL;

	if (!info)
		return -EIO;
	if (!passphrase)
		return PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio, info) == 1 ? 0 : -EIO;
	sig = encrypt(passphrase, info);
	return sig && PEM_write_bio_PKCS8(bio, sig) == 1 ? 0 : -EIO;
}

int key_private_pem(const struct key *key, const struct secret *passphrase, struct secret *ret_pem)
{
	_cleanup_(key_bio_freep) BIO *bio = NULL;
	char *data, *copy;
	long size;
	int r;

	if (!key->is_private || (passphrase && passphrase->size == 0))
		return -EINVAL;
	if (passphrase && passphrase->size > KEY_PASSPHRASE_MAX)
		return -EINVAL;
	bio = BIO_new(BIO_s_secmem());
	if (!bio)
		return -ENOMEM;
	r = write_pkcs8(key, passphrase, bio);
	ERR_clear_error();
	size = BIO_get_mem_data(bio, &data);
	if (r < 0 || size <= 0)
		return r < 0 ? r : -EIO;
	copy = malloc((size_t)size + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, (size_t)size);
	copy[size] = '\0';
	*ret_pem = (struct secret){.data = copy, .size = (size_t)size};
	return 0;
}

/*
 * Signing.
 */
int key_sign(const struct key *key, const void *message, size_t message_size,
        uint8_t **ret_signature, size_t *ret_size)
{
	_cleanup_(key_md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	_cleanup_free_ uint8_t *signature = NULL;
	EVP_PKEY_CTX *pkey_ctx = NULL; /* ctx's own */
	const EVP_MD *md = key->scheme == KEY_ED25519        ? NULL
	                   : key->scheme == KEY_ECDSA_SHA384 ? EVP_sha384()
	                                                     : EVP_sha256();
	size_t size = 0;

	if (!key->is_private)
		return -EINVAL;
	if (!ctx || EVP_DigestSignInit(ctx, &pkey_ctx, md, NULL, key->pkey) != 1)
		return -EIO;
	if (key->scheme == KEY_RSA_PKCS1_SHA256 &&
	        EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PADDING) != 1)
		return -EIO;
	if (EVP_DigestSign(ctx, NULL, &size, message, message_size) != 1)
		return -EIO;
	signature = malloc(size);
	if (!signature)
		return -ENOMEM;
	if (EVP_DigestSign(ctx, signature, &size, message, message_size) != 1)
		return -EIO;
	/* What a token, or a fault in memory, has made is looked at before it leaves. */
	if (key_verify(key, message, message_size, signature, size) != SIGNATURE_GOOD)
		return -EIO;
	*ret_signature = TAKE_PTR(signature);
	*ret_size = size;
	return 0;
}
