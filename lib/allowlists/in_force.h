/*
 * Whether an installed list is believed now, and where. Its signatures were verified when it was
 * installed; whom this host trusts, and the time, have gone on since. Pure but for the digest.
 */
#pragma once

#include "core/facts.h"
#include "crypto/trust.h"
#include "store/allowlists.h"

/*
 * ALLOWLIST_ACCEPTED while all of it holds: signers that are still usable and may sign the series
 * are as many as @threshold; the body is not revoked; the version is at the floor or above; and
 * @limits say that it has not expired, grace included (allowlist_check_running()). @trust NULL (it
 * could not be read): ALLOWLIST_NO_KEYS.
 */
enum allowlist_reason allowlist_in_force(const struct allowlist_info *info,
        const struct trust *trust, uint32_t threshold, const struct allowlist_limits *limits);
/* Until when that answer holds if only the clock goes on (CLOCK_REALTIME): the list's end, grace
 * included, or a needed key's. INT64_MAX: for ever. */
int64_t allowlist_in_force_until(const struct allowlist_info *info, const struct trust *trust,
        uint32_t threshold, const struct allowlist_limits *limits);

/* Does the list vouch where @facts say that the file lies? @labels are the host's. */
bool allowlist_scope_holds(const struct allowlist_info *info, const struct exec_facts *facts,
        char *const *labels, size_t n_labels);

/*
 * What a list is asked for: the digest itself, or with STATEMENT_BIND_PATH the SHA-256 of the
 * digest's 32 bytes and @path. So a lookup is one search among sorted keys for either.
 * 0, -EINVAL (bind unset, or a path is wanted and NULL), or -errno.
 */
int allowlist_key(enum statement_bind bind, const struct digest *digest, const char *path,
        struct digest *ret_key);
