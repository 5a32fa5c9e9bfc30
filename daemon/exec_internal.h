/* A request and its registry; for exec_request.c and exec_registry.c only. */
#pragma once

#include "daemon/exec_request.h"
#include "daemon/exec_signature.h"

enum claim { CLAIM_OPEN = 0, CLAIM_TAKEN, CLAIM_ANSWERED };

enum phase {
	PHASE_PROBE = 0,
	PHASE_SELF,   /* digest of the file itself */
	PHASE_LOWER,  /* digest of the lower file it was copied up from */
	PHASE_COPIES, /* digests of the image's programs of equal size */
	PHASE_DECIDE,
	PHASE_SIGNATURE, /* security.ima, when nobody else vouches; then decided again */
};

struct exec_request {
	struct pool_job job; /* first: the pool hands it back */
	struct exec_shared *shared;
	struct ruling *ruling;
	atomic_uint refs;
	_Atomic enum claim claim;
	int fd;
	pid_t pid;
	int64_t deadline_ns;               /* CLOCK_MONOTONIC */
	struct lingering_item lingering;   /* answered: a third reference, to the lease */
	struct exec_request *next, **link; /* in the registry, under its lock */

	enum phase phase;
	bool loader;  /* a dynamic loader of the image */
	bool watched; /* may be a trusted writer: not to be remembered */
	struct probe_result probe;
	struct exec_facts facts;
	struct hashing self, other;
	struct image_candidate *candidates;
	size_t n_candidates, candidate;
	struct exec_signature signature;
	bool compared;   /* with the image's programs */
	bool maybe_copy; /* not with all of them: no baseline may vouch */
	bool drained;    /* the creation watcher has been waited for */
	bool seen;       /* and has seen what was closed before the lease was taken */
	enum fault fault;
	struct policy_decision decision;
	int64_t decided_ns; /* CLOCK_REALTIME, as the decision was asked at */
};

static inline const struct verdicts_context *exec_context(const struct exec_request *request)
{
	return request->shared->context;
}

/* exec_registry.c: the requests that wait for an answer. */
void exec_registry_add(struct exec_shared *shared, struct exec_request *request);
/* Takes a request out, with the registry's reference; false when it is not in it. */
bool exec_registry_remove(struct exec_shared *shared, struct exec_request *request);

/* exec_request.c */
void exec_request_unref(struct exec_request *request);
void exec_request_answer_fault(struct exec_request *request, enum fault fault);

/* exec_trusted.c */
void exec_drain(struct exec_request *request); /* once */
/* Takes note of who becomes a trusted writer; the probe is done. */
void exec_trusted_note(struct exec_request *request);
/* VOUCH_TRUSTED_WRITER or VOUCH_NONE; and until when (CLOCK_REALTIME). */
unsigned int exec_trusted_vouches(const struct exec_request *request);
int64_t exec_trusted_until(const struct exec_request *request);
/*
 * Nobody vouches, as far as is known by now. What a trusted writer has just unpacked may not have
 * been seen yet, or not hashed: then this digest is the one to be vouched for. True: decide again.
 */
bool exec_trusted_ask(struct exec_request *request);
