/*
 * What deciding threads hand to the recorder after they have answered. Made by them, owned by the
 * queue, freed by the recorder.
 */
#pragma once

#include "core/facts.h"
#include "core/policy.h"
#include "daemon/faults.h"
#include "daemon/ruling.h"
#include "store/baselines.h"

enum record_type {
	RECORD_UNSET = 0,
	RECORD_EXEC,        /* a verdict to report */
	RECORD_DROP,        /* an executable was written */
	RECORD_DROP_DIGEST, /* the digest of a drop is known */
	RECORD_PROVENANCE,  /* a trusted writer vouches for a digest */
};

struct record {
	enum record_type type;
	struct exec_facts
	        facts; /* EXEC; DROP and DROP_DIGEST: identity, paths, container, digest */
	struct policy_decision decision; /* EXEC; its rule is borrowed from @ruling */
	struct ruling *ruling;           /* EXEC; a reference */
	enum fault fault;                /* EXEC; NONE when it was decided */
	bool by_overlay;                 /* EXEC; which of two marks on the way of one exec */
	struct process_info writer;      /* DROP */
	bool writer_gone;                /* DROP */
	bool mutable_file;               /* DROP_DIGEST */
	enum snapshot_scope scope;       /* PROVENANCE, as all below */
	char *scope_value;
	struct digest writer_digest;
	int64_t expires_ns;
};

struct record *record_new(enum record_type type);
void record_free(struct record *record);
