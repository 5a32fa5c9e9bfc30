/*
 * Who vouches, in order, and the first that speaks decides (docs/architecture.md). Pure: the same
 * policy, facts and time give the same verdict. A policy is built once, then immutable; a reload
 * builds another.
 *
 *  1 denylist  2 image, copied  3 approved, learned, baseline  4 allowlist  5 security.ima
 *  6 trusted writer  7 exception rules, then `copies`  8 nobody
 *
 * A file that somebody can still write (ORIGIN_MUTABLE) goes from 1 straight to 7 and 8: no digest
 * of it means anything. A baseline does not speak for a copy of the image's own program under
 * another name, in which everything that the image has would hide: `copies` does.
 */
#pragma once

#include "core/facts.h"
#include "core/types.h"

#define POLICY_RULES_MAX 4096u /* rules of one policy */

/* Every pattern that is set must match; NULL matches anything. Globs as in core/glob.h. */
struct policy_match {
	char *image;     /* glob over the image reference */
	char *container; /* glob over the container's name; "host" outside containers */
	char *ns;        /* glob over the Kubernetes namespace */
	char *path;      /* glob over the in-container path; `*` stays within a component */
	char *parent;    /* glob over the executable path of the parent of the task that execs */
	char *writer;    /* glob over the executable path that wrote the file */
	int64_t uid;     /* -1 matches any user */
};

struct policy_rule {
	struct policy_match match;
	enum action action; /* UNSET: the rule only sets mode or copies */
	enum mode mode;     /* UNSET: the global one */
	enum action copies; /* UNSET: the global one */
	char *reason;       /* why the exception exists; shown in alerts and `explain` */
	int64_t expires_ns; /* CLOCK_REALTIME; 0 never. An expired rule does not match. */
	unsigned int line;  /* in the configuration file, 1-based, for `explain` */
};

struct policy_settings {
	enum mode mode;            /* global; never UNSET after config_load() */
	enum action copies;        /* dropped copies of the image's own programs */
	enum action on_failure;    /* a verdict that could not be reached */
	struct policy_rule *rules; /* owned array */
	size_t n_rules;
};

void policy_rule_done(struct policy_rule *rule);
void policy_settings_done(struct policy_settings *settings);

/* What a digest is known as. Bits, because the denylist speaks first whatever else is set. */
enum vouch {
	VOUCH_NONE = 0,
	VOUCH_DENYLISTED = 1 << 0,
	VOUCH_APPROVED = 1 << 1,
	VOUCH_LEARNED = 1 << 2,
	VOUCH_BASELINE = 1 << 3,
	VOUCH_ALLOWLISTED = 1 << 4,
	VOUCH_SIGNED = 1 << 5,
	VOUCH_TRUSTED_WRITER = 1 << 6,
	VOUCH_UNREADABLE = 1 << 7, /* a baseline could not be asked: vouches for nothing */
};

struct policy_input {
	const struct exec_facts *facts; /* borrowed */
	unsigned int vouches;           /* enum vouch, of the facts' digest within its scope */
	const char *writer_exepath;     /* borrowed; NULL when no drop is on record */
	int64_t now_ns;                 /* CLOCK_REALTIME */
};

struct policy_decision {
	enum verdict verdict;
	enum reason reason;
	enum mode mode;                 /* in force for this exec */
	bool learn;                     /* record the digest as learned for its image */
	const struct policy_rule *rule; /* borrowed from the policy; NULL when none spoke */
};

/* Never fails, never leaves the verdict unset. */
void policy_decide(const struct policy_settings *policy, const struct policy_input *input,
        struct policy_decision *ret_decision);

/*
 * True when the decision cannot depend on the file's digest: a deciding thread may answer at once.
 * Says so only for facts that no denylist entry can touch: @denylist_empty is the caller's.
 */
bool policy_is_settled_without_digest(const struct exec_facts *facts, bool denylist_empty);

/* The verdict for an exec that could not be decided (deadline, fault): on_failure under @mode. */
void policy_decide_fault(
        const struct policy_settings *policy, struct policy_decision *ret_decision);

bool policy_match_matches(const struct policy_match *match, const struct policy_input *input);
