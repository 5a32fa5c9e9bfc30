/*
 * The command line: one table of options, and for each verb the set that it takes. Parsing, --help
 * and the suggestions for a misspelt word all come from the two tables.
 */
#pragma once

#include <stdbool.h>
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
	_OPTION_MAX,
};

#define TAKES(option) (1u << OPTION_##option)

struct tool;
struct call;

struct verb {
	const char *name, *summary;
	const char *argument; /* as usage shows it; NULL: takes none; "[...]": may be left out */
	unsigned int takes;   /* TAKES() bits, beside those that every verb takes */
	unsigned int needs;   /* those of them that must be given */
	const char *details;  /* a paragraph for --help; NULL */
	int (*run)(const struct tool *tool, const struct call *call);
};

/* What was typed. All borrowed from argv. */
struct call {
	const struct verb *verb;         /* NULL when none was named */
	const char *argument;            /* NULL when it was left out */
	const char *values[_OPTION_MAX]; /* NULL: not given; "" for a flag that was */
};

static inline bool call_has(const struct call *call, enum option option)
{
	return call->values[option] != NULL;
}

/* 0, or EX_USAGE after saying what is wrong. With --help and --version nothing else is asked for.
 */
int arguments_parse(
        int argc, char **argv, const struct verb *verbs, size_t n_verbs, struct call *ret_call);

/* The help of the tool, and of one verb. */
void arguments_print_tool(FILE *stream, const struct verb *verbs, size_t n_verbs);
void arguments_print_verb(FILE *stream, const struct verb *verb);
