/*
 * Whom this host believes, as verdicts ask for it: the keys directory as it was read at the start
 * or at a reload, immutable and counted. A directory that is not there, or has no key, believes
 * nobody and is no fault; one that is unsafe or faulty believes nobody and says why.
 */
#pragma once

#include "crypto/trust.h"

struct believed;

/* Reads @keys_dir. 0 or -ENOMEM; what is wrong with the directory is in the result. */
int believed_load(const char *keys_dir, struct believed **ret_believed);
struct believed *believed_ref(struct believed *believed);
void believed_unref(struct believed *believed);

/* NULL: nobody is believed. NULL is nobody, too. */
const struct trust *believed_trust(const struct believed *believed);
/* `path: what, and the cure` when the directory may not be used as it is; NULL when it may. */
const char *believed_fault(const struct believed *believed);
/* Why nobody is believed though nothing is wrong: no directory, or no key. NULL when somebody is.
 */
const char *believed_nobody(const struct believed *believed);
const char *believed_keys_dir(const struct believed *believed);

/* Whether the digest, of a file or a list's body, is revoked. */
bool believed_revoked(const struct believed *believed, const struct digest *digest);
