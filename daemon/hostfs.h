/*
 * Host filesystems that guard.paths names: which they are now, and what is in force on each. A
 * filesystem is known by its device number while it is mounted, and by its UUID across mounts: the
 * UUID is read once, when it is marked, and is what its baseline is bound by.
 *
 * No descriptor of it is kept: it can be unmounted as if it were not guarded, but for the programs
 * whose leases held.c holds.
 *
 * Nothing is denied on a filesystem before somebody has shown that what is needed there is known
 * (preflight.h): until then enforce is report, whatever a rule says.
 */
#pragma once

#include "config/config.h"
#include "daemon/ruling.h"
#include "snapshot/filesystem.h"

#include <stdbool.h>
#include <sys/types.h>

/* One that is mounted. Immutable but for what is atomic; counted by reference. */
struct hostfs {
	_Atomic unsigned int refs;
	dev_t dev;
	char uuid[FILESYSTEM_UUID_SIZE]; /* "" when it has none */
	char *fstype;
	char *path;                 /* the guarded one; the first, where several lie on it */
	_Atomic enum mode mode;     /* of that path; UNSET: the global one */
	_Atomic int64_t guarded_ns; /* CLOCK_REALTIME: marked since; 0: not yet */
	_Atomic bool cleared;       /* what is needed there is known: it may be enforced */
	_Atomic bool retired; /* not mounted there any more, as far as the last look could see */
};

struct hostfs *hostfs_ref(struct hostfs *fs);
void hostfs_unref(struct hostfs *fs);
static inline void hostfs_unrefp(struct hostfs **fs)
{
	hostfs_unref(*fs);
}

/* The mode in force on @fs: never UNSET, and ENFORCE only where it may be. */
enum mode hostfs_mode(const struct hostfs *fs, const struct ruling *ruling, int64_t now_ns);
/* The mode that is wanted there: ENFORCE also where that has been refused. */
enum mode hostfs_wanted(const struct hostfs *fs, const struct ruling *ruling, int64_t now_ns);

/* A denial on a filesystem that must not be enforced becomes what would have been. */
void hostfs_soften(const struct hostfs *fs, struct policy_decision *decision);
/* The verdict of on_failure there. */
void hostfs_decide_fault(const struct hostfs *fs, const struct ruling *ruling, int64_t now_ns,
        struct policy_decision *ret_decision);

struct hostfs_table;

/* @paths of @config are copied, nothing is looked at. 0 or -ENOMEM. */
int hostfs_table_new(const struct config *config, struct hostfs_table **ret_table);
void hostfs_table_free(struct hostfs_table *table);

/* The guarded filesystem of @dev as a reference; NULL: it is none, or @table is NULL. */
struct hostfs *hostfs_find(struct hostfs_table *table, dev_t dev);
bool hostfs_is_guarded(struct hostfs_table *table, dev_t dev);

/*
 * A look at every path. @mark is called with a path that leads to the filesystem; unless @fresh it
 * was marked before. What is gone is retired. True when something has changed.
 */
typedef int (*hostfs_mark_fn)(
        const struct hostfs *fs, const char *path, bool fresh, void *userdata);
bool hostfs_look(struct hostfs_table *table, hostfs_mark_fn mark, void *userdata);

/* Takes over the modes of the paths, by their text. A path that @config lacks is reported only. */
void hostfs_configure(struct hostfs_table *table, const struct config *config);

/* For each path; @fs is NULL when nothing is guarded there, and @why says so. Borrowed. */
struct hostfs_row {
	const char *path;
	struct hostfs *fs;
	enum mode mode;  /* configured */
	const char *why; /* NULL: all is well */
};
void hostfs_each(struct hostfs_table *table,
        void (*fn)(const struct hostfs_row *row, void *userdata), void *userdata);
size_t hostfs_count(const struct hostfs_table *table); /* paths */
