/*
 * Looks at a directory tree and hashes what it should, on all cores, largest first. Entries come
 * out one at a time, on the calling thread; what is held in memory is bounded whatever the tree
 * holds. They are looked at, asked about (known) and added in the order of entry_path_compare() as
 * far as that bound allows: a directory of very many names comes in several runs, and added they
 * are out of order, too, when a very large file would keep all others waiting. Nobody may rely on
 * the order, but for speed.
 *
 * The tree is hostile: names are any bytes, directories may be changed into links while we look.
 * Nothing is followed: every open is openat2(2) beneath the root or the directory before it,
 * without links; only what statx(2) has called a regular file is opened, without blocking, and
 * asked again what it is before a byte is read. A tree may be as deep as a path is long: only the
 * innermost directories are held open. The kernel's own filesystems (proc, sysfs, cgroup, ...) are
 * never entered.
 */
#pragma once

#include "core/entry.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct walk_progress {
	uint64_t entries, files, bytes;    /* seen; done; read so far */
	uint64_t files_total, bytes_total; /* to be hashed, as far as it is known; grows */
	bool complete;                     /* files_total and bytes_total are final */
	int64_t elapsed_ns;
};

struct walk_totals {
	uint64_t entries, files, executables, bytes; /* bytes: of files with a digest */
	uint64_t hashed, hashed_bytes;               /* read; the rest was unchanged */
	uint64_t unreadable, mutable_files, too_long;
};

enum walk_problem {
	WALK_PROBLEM_UNSET = 0,
	WALK_UNREADABLE, /* errno says why; the entry is added with CONTENT_UNREADABLE */
	WALK_MUTABLE,    /* changed each of WALK_TRIES times it was read */
	WALK_VANISHED,   /* went between its name and the look */
	WALK_TOO_LONG, /* a path past ENTRY_PATH_MAX: that part of the tree is left out, and said */
};

#define WALK_TRIES       4u /* looks at a file that changes while it is read */
#define WALK_THREADS_MAX 256u

struct walk_options {
	int root_fd;             /* borrowed; the directory whose entry is "/" */
	const char *prefix;      /* where to begin, beneath it: "/usr/bin"; NULL: at the root */
	bool all_files;          /* hash all regular files, not executables only */
	bool all_entries;        /* add all entries, not executables only; implied by all_files */
	bool one_filesystem;     /* do not enter other mounts */
	bool layer;              /* an overlay's layer: whiteouts and opaque directories are told */
	unsigned int threads;    /* 0: one per core */
	const char *const *skip; /* NULL-terminated paths to leave out, as entry paths; NULL */
	const volatile sig_atomic_t *stop; /* NULL, or: ends with -ECANCELED soon after it is set */

	/* All on the calling thread. NULL where not wanted, but add. */
	/*
	 * Every entry, with all that can be told without opening it. 1 for a regular file: what
	 * only opening it tells is filled in (digest, kind, capabilities, ENTRY_IMA), and it is not
	 * opened. 0: not known; for what is no regular file that is no different. Another value
	 * ends the walk with it.
	 */
	int (*known)(struct entry *entry, void *userdata);
	int (*add)(const struct entry *entry, void *userdata); /* not 0: likewise */
	void (*problem)(const char *path, enum walk_problem problem, int error, void *userdata);
	void (*progress)(
	        const struct walk_progress *progress, void *userdata); /* at most 5 a second */
	void *userdata;
};

/* 0, what known() or add() ended it with, -ECANCELED, or -errno. @ret_totals is written also on
 * failure. */
int walk_tree(const struct walk_options *options, struct walk_totals *ret_totals);
