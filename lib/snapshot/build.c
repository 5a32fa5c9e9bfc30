/*
 * Entries are digested on their way, as long as they come in order; else they are read again at the
 * end. Of the snapshot before only a block is held.
 */
#include "snapshot/build.h"

#include "base/cleanup.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "snapshot/cursor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct build {
	struct store *store;
	int64_t id;                    /* 0: none, or published */
	struct cursor *before;         /* NULL: nothing to ask */
	struct digest_stream *stream;  /* NULL: they do not come in order */
	char last[ENTRY_PATH_MAX + 1]; /* the path of the last entry */
};

DEFINE_FREEP(digest_stream, digest_stream_free)

static int digest_entry(const struct entry *entry, struct digest_stream *stream);

/*
 * The snapshot before.
 */
struct search {
	const struct snapshot_info *wanted;
	struct snapshot_info *found;
};

static int copy_text(const char *text, char **ret_copy)
{
	*ret_copy = text ? strdup(text) : NULL;
	return text && !*ret_copy ? -ENOMEM : 0;
}

static int copy_info(const struct snapshot_info *info, struct snapshot_info *ret_copy)
{
	struct snapshot_info copy = *info;
	int r;

	copy.name = copy.scope_value = copy.image_id = copy.root = NULL;
	r = copy_text(info->name, &copy.name);
	if (r == 0)
		r = copy_text(info->scope_value, &copy.scope_value);
	if (r == 0)
		r = copy_text(info->image_id, &copy.image_id);
	if (r == 0)
		r = copy_text(info->root, &copy.root);
	if (r < 0)
		snapshot_info_done(&copy);
	else
		*ret_copy = copy;
	return r;
}

/* 1 when it is the one. */
static int match(const struct snapshot_info *info, void *userdata)
{
	const struct search *search = userdata;
	int r;

	if (info->state != SNAPSHOT_CURRENT || info->kind != search->wanted->kind ||
	        strcmp(info->name, search->wanted->name) != 0)
		return 0;
	r = copy_info(info, search->found);
	return r < 0 ? r : 1;
}

int build_before(
        struct store *store, const struct snapshot_info *info, struct snapshot_info *ret_before)
{
	struct snapshot_info found = {0};
	struct search search = {.wanted = info, .found = &found};
	int r = store_snapshots(store, match, &search);

	if (!found.name)
		return r ?: STORE_E_NOTFOUND;
	*ret_before = found;
	return 0;
}

/*
 * What is known.
 */
void build_recall(const struct entry *before, struct entry *entry)
{
	entry->digest = before->digest;
	entry->content = before->content;
	entry->kind = before->kind;
	entry->caps_size = before->caps_size;
	memcpy(entry->caps, before->caps, sizeof(entry->caps));
	entry->flags = before->flags & ENTRY_IMA;
}

int build_known(struct entry *entry, void *userdata)
{
	struct build *build = userdata;
	const struct entry *before;

	if (!build->before || cursor_find(build->before, entry->path, &before) != 0 ||
	        before->content != CONTENT_KNOWN || !entry_unchanged(before, entry))
		return 0;
	build_recall(before, entry);
	return 1;
}

/*
 * Building.
 */
int build_begin(const struct build_options *options, struct build **ret_build)
{
	_cleanup_(snapshot_info_done) struct snapshot_info before = {0};
	_cleanup_(build_freep) struct build *build = calloc(1, sizeof(*build));
	int r = 0;

	if (!build)
		return -ENOMEM;
	build->store = options->store;
	if (!options->rehash && options->info->kind != SNAPSHOT_LAYER)
		r = build_before(options->store, options->info, &before);
	if (r == STORE_E_NOTFOUND)
		r = 0;
	if (r == 0 && before.id != 0)
		r = cursor_new(options->store, before.id, &build->before);
	if (r == 0)
		r = digest_stream_new(&build->stream);
	if (r == 0)
		r = store_snapshot_begin(options->store, options->info, &build->id);
	if (r == 0)
		*ret_build = TAKE_PTR(build);
	return r;
}

int build_add(const struct entry *entry, void *userdata)
{
	struct build *build = userdata;
	int r = store_snapshot_add(build->store, build->id, entry);

	if (r != 0 || !build->stream)
		return r;
	if (entry_path_compare(build->last, entry->path) >= 0) {
		digest_stream_free(TAKE_PTR(build->stream));
		return 0;
	}
	memcpy(build->last, entry->path, strlen(entry->path) + 1);
	return digest_entry(entry, build->stream);
}

int64_t build_id(const struct build *build)
{
	return build->id;
}

int build_publish(
        struct build *build, const struct walk_totals *totals, struct snapshot_info *ret_info)
{
	struct snapshot_info info = {
	        .id = build->id,
	        .entries = totals->entries,
	        .files = totals->files,
	        .executables = totals->executables,
	        .bytes = totals->bytes,
	        .hashed = totals->hashed,
	        .hashed_bytes = totals->hashed_bytes,
	        .unreadable = totals->unreadable,
	        .mutable_files = totals->mutable_files,
	        .has_digest = true,
	};
	int r = build->stream ? digest_stream_final(build->stream, &info.digest)
	                      : snapshot_digest(build->store, build->id, &info.digest);

	if (r == 0)
		r = store_snapshot_publish(build->store, &info);
	if (r != 0)
		return r;
	build->id = 0;
	return store_snapshot_get(build->store, info.id, ret_info);
}

void build_free(struct build *build)
{
	if (!build)
		return;
	/* What cannot be removed now is swept by the next one. */
	if (build->id != 0)
		(void)store_snapshot_remove(build->store, build->id);
	cursor_free(build->before);
	digest_stream_free(build->stream);
	free(build);
}

/*
 * The digest.
 */
/* Numbers first, then what is foreign, each ended by the byte that it cannot hold. */
static int digest_entry(const struct entry *entry, struct digest_stream *stream)
{
	char numbers[512], sha256[DIGEST_HEX_SIZE] = "-", caps[2 * ENTRY_CAPS_MAX + 1] = "-";
	int n, r;

	if (entry->content == CONTENT_KNOWN)
		digest_to_hex(&entry->digest, sha256);
	if (entry->caps_size > 0 && entry->caps_size <= ENTRY_CAPS_MAX)
		hex_encode(entry->caps, entry->caps_size, caps);
	n = snprintf(numbers, sizeof(numbers),
	        "%s %04" PRIo32 " %" PRIu32 " %" PRIu32 " %" PRIu64 " %" PRIu32 ":%" PRIu32
	        " %u %s %s %s ",
	        entry_type_name(entry->type),
	        entry->type == ENTRY_SYMLINK ? (uint32_t)0 : entry->mode, entry->uid, entry->gid,
	        entry->size, entry->rdev_major, entry->rdev_minor, entry->flags,
	        entry_content_name(entry->content), sha256, caps);
	if (n < 0 || (size_t)n >= sizeof(numbers))
		return -EMSGSIZE;
	r = digest_stream_update(stream, numbers, (size_t)n);
	if (r == 0)
		r = digest_stream_update(stream, entry->path, strlen(entry->path) + 1);
	if (r == 0 && entry->target)
		r = digest_stream_update(stream, entry->target, strlen(entry->target));
	return r == 0 ? digest_stream_update(stream, "\0\n", 2) : r;
}

static int digest_row(const struct entry *entry, int64_t entry_id, void *userdata)
{
	(void)entry_id;
	return digest_entry(entry, userdata);
}

int snapshot_digest(struct store *store, int64_t id, struct digest *ret_digest)
{
	_cleanup_(digest_stream_freep) struct digest_stream *stream = NULL;
	int r = digest_stream_new(&stream);

	if (r == 0)
		r = store_entries(store, id, NULL, digest_row, stream);
	return r == 0 ? digest_stream_final(stream, ret_digest) : r;
}
