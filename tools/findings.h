/*
 * What a doctor found: one line each, in sections, with the rows of the threat matrix that it
 * weakens and how to mend it.
 */
#pragma once

#include "tools/print.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define FINDING_ROWS_MAX 8u /* rows of docs/threats.md in one finding, with the final 0 */

enum level {
	LEVEL_UNSET = 0,
	LEVEL_OK,
	LEVEL_NOTE, /* to know; nothing is broken */
	LEVEL_WEAK, /* something can get past, or gets lost: exit code 1 */
};

struct advice {
	enum level level;
	uint8_t rows[FINDING_ROWS_MAX]; /* ends with 0; empty where the matrix has none */
	const char *weakens, *fix;      /* borrowed */
};

struct findings {
	json_t *list;
	const char *section; /* of what is added from here on; static storage */
	size_t n_weak;
};

void findings_init(struct findings *findings);
void findings_done(struct findings *findings);

/* @check and @state may be text of any kind: what is not UTF-8 is replaced. */
void findings_ok(struct findings *findings, const char *check, const char *state);
/* With level OK only the state is kept: there is nothing to mend. */
void findings_add(struct findings *findings, const char *check, const char *state,
        const struct advice *advice);

/* The list as JSON, or as text with a count. */
void findings_print(const struct tool *tool, const struct findings *findings);
