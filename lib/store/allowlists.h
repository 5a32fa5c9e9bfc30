/*
 * Allowlists that were verified and installed, and what is remembered of each series so that an
 * older list cannot come back. Whoever installs verifies first (lib/allowlists/install.h): nothing
 * here looks at a signature. Rows are foreign when they are read, as all of them (store.h).
 */
#pragma once

#include "core/allowlist.h"
#include "store/store.h"

#define ALLOWLISTS_MAX        1024u /* in the database at a time */
#define ALLOWLIST_SIGNERS_MAX 32u   /* as the signatures of an envelope */

/* One list in force: the newest of its series. */
struct allowlist_info {
	int64_t id;
	struct statement statement; /* series, version, times, bind, scope */
	struct digest payload;      /* SHA-256 of its body */
	struct digest
	        *signers; /* ids of the keys that have signed, of those trusted then; sorted */
	size_t n_signers;
	uint64_t subjects;
	int64_t installed_ns; /* CLOCK_REALTIME */
	int64_t by_uid;
	char *source; /* `install`, `directory:NAME`, `fetch:URL`; shown, and for directory compared
	               */
};

void allowlist_info_done(struct allowlist_info *info);

/*
 * What is remembered of a series. ret_state->history is UNSET when the memory cannot be trusted:
 * the database is another one, or an older copy, than the witness beside it knows.
 */
int store_allowlist_state(
        struct store *store, const char *series, struct allowlist_state *ret_state);

/*
 * The witness is a file beside the database that outlives it (allowlists.witness: the database's
 * random id, and a generation that was reached). A database that is lost, replaced or put back from
 * an older copy is found by it. To be called before store_begin() of what installs, and after its
 * commit: where there is neither id nor witness, both are made; a witness that is missing or behind
 * is written anew; one that knows another database stays as it is (see store_allowlist_state()).
 */
int store_witness(struct store *store);

/*
 * Within store_begin() and store_commit(). Put takes the place of the list of the same series,
 * and raises what is remembered of it; it refuses with -EEXIST a version that is lower than what is
 * remembered, or equal with another payload, whatever the caller has compared. @ret_id is the
 * new list's. Until the commit nobody sees any of it. -E2BIG past ALLOWLISTS_MAX.
 */
int store_allowlist_put(struct store *store, const struct allowlist_info *info, int64_t *ret_id);
/*
 * One subject; @key is allowlist_key() (lib/allowlists/in_force.h). In any order. -E2BIG past
 * STATEMENT_SUBJECTS_MAX. The keys wait in memory (32 MB for a million) until the list is finished.
 */
int store_allowlist_add(struct store *store, int64_t id, const struct statement_subject *subject,
        const struct digest *key);
/* After the last: @subjects is counted against what was added. A list that was not finished cannot
 * be committed (-EINVAL). */
int store_allowlist_finish(struct store *store, int64_t id, uint64_t subjects);

/*
 * The list goes, what is remembered of its series stays. @reason is kept in the database.
 * STORE_E_NOTFOUND.
 */
int store_allowlist_remove(
        struct store *store, int64_t id, int64_t by_uid, int64_t now_ns, const char *reason);

/* The list of a series; STORE_E_NOTFOUND. The caller calls allowlist_info_done(). */
int store_allowlist_find(struct store *store, const char *series, struct allowlist_info *ret_info);

/* By series. @info is borrowed. Another return than 0 of @each ends it, here and below. */
int store_allowlists(struct store *store,
        int (*each)(const struct allowlist_info *info, void *userdata), void *userdata);
/* The keys of a list in strictly ascending order, in batches. @each may not use @store. */
int store_allowlist_keys(struct store *store, int64_t id,
        int (*each)(const struct digest *keys, size_t n, void *userdata), void *userdata);
/*
 * All subjects in the order in which they were added; or those with @digest alone (NULL: all),
 * which looks at all of them: some 0.1 s for a million. @each may not use @store.
 */
int store_allowlist_subjects(struct store *store, int64_t id, const struct digest *digest,
        int (*each)(const struct statement_subject *subject, void *userdata), void *userdata);

/* Counts up with every change of a list, here or by another process. */
int store_allowlist_generation(struct store *store, int64_t *ret_generation);

/* What is remembered, by series, whether a list of it is installed or not. */
struct allowlist_memory {
	const char *series;
	uint64_t version;
	struct digest payload;
	int64_t changed_ns;
};
int store_allowlist_memories(struct store *store,
        int (*each)(const struct allowlist_memory *memory, void *userdata), void *userdata);
/*
 * An operator's explicit reset: forgets a series, or with NULL all of them and the latest trusted
 * now, and makes the witness know this database. Lists stay. @reason is kept in the database.
 * STORE_E_NOTFOUND for a series that is not remembered; -ESTALE for one when the database is not
 * the one that the witness knows: then all must be named, since nothing of it can be believed.
 */
int store_allowlist_reset(struct store *store, const char *series, int64_t by_uid, int64_t now_ns,
        const char *reason);

/* The latest now that was ever trusted; 0: none. Set only goes forward. */
int store_trusted_now(struct store *store, int64_t *ret_now_ns);
int store_trusted_now_set(struct store *store, int64_t now_ns);
