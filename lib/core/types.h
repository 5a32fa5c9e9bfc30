/*
 * The words of the project as types (docs/architecture.md, "The words").
 *
 * In every enum here zero is "not told yet" and never permits anything. The names in the tables
 * are interface: they appear in alerts, in the database and in the command line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_SIZE     32u                   /* bytes of SHA-256; FIPS 180-4 */
#define DIGEST_HEX_SIZE (2 * DIGEST_SIZE + 1) /* with the NUL */

struct digest {
	uint8_t bytes[DIGEST_SIZE];
};

/* Where the bytes of an executable come from, decided afresh at each verdict. */
enum origin {
	ORIGIN_UNKNOWN = 0, /* could not be told: never trusted */
	ORIGIN_IMAGE,       /* from a lower layer, untouched */
	ORIGIN_COPIED,      /* copied up, content equal to the lower file */
	ORIGIN_MODIFIED,    /* copied up, content differs */
	ORIGIN_DROPPED,     /* born in the upper layer */
	ORIGIN_VOLUME,      /* tmpfs, bind mount, volume or another image inside a container */
	ORIGIN_HOST,        /* a guarded host filesystem */
	ORIGIN_MUTABLE,     /* somebody can still write it: nobody may vouch */
	ORIGIN_UNGUARDED,   /* a host process on a filesystem that only holds layers: not ours */
	_ORIGIN_MAX,
};

enum verdict {
	VERDICT_UNSET = 0,
	VERDICT_ALLOW,
	VERDICT_DENY,
	VERDICT_WOULD_DENY, /* what enforce would have done, in mode report */
	_VERDICT_MAX,
};

enum mode {
	MODE_UNSET = 0,
	MODE_REPORT,
	MODE_ENFORCE,
	MODE_LEARN,
	_MODE_MAX,
};

/* What a rule, `copies` or `on_failure` says. */
enum action {
	ACTION_UNSET = 0,
	ACTION_ALLOW,
	ACTION_DENY,
	_ACTION_MAX,
};

/* Why: a stable word in every alert and every answer. */
enum reason {
	REASON_UNSET = 0,
	REASON_DENYLISTED,     /* digest on the denylist */
	REASON_IMAGE,          /* origin image */
	REASON_COPIED,         /* origin copied */
	REASON_APPROVED,       /* digest approved by an operator for this image */
	REASON_LEARNED,        /* digest learned for this image */
	REASON_BASELINE,       /* digest in a baseline whose scope holds */
	REASON_ALLOWLISTED,    /* digest in a signed allowlist */
	REASON_SIGNED,         /* valid security.ima signature */
	REASON_TRUSTED_WRITER, /* written by a trusted writer */
	REASON_RULE,           /* an exception rule spoke */
	REASON_COPY_ALLOWED,   /* dropped copy of an image program, `copies: allow` */
	REASON_LEARNING,       /* nobody vouches, mode learn */
	REASON_DROPPED,        /* nobody vouches: born in the upper layer */
	REASON_DROPPED_COPY,   /* nobody vouches: a copy of the image's own program */
	REASON_MODIFIED,       /* nobody vouches: image program edited */
	REASON_VOLUME,         /* nobody vouches: from a volume */
	REASON_OTHER_IMAGE,    /* nobody vouches: belongs to the image of another container */
	REASON_HOST,           /* nobody vouches: guarded host filesystem */
	REASON_UNKNOWN,        /* nobody vouches: origin could not be told */
	REASON_MUTABLE,        /* somebody can still write it */
	REASON_UNGUARDED,      /* a host process, not ours to decide */
	REASON_FAULT,          /* no verdict could be reached: on_failure decided */
	REASON_LOADER,         /* the image's dynamic loader, executed as a program */
	REASON_MEMFD,          /* the image's dynamic loader, for a program in a memfd */
	_REASON_MAX,
};

/* What the kernel will do with the file; told by its first bytes. */
enum exec_kind {
	EXEC_KIND_UNKNOWN = 0,
	EXEC_KIND_ELF,
	EXEC_KIND_SCRIPT, /* starts with #! */
	EXEC_KIND_OTHER,  /* x bit only: binfmt_misc, or ENOEXEC */
	_EXEC_KIND_MAX,
};

/* Which way a filesystem is watched. */
enum mark_kind {
	MARK_KIND_UNSET = 0,
	MARK_KIND_AUTO,
	MARK_KIND_BACKING,
	MARK_KIND_OVERLAY,
	_MARK_KIND_MAX,
};

const char *origin_name(enum origin origin);
const char *verdict_name(enum verdict verdict);
const char *mode_name(enum mode mode);
const char *action_name(enum action action);
const char *reason_name(enum reason reason);
const char *exec_kind_name(enum exec_kind kind);
const char *mark_kind_name(enum mark_kind kind);

/* The value of a name, or the enum's zero when it is none. */
enum origin origin_from_name(const char *name);
enum verdict verdict_from_name(const char *name);
enum mode mode_from_name(const char *name);
enum action action_from_name(const char *name);
enum reason reason_from_name(const char *name);
enum mark_kind mark_kind_from_name(const char *name);

/* Told by the first bytes of a file; @size may be 0. */
enum exec_kind exec_kind_of(const uint8_t *head, size_t size);

bool digest_equal(const struct digest *a, const struct digest *b);
void digest_to_hex(const struct digest *digest, char ret_text[DIGEST_HEX_SIZE]);
/* 0 or -EINVAL; @text is NUL-terminated and must be exactly 64 digits. */
int digest_from_hex(const char *text, struct digest *ret_digest);
