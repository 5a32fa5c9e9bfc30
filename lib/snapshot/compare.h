/*
 * A tree against a snapshot of it, or two snapshots: what was added, removed and changed, and what
 * of it is dangerous.
 *
 * Entries are compared as they come, in any order; which of the snapshot's were met is one bit
 * each. Differences are kept up to a limit, the most dangerous ones; all are counted.
 */
#pragma once

#include "base/cleanup.h"
#include "core/entry.h"
#include "store/baselines.h"

#include <stdio.h>

#define COMPARE_KEPT 10000u /* differences that a report shows; at most twice as many in memory */

/* What happened to a path. The values are the exit mask of `snapshot check`: aide(1). */
enum difference_kind {
	DIFFERENCE_UNSET = 0,
	DIFFERENCE_ADDED = 1 << 0,
	DIFFERENCE_REMOVED = 1 << 1,
	DIFFERENCE_CHANGED = 1 << 2,
};

/* What somebody should look at first: bits, the worst the highest. */
enum difference_alarm {
	ALARM_NEW_LINK = 1 << 0,       /* a symlink that points elsewhere, or is new */
	ALARM_UNREAD = 1 << 1,         /* was read then, and could not be read now */
	ALARM_NOT_EXECUTABLE = 1 << 2, /* a program then, and none now */
	ALARM_OWNER = 1 << 3,          /* a program has another owner */
	ALARM_NEW_PROGRAM = 1 << 4,    /* an executable that was none, or was not there */
	ALARM_GONE_PROGRAM = 1 << 5,   /* an executable that is not there any more */
	ALARM_WRITABLE = 1 << 6,       /* everybody may write now what not everybody could */
	ALARM_PROGRAM = 1 << 7,        /* a program with other content */
	ALARM_HIDDEN = 1 << 8,         /* other content under the same size and mtime */
	ALARM_CAPABILITY = 1 << 9,     /* capabilities that it did not have */
	ALARM_SETUID = 1 << 10,        /* setuid or setgid that it was not, or changed under it */
	_ALARMS_ALL = (1 << 11) - 1,
};

struct difference {
	enum difference_kind kind;
	unsigned int changes; /* enum entry_change; 0 unless CHANGED */
	unsigned int alarms;  /* enum difference_alarm */
	struct entry before;  /* zero for ADDED */
	struct entry now;     /* zero for REMOVED */
	char *moved; /* ADDED: whence, REMOVED: whither, when the content is the same; NULL */

	/* By packages_explain(), NULL and false without. */
	char *package;  /* "name version" that the package database says it belongs to */
	char *remark;   /* what the database has to say on it */
	bool accounted; /* all of it is as the package has it */
};

/* The path, whichever side has it. */
const char *difference_path(const struct difference *difference);
const struct entry *difference_entry(const struct difference *difference);
/* "added", "removed", "changed" */
const char *difference_kind_name(enum difference_kind kind);
/* "setuid", "capability", ...; NULL for no single bit. A word for programs. */
const char *difference_alarm_name(unsigned int alarm);

struct comparison_counts {
	uint64_t entries;                 /* that were met */
	uint64_t added, removed, changed; /* all, kept or not */
	uint64_t unread; /* regular files of which one side has no digest that it should have */
	uint64_t alarms; /* differences with ALARM_WRITABLE or worse */
};

struct comparison {
	struct comparison_counts counts;
	struct difference *differences; /* the worst first, then by path */
	size_t n;
	uint64_t left_out; /* differences that were not kept */
};

void comparison_done(struct comparison *comparison);
/* ADDED + REMOVED + CHANGED of all that was found, or 0. */
int comparison_mask(const struct comparison *comparison);
/* Those first that no package accounts for, then the worst, then by path. */
void comparison_sort(struct comparison *comparison);

struct compare_options {
	struct store *store;                /* borrowed, as what @before has */
	const struct snapshot_info *before; /* of the snapshot: id, kind, all_files */
	bool all_files;    /* what is there now comes with all files, not executables only */
	bool digests_only; /* only content is compared; as when @before is an import */
	uint32_t keep;     /* differences; 0: COMPARE_KEPT */
	/*
	 * Asked for each entry of the snapshot that did not come: 1 with what is at its path, 0
	 * when nothing is, or -errno. A file that is no executable any more is no entry of a
	 * snapshot of executables, and was not removed for that. NULL: nothing is.
	 */
	int (*look)(const struct entry *before, struct entry *ret_now, void *userdata);
	void *userdata;
};

struct compare;

/* 0 or -ENOMEM; compare_free(). @options is copied. */
int compare_new(const struct compare_options *options, struct compare **ret_compare);
void compare_free(struct compare *compare);
DEFINE_FREEP(compare, compare_free)

/* An entry as it is now; usable as walk_options.add. 0, STORE_E_* or -errno. */
int compare_add(const struct entry *now, void *compare);
/* The rest of the snapshot was removed. Takes what was found (comparison_done). */
int compare_finish(struct compare *compare, struct comparison *ret_comparison);

/*
 * Two snapshots, by the store alone. Where one of them has executables only, so has the comparison.
 */
int compare_snapshots(struct store *store, const struct snapshot_info *before,
        const struct snapshot_info *now, struct comparison *ret_comparison);

/* Alarms of one pair; either may be NULL. For tests. */
unsigned int compare_alarms(const struct entry *before, const struct entry *now);
