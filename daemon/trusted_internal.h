/* What trusted.c and trusted_writer.c share. */
#pragma once

#include "daemon/trusted.h"

#include <pthread.h>
#include <stdatomic.h>

#include <uthash.h>

/* One executable that is trusted by a configured path: the path and the digest it has there. */
struct trusted_writer {
	char *path;
	struct digest digest;
	bool configured; /* now */
};

#define RECENT_MAX     4096u                     /* processes remembered past their end */
#define RECENT_AGE_NS  (2 * INT64_C(1000000000)) /* CLOCK_MONOTONIC */
#define EXECUTABLE_MAX 64u                       /* executables whose identity is remembered */

struct trusted_recent {
	pid_t pid;
	int64_t time_ns;
	struct trusted_process process;
};

/* An executable that was looked at, by its identity; the inode's as the process sees it. */
struct trusted_executable {
	struct file_identity identity;
	struct trusted_process process; /* but for its uid; kind UNSET: the place is empty */
	const char *helper; /* which of the programs that write for a writer; NULL: none */
};

struct trusted_note;

struct trusted {
	struct trusted_context context;
	atomic_bool watching;

	pthread_mutex_t lock;
	struct trusted_note *notes; /* in order of insertion: the oldest goes first */
	struct trusted_digests *digests;
	struct trusted_writer writers[TRUSTED_WRITERS_MAX];
	uint32_t n_writers;
	char **paths; /* configured */
	size_t n_paths;
	int64_t keep_ns;
	int64_t blind_ns; /* CLOCK_REALTIME: older inodes that are not on record have an unknown
	                     past */
	struct trusted_recent recent[RECENT_MAX]; /* by pid modulo: a newer one takes the place */
	struct trusted_executable executables[EXECUTABLE_MAX];
	unsigned int next_executable;
};

/* Lock held. The number of the writer, added when it is new; -ENOSPC or -ENOMEM. */
int trusted_writer_number(
        struct trusted *trusted, const char *path, const struct digest *digest, uint32_t *ret);
/* Lock held. */
bool trusted_is_configured(const struct trusted *trusted, const char *path);
