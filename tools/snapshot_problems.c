/* Paths are foreign: they are made harmless when they are noted. */
#include "tools/snapshot_problems.h"

#include "tools/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *word_of(enum walk_problem problem)
{
	switch (problem) {
	case WALK_UNREADABLE:
		return "unreadable";
	case WALK_MUTABLE:
		return "mutable";
	case WALK_VANISHED:
		return "vanished";
	default:
		return "too_long";
	}
}

void problems_note(
        struct problems *problems, const char *path, enum walk_problem problem, int error)
{
	/* What is gone before it was looked at is not there, as it would not be a moment later. */
	if (problem == WALK_VANISHED)
		return;
	if (problems->n < PROBLEMS_SHOWN)
		problems->items[problems->n] = (struct problem){text_safe(path), problem, error};
	problems->n++;
}

void problems_show(const struct problems *problems)
{
	for (size_t i = 0; i < problems->n && i < PROBLEMS_SHOWN; i++) {
		const struct problem *p = &problems->items[i];

		fprintf(stderr, "execward: %s: %s%s%s\n", p->path, word_of(p->problem),
		        p->problem == WALK_UNREADABLE ? ": " : "",
		        p->problem == WALK_UNREADABLE ? strerror(p->error) : "");
	}
	if (problems->n > PROBLEMS_SHOWN)
		fprintf(stderr, "execward: and %" PRIu64 " more\n", problems->n - PROBLEMS_SHOWN);
}

void problems_done(struct problems *problems)
{
	for (size_t i = 0; i < problems->n && i < PROBLEMS_SHOWN; i++)
		free(problems->items[i].path);
}
