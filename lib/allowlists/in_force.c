#include "allowlists/in_force.h"

#include "crypto/digest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct trust_key *find_key(const struct trust *trust, const struct digest *id)
{
	for (size_t i = 0; i < trust->n_keys; i++)
		if (trust->keys[i].use == TRUST_USE_MANIFEST &&
		        digest_equal(key_id(trust->keys[i].key), id))
			return &trust->keys[i];
	return NULL;
}

static int compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct digest));
}

/* Also of a key whose file is gone. */
static bool is_revoked(const struct trust *trust, const struct digest *id)
{
	return trust->n_revoked_keys > 0 && bsearch(id, trust->revoked_keys, trust->n_revoked_keys,
	                                            sizeof(*id), compare_digests);
}

/* What one signer is worth now: ALLOWLIST_ACCEPTED, or what keeps it from counting. */
static enum allowlist_reason judge_signer(
        const struct trust *trust, const struct digest *id, const char *series, int64_t now_ns)
{
	const struct trust_key *key = find_key(trust, id);

	if (is_revoked(trust, id) || (key && key->revoked))
		return ALLOWLIST_REVOKED_KEY;
	if (!key)
		return ALLOWLIST_UNKNOWN_KEY;
	if (!trust_key_usable(key, TRUST_USE_MANIFEST, now_ns))
		return ALLOWLIST_EXPIRED_KEY;
	return trust_key_signs_series(key, series) ? ALLOWLIST_ACCEPTED : ALLOWLIST_OTHER_SERIES;
}

/* Of those that keep signers from counting, the one to tell: the most alarming. */
static enum allowlist_reason worse(enum allowlist_reason a, enum allowlist_reason b)
{
	static const enum allowlist_reason order[] = {ALLOWLIST_REVOKED_KEY, ALLOWLIST_EXPIRED_KEY,
	        ALLOWLIST_OTHER_SERIES, ALLOWLIST_UNKNOWN_KEY};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return a;
}

static enum allowlist_reason judge_signers(const struct allowlist_info *info,
        const struct trust *trust, uint32_t threshold, int64_t now_ns)
{
	enum allowlist_reason why = ALLOWLIST_UNSIGNED;
	size_t n = 0;

	if (threshold == 0)
		return ALLOWLIST_BAD_THRESHOLD;
	for (size_t i = 0; i < info->n_signers; i++) {
		enum allowlist_reason reason =
		        judge_signer(trust, &info->signers[i], info->statement.series, now_ns);

		if (i > 0 && digest_equal(&info->signers[i - 1], &info->signers[i]))
			continue; /* a key counts once */
		if (reason == ALLOWLIST_ACCEPTED)
			n++;
		else
			why = worse(why, reason);
	}
	if (n >= threshold)
		return ALLOWLIST_ACCEPTED;
	return n == 0 ? why : ALLOWLIST_THRESHOLD_NOT_MET;
}

enum allowlist_reason allowlist_in_force(const struct allowlist_info *info,
        const struct trust *trust, uint32_t threshold, const struct allowlist_limits *limits)
{
	enum allowlist_reason reason;

	if (!trust)
		return ALLOWLIST_NO_KEYS;
	reason = judge_signers(info, trust, threshold, limits->now_ns);
	if (reason != ALLOWLIST_ACCEPTED)
		return reason;
	if (trust_is_revoked(trust, &info->payload))
		return ALLOWLIST_REVOKED_DIGEST;
	if (info->statement.version < trust_floor(trust, info->statement.series) ||
	        info->statement.version < limits->floor_version)
		return ALLOWLIST_BELOW_FLOOR;
	return allowlist_check_running(&info->statement, limits);
}

static int compare_times(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x < y) - (x > y);
}

/* When the last but threshold - 1 of the keys that count ends. */
static int64_t signers_until(const struct allowlist_info *info, const struct trust *trust,
        uint32_t threshold, int64_t now_ns)
{
	int64_t ends[ALLOWLIST_SIGNERS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < info->n_signers && n < ALLOWLIST_SIGNERS_MAX; i++) {
		const struct trust_key *key = find_key(trust, &info->signers[i]);

		if (key && judge_signer(trust, &info->signers[i], info->statement.series, now_ns) ==
		                   ALLOWLIST_ACCEPTED)
			ends[n++] = key->expires_ns;
	}
	qsort(ends, n, sizeof(ends[0]), compare_times);
	return threshold >= 1 && threshold <= n ? ends[threshold - 1] : now_ns;
}

static int64_t add(int64_t a, int64_t b)
{
	return a > INT64_MAX - b ? INT64_MAX : a + b;
}

int64_t allowlist_in_force_until(const struct allowlist_info *info, const struct trust *trust,
        uint32_t threshold, const struct allowlist_limits *limits)
{
	int64_t list, keys;

	switch (allowlist_in_force(info, trust, threshold, limits)) {
	case ALLOWLIST_ACCEPTED:
		list = add(info->statement.expires_ns, limits->grace_ns);
		keys = signers_until(info, trust, threshold, limits->now_ns);
		return list < keys ? list : keys;
	case ALLOWLIST_NOT_YET_VALID:
		return info->statement.issued_ns - limits->skew_ns;
	case ALLOWLIST_CLOCK_TURNED_BACK:
		return limits->latest_now_ns - limits->skew_ns;
	default: /* time alone mends nothing */
		return INT64_MAX;
	}
}

bool allowlist_scope_holds(const struct allowlist_info *info, const struct exec_facts *facts,
        char *const *labels, size_t n_labels)
{
	const struct container_info *container = facts->has_container ? &facts->container : NULL;

	return statement_scope_holds(&info->statement.scope, container ? container->image : NULL,
	        container ? container->ns : NULL, labels, n_labels);
}

int allowlist_key(enum statement_bind bind, const struct digest *digest, const char *path,
        struct digest *ret_key)
{
	uint8_t bytes[DIGEST_SIZE + STATEMENT_TEXT_MAX];
	size_t size;

	if (bind == STATEMENT_BIND_DIGEST) {
		*ret_key = *digest;
		return 0;
	}
	size = path ? strnlen(path, STATEMENT_TEXT_MAX + 1) : 0;
	if (bind != STATEMENT_BIND_PATH || size == 0 || size > STATEMENT_TEXT_MAX)
		return -EINVAL;
	memcpy(bytes, digest->bytes, DIGEST_SIZE);
	memcpy(bytes + DIGEST_SIZE, path, size);
	return digest_data(bytes, DIGEST_SIZE + size, ret_key);
}
