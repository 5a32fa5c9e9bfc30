/*
 * What a reader says through its pipe, and its parser: a compromised reader may say anything, so
 * each frame has its turn, its bounds and its checks, as rows of a database have.
 *
 *   VERDICT    about the signatures. Not accepted: END is next
 *   STATEMENT  the header, when it could be parsed
 *   SUBJECT    one each
 *   END        the reason about all of it; FAILURE instead of any of these: an errno
 *
 * Both ends are the same program: integers are the host's.
 */
#pragma once

#include "base/cleanup.h"
#include "core/allowlist.h"
#include "crypto/dsse.h"
#include "crypto/key.h"

enum frame_kind {
	FRAME_UNSET = 0,
	FRAME_VERDICT,
	FRAME_STATEMENT,
	FRAME_SUBJECT,
	FRAME_END,
	FRAME_FAILURE,
	_FRAME_KIND_MAX,
};

#define FRAME_FAULT_MAX 512u /* bytes of a message */
/* Bytes of a frame behind its head: a scope of the longest patterns. */
#define FRAME_MAX (_STATEMENT_SCOPE_MAX * STATEMENT_PATTERNS_MAX * (STATEMENT_TEXT_MAX + 8) + 16384)
/* Bytes of all frames: names and digests are shorter than in the body that they were read of. */
#define FRAMES_MAX                                                                                 \
	((size_t)STATEMENT_SIZE_MAX + (size_t)STATEMENT_SUBJECTS_MAX * sizeof(struct frame_head) + \
	        FRAME_MAX + 65536)

struct frame_head {
	uint32_t kind;
	uint32_t size; /* of what follows */
};

struct frame_finding {
	uint32_t state; /* enum signature_state */
	uint32_t known; /* 0, 1 */
	struct digest key;
};

struct frame_verdict {
	uint32_t reason;
	uint32_t envelope; /* DSSE_E_X: it is none, and nothing else is said; 0 */
	uint32_t n_findings, n_signers;
	struct digest payload;
	struct frame_finding findings[DSSE_SIGNATURES_MAX];
	struct digest signers[DSSE_SIGNATURES_MAX]; /* ascending */
};

/* Followed by the series, then by each pattern of each kind: its length as uint32_t, its bytes. */
struct frame_statement {
	uint64_t version;
	int64_t issued_ns, expires_ns;
	uint32_t bind, series_size;
	uint32_t n_patterns[_STATEMENT_SCOPE_MAX];
};

/* Followed by a message. */
struct frame_end {
	uint64_t subjects;
	uint32_t reason;
	uint32_t reserved; /* 0 */
};

/* What was said. Subjects are packed: digest, name, NUL. */
struct reader_answer {
	enum allowlist_reason reason; /* UNCHECKED until the end was read */
	int envelope;
	struct digest payload; /* when the signatures were accepted */
	struct frame_finding findings[DSSE_SIGNATURES_MAX];
	size_t n_findings;
	struct digest signers[DSSE_SIGNATURES_MAX];
	size_t n_signers;
	struct statement statement; /* series NULL: none was read */
	char *fault;                /* printable; NULL */
	uint64_t subjects;
	int failure; /* the reader's own -errno; 0 */
	/* the parser's */
	enum frame_kind last;
	size_t total; /* bytes so far */
	char *packed;
	size_t packed_size, packed_room;
	char *pending; /* of a frame that is not complete */
	size_t pending_size;
};

void reader_answer_done(struct reader_answer *answer);

/*
 * The next bytes, of any number. 0; -EPROTO for what no reader says, and whoever gets it stops;
 * -ENOMEM.
 */
int reader_answer_feed(struct reader_answer *answer, const void *data, size_t size);
/* After the last: 0, what the reader failed with, or -EPROTO when it has not finished. */
int reader_answer_finish(const struct reader_answer *answer);
/* Each subject in its order; another value than 0 from @each ends it. */
int reader_answer_subjects(const struct reader_answer *answer,
        int (*each)(const struct statement_subject *subject, void *userdata), void *userdata);
