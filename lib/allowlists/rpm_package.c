/*
 * A header is an index of (tag, type, offset, count) and a store that they point into; all numbers
 * are big-endian (rpm's manual, "Package format"). Of the index only the tags below are looked at,
 * and each of them may stand there once.
 */
#include "allowlists/rpm_package.h"

#include "base/hex.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* rpm/rpmtag.h; the same since 4.14. */
#define TAG_DIRINDEXES            1116u
#define TAG_BASENAMES             1117u
#define TAG_DIRNAMES              1118u
#define TAG_FILESIGNATURES        5090u /* in the header that is signed */
#define SIGNATURES_FILESIGNATURES 274u  /* in the header of signatures: RPMTAG_SIG_BASE + 18 */
#define TYPE_INT32                4u
#define TYPE_STRING_ARRAY         8u
#define LEAD_SIZE                 96u
#define INTRO_SIZE                16u /* of a header: magic, reserved, two sizes */
#define ENTRY_SIZE                16u /* of the index */
#define PADDING                   8u  /* the header of signatures ends at a multiple of it */
#define PATH_SIZE_MAX             4096u

static const uint8_t lead_magic[] = {0xed, 0xab, 0xee, 0xdb};
static const uint8_t header_magic[] = {0x8e, 0xad, 0xe8, 0x01};

struct header {
	uint8_t *index, *store; /* one block of memory; index is its begin */
	size_t n_entries, store_size;
};

/* Texts of a string array, in the store of a header. */
struct texts {
	const char **items;
	size_t n;
};

struct rpm_file {
	char *path;
	const char *signature; /* in the store; NULL: none */
};

struct rpm_package {
	struct header signatures, main;
	struct rpm_file *files; /* by path */
	size_t n_files;
};

static uint32_t number(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static void texts_done(struct texts *texts)
{
	free(texts->items);
}

/* Exactly @size bytes. 0, RPM_PACKAGE_E_FORMAT when the file ends before, or -errno. */
static int read_at(int fd, void *data, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (uint8_t *)data + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return RPM_PACKAGE_E_FORMAT;
		done += (size_t)n;
	}
	return 0;
}

/* The header at *@offset, which moves behind it. */
static int read_header(int fd, uint64_t *offset, struct header *ret_header)
{
	uint8_t intro[INTRO_SIZE] = {0};
	uint32_t n_entries, store_size;
	size_t index_size;
	int r = read_at(fd, intro, sizeof(intro), *offset);

	if (r != 0)
		return r;
	n_entries = number(intro + 8);
	store_size = number(intro + 12);
	if (memcmp(intro, header_magic, sizeof(header_magic)) != 0 ||
	        n_entries > RPM_PACKAGE_TAGS_MAX || store_size > RPM_PACKAGE_HEADER_MAX)
		return RPM_PACKAGE_E_FORMAT;
	index_size = n_entries * (size_t)ENTRY_SIZE;
	ret_header->index = calloc(1, index_size + store_size + 1);
	if (!ret_header->index)
		return -ENOMEM;
	ret_header->store = ret_header->index + index_size;
	ret_header->n_entries = n_entries;
	ret_header->store_size = store_size;
	r = read_at(fd, ret_header->index, index_size + store_size, *offset + INTRO_SIZE);
	*offset += INTRO_SIZE + index_size + store_size;
	return r;
}

/*
 * The data of a tag, from its offset up to the end of the store. 0; -ENODATA without such a tag;
 * RPM_PACKAGE_E_FORMAT when it is there twice, or of another type.
 */
static int find(const struct header *header, uint32_t tag, uint32_t type, const uint8_t **ret_data,
        size_t *ret_size, uint32_t *ret_count)
{
	const uint8_t *found = NULL;
	uint32_t offset;

	for (size_t i = 0; i < header->n_entries; i++) {
		const uint8_t *entry = header->index + i * ENTRY_SIZE;

		if (number(entry) != tag)
			continue;
		if (found)
			return RPM_PACKAGE_E_FORMAT;
		found = entry;
	}
	if (!found)
		return -ENODATA;
	offset = number(found + 8);
	*ret_count = number(found + 12);
	if (number(found + 4) != type || offset > header->store_size ||
	        *ret_count > RPM_PACKAGE_FILES_MAX)
		return RPM_PACKAGE_E_FORMAT;
	*ret_data = header->store + offset;
	*ret_size = header->store_size - offset;
	return 0;
}

static int find_texts(const struct header *header, uint32_t tag, struct texts *ret_texts)
{
	const uint8_t *data;
	uint32_t count;
	size_t size;
	int r = find(header, tag, TYPE_STRING_ARRAY, &data, &size, &count);

	if (r != 0)
		return r;
	if (count > size)
		return RPM_PACKAGE_E_FORMAT;
	ret_texts->items = calloc(count ?: 1, sizeof(ret_texts->items[0]));
	if (!ret_texts->items)
		return -ENOMEM;
	ret_texts->n = count;
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *end = memchr(data, '\0', size);

		if (!end)
			return RPM_PACKAGE_E_FORMAT;
		ret_texts->items[i] = (const char *)data;
		size -= (size_t)(end - data) + 1;
		data = end + 1;
	}
	return 0;
}

static int add_file(
        struct rpm_package *package, const char *dir, const char *name, const char *signature)
{
	struct rpm_file *file = &package->files[package->n_files];
	size_t n = strlen(dir), m = strlen(name);

	if (dir[0] != '/' || n + m >= PATH_SIZE_MAX)
		return RPM_PACKAGE_E_FORMAT;
	file->path = malloc(n + m + 1);
	if (!file->path)
		return -ENOMEM;
	memcpy(file->path, dir, n);
	memcpy(file->path + n, name, m + 1);
	file->signature = signature && *signature ? signature : NULL;
	package->n_files++;
	return 0;
}

static int by_path(const void *a, const void *b)
{
	const struct rpm_file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

/* A path twice would leave open which signature is its own. */
static int sort_files(struct rpm_package *package)
{
	qsort(package->files, package->n_files, sizeof(package->files[0]), by_path);
	for (size_t i = 1; i < package->n_files; i++)
		if (!strcmp(package->files[i - 1].path, package->files[i].path))
			return RPM_PACKAGE_E_FORMAT;
	return 0;
}

/* Signatures stand in the header of signatures; in the other one rpm's database has them. */
static int find_signatures(const struct rpm_package *package, struct texts *ret_texts)
{
	int r = find_texts(&package->signatures, SIGNATURES_FILESIGNATURES, ret_texts);

	if (r == -ENODATA)
		r = find_texts(&package->main, TAG_FILESIGNATURES, ret_texts);
	return r == -ENODATA ? 0 : r;
}

static int add_files(struct rpm_package *package)
{
	_cleanup_(texts_done) struct texts names = {0}, dirs = {0}, signatures = {0};
	const uint8_t *indexes;
	uint32_t n_indexes;
	size_t size;
	int r = find_texts(&package->main, TAG_BASENAMES, &names);

	if (r == -ENODATA)
		return 0; /* a package without files */
	if (r == 0)
		r = find_texts(&package->main, TAG_DIRNAMES, &dirs);
	if (r == 0)
		r = find(&package->main, TAG_DIRINDEXES, TYPE_INT32, &indexes, &size, &n_indexes);
	if (r == 0)
		r = find_signatures(package, &signatures);
	if (r != 0)
		return r == -ENODATA ? RPM_PACKAGE_E_FORMAT : r;
	if (n_indexes != names.n || size / sizeof(uint32_t) < n_indexes ||
	        (signatures.n > 0 && signatures.n != names.n))
		return RPM_PACKAGE_E_FORMAT;
	package->files = calloc(names.n ?: 1, sizeof(package->files[0]));
	if (!package->files)
		return -ENOMEM;
	for (size_t i = 0; i < names.n && r == 0; i++) {
		uint32_t dir = number(indexes + i * sizeof(uint32_t));

		r = dir < dirs.n ? add_file(package, dirs.items[dir], names.items[i],
		                           signatures.n > 0 ? signatures.items[i] : NULL)
		                 : RPM_PACKAGE_E_FORMAT;
	}
	return r == 0 ? sort_files(package) : r;
}

int rpm_package_read(int fd, struct rpm_package **ret_package)
{
	_cleanup_(rpm_package_freep) struct rpm_package *package = calloc(1, sizeof(*package));
	uint8_t magic[sizeof(lead_magic)];
	uint64_t offset = LEAD_SIZE;
	int r = read_at(fd, magic, sizeof(magic), 0);

	if (!package)
		return -ENOMEM;
	if (r < 0)
		return r;
	if (r > 0 || memcmp(magic, lead_magic, sizeof(magic)) != 0)
		return RPM_PACKAGE_E_NONE;
	r = read_header(fd, &offset, &package->signatures);
	if (r == 0) {
		offset = (offset + PADDING - 1) / PADDING * PADDING;
		r = read_header(fd, &offset, &package->main);
	}
	if (r == 0)
		r = add_files(package);
	if (r == 0)
		*ret_package = TAKE_PTR(package);
	return r;
}

void rpm_package_free(struct rpm_package *package)
{
	if (!package)
		return;
	for (size_t i = 0; i < package->n_files; i++)
		free(package->files[i].path);
	free(package->files);
	free(package->signatures.index);
	free(package->main.index);
	free(package);
}

size_t rpm_package_files(const struct rpm_package *package)
{
	return package->n_files;
}

const char *rpm_package_path(const struct rpm_package *package, size_t i)
{
	return package->files[i].path;
}

int rpm_package_signature(const struct rpm_package *package, const char *path, uint8_t *ret_bytes,
        size_t room, size_t *ret_size)
{
	const struct rpm_file wanted = {.path = (char *)(uintptr_t)path}, *file = NULL;
	size_t n;

	if (package->n_files > 0)
		file = bsearch(&wanted, package->files, package->n_files, sizeof(wanted), by_path);
	if (!file)
		return -ENOENT;
	if (!file->signature)
		return -ENODATA;
	n = strlen(file->signature);
	if (n / 2 > room || hex_decode(file->signature, n, ret_bytes, n / 2) < 0)
		return RPM_PACKAGE_E_FORMAT;
	*ret_size = n / 2;
	return 0;
}
