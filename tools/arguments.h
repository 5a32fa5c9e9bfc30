/*
 * The command line: one table of options, and for each verb the set that it takes. Parsing, --help
 * and the suggestions for a misspelt word all come from the two tables.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum option {
	OPTION_CONFIG = 0,
	OPTION_JSON,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_WAIT_READY,
	OPTION_FOLLOW,
	OPTION_SINCE,
	OPTION_CONTAINER,
	OPTION_IMAGE,
	OPTION_PATH,
	OPTION_SHA256,
	OPTION_LIMIT,
	OPTION_REASON,
	OPTION_FOR,
	OPTION_DENY,
	/* snapshot */
	OPTION_HOST,
	OPTION_ARCHIVE,
	OPTION_ROOTFS,
	OPTION_ALL_FILES,
	OPTION_REHASH,
	OPTION_SCOPE,
	OPTION_NAME,
	OPTION_SNAPSHOT,
	OPTION_PACKAGES,
	OPTION_HTML,
	OPTION_OUT,
	OPTION_SERIES,
	OPTION_LIST_VERSION,
	OPTION_VALID_FOR,
	OPTION_BIND,
	OPTION_KEEP,
	OPTION_ALL,
	OPTION_THREADS,
	/* envelopes */
	OPTION_KEY,
	OPTION_KEYS,
	OPTION_PASSIN,
	OPTION_TYPE,
	OPTION_UNENCRYPTED,
	OPTION_APPEND,
	OPTION_CONFIRM,
	OPTION_THRESHOLD,
	OPTION_SIGNATURE,
	/* allowlists */
	OPTION_DRY_RUN,
	OPTION_RESET,
	OPTION_FILES,
	OPTION_SUMS,
	OPTION_PACKAGE,
	OPTION_PACKAGE_FILE,
	OPTION_SBOM,
	OPTION_LIST_SCOPE,  /* --scope of lists */
	OPTION_LIST_NUMBER, /* --version of lists, as --list-version */
	OPTION_REQUIRE_SIGNATURE,
	OPTION_CACERT,
	OPTION_TIMEOUT,
	OPTION_ALLOWLIST,
	OPTION_YES,
	_OPTION_MAX,
};

#define TAKES(option) (UINT64_C(1) << OPTION_##option)
/*
 * Among takes: a verb that works on files alone, for people who may not read the daemon's
 * configuration. It is read only with --config, or for what --keys would say.
 */
#define VERB_OFFLINE (UINT64_C(1) << 63)
/* Among takes: sources of files and scopes may be given several times: call.given. */
#define VERB_REPEATS (UINT64_C(1) << 62)
_Static_assert(_OPTION_MAX < 62, "a bit for each option, VERB_OFFLINE and VERB_REPEATS");
/* Where `allowlist create` finds files. */
#define OPTIONS_OF_SOURCES                                                                         \
	(TAKES(ROOTFS) | TAKES(IMAGE) | TAKES(ARCHIVE) | TAKES(SNAPSHOT) | TAKES(FILES) |          \
	        TAKES(SUMS) | TAKES(SBOM) | TAKES(PACKAGE) | TAKES(PACKAGE_FILE))

struct tool;
struct call;

struct verb {
	const char *name, *summary; /* one word, or two: "snapshot create" */
	/* As usage shows it. NULL: takes none; "[...]": may be left out; "A B": two; "A...": many.
	 */
	const char *argument;
	uint64_t takes;      /* TAKES() bits, beside those that every verb takes */
	uint64_t needs;      /* those of them that must be given */
	const char *details; /* a paragraph for --help; NULL */
	int (*run)(const struct tool *tool, const struct call *call);
};

#define GIVEN_MAX 256u /* options that repeat, in one call */

struct given {
	enum option option;
	const char *value;
};

/* What was typed. All borrowed from argv. */
struct call {
	const struct verb *verb;      /* NULL when none was named */
	const char *group;            /* the first word of a name of two; NULL else */
	const char *argument;         /* the first; NULL when it was left out */
	const char *const *arguments; /* all of them, in their order; n_arguments */
	size_t n_arguments;
	const char *values[_OPTION_MAX]; /* NULL: not given; "" for a flag that was */
	struct given given[GIVEN_MAX]; /* of the options that may repeat, each time it was given */
	size_t n_given;
};

static inline bool call_has(const struct call *call, enum option option)
{
	return call->values[option] != NULL;
}

/*
 * 0, or EX_USAGE after saying what is wrong. With --help and --version nothing else is asked for.
 * Moves the arguments to the front of @argv, which must outlive @ret_call.
 */
int arguments_parse(
        int argc, char **argv, const struct verb *verbs, size_t n_verbs, struct call *ret_call);

/* The help of the tool, of a group of verbs ("snapshot"), and of one verb. */
void arguments_print_tool(FILE *stream, const struct verb *verbs, size_t n_verbs);
void arguments_print_group(
        FILE *stream, const char *group, const struct verb *verbs, size_t n_verbs);
void arguments_print_verb(FILE *stream, const struct verb *verb);
