/*
 * Nearly every path is new, and nearly every parent is a directory that was there a moment ago. So
 * the database is asked only when a filter in memory says that a path may be there already, or the
 * parent is not among those seen last; names in the order of a tree cost one insert each.
 */
#include "snapshot/archive_stage.h"

#include "snapshot/sources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILTER_BITS                                                                                \
	(UINT64_C(1) << 24) /* 2 MiB: at a million paths one in 3,000 is asked in vain */
#define FILTER_HASHES  4u
#define KNOWN_MAX      4096u /* directories that are remembered */
#define KNOWN_BYTES    (8u * 1024u * 1024u)
#define DIRECTORY_MODE 0755u /* of directories that nobody named */

struct stage {
	struct store *store;
	int64_t id;
	const char *what;
	struct image_fault *fault;
	struct walk_totals totals;
	uint8_t *filter; /* Bloom's */
	/* Directories of the layer, as all around them are; by hash, in the place of another. */
	char *known[KNOWN_MAX];
	size_t known_bytes;
	char path[ENTRY_PATH_MAX + 1];     /* where links lead: resolve() */
	char rest[2 * ENTRY_PATH_MAX + 2]; /* the part of a path that resolve() has before it */
};

/* FNV-1a; whoever finds collisions makes this layer slower to read, and nothing else. */
static uint64_t hash_of(const char *path, size_t size)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)path[i]) * UINT64_C(1099511628211);
	return hash ^ hash >> 29;
}

/*
 * Directories that are known.
 */
static void forget_known(struct stage *stage)
{
	for (size_t i = 0; i < KNOWN_MAX; i++) {
		free(stage->known[i]);
		stage->known[i] = NULL;
	}
	stage->known_bytes = 0;
}

static bool is_known(const struct stage *stage, const char *path, size_t size)
{
	const char *known = stage->known[hash_of(path, size) % KNOWN_MAX];

	return size == 0 || (known && !strncmp(known, path, size) && known[size] == '\0');
}

/* What there is no memory for is asked for again. */
static void remember(struct stage *stage, const char *path)
{
	size_t size = strlen(path);
	char **place = &stage->known[hash_of(path, size) % KNOWN_MAX];

	if (*place && !strcmp(*place, path))
		return;
	if (stage->known_bytes + size > KNOWN_BYTES)
		forget_known(stage);
	stage->known_bytes += size - (*place ? strlen(*place) : 0);
	free(*place);
	*place = strdup(path);
	if (!*place)
		stage->known_bytes -= size;
}

int stage_new(struct store *store, const struct snapshot_info *info, const char *what,
        struct image_fault *fault, struct stage **ret_stage)
{
	_cleanup_(stage_freep) struct stage *stage = calloc(1, sizeof(*stage));
	int r;

	if (!stage)
		return -ENOMEM;
	stage->filter = calloc(1, FILTER_BITS / 8);
	if (!stage->filter)
		return -ENOMEM;
	stage->store = store;
	stage->what = what;
	stage->fault = fault;
	r = store_snapshot_begin(store, info, &stage->id);
	if (r == 0)
		*ret_stage = TAKE_PTR(stage);
	return r;
}

void stage_free(struct stage *stage)
{
	if (!stage)
		return;
	forget_known(stage);
	free(stage->filter);
	free(stage);
}

int64_t stage_id(const struct stage *stage)
{
	return stage->id;
}

const struct walk_totals *stage_totals(const struct stage *stage)
{
	return &stage->totals;
}

/*
 * The filter.
 */
static uint64_t filter_bit(uint64_t hash, unsigned int i)
{
	return (hash + i * (hash >> 32 | 1)) % FILTER_BITS;
}

static bool filter_may_have(const struct stage *stage, const char *path)
{
	uint64_t hash = hash_of(path, strlen(path));

	for (unsigned int i = 0; i < FILTER_HASHES; i++) {
		uint64_t bit = filter_bit(hash, i);

		if (!(stage->filter[bit / 8] & 1u << bit % 8))
			return false;
	}
	return true;
}

static void filter_add(struct stage *stage, const char *path)
{
	uint64_t hash = hash_of(path, strlen(path));

	for (unsigned int i = 0; i < FILTER_HASHES; i++) {
		uint64_t bit = filter_bit(hash, i);

		stage->filter[bit / 8] |= (uint8_t)(1u << bit % 8);
	}
}

/*
 * In and out.
 */
/* Unsigned: what is taken away was added before. */
static void count(struct walk_totals *totals, const struct entry *entry, uint64_t by)
{
	totals->entries += by;
	totals->files += entry->type == ENTRY_FILE ? by : 0;
	totals->executables += entry->flags & ENTRY_EXECUTABLE ? by : 0;
	totals->bytes += entry->content == CONTENT_KNOWN ? by * entry->size : 0;
}

static int look(struct stage *stage, const char *path, struct entry *ret_entry)
{
	if (!filter_may_have(stage, path))
		return STORE_E_NOTFOUND;
	return store_entry_find(stage->store, stage->id, path, ret_entry, NULL);
}

static int insert(struct stage *stage, const struct entry *entry)
{
	int r;

	if (stage->totals.entries >= STAGE_ENTRIES_MAX)
		return image_fail(stage->fault, SOURCE_E_CORRUPT, "%s has more than %u entries",
		        stage->what, STAGE_ENTRIES_MAX);
	r = store_snapshot_add(stage->store, stage->id, entry);
	if (r != 0)
		return r;
	filter_add(stage, entry->path);
	count(&stage->totals, entry, 1);
	return 0;
}

static int replace(struct stage *stage, const struct entry *before, const struct entry *entry)
{
	int r = store_entry_put(stage->store, stage->id, entry);

	if (r != 0)
		return r;
	count(&stage->totals, before, (uint64_t)-1);
	count(&stage->totals, entry, 1);
	return 0;
}

static int insert_directory(struct stage *stage, const char *path, unsigned int flags)
{
	const struct entry entry = {
	        .path = (char *)(uintptr_t)path,
	        .type = ENTRY_DIRECTORY,
	        .mode = DIRECTORY_MODE,
	        .flags = flags,
	};

	return insert(stage, &entry);
}

/* A whiteout that turns out to have something in it, of its own layer. */
static int open_whiteout(struct stage *stage, const struct entry *whiteout)
{
	const struct entry entry = {
	        .path = whiteout->path,
	        .type = ENTRY_DIRECTORY,
	        .mode = DIRECTORY_MODE,
	        .flags = ENTRY_OPAQUE,
	};

	return replace(stage, whiteout, &entry);
}

static int make_opaque(struct stage *stage, const struct entry *directory)
{
	struct entry entry = *directory;

	if (entry.flags & ENTRY_OPAQUE)
		return 0;
	entry.flags |= ENTRY_OPAQUE;
	return replace(stage, directory, &entry);
}

/*
 * What lies beneath a directory that is none any more.
 */
static bool is_beneath(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	return !strncmp(path, directory, n) && path[n] == '/';
}

#define VICTIMS_MAX 256u /* removed in one transaction */

struct victims {
	const char *directory;
	struct entry entries[VICTIMS_MAX];
	size_t n;
};

static void victims_freep(struct victims **victims)
{
	for (size_t i = 0; *victims && i < (*victims)->n; i++)
		entry_done(&(*victims)->entries[i]);
	free(*victims);
}

#define ENOUGH 1

static int take_victim(const struct entry *entry, int64_t entry_id, void *userdata)
{
	struct victims *victims = userdata;

	(void)entry_id;
	if (!is_beneath(entry->path, victims->directory))
		return ENOUGH;
	if (entry_copy(entry, &victims->entries[victims->n]) < 0)
		return -ENOMEM;
	return ++victims->n == VICTIMS_MAX ? ENOUGH : 0;
}

static int remove_victims(struct stage *stage, const struct victims *victims)
{
	int r = store_begin(stage->store);

	if (r != 0)
		return r;
	for (size_t i = 0; i < victims->n && r == 0; i++) {
		r = store_entry_remove(stage->store, stage->id, victims->entries[i].path);
		count(&stage->totals, &victims->entries[i], (uint64_t)-1);
	}
	if (r == 0)
		return store_commit(stage->store);
	store_rollback(stage->store);
	return r;
}

/* What comes after the directory lies in it, as long as anything does. */
static int remove_some_beneath(struct stage *stage, const char *directory, bool *ret_more)
{
	_cleanup_(victims_freep) struct victims *victims = calloc(1, sizeof(*victims));
	int r;

	if (!victims)
		return -ENOMEM;
	victims->directory = directory;
	r = store_entries(stage->store, stage->id, directory, take_victim, victims);
	if (r == ENOUGH)
		r = 0;
	*ret_more = r == 0 && victims->n == VICTIMS_MAX;
	return r == 0 && victims->n > 0 ? remove_victims(stage, victims) : r;
}

static int remove_beneath(struct stage *stage, const char *directory)
{
	bool more = true;
	int r = 0;

	while (r == 0 && more)
		r = remove_some_beneath(stage, directory, &more);
	return r;
}

/*
 * Where a path leads.
 */
/* Puts what a link says before the rest. @done ends where the link's directory does. */
static int follow(struct stage *stage, const struct entry *link, size_t at, size_t *done)
{
	size_t target = strlen(link->target), rest = strlen(stage->rest + at);

	if (target + 1 + rest >= sizeof(stage->rest))
		return STAGE_E_TOO_LONG;
	memmove(stage->rest + target + 1, stage->rest + at, rest + 1);
	memcpy(stage->rest, link->target, target);
	stage->rest[target] = '/';
	if (link->target[0] == '/')
		*done = 0;
	stage->path[*done] = '\0';
	return 0;
}

/*
 * One name further: stage.path has one more and is a directory, or a link put its own before the
 * rest (@ret_link) and stage.path is what it was.
 */
static int enter(struct stage *stage, size_t at, size_t *done, bool *ret_link)
{
	_cleanup_(entry_done) struct entry entry = {0};
	size_t before = *done;
	int r;

	*done = strlen(stage->path);
	if (is_known(stage, stage->path, *done))
		return 0;
	r = look(stage, stage->path, &entry);
	if (r != 0 && r != STORE_E_NOTFOUND)
		return r;
	if (r == STORE_E_NOTFOUND)
		r = insert_directory(stage, stage->path, 0);
	else if (entry.type == ENTRY_WHITEOUT)
		r = open_whiteout(stage, &entry);
	if (entry.type == ENTRY_UNSET || entry.type == ENTRY_WHITEOUT ||
	        entry.type == ENTRY_DIRECTORY) {
		remember(stage, stage->path);
		return r;
	}
	if (entry.type != ENTRY_SYMLINK || !entry.target)
		return image_fail(stage->fault, SOURCE_E_CORRUPT,
		        "%s has something beneath %s, which is no directory", stage->what,
		        stage->path);
	*done = before;
	*ret_link = true;
	return follow(stage, &entry, at, done);
}

/* Makes stage.path the directory that @size bytes of @path lead to. */
static int resolve_directory(struct stage *stage, const char *path, size_t size)
{
	unsigned int links = 0;
	size_t at = 0, done = 0;
	int r = 0;

	memcpy(stage->rest, path, size);
	stage->rest[size] = '\0';
	stage->path[0] = '\0';
	while (r == 0) {
		const char *name = stage->rest + at + strspn(stage->rest + at, "/");
		size_t n = strcspn(name, "/");
		bool link = false;

		if (n == 0)
			break;
		at = (size_t)(name + n - stage->rest);
		if (n == 1 && name[0] == '.')
			continue;
		if (n == 2 && name[0] == '.' && name[1] == '.') {
			while (done > 0 && stage->path[--done] != '/')
				continue;
			stage->path[done] = '\0';
			continue;
		}
		if (done + 1 + n > ENTRY_PATH_MAX)
			return STAGE_E_TOO_LONG;
		stage->path[done] = '/';
		memcpy(stage->path + done + 1, name, n);
		stage->path[done + 1 + n] = '\0';
		r = enter(stage, at, &done, &link);
		if (link)
			at = 0;
		if (r == 0 && link && ++links > STAGE_SYMLINKS_MAX)
			r = image_fail(stage->fault, SOURCE_E_CORRUPT,
			        "%s has too many links on the way to %s", stage->what, path);
	}
	return r;
}

/* Makes stage.path the place of @path: its directory is there, and is one. */
static int resolve(struct stage *stage, const char *path)
{
	size_t size = (size_t)(strrchr(path, '/') - path), n = strlen(path + size);
	int r = 0;

	if (is_known(stage, path, size)) {
		memcpy(stage->path, path, size + n + 1);
		return 0;
	}
	r = resolve_directory(stage, path, size);
	if (r != 0)
		return r;
	size = strlen(stage->path);
	if (size + n > ENTRY_PATH_MAX)
		return STAGE_E_TOO_LONG;
	memcpy(stage->path + size, path + (strrchr(path, '/') - path), n + 1);
	return 0;
}

/*
 * Entries.
 */
/* At its place, where there is something already. */
static int add_over(struct stage *stage, const struct entry *before, struct entry *entry)
{
	int r = 0;

	if (entry->type == ENTRY_DIRECTORY && before->type == ENTRY_DIRECTORY)
		entry->flags |= before->flags & ENTRY_OPAQUE;
	else if (entry->type == ENTRY_DIRECTORY && before->type == ENTRY_WHITEOUT)
		entry->flags |= ENTRY_OPAQUE;
	else if (before->type == ENTRY_DIRECTORY) {
		forget_known(stage);
		r = remove_beneath(stage, entry->path);
	}
	return r == 0 ? replace(stage, before, entry) : r;
}

/* @entry at stage.path. */
static int add_here(struct stage *stage, const struct entry *entry)
{
	_cleanup_(entry_done) struct entry before = {0};
	struct entry placed = *entry;
	int r = look(stage, stage->path, &before);

	placed.path = stage->path;
	if (r == STORE_E_NOTFOUND)
		r = insert(stage, &placed);
	else if (r == 0)
		r = add_over(stage, &before, &placed);
	if (r == 0 && placed.type == ENTRY_DIRECTORY)
		remember(stage, stage->path);
	return r;
}

int stage_add(struct stage *stage, const struct entry *entry)
{
	int r = resolve(stage, entry->path);

	if (r == 0 && !strcmp(stage->path, "/") && entry->type != ENTRY_DIRECTORY)
		r = image_fail(stage->fault, SOURCE_E_CORRUPT, "%s has a root that is no directory",
		        stage->what);
	return r == 0 ? add_here(stage, entry) : r;
}

int stage_whiteout(struct stage *stage, const char *path)
{
	_cleanup_(entry_done) struct entry before = {0};
	struct entry whiteout = {.path = stage->path, .type = ENTRY_WHITEOUT};
	int r = resolve(stage, path);

	if (r == 0)
		r = look(stage, stage->path, &before);
	if (r == STORE_E_NOTFOUND)
		return insert(stage, &whiteout);
	/* Of its own layer a whiteout hides nothing, before it or after. */
	return r == 0 && before.type == ENTRY_DIRECTORY ? make_opaque(stage, &before) : r;
}

int stage_opaque(struct stage *stage, const char *path)
{
	_cleanup_(entry_done) struct entry before = {0};
	int r = resolve(stage, path);

	if (r == 0)
		r = look(stage, stage->path, &before);
	if (r == STORE_E_NOTFOUND)
		return insert_directory(stage, stage->path, ENTRY_OPAQUE);
	if (r != 0)
		return r;
	if (before.type == ENTRY_WHITEOUT)
		return open_whiteout(stage, &before);
	if (before.type != ENTRY_DIRECTORY)
		return image_fail(stage->fault, SOURCE_E_CORRUPT,
		        "%s calls %s opaque, which is no directory", stage->what, stage->path);
	return make_opaque(stage, &before);
}

/* The inode that both names have. */
static int find_target(struct stage *stage, const char *target, struct entry *ret_entry)
{
	int r = resolve(stage, target);

	if (r == 0)
		r = look(stage, stage->path, ret_entry);
	if (r == STORE_E_NOTFOUND || (r == 0 && (ret_entry->type == ENTRY_DIRECTORY ||
	                                                ret_entry->type == ENTRY_WHITEOUT)))
		return image_fail(stage->fault, SOURCE_E_CORRUPT,
		        "%s has a hard link to %s, which is not there before it", stage->what,
		        target);
	return r;
}

/*
 * Mode and owner belong to the inode, so that a later name may make a program of what was none when
 * its content went by: then nobody knows its digest.
 */
static int take_owner(struct stage *stage, const struct entry *header, struct entry *entry)
{
	entry->uid = header->uid;
	entry->gid = header->gid;
	if (entry->type != ENTRY_SYMLINK)
		entry->mode = header->mode;
	if (entry->type != ENTRY_FILE)
		return 0;
	if (entry->kind == EXEC_KIND_OTHER || entry->kind == EXEC_KIND_UNKNOWN)
		entry->kind = entry->mode & 0111 ? EXEC_KIND_OTHER : EXEC_KIND_UNKNOWN;
	entry->flags &= ~(unsigned int)ENTRY_EXECUTABLE;
	if (entry->kind == EXEC_KIND_UNKNOWN)
		return 0;
	entry->flags |= ENTRY_EXECUTABLE;
	if (entry->content == CONTENT_KNOWN)
		return 0;
	return image_fail(stage->fault, SOURCE_E_CORRUPT,
	        "%s has a hard link %s that makes an executable of %s", stage->what, header->path,
	        entry->path);
}

int stage_link(struct stage *stage, const char *target, const struct entry *header)
{
	_cleanup_(entry_done) struct entry before = {0};
	struct entry now;
	int r = find_target(stage, target, &before);

	if (r != 0)
		return r;
	now = before;
	r = take_owner(stage, header, &now);
	if (r == 0 && (now.uid != before.uid || now.gid != before.gid || now.mode != before.mode))
		r = replace(stage, &before, &now);
	if (r == 0)
		r = resolve(stage, header->path);
	return r == 0 ? add_here(stage, &now) : r;
}
