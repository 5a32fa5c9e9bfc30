/*
 * Baselines in the database: snapshots and their entries. A snapshot is built in small transactions
 * that nobody sees (the daemon writes to the same database meanwhile), then published in one: until
 * then the one before stands, and what was interrupted is swept away by the next one.
 *
 * Layers of images are snapshots, too (SNAPSHOT_LAYER, named by their diff id), so that each is
 * hashed once; they vouch for nothing and are shown nowhere. A snapshot of an image has all entries
 * of its own, merged from its layers.
 */
#pragma once

#include "core/entry.h"
#include "store/store.h"

enum snapshot_kind {
	SNAPSHOT_UNSET = 0,
	SNAPSHOT_IMAGE,     /* of podman's or Docker's storage */
	SNAPSHOT_CONTAINER, /* a container's root as it was seen */
	SNAPSHOT_ARCHIVE,   /* docker save, OCI layout */
	SNAPSHOT_ROOTFS,    /* a directory */
	SNAPSHOT_HOST,      /* a path of the host, within its filesystem */
	SNAPSHOT_IMPORT,    /* of an allowlist */
	SNAPSHOT_LAYER,     /* internal */
	_SNAPSHOT_KIND_MAX,
};

/* Where the digests of a snapshot vouch. */
enum snapshot_scope {
	SCOPE_NONE = 0, /* nowhere: for comparison only */
	SCOPE_IMAGE, /* containers of the image: by image_id where both know it, else by reference
	              */
	SCOPE_CONTAINER,  /* one container: container_info.key */
	SCOPE_FILESYSTEM, /* a guarded host filesystem: its UUID as libblkid writes it */
	_SNAPSHOT_SCOPE_MAX,
};

enum snapshot_state {
	SNAPSHOT_BUILDING = 0, /* not published: not there for anybody */
	SNAPSHOT_CURRENT,      /* vouches */
	SNAPSHOT_SUPERSEDED,   /* a newer one of the same kind and name stands */
	SNAPSHOT_REMOVED,      /* on its way out: not there for anybody, as BUILDING */
	_SNAPSHOT_STATE_MAX,
};

struct snapshot_info {
	int64_t id; /* out */
	enum snapshot_kind kind;
	char *name; /* what was asked for: reference, container, file, canonical directory, diff id
	             */
	enum snapshot_scope scope;
	char *scope_value; /* reference, key or UUID; NULL for NONE */
	char *image_id;    /* hex, without "sha256:"; NULL when unknown */
	char *root;        /* where `check` looks again: a directory; NULL when there is none */
	bool all_files;    /* digests of all regular files, not of executables only */
	enum snapshot_state state; /* out */
	int64_t created_ns;        /* CLOCK_REALTIME */
	int64_t by_uid;
	uint64_t entries, files, executables, bytes; /* bytes: of files whose digest is known */
	uint64_t hashed, hashed_bytes; /* read for this snapshot; the others were unchanged */
	uint64_t unreadable, mutable_files;
	bool has_digest;
	struct digest digest; /* of the entries: snapshot_digest (lib/snapshot); the same for the
	                         same tree */
};

void snapshot_info_done(struct snapshot_info *info);
const char *snapshot_kind_name(enum snapshot_kind kind);    /* image, container, archive, ... */
const char *snapshot_scope_name(enum snapshot_scope scope); /* none, image, container, filesystem */
const char *snapshot_state_name(enum snapshot_state state);
enum snapshot_kind snapshot_kind_from_name(const char *name);
enum snapshot_scope snapshot_scope_from_name(const char *name);

/*
 * Building. Entries are gathered in memory, then written BASELINE_BATCH rows at a time, or for
 * BASELINE_BATCH_MS, whichever is less: between two calls nothing is locked, however long the
 * caller hashes. store_begin() groups of the caller must not be open: -EINVAL. A handle may build
 * several snapshots at once; freeing it leaves them to be swept.
 */
#define BASELINE_BATCH    5000u
#define BASELINE_BATCH_MS 200u

/* Sweeps what was left building by processes that are gone, then adds a row that is BUILDING. */
int store_snapshot_begin(struct store *store, const struct snapshot_info *info, int64_t *ret_id);
/*
 * In any order. -EMSGSIZE past the bounds of core/entry.h, -EINVAL for what no entry can be
 * (entry_path_valid, a digest without CONTENT_KNOWN, an executable that is no file). What the
 * database refuses is told when the entry is written, by this call, a later one or publish, and
 * again by each after it: -EEXIST for a path given twice, STORE_E_FULL, STORE_E_BUSY (which may be
 * tried again). For paths that may come twice there is store_entry_put().
 */
int store_snapshot_add(struct store *store, int64_t id, const struct entry *entry);
/*
 * Commits what is pending, then in one transaction: writes the totals and digest of @info (id,
 * counters, has_digest, digest), makes it CURRENT and the earlier of the same kind and name
 * SUPERSEDED, and counts `baseline.generation` up in settings (not for a layer: it vouches for
 * nothing). STORE_E_NOTFOUND when it is not BUILDING.
 */
int store_snapshot_publish(struct store *store, const struct snapshot_info *info);
/*
 * Removes it, whatever was built or published; in batches, but not there for anybody at once.
 * Another does not become CURRENT for it. STORE_E_NOTFOUND.
 */
int store_snapshot_remove(struct store *store, int64_t id);

/* Reading. Of snapshots that are published; layers only by store_snapshot_layer(). */
int store_snapshot_get(struct store *store, int64_t id, struct snapshot_info *ret_info);
/*
 * "ID", "NAME" (its current one), or "NAME@N" for the Nth before it. STORE_E_NOTFOUND; -ENOTUNIQ
 * when snapshots of several kinds have that name ("host:/usr" names one).
 */
int store_snapshot_find(struct store *store, const char *text, struct snapshot_info *ret_info);
/*
 * The layer with digests of all files where @all_files wants them, of executables at least else.
 * It is not pruned while @store is open, unless that is READ_ONLY. STORE_E_NOTFOUND.
 */
int store_snapshot_layer(struct store *store, const char *diff_id, bool all_files, int64_t *ret_id);
/* Newest first, without layers. @fn may use @store; what it returns, when not 0, ends the walk. */
int store_snapshots(struct store *store,
        int (*fn)(const struct snapshot_info *info, void *userdata), void *userdata);

/*
 * Entries are read by the snapshot's id, also of one that this handle is building (its digest is
 * made of them), and of layers. identity.size is read as size.
 */
/* One entry by its path; entry_done(). STORE_E_NOTFOUND. @ret_entry_id (NULL: not wanted) is its
 * row, until it is changed. */
int store_entry_find(struct store *store, int64_t id, const char *path, struct entry *ret_entry,
        int64_t *ret_entry_id);
/*
 * All entries in the order of entry_path_compare(), those after the path @after (NULL: from the
 * first). @fn may use @store, also for building: nothing is held open for it. STORE_E_NOTFOUND when
 * the snapshot is not there or is removed meanwhile: never a part that looks like the whole.
 */
int store_entries(struct store *store, int64_t id, const char *after,
        int (*fn)(const struct entry *entry, int64_t entry_id, void *userdata), void *userdata);
/*
 * Changes or adds (accept); removes, STORE_E_NOTFOUND when there is none. In a group of the
 * caller's or alone. The snapshot's digest and counters are the caller's to renew.
 */
int store_entry_put(struct store *store, int64_t id, const struct entry *entry);
int store_entry_remove(struct store *store, int64_t id, const char *path);

/* Renews digest, has_digest and the counters of @info->id after such changes. STORE_E_NOTFOUND. */
int store_snapshot_update(struct store *store, const struct snapshot_info *info);

/* Where the digest of an executable is known: snapshots that are current, at most @limit rows. */
int store_digest_where(struct store *store, const struct digest *digest, uint32_t limit,
        int (*fn)(const struct snapshot_info *info, const struct entry *entry, void *userdata),
        void *userdata);
/*
 * The digests of a snapshot's executables, sorted, each once: what the daemon builds its index
 * from. @fn gets them in batches; nothing is loaded whole, nothing held open. STORE_E_NOTFOUND as
 * store_entries().
 */
int store_snapshot_digests(struct store *store, int64_t id,
        int (*fn)(const struct digest *digests, size_t n, void *userdata), void *userdata);

/*
 * What was accepted into a snapshot: when, by whom, why. Kept when the snapshot goes: its id is not
 * given again.
 */
struct acceptance {
	int64_t id; /* out */
	int64_t snapshot;
	char *path;
	char *change; /* words of entry_change_name(), "added" or "removed"; not empty */
	bool has_digest;
	struct digest digest; /* of what was accepted */
	char *reason;         /* required */
	int64_t by_uid;
	int64_t time_ns;
};
void acceptance_done(struct acceptance *acceptance);
int store_acceptance_add(struct store *store, const struct acceptance *acceptance);
/* Newest first; @snapshot 0: of all; @path NULL: all. */
int store_acceptances(struct store *store, int64_t snapshot, const char *path,
        int (*fn)(const struct acceptance *acceptance, void *userdata), void *userdata);

/*
 * What trusted writers wrote (docs/architecture.md): vouched for by digest, within a scope, until
 * it expires or a snapshot takes it over. Replaces (digest, scope, scope_value); -EINVAL without a
 * scope.
 */
struct provenance {
	int64_t id; /* out */
	struct digest digest;
	enum snapshot_scope scope;
	char *scope_value;
	char *path;   /* where it was written first */
	char *writer; /* the writer's executable */
	struct digest writer_digest;
	char *package; /* "name version", or NULL when not known (yet) */
	int64_t created_ns, expires_ns;
};
void provenance_done(struct provenance *provenance);
int store_provenance_add(struct store *store, const struct provenance *provenance);
/* Oldest row first. @fn may use @store. */
int store_provenances(struct store *store,
        int (*fn)(const struct provenance *provenance, void *userdata), void *userdata);
/* What has expired at @now_ns, at most BASELINE_BATCH a transaction. */
int store_provenance_prune(struct store *store, int64_t now_ns, uint32_t *ret_removed);

/*
 * Retention: superseded snapshots past the newest @keep superseded ones of each kind and name,
 * layers that no image on record has (store_snapshot_uses()) and nobody is working with (a handle
 * that built one or found it is still open), what was left building by processes that are gone, and
 * provenances that have expired. @ret_removed counts snapshots, without layers.
 */
int store_baselines_prune(
        struct store *store, uint32_t keep, int64_t now_ns, uint32_t *ret_removed);
/* Records that snapshot @id was merged from the layer @layer_id; also while it is building. */
int store_snapshot_uses(struct store *store, int64_t id, int64_t layer_id);

/*
 * Counts up with every publish, removal and prune that removed something; 0 before the first. What
 * else changes what vouches (accept) counts it up with store_baseline_changed().
 */
int store_baseline_generation(struct store *store, int64_t *ret_generation);
int store_baseline_changed(struct store *store);
