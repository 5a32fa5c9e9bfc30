/*
 * This host's files and mounts, as a tool may look at them: read, bounded, never executed.
 */
#pragma once

#include "core/mountinfo.h"

#include <stdbool.h>
#include <stddef.h>

#define HOST_FILE_MAX 65536u /* bytes of a setting or of a runtime's configuration */

struct host {
	const char *root; /* in front of every path; "" but in tests. Borrowed */
	struct mountinfo_line *mounts;
	size_t n_mounts;
};

/*
 * Reads the mount table of this process. The value of EXECWARD_TEST_ROOT, an absolute path without
 * links, is the root: tests keep a /proc and a /var there. Without a mount table it is empty.
 */
void host_init(struct host *host);
void host_done(struct host *host);

/* The first HOST_FILE_MAX bytes of a regular file, with a NUL. 0 or -errno; the caller frees. */
int host_read(const struct host *host, const char *path, char **ret_text);
/* The same to the end of its first line. */
int host_read_line(const struct host *host, const char *path, char **ret_line);
/* A file of any kind; a link counts as itself. */
bool host_has(const struct host *host, const char *path);
/* A directory with something in it. */
bool host_has_entries(const struct host *host, const char *path);
/* realpath(3). NULL when it does not exist; the caller frees. */
char *host_canonical(const struct host *host, const char *path);

/* The mount that holds an absolute path, and the one on top at a mount point. NULL: none. */
const struct mountinfo_line *host_mount_of(const struct host *host, const char *path);
const struct mountinfo_line *host_mount_at(const struct host *host, const char *mountpoint);
