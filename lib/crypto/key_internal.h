/* What a key is made of, for the files of this room that make one. */
#pragma once

#include "crypto/key.h"

#include <openssl/evp.h>

struct key {
	EVP_PKEY *pkey;
	enum key_scheme scheme;
	bool is_private;
	struct digest id;
	uint8_t ima_id[KEY_IMA_ID_SIZE];
};

/* Checks @pkey against the rules of key.h, and takes it whatever comes of it. 0, a KEY_E_X or
 * -errno. */
int key_adopt(EVP_PKEY *pkey, bool is_private, struct key **ret_key);

static inline void key_pkey_freep(EVP_PKEY **pkey)
{
	EVP_PKEY_free(*pkey);
}

static inline void key_pkey_ctx_freep(EVP_PKEY_CTX **ctx)
{
	EVP_PKEY_CTX_free(*ctx);
}

static inline void key_md_ctx_freep(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

static inline void key_bio_freep(BIO **bio)
{
	BIO_free_all(*bio);
}

static inline void key_openssl_freep(void *p)
{
	OPENSSL_free(*(void **)p);
}
