/*
 * The installed lists, as verdicts ask for them: without SQLite, and without their entries in
 * memory. The keys of each list (allowlist_key()) are an index of their own (baseline_index.h).
 * Immutable once made; the next set shares the indexes of lists that are the same. NULL is a set
 * without a list.
 *
 * What a list says, where, and since when, is fixed; whether it is believed is not: that hangs on
 * the keys that are trusted now and on the clock, so that it is asked with each verdict.
 */
#pragma once

#include "allowlists/in_force.h"
#include "core/facts.h"
#include "daemon/baseline_index.h"
#include "store/allowlists.h"

#include <stdatomic.h>

struct allowlists;

/*
 * All that @store has. @before (NULL: none) gives what it shares. 0, STORE_E_*, -E2BIG past
 * ALLOWLISTS_MAX, or another -errno.
 */
int allowlists_load(struct store *store, const char *state_dir, struct allowlists *before,
        struct allowlists **ret_allowlists);
struct allowlists *allowlists_ref(struct allowlists *allowlists);
void allowlists_unref(struct allowlists *allowlists);

/*
 * The latest now that was ever trusted: read and raised by every thread that asks, kept in the
 * database by the one that watches (lists_watch.h). A clock that goes back revives no list.
 */
struct allowlists_clock {
	_Atomic int64_t latest_ns; /* CLOCK_REALTIME; 0: none */
	_Atomic int64_t stored_ns; /* of it, what the database has */
};
/* Raises it to @now_ns; the latest. */
int64_t allowlists_clock_see(struct allowlists_clock *clock, int64_t now_ns);
/*
 * What the database has: taken when it is later, and when it is earlier than what was there before,
 * since then an operator has reset it.
 */
void allowlists_clock_stored(struct allowlists_clock *clock, int64_t stored_ns);

/* On whose word, and when, a list is believed. All borrowed. */
struct allowlists_terms {
	const struct trust *trust; /* NULL: nobody's */
	uint32_t threshold;
	struct allowlist_limits
	        limits;      /* without floor_version, which each series has its own of */
	char *const *labels; /* of the host */
	size_t n_labels;
};

/* Who vouches, of those that do the one that does so for longest. */
struct allowlists_voucher {
	const struct allowlist_info *info; /* borrowed from the set */
	int64_t until_ns;                  /* CLOCK_REALTIME; INT64_MAX for ever */
	bool by_path; /* for this path alone: not for the inode under another name */
};

/*
 * Whether a list that is in force under @terms vouches for the digest of @facts where the file
 * lies; then with @ret_voucher filled, preferring one that does not bind the path. Reads files: for
 * the pool and the control thread.
 */
enum baseline_answer allowlists_ask(const struct allowlists *allowlists,
        const struct allowlists_terms *terms, const struct exec_facts *facts,
        struct allowlists_voucher *ret_voucher);

/* Whether the list has the digest of @facts, and the path where it binds one: wherever it vouches.
 */
bool allowlists_names(
        const struct allowlists *allowlists, size_t i, const struct exec_facts *facts);

enum allowlist_reason allowlists_state(
        const struct allowlist_info *info, const struct allowlists_terms *terms);
/* Until when it stays in force, if it is (CLOCK_REALTIME); INT64_MAX for ever. */
int64_t allowlists_until(const struct allowlist_info *info, const struct allowlists_terms *terms);

size_t allowlists_count(const struct allowlists *allowlists);
/* By series. */
const struct allowlist_info *allowlists_get(const struct allowlists *allowlists, size_t i);
/* Of the database, when they were read; 0 of NULL. */
int64_t allowlists_generation(const struct allowlists *allowlists);
/* Lists whose index is that of the set before. */
size_t allowlists_shared(const struct allowlists *allowlists);
