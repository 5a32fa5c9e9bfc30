/*
 * Whether a list is believed: the one vocabulary of reasons, and the questions that its statement
 * must answer once its signatures have been verified (lib/crypto/dsse_verify.h). Pure: the clock,
 * the stored state and the limits are passed in.
 */
#pragma once

#include "core/statement.h"
#include "core/types.h"

#include <stdint.h>

/*
 * The words are interface (`--json`, events); their order is no rank. Only ALLOWLIST_ACCEPTED and
 * ALLOWLIST_UNCHANGED are good.
 */
enum allowlist_reason {
	ALLOWLIST_UNCHECKED = 0,
	ALLOWLIST_ACCEPTED,
	ALLOWLIST_UNCHANGED, /* the version and content that are in force already */

	/* the keys */
	ALLOWLIST_NO_KEYS,       /* no usable key of that use is trusted here */
	ALLOWLIST_BAD_THRESHOLD, /* 0, or more than there are usable keys */

	/* the signatures */
	ALLOWLIST_UNSIGNED,     /* none at all */
	ALLOWLIST_UNKNOWN_KEY,  /* none is by a trusted key, as far as their hints tell */
	ALLOWLIST_TAMPERED,     /* one names a trusted key, and is not by it over this content */
	ALLOWLIST_REVOKED_KEY,  /* good ones are by revoked keys */
	ALLOWLIST_EXPIRED_KEY,  /* good ones are by keys that have expired */
	ALLOWLIST_OTHER_SERIES, /* good ones are by keys that may not sign this series */
	ALLOWLIST_THRESHOLD_NOT_MET, /* good ones are by fewer different keys than needed */

	/* the statement */
	ALLOWLIST_BAD_STATEMENT,    /* statement_parse() refused it */
	ALLOWLIST_UNKNOWN_CRITICAL, /* it restricts in a way that is not known here */
	ALLOWLIST_EMPTY,            /* no subjects */
	ALLOWLIST_REVOKED_DIGEST,   /* the list itself was revoked */
	ALLOWLIST_UNWANTED_SERIES,  /* another series than was asked for */
	ALLOWLIST_EXPIRED,
	ALLOWLIST_NOT_YET_VALID, /* issued in the future, beyond the skew */
	ALLOWLIST_VALIDITY_TOO_LONG,
	ALLOWLIST_CLOCK_TURNED_BACK, /* now is before what was trusted as now earlier */
	ALLOWLIST_BELOW_FLOOR,       /* a lower version than the trust settings ask for */
	ALLOWLIST_ROLLED_BACK,       /* a lower version than one that was in force */
	ALLOWLIST_EQUAL_VERSION_OTHER_CONTENT,
	ALLOWLIST_STATE_LOST, /* the database that remembers versions is gone or unreadable */
	_ALLOWLIST_REASON_MAX,
};

const char *allowlist_reason_name(enum allowlist_reason reason); /* unknown_key, expired, ... */
/* One sentence's worth, for a message: what is wrong, and what to do about it. */
const char *allowlist_reason_text(enum allowlist_reason reason);

/* The reason for what statement_parse() refused: @r is STATEMENT_E_*. */
enum allowlist_reason allowlist_reason_of_statement(int r);

static inline bool allowlist_is_good(enum allowlist_reason reason)
{
	return reason == ALLOWLIST_ACCEPTED || reason == ALLOWLIST_UNCHANGED;
}

#define ALLOWLIST_SKEW_NS         (INT64_C(300) * 1000000000) /* how far clocks may differ */
#define ALLOWLIST_MAX_VALIDITY_NS (INT64_C(400) * 86400 * 1000000000)

/* What the host says. "Now" is taken once per run. */
struct allowlist_limits {
	int64_t now_ns;          /* CLOCK_REALTIME */
	int64_t latest_now_ns;   /* the latest now that was ever trusted; 0: none */
	int64_t skew_ns;         /* 0 or more */
	int64_t max_validity_ns; /* from issued to expires; above 0 */
	int64_t grace_ns;        /* how long an expired list that runs goes on; 0 or more */
	uint64_t floor_version;  /* of this series; 0: none */
};

/* What is remembered of a series. */
enum allowlist_history {
	ALLOWLIST_HISTORY_UNSET = 0, /* nobody looked, or it could not be read: refused */
	ALLOWLIST_HISTORY_NONE,      /* looked, and the series is new */
	ALLOWLIST_HISTORY_KNOWN,
};

struct allowlist_state {
	enum allowlist_history history;
	uint64_t version;      /* the highest that was in force */
	struct digest payload; /* SHA-256 of that body */
};

/*
 * Time alone: what a list must pass when it is loaded, when it is verified without a host's state,
 * and again while it is in force.
 */
enum allowlist_reason allowlist_check_time(
        const struct statement *statement, const struct allowlist_limits *limits);

/* Is a list in force still so? Expiry counts from the end of the grace. */
enum allowlist_reason allowlist_check_running(
        const struct statement *statement, const struct allowlist_limits *limits);

/*
 * All: time, floor, versions. @payload is the SHA-256 of the body that was verified. Compare first,
 * store after, in the transaction that stores the entries.
 */
enum allowlist_reason allowlist_check(const struct statement *statement,
        const struct digest *payload, const struct allowlist_state *state,
        const struct allowlist_limits *limits);
