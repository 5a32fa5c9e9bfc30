/* What is wrong with an image, as an outcome and a sentence. The first that is found stands. */
#pragma once

#include <stdlib.h>

struct image_fault {
	int outcome;   /* SOURCE_E_*; 0: none */
	char *message; /* NULL when memory was short */
};

/* Keeps what is said first. Returns @outcome. */
int image_fail(struct image_fault *fault, int outcome, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static inline void image_fault_done(struct image_fault *fault)
{
	free(fault->message);
	fault->message = NULL;
}
