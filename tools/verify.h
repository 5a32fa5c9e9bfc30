/*
 * One run of `execward verify` or `sigtool`: whom it trusts, what this host has installed, and its
 * files one by one. For verify*.c and sigtool.c only.
 */
#pragma once

#include "core/allowlist.h"
#include "crypto/dsse_verify.h"
#include "store/store.h"
#include "tools/envelope_io.h"

/* A list that could vouch for a file: one that is installed, or was named by --allowlist. */
struct verify_list {
	int64_t id; /* in the database; 0: not installed */
	char *series;
	uint64_t version;
	enum statement_bind bind;
	enum allowlist_reason reason; /* ALLOWLIST_ACCEPTED: it is in force */
	bool in_scope;                /* on this host, outside containers */
	struct digest *keys;          /* allowlist_key(), sorted; NULL: ask the database */
	size_t n_keys;
};

struct verify_run {
	const struct tool *tool;
	const struct call *call;
	const char *name; /* in front of messages: "execward verify", "sigtool" */
	bool quiet;       /* nothing on stdout, refusals to stderr */
	int64_t now_ns;   /* CLOCK_REALTIME, once for all that is asked */
	uint32_t threshold;
	struct trust *trust;       /* for envelopes and lists */
	struct trust *files_trust; /* for single files, when it is another one; NULL: the same */

	bool opened;           /* what follows has been read */
	struct store *store;   /* NULL: there is no database, or it was not asked for */
	struct digest *denied; /* the denylist; sorted */
	size_t n_denied;
	struct verify_list *lists;
	size_t n_lists;
};

/*
 * Fills in all but tool, call, name and quiet, which are the caller's. 0, or an exit code after
 * saying what is wrong. The caller calls verify_run_done() in either case.
 */
int verify_run_init(struct verify_run *run);
void verify_run_done(struct verify_run *run);

/* Now, and what the configuration says of time; the defaults where there is none. */
void verify_limits(const struct verify_run *run, struct allowlist_limits *ret_limits);
/* On stderr. @code. */
int verify_refuse(const struct verify_run *run, const char *path, int code, const char *what);

/* verify_envelope.c: 0, 1, or an exit code. */
int verify_envelope(const struct verify_run *run, const char *path);
/* Signatures and statement of an envelope, as far as no database is needed. */
struct judgement {
	enum allowlist_reason reason; /* UNCHECKED: an internal error */
	struct dsse_verification signatures;
	struct summary summary; /* only when the signatures are good */
	bool has_summary;
};
void verify_judge(
        const struct verify_run *run, const struct dsse *dsse, struct judgement *ret_judgement);
void judgement_done(struct judgement *judgement);

/* verify_file.c: a single file, whatever is in it. 0, 1, or an exit code. */
int verify_file(struct verify_run *run, const char *path);

/*
 * verify_lists.c. Opens what this host has, and --allowlist; once. 0, or an exit code after saying
 * what is wrong.
 */
int verify_lists_open(struct verify_run *run);
void verify_lists_done(struct verify_run *run);
bool verify_is_denied(const struct verify_run *run, const struct digest *digest);
/*
 * The list that vouches for the digest at the absolute @path; else, with another *ret_reason than
 * "accepted", one that has the digest and does not vouch; else NULL. 0, or an exit code.
 */
int verify_lists_ask(struct verify_run *run, const struct digest *digest, const char *path,
        const struct verify_list **ret_list, const char **ret_reason);
/* What such a reason means, for a message. */
const char *verify_lists_text(const struct verify_list *list, const char *reason);
