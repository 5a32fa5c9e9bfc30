/*
 * An allowlist as it is written: an in-toto Statement whose predicate is ours (docs/formats.md).
 * This is the body alone; who signed it is told by the envelope around it. Pure.
 *
 * A body is foreign, and up to 64 MiB long. It is never held as a tree: it is cut into its values
 * in place, and each value, bounded, is read by jansson alone (duplicate keys refused). What is in
 * memory at a time is one subject.
 *
 * Members that are not known are ignored: what restricts must be named in `critical`, and a name
 * there that is not known refuses the list. So a newer list never allows more here than it means.
 */
#pragma once

#include "core/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATEMENT_TYPE      "https://in-toto.io/Statement/v1"
#define STATEMENT_PREDICATE "urn:execward:allowlist:v1"

#define STATEMENT_SIZE_MAX     (64u << 20) /* bytes of a body */
#define STATEMENT_SUBJECTS_MAX 1000000u
#define STATEMENT_TEXT_MAX     4096u  /* bytes of a string, a name, a key */
#define STATEMENT_VALUE_MAX    65536u /* bytes of one subject, and of any other member */
#define STATEMENT_DEPTH_MAX    16u    /* of arrays and objects in each other */
#define STATEMENT_MEMBERS_MAX  64u    /* of the outermost object */

/* What a subject says: may its content run anywhere in scope, or only under its name? */
enum statement_bind {
	STATEMENT_BIND_UNSET = 0,
	STATEMENT_BIND_DIGEST,
	STATEMENT_BIND_PATH,
	_STATEMENT_BIND_MAX,
};

/*
 * Where a list vouches, as glob patterns (core/glob.h, text) over what the host says of the place.
 * Within a kind one match is enough, and each kind that has patterns must match; none at all:
 * everywhere. In the predicate, as `scope`, which must be named in `critical`:
 * {"images": ["docker.io/library/web:*"], "namespaces": ["prod"], "hosts": ["web"]}
 */
enum statement_scope_kind {
	STATEMENT_SCOPE_UNSET = 0,
	STATEMENT_SCOPE_IMAGES,     /* reference of the container's image */
	STATEMENT_SCOPE_NAMESPACES, /* of Kubernetes */
	STATEMENT_SCOPE_HOSTS,      /* one of the host's own labels (trust.labels) */
	_STATEMENT_SCOPE_MAX,
};

const char *statement_scope_kind_name(enum statement_scope_kind kind); /* images, ... */
enum statement_scope_kind statement_scope_kind_from_name(const char *name);

#define STATEMENT_PATTERNS_MAX 64u /* of each kind */

struct statement_patterns {
	char **items; /* owned, sorted, each passed statement_pattern_fault() */
	size_t n;
};

struct statement_scope {
	struct statement_patterns of[_STATEMENT_SCOPE_MAX]; /* [UNSET] stays empty */
};

void statement_scope_done(struct statement_scope *scope);
/* Keeps the order. 0; -EEXIST; -E2BIG past STATEMENT_PATTERNS_MAX; -EINVAL for no kind, and for
 * what statement_pattern_fault() finds; -ENOMEM. */
int statement_scope_add(
        struct statement_scope *scope, enum statement_scope_kind kind, const char *pattern);
/* NULL for a pattern that a scope may have, else what is wrong with it. */
const char *statement_pattern_fault(const char *pattern);
bool statement_scope_is_everywhere(const struct statement_scope *scope);
/*
 * What is NULL here is not known, and matches no pattern. @labels may be empty. Outside containers
 * image and namespace are NULL. An image matches as the runtime shows it, or completed
 * (image_ref_qualify()).
 */
bool statement_scope_holds(const struct statement_scope *scope, const char *image,
        const char *namespace, char *const *labels, size_t n_labels);

/* Everything but the subjects. */
struct statement {
	char *series;       /* printable UTF-8; versions are compared within it */
	uint64_t version;   /* 1..INT64_MAX */
	int64_t issued_ns;  /* CLOCK_REALTIME; whole seconds, as expires_ns */
	int64_t expires_ns; /* after issued_ns */
	enum statement_bind bind;
	struct statement_scope scope;
};

void statement_done(struct statement *statement);
/* 0 or -ENOMEM; statement_done() the copy. */
int statement_copy(const struct statement *statement, struct statement *ret_statement);
const char *statement_bind_name(enum statement_bind bind); /* digest, path */
enum statement_bind statement_bind_from_name(const char *name);

struct statement_subject {
	char *name; /* an absolute path, to compare with: never one to open */
	struct digest digest;
};

enum {
	STATEMENT_E_INVALID = 1, /* *reterr_error says where and why */
	STATEMENT_E_UNKNOWN_CRITICAL,
	STATEMENT_E_EMPTY, /* no subjects */
};

struct statement_error {
	size_t at;         /* byte in the body; near it, when it is about a whole value */
	char message[256]; /* printable */
};

/*
 * Gets what is read. The header is complete and checked before the first subject comes; a later
 * subject may still turn out faulty, so that whoever stores must be able to take all of it back.
 * Another value than 0 ends the reading with it. Either may be NULL.
 */
struct statement_reader {
	int (*header)(const struct statement *statement, void *userdata);
	int (*subject)(const struct statement_subject *subject, void *userdata); /* borrowed */
	void *userdata;
};

/*
 * Whether a list has expired is the caller's business. @text need not be terminated. 0,
 * STATEMENT_E_*, each with *reterr_error, what the reader said, or -ENOMEM. The header of an empty
 * list is told before it is found to be empty.
 * @ret_statement (statement_done) may be NULL; @reterr_error, too.
 */
int statement_parse(const char *text, size_t size, const struct statement_reader *reader,
        struct statement *ret_statement, struct statement_error *reterr_error);

/* By name, byte by byte, then by digest. */
void statement_sort(struct statement_subject *subjects, size_t n);
/*
 * The same input gives the same bytes: the order of @subjects is kept, members stand as in
 * docs/formats.md. 0; -EINVAL for what statement_parse() would refuse; -EFBIG past the bounds;
 * -ENOMEM. The caller frees *ret_text.
 */
int statement_print(const struct statement *statement, const struct statement_subject *subjects,
        size_t n, char **ret_text, size_t *ret_size);

/* NULL for a name that a subject may have, else what is wrong with it. */
const char *statement_name_fault(const char *name);
/* The same of a series. */
const char *statement_series_fault(const char *series);

/* `2026-01-01T00:00:00Z` and nothing else. 0 or -EINVAL; years 1970 to 2261. */
#define STATEMENT_TIME_SIZE 21u /* bytes, with the NUL */
int statement_time_parse(const char *text, int64_t *ret_ns);
/* Rounds down to the second. 0, or -EINVAL outside those years. */
int statement_time_print(int64_t time_ns, char ret_text[STATEMENT_TIME_SIZE]);
