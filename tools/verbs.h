/*
 * The verbs of `execward`. Each handler gets the options that all share and its own arguments, and
 * returns an exit code of sysexits(3), or 1 for "rejected" and "findings".
 */
#pragma once

#include "config/config.h"

#include <stdbool.h>

struct tool {
	const char *config_path; /* NULL: the default */
	struct config *config;
	bool json;
	bool colour; /* stdout is a terminal and NO_COLOR is unset */
};

struct verb {
	const char *name, *summary, *usage;
	int (*run)(const struct tool *tool, int argc, char **argv);
};

int verb_status(const struct tool *tool, int argc, char **argv);
int verb_events(const struct tool *tool, int argc, char **argv);
int verb_show(const struct tool *tool, int argc, char **argv);
int verb_report(const struct tool *tool, int argc, char **argv);
int verb_explain(const struct tool *tool, int argc, char **argv);
int verb_approve(const struct tool *tool, int argc, char **argv);
int verb_revoke(const struct tool *tool, int argc, char **argv);
int verb_deny(const struct tool *tool, int argc, char **argv);
int verb_grants(const struct tool *tool, int argc, char **argv);
int verb_mode(const struct tool *tool, int argc, char **argv);
int verb_reload(const struct tool *tool, int argc, char **argv);
int verb_doctor(const struct tool *tool, int argc, char **argv);
int verb_selftest(const struct tool *tool, int argc, char **argv);

/*
 * Options of a verb: "--name VALUE" or "--name=VALUE"; flags have no value. Everything else is an
 * argument. Returns 0, or EX_USAGE after saying what is wrong.
 */
struct option_row {
	const char *name;    /* without the dashes */
	const char **value;  /* where the value goes; NULL for a flag */
	bool *flag;
};
int parse_verb(int argc, char **argv, const struct option_row *rows, const char **ret_arguments,
	int max_arguments, int *ret_n);
