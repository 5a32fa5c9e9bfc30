/* A set of row ids: one bit each, in pages that exist where something was set. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct compare_seen_page;

struct compare_seen {
	struct compare_seen_page *pages; /* by number */
	size_t n, room;
};

void compare_seen_done(struct compare_seen *seen);
/* 0 or -ENOMEM; -EINVAL for a negative id. */
int compare_seen_set(struct compare_seen *seen, int64_t id);
bool compare_seen_has(const struct compare_seen *seen, int64_t id);
