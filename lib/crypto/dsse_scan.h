/*
 * Where the payload lies in an envelope's text. An envelope is nearly all payload, up to 64 MiB of
 * it: it is decoded from where it is, and jansson reads the text without it.
 *
 * The scan finds the ends of strings as every JSON reader does, and knows nothing else of JSON.
 * What comes before a string reaches jansson as it is; so where the two would disagree, jansson
 * refuses.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct dsse_scan {
	bool found;          /* a member "payload" of the outermost object, with a string */
	size_t payload_at;   /* bytes; of the string's content, without its quotes */
	size_t payload_size; /* both 0 when it was not found */
};

/*
 * 0, or -EINVAL when the text is nested deeper than @depth_max or a string does not end. The first
 * member of that name counts: a second one is seen by jansson, and refused.
 */
int dsse_scan(const char *text, size_t size, unsigned int depth_max, struct dsse_scan *ret_scan);
