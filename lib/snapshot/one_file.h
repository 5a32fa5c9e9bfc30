/*
 * One file of a tree, looked at as walk.h looks at all of them: beneath the root, without links,
 * regular or not at all, and its digest only when it stayed as it was while it was read.
 */
#pragma once

#include "core/entry.h"

enum {
	ONE_FILE_E_OTHER = 1, /* a directory, a link, a device: no regular file */
};

/*
 * @ret_entry: path (borrowed), type, mode, size, kind, flags, and for executables, or with
 * @all_files, the digest. 0; ONE_FILE_E_OTHER; -EAGAIN when it changes while it is read; -ELOOP for
 * a link on the way; another -errno.
 */
int one_file(int root_fd, const char *path, bool all_files, struct entry *ret_entry);
