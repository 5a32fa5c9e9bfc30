/* What the tests of baselines share: snapshots and entries to put there, and what is seen of them.
 */
#pragma once

#include "store_fixture.h"

#include "base/clock.h"

static inline struct snapshot_info info_of(enum snapshot_kind kind, const char *name)
{
	return (struct snapshot_info){
	        .kind = kind,
	        .name = T(name),
	        .scope = kind == SNAPSHOT_LAYER ? SCOPE_NONE : SCOPE_FILESYSTEM,
	        .scope_value = kind == SNAPSHOT_LAYER ? NULL : T("1234-abcd"),
	        .root = kind == SNAPSHOT_HOST ? T("/usr") : NULL,
	        .created_ns = 7,
	        .by_uid = 1000,
	};
}

/* An executable of which everything is known. */
static inline struct entry entry_of(const char *path, uint8_t digest)
{
	return (struct entry){
	        .path = T(path),
	        .type = ENTRY_FILE,
	        .mode = 04755,
	        .uid = 1,
	        .gid = 2,
	        .size = 3,
	        .flags = ENTRY_EXECUTABLE | ENTRY_IMA,
	        .kind = EXEC_KIND_ELF,
	        .content = CONTENT_KNOWN,
	        .digest = digest_of(digest),
	        .caps = {1, 0, 0, 2},
	        .caps_size = 20,
	        .package = T("coreutils 9.1-1"),
	        .identity = {.dev = UINT64_MAX,
	                .ino = 12,
	                .btime_ns = -5,
	                .ctime_ns = 6,
	                .mtime_ns = 7,
	                .size = 3},
	        .handle = {9, 8, 7},
	        .handle_size = ENTRY_HANDLE_MAX,
	        .handle_type = -1,
	        .settled = true,
	};
}

static inline int64_t begin(struct store *store, enum snapshot_kind kind, const char *name)
{
	struct snapshot_info info = info_of(kind, name);
	int64_t id = 0;

	assert_int_equal(store_snapshot_begin(store, &info, &id), 0);
	assert_true(id > 0);
	return id;
}

static inline void add(struct store *store, int64_t id, const char *path, uint8_t digest)
{
	struct entry entry = entry_of(path, digest);

	assert_int_equal(store_snapshot_add(store, id, &entry), 0);
}

static inline int publish(struct store *store, int64_t id)
{
	struct snapshot_info info = {.id = id, .entries = 1, .has_digest = true};

	info.digest = digest_of(0x77);
	return store_snapshot_publish(store, &info);
}

/* Published, with one executable. */
static inline int64_t make(struct store *store, enum snapshot_kind kind, const char *name,
        const char *path, uint8_t digest)
{
	int64_t id = begin(store, kind, name);

	add(store, id, path, digest);
	assert_int_equal(publish(store, id), 0);
	return id;
}

/* Entries seen: how many, whether in order, the last one's path; what ends the walk. */
struct entries_seen {
	unsigned int n, stop_at;
	bool unordered;
	char path[ENTRY_PATH_MAX + 1];
};

static inline int see_entry(const struct entry *entry, int64_t entry_id, void *userdata)
{
	struct entries_seen *seen = userdata;

	assert_true(entry_id > 0);
	if (seen->n++ > 0 && entry_path_compare(seen->path, entry->path) >= 0)
		seen->unordered = true;
	snprintf(seen->path, sizeof(seen->path), "%s", entry->path);
	return seen->n == seen->stop_at ? -ECANCELED : 0;
}

static inline unsigned int count_entries(struct store *store, int64_t id)
{
	struct entries_seen seen = {0};

	assert_int_equal(store_entries(store, id, NULL, see_entry, &seen), 0);
	assert_false(seen.unordered);
	return seen.n;
}

struct where_seen {
	unsigned int n;
	int64_t snapshot;
	char path[256];
};

static inline int see_where(
        const struct snapshot_info *info, const struct entry *entry, void *userdata)
{
	struct where_seen *seen = userdata;

	seen->n++;
	seen->snapshot = info->id;
	snprintf(seen->path, sizeof(seen->path), "%s", entry->path);
	return 0;
}

static inline unsigned int count_where(struct store *store, uint8_t byte, struct where_seen *seen)
{
	struct digest digest = digest_of(byte);

	*seen = (struct where_seen){0};
	assert_int_equal(store_digest_where(store, &digest, 100, see_where, seen), 0);
	return seen->n;
}

struct digests_seen {
	unsigned int n;
	bool unordered;
	struct digest last;
};

static inline int see_digests(const struct digest *digests, size_t n, void *userdata)
{
	struct digests_seen *seen = userdata;

	for (size_t i = 0; i < n; i++) {
		if (seen->n++ > 0 && memcmp(&seen->last, &digests[i], DIGEST_SIZE) >= 0)
			seen->unordered = true;
		seen->last = digests[i];
	}
	return 0;
}

static inline unsigned int count_digests(struct store *store, int64_t id)
{
	struct digests_seen seen = {0};

	assert_int_equal(store_snapshot_digests(store, id, see_digests, &seen), 0);
	assert_false(seen.unordered);
	return seen.n;
}

static inline int see_info(const struct snapshot_info *info, void *userdata)
{
	int64_t *ids = userdata; /* count, then ids */

	assert_non_null(info->name);
	if (ids[0] < 15)
		ids[++ids[0]] = info->id;
	return 0;
}

static inline int64_t generation(struct store *store)
{
	int64_t generation = -1;

	assert_int_equal(store_baseline_generation(store, &generation), 0);
	return generation;
}
