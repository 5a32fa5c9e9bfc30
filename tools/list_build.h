/*
 * An allowlist on its way: the head comes from options, subjects from wherever a verb finds them;
 * what cannot be said in a list is left out, and said. Then it is sorted, and written in one step.
 *
 * All functions that return int print what is wrong and return an exit code, unless they say
 * otherwise.
 */
#pragma once

#include "core/entry.h"
#include "core/statement.h"
#include "tools/verbs.h"

#define EXIT_INCOMPLETE 1 /* written, but without all that was there */

struct list {
	const struct tool *tool;
	const struct call *call;
	struct statement statement;
	struct statement_subject *subjects; /* owned, with their names */
	size_t n, room;
	uint64_t left_out; /* findings: what a list should have had */
	bool all_files;    /* not executables only */
};

/* --series, --version, --valid-for, --bind, --scope, SOURCE_DATE_EPOCH. */
int list_head(const struct call *call, struct statement *ret_statement);
void list_done(struct list *list);

/*
 * A subject. A name that no list can have is left out. 0; -EFBIG past STATEMENT_SUBJECTS_MAX;
 * -ENOMEM.
 */
int list_add(struct list *list, const char *name, const struct digest *digest);
/* A file of a tree or a snapshot; what is no executable is passed over (all_files). As list_add().
 */
int list_add_entry(struct list *list, const struct entry *entry);
/* A finding: the first few are shown, all are counted. */
void list_leave_out(struct list *list, const char *name, const char *why);

/* "execward VERB: WHAT: TEXT" on stderr; @code. */
int list_say(const struct list *list, const char *what, const char *text, int code);
/* The exit code of what list_add() said about @what, or of another -errno, after saying it. */
int list_fail(const struct list *list, const char *what, int r);

/* Sorts, drops what stands twice, writes to --out, and tells. EXIT_INCOMPLETE with findings. */
int list_write(struct list *list);
