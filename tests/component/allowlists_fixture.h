/* What the tests of allowlists share: lists to put, and what is seen of them. */
#pragma once

#include "store_fixture.h"

static inline struct allowlist_info list_of(
        const char *series, uint64_t version, uint8_t payload, struct digest *signers)
{
	signers[0] = digest_of(0x11);
	signers[1] = digest_of(0x22);
	return (struct allowlist_info){
	        .statement = {.series = T(series),
	                .version = version,
	                .issued_ns = 1000,
	                .expires_ns = 2000,
	                .bind = STATEMENT_BIND_DIGEST},
	        .payload = digest_of(payload),
	        .signers = signers,
	        .n_signers = 2,
	        .installed_ns = 5,
	        .by_uid = 0,
	        .source = T("install"),
	};
}

/* The key of the @i-th subject; not in their order. */
static inline struct digest key_of(uint32_t i)
{
	struct digest key = {0};
	uint32_t mixed = i * 2654435761u;

	memcpy(key.bytes, &mixed, sizeof(mixed));
	memcpy(key.bytes + 8, &i, sizeof(i));
	return key;
}

static inline int add_subjects(struct store *store, int64_t id, uint32_t n)
{
	int r = 0;

	for (uint32_t i = 0; i < n && r == 0; i++) {
		char name[64];
		struct statement_subject subject = {.name = name, .digest = key_of(i)};

		snprintf(name, sizeof(name), "/usr/bin/tool-%u", i);
		r = store_allowlist_add(store, id, &subject, &subject.digest);
	}
	return r;
}

/* All of an install, as lib/allowlists does it. */
static inline int put_list(struct store *store, const struct allowlist_info *info, uint32_t n)
{
	int64_t id = 0;
	int r = store_witness(store);

	if (r == 0)
		r = store_begin(store);
	if (r != 0)
		return r;
	r = store_allowlist_put(store, info, &id);
	if (r == 0)
		r = add_subjects(store, id, n);
	if (r == 0)
		r = store_allowlist_finish(store, id, n);
	if (r == 0)
		r = store_commit(store);
	else
		store_rollback(store);
	return r == 0 ? store_witness(store) : r;
}

static inline int put_version(
        struct store *store, const char *series, uint64_t version, uint8_t payload)
{
	struct digest signers[2];
	struct allowlist_info info = list_of(series, version, payload, signers);

	return put_list(store, &info, 3);
}

static inline struct allowlist_state state_of(struct store *store, const char *series)
{
	struct allowlist_state state = {0};

	assert_int_equal(store_allowlist_state(store, series, &state), 0);
	return state;
}

struct list_seen {
	unsigned int n;
	uint64_t version, subjects;
	size_t signers, patterns;
	int64_t id;
	char series[64];
};

static inline int see_list(const struct allowlist_info *info, void *userdata)
{
	struct list_seen *seen = userdata;

	seen->n++;
	seen->id = info->id;
	seen->version = info->statement.version;
	seen->subjects = info->subjects;
	seen->signers = info->n_signers;
	seen->patterns = info->statement.scope.of[STATEMENT_SCOPE_IMAGES].n;
	snprintf(seen->series, sizeof(seen->series), "%s", info->statement.series);
	return 0;
}

static inline struct list_seen lists_of(struct store *store)
{
	struct list_seen seen = {0};

	assert_int_equal(store_allowlists(store, see_list, &seen), 0);
	return seen;
}

struct keys_seen {
	size_t n;
	struct digest last;
};

static inline int see_keys(const struct digest *keys, size_t n, void *userdata)
{
	struct keys_seen *seen = userdata;

	for (size_t i = 0; i < n; i++) {
		if (seen->n > 0)
			assert_true(memcmp(&seen->last, &keys[i], sizeof(keys[i])) < 0);
		seen->last = keys[i];
		seen->n++;
	}
	return 0;
}

static inline int see_subject(const struct statement_subject *subject, void *userdata)
{
	size_t *n = userdata;

	assert_int_equal(subject->name[0], '/');
	(*n)++;
	return 0;
}
