/*
 * Headers are checked to be entries, contents are digested as they come: nothing is kept. Names in
 * the C locale stay the bytes they are; that libarchive warns of that is no fault.
 */
#include "snapshot/archive_layer.h"

#include "snapshot/sources.h"

#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#define WHITEOUT ".wh."     /* OCI image layer specification, "Whiteouts" */
#define AUFS     ".wh..wh." /* what aufs keeps for itself */
#define OPAQUE   ".wh..wh..opq"
#define BLOCK    512u           /* bytes; tar(5) */
#define CHUNK    (128u * 1024u) /* bytes of a file at a time */

struct layer {
	struct feed *feed;
	const struct layer_options *options;
	struct stage *stage;
	struct archive *reader;
	uint8_t *chunk;
	struct layer_totals totals;
	char path[ENTRY_PATH_MAX + 1];
	char target[ENTRY_PATH_MAX + 1];
};

static void layer_freep(struct layer **layer)
{
	if (!*layer)
		return;
	feed_reader_freep(&(*layer)->reader);
	free((*layer)->chunk);
	free(*layer);
}

/*
 * Names.
 */
int layer_path(const char *name, char ret_path[ENTRY_PATH_MAX + 1])
{
	size_t used = 0;

	for (;;) {
		size_t n;

		name += strspn(name, "/");
		n = strcspn(name, "/");
		if (n == 0)
			break;
		if (n == 2 && name[0] == '.' && name[1] == '.')
			return -EINVAL;
		if (n != 1 || name[0] != '.') {
			if (used + 1 + n > ENTRY_PATH_MAX)
				return -EMSGSIZE;
			ret_path[used++] = '/';
			memcpy(ret_path + used, name, n);
			used += n;
		}
		name += n;
	}
	if (used == 0)
		ret_path[used++] = '/';
	ret_path[used] = '\0';
	return 0;
}

static uint64_t field(const uint8_t *data, size_t size)
{
	uint64_t value = 0;
	size_t i = 0;

	while (i < size && data[i] == ' ')
		i++;
	for (; i < size && data[i] >= '0' && data[i] <= '7'; i++)
		value = value * 8 + (uint64_t)(data[i] - '0');
	return value;
}

/* The sum of all bytes, with blanks where it is written: tar(5). */
bool layer_is_tar(const uint8_t *data, size_t size)
{
	const size_t at = 148, digits = 8;
	uint64_t sum = 0, all = 0;

	if (size < BLOCK)
		return false;
	for (size_t i = 0; i < BLOCK; i++) {
		all |= data[i];
		sum += i >= at && i < at + digits ? ' ' : data[i];
	}
	return all == 0 || field(data + at, digits) == sum;
}

static int corrupt(struct layer *layer, const char *why)
{
	return image_fail(layer->feed->fault, SOURCE_E_CORRUPT, "%s: %s: %s", layer->feed->what,
	        layer->path, why);
}

/* A name too long is left out, and said. */
static int leave_out(struct layer *layer, const char *path)
{
	layer->totals.too_long++;
	if (layer->options->problem)
		layer->options->problem(
		        path, WALK_TOO_LONG, ENAMETOOLONG, layer->options->userdata);
	return 0;
}

/*
 * Headers.
 */
static enum entry_type type_of(mode_t type)
{
	switch (type) {
	case AE_IFREG:
		return ENTRY_FILE;
	case AE_IFDIR:
		return ENTRY_DIRECTORY;
	case AE_IFLNK:
		return ENTRY_SYMLINK;
	case AE_IFIFO:
		return ENTRY_FIFO;
	case AE_IFSOCK:
		return ENTRY_SOCKET;
	case AE_IFCHR:
		return ENTRY_CHAR;
	case AE_IFBLK:
		return ENTRY_BLOCK;
	default:
		return ENTRY_UNSET;
	}
}

static bool take_owner(struct archive_entry *header, struct entry *entry)
{
	int64_t uid = archive_entry_uid(header), gid = archive_entry_gid(header);

	if (uid < 0 || uid > UINT32_MAX || gid < 0 || gid > UINT32_MAX)
		return false;
	entry->uid = (uint32_t)uid;
	entry->gid = (uint32_t)gid;
	entry->mode = (uint32_t)archive_entry_perm(header) & 07777;
	return true;
}

static bool take_xattrs(struct archive_entry *header, struct entry *entry)
{
	const char *name;
	const void *value;
	size_t size;

	archive_entry_xattr_reset(header);
	while (archive_entry_xattr_next(header, &name, &value, &size) == ARCHIVE_OK) {
		if (!strcmp(name, "security.ima"))
			entry->flags |= ENTRY_IMA;
		if (strcmp(name, "security.capability") != 0)
			continue;
		if (size == 0 || size > ENTRY_CAPS_MAX)
			return false;
		memcpy(entry->caps, value, size);
		entry->caps_size = (uint32_t)size;
	}
	return true;
}

/* All but the content. */
static int take_header(struct layer *layer, struct archive_entry *header, struct entry *entry)
{
	entry->path = layer->path;
	entry->type = type_of(archive_entry_filetype(header));
	if (!take_owner(header, entry))
		return corrupt(layer, "an owner that no file can have");
	if (entry->type == ENTRY_SYMLINK)
		entry->mode = 0777; /* as on every disk */
	if (entry->type == ENTRY_CHAR || entry->type == ENTRY_BLOCK) {
		entry->rdev_major = (uint32_t)archive_entry_rdevmajor(header);
		entry->rdev_minor = (uint32_t)archive_entry_rdevminor(header);
	}
	if (!take_xattrs(header, entry))
		return corrupt(layer, "a security.capability that the kernel would refuse");
	return 0;
}

/*
 * Contents.
 */
static ssize_t read_chunk(struct layer *layer)
{
	ssize_t n;

	if (layer->options->stop && *layer->options->stop)
		return -ECANCELED;
	do
		n = archive_read_data(layer->reader, layer->chunk, CHUNK);
	while (n == ARCHIVE_RETRY && !(layer->options->stop && *layer->options->stop));
	return n;
}

DEFINE_FREEP(digest_stream, digest_stream_free)

/* The rest of a file whose first @n bytes are in layer.chunk. */
static int digest_content(struct layer *layer, ssize_t n, struct entry *entry)
{
	_cleanup_(digest_stream_freep) struct digest_stream *stream = NULL;
	uint64_t size = 0;
	int r = digest_stream_new(&stream);

	while (r == 0 && n > 0) {
		size += (uint64_t)n;
		/* Holes cost their maker nothing, and us a digest of zeros. */
		if (layer->totals.hashed_bytes + size > layer->feed->pulled + LAYER_HOLES_MAX)
			return corrupt(layer, "has more holes than any file needs");
		r = digest_stream_update(stream, layer->chunk, (size_t)n);
		if (r == 0)
			n = read_chunk(layer);
	}
	if (r == 0 && n == -ECANCELED)
		return -ECANCELED;
	if (r == 0 && n < 0)
		return feed_failure(layer->feed, layer->reader);
	if (r == 0 && size != entry->size)
		return corrupt(layer, "is not as long as it says");
	if (r == 0)
		r = digest_stream_final(stream, &entry->digest);
	if (r == 0) {
		entry->content = CONTENT_KNOWN;
		layer->totals.hashed++;
		layer->totals.hashed_bytes += size;
	}
	return r;
}

static int take_content(struct layer *layer, struct archive_entry *header, struct entry *entry)
{
	int64_t size = archive_entry_size(header);
	ssize_t n;

	if (size < 0 || (uint64_t)size > LAYER_FILE_MAX)
		return corrupt(layer, "says a size that no file has");
	entry->size = (uint64_t)size;
	n = read_chunk(layer);
	if (n == -ECANCELED)
		return -ECANCELED;
	if (n < 0)
		return feed_failure(layer->feed, layer->reader);
	entry->kind = exec_kind_of(layer->chunk, (size_t)n);
	if (entry->kind == EXEC_KIND_OTHER && !(entry->mode & 0111))
		entry->kind = EXEC_KIND_UNKNOWN;
	if (entry->kind != EXEC_KIND_UNKNOWN)
		entry->flags |= ENTRY_EXECUTABLE;
	if (!layer->options->all_files && entry->kind == EXEC_KIND_UNKNOWN)
		return 0;
	return digest_content(layer, n, entry);
}

/*
 * Entries.
 */
/* layer.path is DIRECTORY/.wh.NAME. */
static int add_whiteout(struct layer *layer, char *name)
{
	char *hidden = name + strlen(WHITEOUT);

	if (!strcmp(name, OPAQUE)) {
		name[name == layer->path + 1 ? 0 : -1] = '\0';
		return stage_opaque(layer->stage, layer->path);
	}
	/* aufs's own; a hard link to one of them is to nothing. */
	if (!strncmp(name, AUFS, strlen(AUFS)))
		return 0;
	if (!*hidden || !strcmp(hidden, ".") || !strcmp(hidden, ".."))
		return corrupt(layer, "hides what has no name");
	memmove(name, hidden, strlen(hidden) + 1);
	return stage_whiteout(layer->stage, layer->path);
}

static int add_link(struct layer *layer, struct archive_entry *header, const char *target)
{
	struct entry entry = {.path = layer->path};

	/* Readers differ in what such a body is: nobody may guess. */
	if (archive_entry_size_is_set(header) && archive_entry_size(header) > 0)
		return corrupt(layer, "is a hard link with a content of its own");
	if (!take_owner(header, &entry))
		return corrupt(layer, "an owner that no file can have");
	if (layer_path(target, layer->target) < 0)
		return corrupt(layer, "is a hard link to a path with \"..\" in it, or too long");
	return stage_link(layer->stage, layer->target, &entry);
}

static int add_entry(struct layer *layer, struct archive_entry *header)
{
	struct entry entry = {0};
	int r = take_header(layer, header, &entry);

	if (r == 0 && entry.type == ENTRY_UNSET)
		return corrupt(layer, "is of no type that a file can have");
	/* As overlayfs keeps a whiteout on a disk. */
	if (r == 0 && entry.type == ENTRY_CHAR && entry.rdev_major == 0 && entry.rdev_minor == 0)
		return stage_whiteout(layer->stage, layer->path);
	if (r == 0 && entry.type == ENTRY_SYMLINK) {
		const char *target = archive_entry_symlink(header);

		if (!target || !*target)
			return corrupt(layer, "is a link to nothing");
		if (strlen(target) > ENTRY_PATH_MAX)
			return STAGE_E_TOO_LONG;
		entry.target = (char *)(uintptr_t)target;
	}
	if (r == 0 && entry.type == ENTRY_FILE)
		r = take_content(layer, header, &entry);
	return r == 0 ? stage_add(layer->stage, &entry) : r;
}

static int read_entry(struct layer *layer, struct archive_entry *header)
{
	const char *name = archive_entry_pathname(header), *target = archive_entry_hardlink(header);
	char *base;
	int r;

	if (!name || !*name)
		return image_fail(layer->feed->fault, SOURCE_E_CORRUPT,
		        "%s has an entry without a name", layer->feed->what);
	r = layer_path(name, layer->path);
	if (r == -EMSGSIZE)
		return leave_out(layer, name);
	if (r < 0)
		return image_fail(layer->feed->fault, SOURCE_E_CORRUPT,
		        "%s has an entry with \"..\" in its name: %s", layer->feed->what, name);
	base = strrchr(layer->path, '/') + 1;
	if (!strncmp(base, WHITEOUT, strlen(WHITEOUT)))
		r = add_whiteout(layer, base);
	else if (target)
		r = add_link(layer, header, target);
	else
		r = add_entry(layer, header);
	return r == STAGE_E_TOO_LONG ? leave_out(layer, name) : r;
}

int layer_read(struct feed *feed, const struct layer_options *options, struct stage *stage,
        struct layer_totals *ret_totals)
{
	_cleanup_(layer_freep) struct layer *layer = calloc(1, sizeof(*layer));
	int r;

	if (!layer)
		return -ENOMEM;
	layer->feed = feed;
	layer->options = options;
	layer->stage = stage;
	layer->chunk = malloc(CHUNK);
	r = layer->chunk ? feed_reader(feed, FEED_TAR, &layer->reader) : -ENOMEM;
	while (r == 0) {
		struct archive_entry *header;
		int code = archive_read_next_header(layer->reader, &header);

		if (code == ARCHIVE_EOF)
			break;
		r = code == ARCHIVE_OK || code == ARCHIVE_WARN ? read_entry(layer, header)
		                                               : feed_failure(feed, layer->reader);
	}
	if (r == 0)
		*ret_totals = layer->totals;
	return r;
}
