/* Which program an operator means by SHA256, EVENT or PATH. */
#pragma once

#include "tools/verbs.h"

#include <jansson.h>

enum target_kind {
	TARGET_UNSET = 0,
	TARGET_DIGEST, /* 64 hexadecimal digits */
	TARGET_EVENT,  /* shaped like an event's id */
	TARGET_PATH,
};

enum target_kind target_kind_of(const char *text);

/*
 * Sets `sha256`, `path` or both in @request for the argument of @call, and `container` from its
 * option. With @ret_image, an event's image goes there when it has one (the caller frees). 0, or an
 * exit code after saying what is wrong.
 */
int target_set(const struct tool *tool, const struct call *call, json_t *request, char **ret_image);

/* The same for `explain`, which knows events by itself. */
int target_set_explained(const struct tool *tool, const struct call *call, json_t *request);
