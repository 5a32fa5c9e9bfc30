/*
 * The order of the checks is the order of what an operator wants to hear first: a clock that is
 * wrong explains an expiry, a list too old by its version is not helped by a new date.
 */
#include "core/allowlist.h"

#include "base/strtab.h"

static const char *const names[_ALLOWLIST_REASON_MAX] = {
        [ALLOWLIST_UNCHECKED] = "unchecked",
        [ALLOWLIST_ACCEPTED] = "accepted",
        [ALLOWLIST_UNCHANGED] = "unchanged",
        [ALLOWLIST_NO_KEYS] = "no_keys",
        [ALLOWLIST_BAD_THRESHOLD] = "bad_threshold",
        [ALLOWLIST_UNSIGNED] = "unsigned",
        [ALLOWLIST_UNKNOWN_KEY] = "unknown_key",
        [ALLOWLIST_TAMPERED] = "tampered",
        [ALLOWLIST_REVOKED_KEY] = "revoked_key",
        [ALLOWLIST_EXPIRED_KEY] = "expired_key",
        [ALLOWLIST_OTHER_SERIES] = "other_series",
        [ALLOWLIST_THRESHOLD_NOT_MET] = "threshold_not_met",
        [ALLOWLIST_BAD_STATEMENT] = "bad_statement",
        [ALLOWLIST_UNKNOWN_CRITICAL] = "unknown_critical",
        [ALLOWLIST_EMPTY] = "empty",
        [ALLOWLIST_REVOKED_DIGEST] = "revoked_digest",
        [ALLOWLIST_UNWANTED_SERIES] = "unwanted_series",
        [ALLOWLIST_EXPIRED] = "expired",
        [ALLOWLIST_NOT_YET_VALID] = "not_yet_valid",
        [ALLOWLIST_VALIDITY_TOO_LONG] = "validity_too_long",
        [ALLOWLIST_CLOCK_TURNED_BACK] = "clock_turned_back",
        [ALLOWLIST_BELOW_FLOOR] = "below_floor",
        [ALLOWLIST_ROLLED_BACK] = "rolled_back",
        [ALLOWLIST_EQUAL_VERSION_OTHER_CONTENT] = "equal_version_other_content",
        [ALLOWLIST_STATE_LOST] = "state_lost",
};

static const char *const texts[_ALLOWLIST_REASON_MAX] = {
        [ALLOWLIST_UNCHECKED] = "nobody has checked it",
        [ALLOWLIST_ACCEPTED] = "accepted",
        [ALLOWLIST_UNCHANGED] = "in force already",
        [ALLOWLIST_NO_KEYS] = "no usable key is trusted here: put the public keys of the release "
                              "team into the keys' directory",
        [ALLOWLIST_BAD_THRESHOLD] = "the threshold is 0, or higher than the number of usable keys",
        [ALLOWLIST_UNSIGNED] = "it has no signature",
        [ALLOWLIST_UNKNOWN_KEY] = "no signature is by a trusted key; if the signer is to be "
                                  "trusted, install that public key",
        [ALLOWLIST_TAMPERED] = "a signature names a trusted key but does not fit this content: "
                               "the list was changed after it was signed; get it anew",
        [ALLOWLIST_REVOKED_KEY] = "it is signed with a revoked key: have it signed with another",
        [ALLOWLIST_EXPIRED_KEY] = "it is signed with a key that has expired: have it signed with "
                                  "the current one",
        [ALLOWLIST_OTHER_SERIES] = "its signers may not sign this series",
        [ALLOWLIST_THRESHOLD_NOT_MET] = "fewer different trusted keys have signed it than the "
                                        "threshold asks for",
        [ALLOWLIST_BAD_STATEMENT] = "its statement is faulty",
        [ALLOWLIST_UNKNOWN_CRITICAL] = "it restricts in a way that this release does not know: "
                                       "update execward",
        [ALLOWLIST_EMPTY] = "it lists nothing",
        [ALLOWLIST_REVOKED_DIGEST] = "this very list was revoked",
        [ALLOWLIST_UNWANTED_SERIES] = "it is of another series than was asked for",
        [ALLOWLIST_EXPIRED] = "it has expired: get a newer one",
        [ALLOWLIST_NOT_YET_VALID] = "it was issued in the future: check the clocks of this host "
                                    "and of the signer",
        [ALLOWLIST_VALIDITY_TOO_LONG] = "it is valid for longer than this host accepts",
        [ALLOWLIST_CLOCK_TURNED_BACK] = "the clock of this host was turned back: set it right",
        [ALLOWLIST_BELOW_FLOOR] = "its version is lower than the floor in trust.json",
        [ALLOWLIST_ROLLED_BACK] = "its version is lower than one that was in force here",
        [ALLOWLIST_EQUAL_VERSION_OTHER_CONTENT] = "a list of this series and version with other "
                                                  "content was in force here: a release needs a "
                                                  "version of its own",
        [ALLOWLIST_STATE_LOST] = "which versions were in force here cannot be told: the database "
                                 "is lost; raise the floors in trust.json, then reset the state",
};

const char *allowlist_reason_name(enum allowlist_reason reason)
{
	return strtab_name(names, _ALLOWLIST_REASON_MAX, (int)reason);
}

const char *allowlist_reason_text(enum allowlist_reason reason)
{
	return strtab_name(texts, _ALLOWLIST_REASON_MAX, (int)reason);
}

enum allowlist_reason allowlist_reason_of_statement(int r)
{
	if (r == STATEMENT_E_UNKNOWN_CRITICAL)
		return ALLOWLIST_UNKNOWN_CRITICAL;
	return r == STATEMENT_E_EMPTY ? ALLOWLIST_EMPTY : ALLOWLIST_BAD_STATEMENT;
}

/* a + b, at most INT64_MAX; @b is not negative. */
static int64_t add(int64_t a, int64_t b)
{
	return a > INT64_MAX - b ? INT64_MAX : a + b;
}

static bool is_sane(const struct statement *statement, const struct allowlist_limits *limits)
{
	return limits->now_ns > 0 && limits->skew_ns >= 0 && limits->grace_ns >= 0 &&
	       limits->max_validity_ns > 0 && statement->issued_ns >= 0 &&
	       statement->expires_ns > statement->issued_ns;
}

static enum allowlist_reason check_time(
        const struct statement *statement, const struct allowlist_limits *limits, int64_t grace_ns)
{
	if (!is_sane(statement, limits))
		return ALLOWLIST_BAD_STATEMENT;
	if (add(limits->now_ns, limits->skew_ns) < limits->latest_now_ns)
		return ALLOWLIST_CLOCK_TURNED_BACK;
	if (statement->issued_ns > add(limits->now_ns, limits->skew_ns))
		return ALLOWLIST_NOT_YET_VALID;
	if (statement->expires_ns - statement->issued_ns > limits->max_validity_ns)
		return ALLOWLIST_VALIDITY_TOO_LONG;
	/*
	 * A clock that lags within the skew does not revive what a later now had ended: the latest
	 * now counts.
	 */
	if (add(statement->expires_ns, grace_ns) <= limits->now_ns ||
	        add(statement->expires_ns, grace_ns) <= limits->latest_now_ns)
		return ALLOWLIST_EXPIRED;
	return ALLOWLIST_ACCEPTED;
}

enum allowlist_reason allowlist_check_time(
        const struct statement *statement, const struct allowlist_limits *limits)
{
	return check_time(statement, limits, 0);
}

enum allowlist_reason allowlist_check_running(
        const struct statement *statement, const struct allowlist_limits *limits)
{
	return check_time(statement, limits, limits->grace_ns);
}

static enum allowlist_reason check_version(const struct statement *statement,
        const struct digest *payload, const struct allowlist_state *state)
{
	switch (state->history) {
	case ALLOWLIST_HISTORY_NONE:
		return ALLOWLIST_ACCEPTED;
	case ALLOWLIST_HISTORY_KNOWN:
		break;
	default:
		return ALLOWLIST_STATE_LOST;
	}
	if (statement->version < state->version)
		return ALLOWLIST_ROLLED_BACK;
	if (statement->version > state->version)
		return ALLOWLIST_ACCEPTED;
	return digest_equal(payload, &state->payload) ? ALLOWLIST_UNCHANGED
	                                              : ALLOWLIST_EQUAL_VERSION_OTHER_CONTENT;
}

enum allowlist_reason allowlist_check(const struct statement *statement,
        const struct digest *payload, const struct allowlist_state *state,
        const struct allowlist_limits *limits)
{
	enum allowlist_reason reason = allowlist_check_time(statement, limits);

	if (reason != ALLOWLIST_ACCEPTED)
		return reason;
	if (statement->version < limits->floor_version)
		return ALLOWLIST_BELOW_FLOOR;
	return check_version(statement, payload, state);
}
