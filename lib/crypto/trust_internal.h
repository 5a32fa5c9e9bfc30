/* Between trust.c, which answers, trust_settings.c, which reads JSON, and trust_load.c. */
#pragma once

#include "crypto/trust.h"

void trust_key_done(struct trust_key *key);
enum trust_use trust_use_from_name(const char *name);
int trust_compare_digests(const void *a, const void *b); /* for qsort(3) and bsearch(3) */
bool trust_is_revoked_key(const struct trust *trust, const struct digest *id);

/*
 * A settings file into what it is about. 0, or TRUST_E_FORMAT with the member and what is wrong
 * with it in *reterr_message (NULL without memory; the caller frees), or -ENOMEM.
 */
int trust_parse_key(const char *text, size_t size, struct trust_key *key, char **reterr_message);
int trust_parse_settings(const char *text, size_t size, struct trust *trust, char **reterr_message);
