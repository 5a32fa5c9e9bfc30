/*
 * A .deb is an ar with a compressed tar (data.tar.*) in it: deb(5). An .rpm is two headers and a
 * compressed cpio; libarchive passes over the headers.
 *
 * Hard links share a content that stands with only one of them: in a tar with the first, in a cpio
 * with the last. So files are kept until all of them are known.
 */
#include "snapshot/package_file.h"

#include "snapshot/archive_feed.h"
#include "snapshot/archive_layer.h"

#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK      (128u * 1024u) /* bytes of a file at a time */
#define AR_MAGIC   "!<arch>\n"
#define RPM_MAGIC  "\xed\xab\xee\xdb"
#define DATA       "data.tar"
#define AR_MEMBERS 64u                 /* deb(5): three, and more that are passed over */
#define BYTES_MAX  (UINT64_C(1) << 36) /* of all contents: what unpacks to more is a bomb */

struct file {
	char *path;
	char *target; /* of a hard link; NULL else */
	uint32_t mode;
	struct entry entry; /* without its texts */
};

struct package {
	const struct package_file_options *options;
	struct image_fault *fault;
	struct feed *feed; /* while it is read; as reader */
	struct archive *reader;
	uint8_t *chunk;
	struct file *files;
	size_t n, room;
	uint64_t entries, bytes;
};

static void package_done(struct package *package)
{
	for (size_t i = 0; i < package->n; i++) {
		free(package->files[i].path);
		free(package->files[i].target);
	}
	free(package->files);
	free(package->chunk);
}

static int corrupt(struct package *package, const char *name, const char *why)
{
	return image_fail(package->fault, SOURCE_E_CORRUPT, "%s: %s", name, why);
}

/*
 * Contents.
 */
static ssize_t read_chunk(struct package *package)
{
	const volatile sig_atomic_t *stop = package->options->stop;
	ssize_t n;

	if (stop && *stop)
		return -ECANCELED;
	do
		n = archive_read_data(package->reader, package->chunk, CHUNK);
	while (n == ARCHIVE_RETRY && !(stop && *stop));
	return n;
}

DEFINE_FREEP(digest_stream, digest_stream_free)

static int read_content(struct package *package, struct file *file)
{
	_cleanup_(digest_stream_freep) struct digest_stream *stream = NULL;
	struct entry *entry = &file->entry;
	ssize_t n = read_chunk(package);
	int r = digest_stream_new(&stream);

	if (n > 0)
		entry->kind = exec_kind_of(package->chunk, (size_t)n);
	else if (n == 0)
		entry->kind = exec_kind_of(package->chunk, 0);
	while (r == 0 && n > 0) {
		entry->size += (uint64_t)n;
		package->bytes += (uint64_t)n;
		if (package->bytes > BYTES_MAX)
			return corrupt(package, file->path, "unpacks to more than any package");
		r = digest_stream_update(stream, package->chunk, (size_t)n);
		if (r == 0)
			n = read_chunk(package);
	}
	if (r == 0 && n == -ECANCELED)
		return -ECANCELED;
	if (r == 0 && n < 0)
		return feed_failure(package->feed, package->reader);
	if (r == 0)
		r = digest_stream_final(stream, &entry->digest);
	if (r == 0)
		entry->content = CONTENT_KNOWN;
	return r;
}

/*
 * Entries.
 */
static int keep(struct package *package, const char *path, const char *target, struct file **ret)
{
	struct file *file;

	if (package->n == package->room) {
		size_t room = package->room * 2 + 64;
		void *grown = reallocarray(package->files, room, sizeof(*package->files));

		if (!grown)
			return -ENOMEM;
		package->files = grown;
		package->room = room;
	}
	file = &package->files[package->n];
	*file = (struct file){.path = strdup(path), .target = target ? strdup(target) : NULL};
	if (!file->path || (target && !file->target)) {
		free(file->path);
		free(file->target);
		return -ENOMEM;
	}
	package->n++;
	*ret = file;
	return 0;
}

static int read_entry(struct package *package, struct archive_entry *header)
{
	const char *name = archive_entry_pathname(header), *link = archive_entry_hardlink(header);
	char path[ENTRY_PATH_MAX + 1], target[ENTRY_PATH_MAX + 1];
	struct file *file = NULL;
	int r;

	if (++package->entries > PACKAGE_FILES_MAX)
		return corrupt(package, package->options->what, "has too many files");
	if (!name || layer_path(name, path) < 0)
		return corrupt(package, name && *name ? name : "an entry",
		        "no name that a file can have: missing, too long, or with \"..\" in it");
	if (archive_entry_filetype(header) != AE_IFREG && !link)
		return 0;
	if (link && layer_path(link, target) < 0)
		return corrupt(package, name, "is a hard link to no name that a file can have");
	r = keep(package, path, link ? target : NULL, &file);
	if (r < 0)
		return r;
	file->mode = (uint32_t)archive_entry_perm(header) & 07777;
	/* In a cpio the last of the links has the content, in a tar none but the first. */
	return link && archive_entry_size(header) <= 0 ? 0 : read_content(package, file);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

static struct file *find(struct package *package, const char *path)
{
	struct file wanted = {.path = (char *)(uintptr_t)path};

	return package->n > 0 ? bsearch(&wanted, package->files, package->n,
	                                sizeof(*package->files), by_path)
	                      : NULL;
}

/* A link's content is its first one's, and the other way round where the last has it. */
static int join(struct package *package)
{
	for (size_t i = 0; i < package->n; i++) {
		struct file *file = &package->files[i];
		struct file *first = file->target ? find(package, file->target) : NULL;

		if (!file->target)
			continue;
		if (!first || first == file || first->target)
			return corrupt(package, file->path, "is a hard link to nothing");
		if (file->entry.content == CONTENT_KNOWN && file->entry.size > 0) {
			if (first->entry.size > 0)
				return corrupt(package, file->path,
				        "is a hard link with a content of its own");
			first->entry = file->entry;
		}
	}
	for (size_t i = 0; i < package->n; i++) {
		struct file *file = &package->files[i];
		const struct file *first = file->target ? find(package, file->target) : NULL;

		if (first)
			file->entry = first->entry;
	}
	return 0;
}

static int tell(struct package *package)
{
	const struct package_file_options *options = package->options;
	int r = 0;

	for (size_t i = 0; i < package->n && r == 0; i++) {
		struct file *file = &package->files[i];
		struct entry *entry = &file->entry;

		if (i > 0 && !strcmp(file->path, package->files[i - 1].path))
			return corrupt(package, file->path, "is there twice");
		entry->path = file->path;
		entry->type = ENTRY_FILE;
		entry->mode = file->mode;
		if (entry->kind == EXEC_KIND_OTHER && !(entry->mode & 0111))
			entry->kind = EXEC_KIND_UNKNOWN;
		if (entry->kind != EXEC_KIND_UNKNOWN)
			entry->flags |= ENTRY_EXECUTABLE;
		if (options->all_files || entry->flags & ENTRY_EXECUTABLE)
			r = options->each(entry, options->userdata);
	}
	return r;
}

/* All that is in the tar or cpio that @feed leads to. */
static int read_files(struct package *package, struct feed *feed, enum feed_format format)
{
	_cleanup_(feed_reader_freep) struct archive *reader = NULL;
	int r = feed_reader(feed, format, &reader);

	package->feed = feed;
	package->reader = reader;
	while (r == 0) {
		struct archive_entry *header;
		int code = archive_read_next_header(reader, &header);

		if (code == ARCHIVE_EOF)
			break;
		r = code == ARCHIVE_OK || code == ARCHIVE_WARN ? read_entry(package, header)
		                                               : feed_failure(feed, reader);
	}
	package->feed = NULL;
	package->reader = NULL;
	return r;
}

static int tell_all(struct package *package)
{
	int r;

	if (package->n > 1)
		qsort(package->files, package->n, sizeof(*package->files), by_path);
	r = join(package);
	return r == 0 ? tell(package) : r;
}

/*
 * The two kinds.
 */
static int find_data(struct feed *feed, struct archive *ar)
{
	for (unsigned int i = 0; i < AR_MEMBERS; i++) {
		struct archive_entry *header;
		int code = archive_read_next_header(ar, &header);
		const char *name = code == ARCHIVE_OK ? archive_entry_pathname(header) : NULL;

		if (code == ARCHIVE_EOF)
			break;
		if (code != ARCHIVE_OK)
			return feed_failure(feed, ar);
		if (name && !strncmp(name, DATA, strlen(DATA)))
			return 0;
	}
	return image_fail(
	        feed->fault, SOURCE_E_CORRUPT, "%s: no .deb: it has no data.tar in it", feed->what);
}

static int read_deb(struct package *package, struct feed *feed)
{
	_cleanup_(feed_done) struct feed data = {
	        .what = feed->what, .fault = feed->fault, .stop = feed->stop, .below = feed};
	_cleanup_(feed_reader_freep) struct archive *ar = NULL;
	int r = feed_reader(feed, FEED_AR, &ar);

	if (r == 0)
		r = find_data(feed, ar);
	data.from = ar;
	if (r == 0)
		r = feed_init(&data, false);
	return r == 0 ? read_files(package, &data, FEED_COMPRESSED_TAR) : r;
}

static int read_package(struct package *package, struct feed *feed)
{
	const uint8_t *head;
	size_t size;
	int r = feed_init(feed, false);

	package->chunk = malloc(CHUNK);
	if (r == 0 && !package->chunk)
		r = -ENOMEM;
	if (r == 0)
		r = feed_peek(feed, strlen(AR_MAGIC), &head, &size);
	if (r != 0)
		return r;
	if (size >= strlen(AR_MAGIC) && !memcmp(head, AR_MAGIC, strlen(AR_MAGIC)))
		return read_deb(package, feed);
	if (size >= strlen(RPM_MAGIC) && !memcmp(head, RPM_MAGIC, strlen(RPM_MAGIC)))
		return read_files(package, feed, FEED_RPM);
	return image_fail(
	        feed->fault, SOURCE_E_UNSUPPORTED, "%s: neither a .deb nor an .rpm", feed->what);
}

int package_file_read(const struct package_file_options *options, char **reterr_message)
{
	struct image_fault fault = {0};
	_cleanup_(feed_done) struct feed feed = {
	        .fd = options->fd, .what = options->what, .fault = &fault, .stop = options->stop};
	_cleanup_(package_done) struct package package = {.options = options, .fault = &fault};
	int r = read_package(&package, &feed);

	if (r == 0)
		r = tell_all(&package);
	if (r == SOURCE_E_CORRUPT || r == SOURCE_E_UNSUPPORTED)
		*reterr_message = fault.message;
	else
		image_fault_done(&fault);
	return r;
}
