/* What is at one path of a tree now: for an entry that a walk did not bring. */
#pragma once

#include "core/entry.h"

/*
 * Looks at @path beneath @root_fd; a regular file is hashed. 1 with @ret_now (entry_done), 0 when
 * there is nothing, or -errno. What cannot be read is CONTENT_UNREADABLE.
 */
int compare_look(int root_fd, const char *path, struct entry *ret_now);
