/*
 * A file's own signature in `explain`: the tool that was asked about a file of the host has read
 * its security.ima, and the daemon says what it would make of it. It decides nothing.
 */
#pragma once

#include "core/policy.h"
#include "daemon/ruling.h"

#include <jansson.h>

/*
 * VOUCH_SIGNED when the `ima` of @request (the attribute in hexadecimal) would vouch for the digest
 * of @facts under @ruling; else VOUCH_NONE. `ima_digest`: the file's digest under the signature's
 * hash, where that is not SHA-256.
 */
unsigned int control_signature_vouches(
        const json_t *request, const struct ruling *ruling, const struct exec_facts *facts);
