/*
 * An envelope becomes a list in force, or is refused with a reason: read and verified by a process
 * that may do nothing else (reader.h), stored in one transaction, compared with what is remembered
 * first. A list that is refused leaves everything as it was.
 */
#pragma once

#include "allowlists/reader.h"
#include "core/allowlist.h"
#include "crypto/dsse.h"
#include "crypto/trust.h"
#include "store/allowlists.h"

struct install_request {
	const struct trust
	        *trust;       /* as it was read of keys_dir; asked again of what the reader says */
	const char *keys_dir; /* the reader reads it by itself, before it gives its rights up */
	uint32_t threshold;
	struct allowlist_limits limits; /* floor_version and latest_now_ns are filled in here */
	const char *series;             /* only this one is wanted; NULL: any */
	const char *source;             /* struct allowlist_info */
	int64_t by_uid;
};

/* How one signature of the envelope fared. */
struct install_finding {
	bool good;
	bool known;        /* it is by a key that is trusted, or was revoked or has expired */
	struct digest key; /* its id, when known */
};

struct install_result {
	enum allowlist_reason reason; /* ACCEPTED, UNCHANGED, or why it was refused */
	/* A DSSE_E_X when it is no envelope at all; reason is BAD_STATEMENT then. Else 0. */
	int envelope;
	char *fault;                /* more about it, printable; NULL */
	struct allowlist_info info; /* of the list, as far as it is known: series NULL when not */
	struct install_finding findings[DSSE_SIGNATURES_MAX]; /* as the envelope has them */
	size_t n_findings;
};

/* The stable word for a result: of dsse_error_name(), else of allowlist_reason_name(). */
const char *install_result_reason(const struct install_result *result);
/* One sentence's worth about it. */
const char *install_result_text(const struct install_result *result);

void install_result_done(struct install_result *result);

/*
 * @envelope is an open file, read from its current position to its end (a pipe will do); @helper
 * NULL forks the reader from this process, which must have one thread only.
 * 0 with ret_result filled, also for a refusal; or STORE_E_*, or -errno: nothing was done, and it
 * is not the envelope's fault. -EPROTO: the reader died or spoke nonsense. -ETIMEDOUT: it took
 * longer than READER_SECONDS. -EPERM: it could not give up its rights (sandbox.h). -EAGAIN: the
 * keys have just changed and cannot be read. Stores nothing when the reason is not ACCEPTED, but
 * for the time that was trusted. With @dry_run not even an accepted one.
 *
 * An envelope of the list in force with further signers is ACCEPTED: the list then has the signers
 * of both. So is one of a list that was removed. The database is locked only while it is written
 * to, after the reader has ended.
 */
int allowlist_install(struct store *store, struct reader_helper *helper, int envelope,
        const struct install_request *request, bool dry_run, struct install_result *ret_result);
