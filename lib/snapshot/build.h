/*
 * A snapshot under construction: entries go into the store, digests of what has not changed since
 * the snapshot before come out of it. What is not published is removed.
 */
#pragma once

#include "base/cleanup.h"
#include "snapshot/walk.h"
#include "store/baselines.h"

struct build;

struct build_options {
	struct store *store;              /* borrowed; read and write */
	const struct snapshot_info *info; /* kind, name, scope, root, all_files, by_uid; copied */
	bool rehash; /* do not ask the current snapshot of that kind and name for digests */
};

/* 0, STORE_E_* or -errno; build_free(). */
int build_begin(const struct build_options *options, struct build **ret_build);
/* walk_options.known and .add, with the build as their userdata. */
int build_known(struct entry *entry, void *build);
int build_add(const struct entry *entry, void *build);
/* The row under construction. */
int64_t build_id(const struct build *build);
/* Digests the entries (snapshot_digest), publishes. The caller frees @ret_info's texts. */
int build_publish(
        struct build *build, const struct walk_totals *totals, struct snapshot_info *ret_info);
void build_free(struct build *build);
DEFINE_FREEP(build, build_free)

/* The current snapshot of @info's kind and name; snapshot_info_done(). STORE_E_NOTFOUND. */
int build_before(
        struct store *store, const struct snapshot_info *info, struct snapshot_info *ret_before);
/* Fills in what only opening the file tells, from an entry of the same unchanged file. */
void build_recall(const struct entry *before, struct entry *entry);

/*
 * The digest of a snapshot: SHA-256 over its entries in order, each as one canonical line, without
 * times and inodes: "TYPE MODE UID GID SIZE MAJOR:MINOR FLAGS CONTENT SHA256 CAPABILITIES PATH",
 * NUL, the target of a link, NUL, newline. The same tree gives the same, wherever it lies and
 * whoever looks.
 */
int snapshot_digest(struct store *store, int64_t id, struct digest *ret_digest);
/*
 * Counters and digest of a snapshot anew, from its entries: after store_entry_put() and _remove(),
 * in the caller's group. @info is what was on record, and becomes what is. 0, STORE_E_* or -errno.
 */
int snapshot_renew(struct store *store, struct snapshot_info *info);
