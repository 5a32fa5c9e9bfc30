/*
 * How far a snapshot has come: one line on a terminal, rewritten and cleared at the end, or with
 * --json an object a second on stdout. Nothing else is shown to anybody else.
 */
#pragma once

#include "snapshot/walk.h"
#include "tools/verbs.h"

struct progress {
	const struct tool *tool;
	const char *what; /* borrowed; what is under way */
	bool terminal;    /* stderr is one */
	bool drawn;       /* a line stands there */
	int64_t next_ns;  /* of the walk; with --json not before */
};

void progress_init(const struct tool *tool, const char *what, struct progress *ret_progress);
void progress_show(struct progress *progress, const struct walk_progress *walk);
/* Before anything else is said, and at the end. */
void progress_clear(struct progress *progress);

/* "1.6 GB"; a power of 1000. @ret_text has room. */
#define BYTES_TEXT_SIZE 16u
void bytes_text(uint64_t bytes, char ret_text[BYTES_TEXT_SIZE]);
