/*
 * Everything a verdict reads, as one immutable snapshot: the configuration, the mode in force,
 * what operators approved, learned and denied, the baselines, the signed lists and whose keys are
 * trusted. A reload, an approval, a change of mode, a new snapshot or list builds another and swaps
 * a pointer; verdicts under way keep theirs by reference.
 */
#pragma once

#include "config/config.h"
#include "core/policy.h"
#include "daemon/allowlists.h"
#include "daemon/baselines.h"
#include "daemon/believed.h"
#include "store/store.h"

struct ruling;

/* The operator's own mode, over the configuration's. */
struct mode_override {
	enum mode mode;   /* UNSET: none */
	int64_t until_ns; /* CLOCK_REALTIME; 0 never (never 0 for learn) */
};

/* The configuration, shared by the rulings made from it. */
struct shared_config;
/* @config is taken, also on failure. */
int shared_config_new(struct config *config, struct shared_config **ret_shared);
struct shared_config *shared_config_ref(struct shared_config *shared);
void shared_config_unref(struct shared_config *shared);
const struct config *shared_config_get(const struct shared_config *shared);

/* What it is made of. Counted things are referenced, grants are copied, the clock is borrowed. */
struct ruling_parts {
	struct shared_config *shared;
	struct mode_override mode;
	const struct grant *grants;
	size_t n_grants;
	struct baselines *baselines;    /* NULL: none */
	struct allowlists *allowlists;  /* NULL: none */
	struct believed *believed;      /* NULL: nobody */
	struct allowlists_clock *clock; /* NULL: nothing is remembered of the time */
};

/* 0 or -ENOMEM. */
int ruling_new(const struct ruling_parts *parts, struct ruling **ret_ruling);
struct ruling *ruling_ref(struct ruling *ruling);
void ruling_unref(struct ruling *ruling);

const struct config *ruling_config(const struct ruling *ruling);
/* A reference to what it was made from. */
struct shared_config *ruling_shared_config(const struct ruling *ruling);
const struct mode_override *ruling_override(const struct ruling *ruling);
/* Borrowed; NULL: none. */
struct baselines *ruling_baselines(const struct ruling *ruling);
struct allowlists *ruling_allowlists(const struct ruling *ruling); /* likewise */
struct believed *ruling_believed(const struct ruling *ruling);     /* likewise */
const struct trust *ruling_trust(const struct ruling *ruling);     /* NULL: nobody is trusted */
/* What it was made of, but its grants. Borrowed from it. */
void ruling_parts_of(const struct ruling *ruling, struct ruling_parts *ret_parts);
/* How its lists are believed at @now_ns. Borrowed from the ruling. */
void ruling_terms(const struct ruling *ruling, int64_t now_ns, struct allowlists_terms *ret_terms);
/* The global mode at @now_ns: the override until its end, else the configuration's. */
enum mode ruling_mode(const struct ruling *ruling, int64_t now_ns);
bool ruling_denylist_empty(const struct ruling *ruling);

/*
 * What the digest of @facts is known as where the file lies: bits of enum vouch, none without a
 * digest. Grants are scoped by the container's image, or its key when it has no image; baselines by
 * that, or by the guarded host filesystem; lists by what they say themselves, where their digest is
 * not revoked. Reads files: for the pool and the control thread.
 */
unsigned int ruling_vouches(
        const struct ruling *ruling, const struct exec_facts *facts, int64_t now_ns);
/* When the first grant that vouches for it expires (CLOCK_REALTIME), 0 when none does. */
int64_t ruling_vouches_until(
        const struct ruling *ruling, const struct exec_facts *facts, int64_t now_ns);

/* The list that vouches, if one does (allowlists_ask()). */
bool ruling_voucher(const struct ruling *ruling, const struct exec_facts *facts, int64_t now_ns,
        struct allowlists_voucher *ret_voucher);
/*
 * When its word ends (CLOCK_REALTIME), 0 for never. RULING_NOT_KEPT: it is no verdict on the inode,
 * since it binds the path, or there is none (any more).
 */
#define RULING_NOT_KEPT 1
int64_t ruling_listed_until(
        const struct ruling *ruling, const struct exec_facts *facts, int64_t now_ns);

/*
 * The scope under which something learned is granted: the container's image, else its key; on a
 * guarded host filesystem RULING_HOST_SCOPE and its UUID, written into @buffer. NULL: there is
 * none, and nothing can be learned.
 */
#define RULING_HOST_SCOPE "fs:"
#define RULING_SCOPE_SIZE 80u /* bytes with the NUL; a UUID has 63 at most (lib/snapshot) */
const char *ruling_scope(const struct exec_facts *facts, char buffer[RULING_SCOPE_SIZE]);

/* Decides by this ruling. The rule in @ret_decision is borrowed from it. */
void ruling_decide(const struct ruling *ruling, const struct policy_input *input,
        struct policy_decision *ret_decision);
void ruling_decide_fault(
        const struct ruling *ruling, int64_t now_ns, struct policy_decision *ret_decision);

/* The one in force. */
struct rulings;
int rulings_new(struct rulings **ret_rulings);
void rulings_free(struct rulings *rulings);
/* A reference; NULL before the first rulings_set(). */
struct ruling *rulings_get(struct rulings *rulings);
/*
 * @ruling is taken. @forget (NULL when nothing that was allowed can be denied now) makes the kernel
 * forget verdicts: called before anybody can decide by the new ruling, and after everybody who
 * decided by an older one is done.
 */
void rulings_set(struct rulings *rulings, struct ruling *ruling, void (*forget)(void *userdata),
        void *userdata);

/*
 * Between these two no other ruling comes into force: for a verdict that the kernel is told to
 * remember. A reference, to be given back.
 */
struct ruling *rulings_hold(struct rulings *rulings);
void rulings_release(struct rulings *rulings, struct ruling *ruling);
