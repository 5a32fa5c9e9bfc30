/* What a snapshot could not have as it is: the first few by name, on stderr, the others counted. */
#pragma once

#include "snapshot/walk.h"

#define PROBLEMS_SHOWN 20u /* lines */

struct problem {
	char *path; /* harmless for a terminal */
	enum walk_problem problem;
	int error;
};

/* Told at the end: a look that finds a difference is followed by another. All zero is none. */
struct problems {
	struct problem items[PROBLEMS_SHOWN];
	uint64_t n;
};

void problems_note(
        struct problems *problems, const char *path, enum walk_problem problem, int error);
void problems_show(const struct problems *problems);
void problems_done(struct problems *problems);
