/*
 * A member passes through two feeds: one sees it as it is, for the digest that is its name in an
 * OCI layout, one sees it without its compression, for the digest that names a layer. The tar
 * reader sits on top. What a member is, its content says, not its name.
 */
#include "snapshot/archive_read.h"

#include "base/clock.h"
#include "snapshot/archive_feed.h"
#include "snapshot/archive_layer.h"
#include "snapshot/archive_stage.h"
#include "snapshot/image_compose.h"

#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define PROGRESS_NS (200 * NS_PER_MSEC)
#define HEAD_SIZE   512u     /* bytes that tell a tar */
#define BLOBS       "blobs/" /* OCI image layout */

struct pass {
	const struct source_request *request;
	struct members *members;
	struct image_fault *fault;
	struct feed outer;
	struct archive *reader;
	uint64_t bytes, bytes_total;
	uint64_t entries, files;
	int64_t start_ns, progress_ns;
	char path[ENTRY_PATH_MAX + 1];
};

static void pass_freep(struct pass **pass)
{
	if (!*pass)
		return;
	feed_reader_freep(&(*pass)->reader);
	feed_done(&(*pass)->outer);
	free(*pass);
}

static void on_passed(uint64_t bytes, void *userdata)
{
	struct pass *pass = userdata;
	int64_t now_ns = clock_monotonic_ns();
	struct walk_progress progress = {
	        .entries = pass->entries,
	        .files = pass->files,
	        .bytes = pass->bytes + bytes,
	        .bytes_total = pass->bytes_total,
	        .complete = pass->bytes_total > 0,
	        .elapsed_ns = now_ns - pass->start_ns,
	};

	pass->bytes += bytes;
	if (!pass->request->progress || now_ns < pass->progress_ns)
		return;
	pass->progress_ns = now_ns + PROGRESS_NS;
	pass->request->progress(&progress, pass->request->userdata);
}

/*
 * A member's content.
 */
struct content {
	struct feed blob; /* as it is */
	struct feed diff; /* without its compression */
	struct archive *raw;
	bool compressed;
};

static void content_done(struct content *content)
{
	feed_reader_freep(&content->raw);
	feed_done(&content->blob);
	feed_done(&content->diff);
}

static int content_open(struct pass *pass, const char *what, struct content *content)
{
	int r;

	content->blob = (struct feed){
	        .fd = -1,
	        .from = pass->reader,
	        .below = &pass->outer,
	        .what = what,
	        .fault = pass->fault,
	        .stop = pass->request->stop,
	};
	r = feed_init(&content->blob, true);
	if (r == 0)
		r = feed_reader(&content->blob, FEED_RAW, &content->raw);
	if (r != 0)
		return r;
	/* libarchive would go on, runtimes do not. The count is with the bytes as they are. */
	if (archive_filter_count(content->raw) > 2)
		return image_fail(pass->fault, SOURCE_E_CORRUPT, "%s is compressed twice", what);
	content->compressed = archive_filter_code(content->raw, 0) != ARCHIVE_FILTER_NONE;
	content->diff = content->blob;
	content->diff.from = content->raw;
	content->diff.below = &content->blob;
	content->diff.buffer = NULL;
	content->diff.digest = NULL;
	content->diff.held = 0;
	content->diff.ended = false;
	return feed_init(&content->diff, content->compressed);
}

/* To the ends of both; without compression they are the same bytes. */
static int content_finish(struct content *content, struct member *member)
{
	int r = feed_drain(&content->diff);

	if (r == 0)
		r = feed_drain(&content->blob);
	if (r == 0)
		r = feed_digest(&content->blob, &member->blob);
	if (r == 0 && content->compressed)
		return feed_digest(&content->diff, &member->diff);
	if (r == 0)
		member->diff = member->blob;
	return r;
}

/*
 * A layer.
 */
/* What the member's name says that it is: a digest, that is checked afterwards. */
static const char *hint_of(const char *path, char ret_hex[DIGEST_HEX_SIZE])
{
	const char *base = strrchr(path, '/');
	const size_t n = 2 * DIGEST_SIZE;

	base = base ? base + 1 : path;
	if (strspn(base, "0123456789abcdef") != n || (base[n] && strcmp(base + n, ".tar") != 0))
		return NULL;
	memcpy(ret_hex, base, n);
	ret_hex[n] = '\0';
	return ret_hex;
}

/* A layer that the store has need not be looked into; its digest is taken all the same. */
static int find_shared(struct pass *pass, const char *hint, struct member *member)
{
	int r = STORE_E_NOTFOUND;

	if (hint && !pass->request->rehash)
		r = store_snapshot_layer(
		        pass->request->store, hint, pass->request->all_files, &member->snapshot);
	if (r == 0)
		member->shared = true;
	return r == STORE_E_NOTFOUND ? 0 : r;
}

static int stage_layer(struct pass *pass, struct feed *diff, struct member *member)
{
	_cleanup_(stage_freep) struct stage *stage = NULL;
	const struct source_request *request = pass->request;
	struct snapshot_info info = image_layer_info(request, member->path);
	const struct layer_options options = {
	        .all_files = request->all_files,
	        .stop = request->stop,
	        .problem = request->problem,
	        .userdata = request->userdata,
	};
	struct layer_totals totals = {0};
	int r = stage_new(request->store, &info, member->path, pass->fault, &stage);

	if (r != 0)
		return r;
	member->snapshot = stage_id(stage);
	r = layer_read(diff, &options, stage, &totals);
	if (r != 0)
		return r;
	member->hashed = totals.hashed;
	member->hashed_bytes = totals.hashed_bytes;
	member->too_long = totals.too_long;
	member->entries = stage_totals(stage)->entries;
	member->files = stage_totals(stage)->files;
	member->executables = stage_totals(stage)->executables;
	member->bytes = stage_totals(stage)->bytes;
	pass->entries += member->entries;
	pass->files += member->files;
	return 0;
}

/* What was not looked into has to be what it was taken for. */
static int read_layer(struct pass *pass, struct content *content, struct member *member)
{
	char hint[DIGEST_HEX_SIZE], hex[DIGEST_HEX_SIZE];
	int r = find_shared(pass, hint_of(member->path, hint), member);

	member->kind = MEMBER_LAYER;
	if (r == 0 && !member->shared)
		return stage_layer(pass, &content->diff, member);
	if (r == 0)
		r = content_finish(content, member);
	if (r != 0)
		return r;
	digest_to_hex(&member->diff, hex);
	if (strcmp(hint, hex) != 0)
		return image_fail(pass->fault, SOURCE_E_CORRUPT,
		        "%s has the digest %s: it is not what its name says", member->path, hex);
	return 0;
}

/*
 * A text.
 */
/* Of old archives there is a text for each layer that nobody reads any more. */
static bool is_text(
        const struct pass *pass, const char *path, const uint8_t *data, size_t size, uint64_t whole)
{
	const char *base = strrchr(path, '/');
	size_t i = 0;

	while (i < size && strchr(" \t\r\n", data[i]) && data[i])
		i++;
	return i < size && (data[i] == '{' || data[i] == '[') && whole <= MEMBER_JSON_MAX &&
	       pass->members->json_bytes + whole <= MEMBERS_JSON_MAX &&
	       !(base && !strcmp(base, "/json"));
}

static int read_text(
        struct pass *pass, struct content *content, uint64_t size, struct member *member)
{
	ssize_t n = 0;
	size_t have;

	member->text = malloc(size + 1);
	if (!member->text)
		return -ENOMEM;
	have = content->diff.held;
	if (have > size)
		have = size;
	memcpy(member->text, content->diff.buffer, have);
	while (have < size &&
	        (n = archive_read_data(content->raw, member->text + have, size - have)) > 0)
		have += (size_t)n;
	if (n < 0)
		return feed_failure(&content->blob, content->raw);
	member->text[have] = '\0';
	member->size = have;
	member->kind = MEMBER_JSON;
	pass->members->json_bytes += have;
	return 0;
}

/*
 * Members.
 */
/* In an OCI layout a member's name is its digest. */
static int check_blob(struct pass *pass, const struct member *member)
{
	char hex[DIGEST_HEX_SIZE];

	if (strncmp(member->path, BLOBS "sha256/", strlen(BLOBS "sha256/")) != 0)
		return 0;
	digest_to_hex(&member->blob, hex);
	if (!strcmp(member->path + strlen(BLOBS "sha256/"), hex))
		return 0;
	return image_fail(pass->fault, SOURCE_E_CORRUPT,
	        "%s has the digest %s: it is not what its name says", member->path, hex);
}

static int read_file(struct pass *pass, uint64_t size, struct member *member)
{
	_cleanup_(content_done) struct content content = {0};
	const uint8_t *head;
	size_t n;
	int r;

	member->kind = MEMBER_OTHER;
	if (size == 0)
		return digest_data("", 0, &member->blob);
	r = content_open(pass, member->path, &content);
	if (r == 0)
		r = feed_peek(&content.diff, HEAD_SIZE, &head, &n);
	if (r != 0)
		return r;
	if (layer_is_tar(head, n))
		r = read_layer(pass, &content, member);
	else if (!content.compressed && is_text(pass, member->path, head, n, size))
		r = read_text(pass, &content, size, member);
	if (r == 0 && !member->shared)
		r = content_finish(&content, member);
	return r == 0 ? check_blob(pass, member) : r;
}

/* @target from the directory of @path; ".." leads up to the archive's root and no further. */
static int resolve(
        const char *path, const char *target, bool symbolic, char ret[MEMBER_PATH_MAX + 1])
{
	const char *slash = strrchr(path, '/');
	size_t used = symbolic && target[0] != '/' && slash ? (size_t)(slash - path) : 0;

	memcpy(ret, path, used);
	for (;;) {
		size_t n;

		target += strspn(target, "/");
		n = strcspn(target, "/");
		if (n == 0)
			break;
		if (n == 2 && target[0] == '.' && target[1] == '.') {
			while (used > 0 && ret[--used] != '/')
				continue;
		} else if (n != 1 || target[0] != '.') {
			if (used + 1 + n > MEMBER_PATH_MAX)
				return -EMSGSIZE;
			if (used > 0)
				ret[used++] = '/';
			memcpy(ret + used, target, n);
			used += n;
		}
		target += n;
	}
	ret[used] = '\0';
	return 0;
}

static int read_link(struct pass *pass, const char *target, bool symbolic, struct member *member)
{
	char path[MEMBER_PATH_MAX + 1];

	member->kind = MEMBER_LINK;
	if (!target || resolve(member->path, target, symbolic, path) < 0)
		return image_fail(pass->fault, SOURCE_E_CORRUPT, "%s leads nowhere", member->path);
	member->target = strdup(path);
	return member->target ? 0 : -ENOMEM;
}

static int read_member(struct pass *pass, struct archive_entry *header)
{
	const char *name = archive_entry_pathname(header), *hard = archive_entry_hardlink(header);
	mode_t type = archive_entry_filetype(header);
	int64_t size = archive_entry_size(header);
	struct member *member;
	int r;

	if (!hard && type != AE_IFREG && type != AE_IFLNK)
		return 0;
	r = name ? layer_path(name, pass->path) : -EINVAL;
	if (r < 0 || strlen(pass->path) > MEMBER_PATH_MAX || !pass->path[1])
		return image_fail(pass->fault, SOURCE_E_CORRUPT,
		        "a member's name has \"..\" in it, or is too long: %s", name ? name : "");
	r = members_add(pass->members, pass->path + 1, &member);
	if (r == -EEXIST || r == -E2BIG)
		return image_fail(pass->fault, SOURCE_E_CORRUPT,
		        r == -EEXIST ? "%s is there twice" : "%s is one member too many",
		        pass->path + 1);
	if (r != 0)
		return r;
	if (hard || type == AE_IFLNK)
		return read_link(pass, hard ? hard : archive_entry_symlink(header), !hard, member);
	if (size < 0 || (uint64_t)size > LAYER_FILE_MAX)
		return image_fail(pass->fault, SOURCE_E_CORRUPT, "%s says a size that no file has",
		        member->path);
	return read_file(pass, (uint64_t)size, member);
}

/* What writes into a pipe is let finish: its last block may come after the end mark. */
static int read_all(struct pass *pass)
{
	int r = feed_reader(&pass->outer, FEED_COMPRESSED_TAR, &pass->reader);

	while (r == 0) {
		struct archive_entry *header;
		int code = archive_read_next_header(pass->reader, &header);

		if (code == ARCHIVE_EOF)
			return feed_drain(&pass->outer);
		r = code == ARCHIVE_OK || code == ARCHIVE_WARN
		            ? read_member(pass, header)
		            : feed_failure(&pass->outer, pass->reader);
	}
	return r;
}

int archive_read_members(const struct source_request *request, int fd, const char *name,
        struct members *members, struct image_fault *fault)
{
	_cleanup_(pass_freep) struct pass *pass = calloc(1, sizeof(*pass));
	struct stat st;
	int r;

	if (!pass)
		return -ENOMEM;
	pass->request = request;
	pass->members = members;
	pass->fault = fault;
	pass->start_ns = clock_monotonic_ns();
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		pass->bytes_total = (uint64_t)st.st_size;
	pass->outer = (struct feed){
	        .fd = fd,
	        .what = name,
	        .fault = fault,
	        .stop = request->stop,
	        .passed = on_passed,
	        .userdata = pass,
	};
	r = feed_init(&pass->outer, false);
	return r == 0 ? read_all(pass) : r;
}
