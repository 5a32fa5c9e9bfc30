/*
 * What tests of images and archives drive: makes a snapshot and says how that went, or writes the
 * entries of one, with names of any bytes in them.
 *
 *   sources STATE image REFERENCE PODMAN_DIR|- DOCKER_DIR|- [all] [rehash]
 *   sources STATE archive FILE|- [REFERENCE|-] [all] [rehash]
 *   sources STATE entries ID
 */
#include "base/cleanup.h"
#include "core/text.h"
#include "snapshot/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static volatile sig_atomic_t stop_now;

static void on_term(int number)
{
	(void)number;
	stop_now = 1;
}

static int show_entry(const struct entry *entry, int64_t entry_id, void *userdata)
{
	char sha256[DIGEST_HEX_SIZE] = "-";

	(void)entry_id;
	(void)userdata;
	if (entry->content == CONTENT_KNOWN)
		digest_to_hex(&entry->digest, sha256);
	printf("%s|%04" PRIo32 "|%" PRIu32 "|%" PRIu32 "|%" PRIu64 "|%u:%u|%u|%s|%s|",
	        entry_type_name(entry->type), entry->mode, entry->uid, entry->gid, entry->size,
	        entry->rdev_major, entry->rdev_minor, entry->flags,
	        entry_content_name(entry->content), sha256);
	for (uint32_t i = 0; i < entry->caps_size; i++)
		printf("%02x", entry->caps[i]);
	printf("|%s", entry->path);
	putchar('\0');
	fputs(entry->target ? entry->target : "", stdout);
	putchar('\0');
	return 0;
}

static void on_problem(const char *path, enum walk_problem problem, int error, void *userdata)
{
	unsigned int *problems = userdata;

	(void)path;
	(void)error;
	problems[problem]++;
}

static json_t *text_json(const char *text)
{
	_cleanup_free_ char *safe = text_to_utf8(text);

	return safe ? json_string(safe) : json_null();
}

static void show_result(int result, const char *message, const struct snapshot_info *info,
        const struct source_stats *stats, const unsigned int *problems)
{
	char sha256[DIGEST_HEX_SIZE];
	json_t *root = json_pack("{s:i, s:o, s:i}", "result", result, "message", text_json(message),
	        "too_long", (int)problems[WALK_TOO_LONG]);

	if (result == 0) {
		digest_to_hex(&info->digest, sha256);
		json_object_update_new(root,
		        json_pack(
		                "{s:I, s:s, s:o, s:s, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s, "
		                "s:i, s:i, s:i}",
		                "id", (json_int_t)info->id, "kind", snapshot_kind_name(info->kind),
		                "name", text_json(info->name), "scope",
		                snapshot_scope_name(info->scope), "scope_value",
		                text_json(info->scope_value), "image_id",
		                info->image_id ? info->image_id : "", "entries",
		                (json_int_t)info->entries, "files", (json_int_t)info->files,
		                "executables", (json_int_t)info->executables, "bytes",
		                (json_int_t)info->bytes, "hashed", (json_int_t)info->hashed,
		                "hashed_bytes", (json_int_t)info->hashed_bytes, "digest", sha256,
		                "layers", (int)stats->layers, "layers_hashed",
		                (int)stats->layers_hashed, "layers_shared",
		                (int)stats->layers_shared));
	}
	json_dumpf(root, stdout, JSON_SORT_KEYS);
	putchar('\n');
	json_decref(root);
}

static const char *given(const char *text)
{
	return text && strcmp(text, "-") != 0 ? text : NULL;
}

static int archive(struct source_request *request, const char *file, struct snapshot_info *info,
        struct source_stats *stats, char **message)
{
	_cleanup_close_ int fd = -1;

	if (!given(file))
		return snapshot_archive(request, STDIN_FILENO, "stdin", info, stats, message);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : snapshot_archive(request, fd, file, info, stats, message);
}

static int make(struct store *store, int argc, char **argv)
{
	_cleanup_(snapshot_info_done) struct snapshot_info info = {0};
	_cleanup_free_ char *message = NULL;
	unsigned int problems[WALK_TOO_LONG + 1] = {0};
	struct source_stats stats = {0};
	struct source_request request = {
	        .store = store, .stop = &stop_now, .problem = on_problem, .userdata = problems};
	int r;

	for (int i = 2; i < argc; i++) {
		request.all_files |= !strcmp(argv[i], "all");
		request.rehash |= !strcmp(argv[i], "rehash");
	}
	if (!strcmp(argv[2], "image") && argc >= 6) {
		request.reference = argv[3];
		r = snapshot_image(
		        &request, given(argv[4]), given(argv[5]), &info, &stats, &message);
	} else {
		request.reference = argc >= 5 ? given(argv[4]) : NULL;
		r = archive(&request, argv[3], &info, &stats, &message);
	}
	show_result(r, message, &info, &stats, problems);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_term};
	struct store *store = NULL;
	int r;

	if (argc < 4 || store_open(argv[1], STORE_READ_WRITE, &store) != 0)
		return EX_USAGE;
	sigaction(SIGTERM, &action, NULL);
	if (!strcmp(argv[2], "entries"))
		r = store_entries(store, strtoll(argv[3], NULL, 10), NULL, show_entry, NULL);
	else
		r = make(store, argc, argv);
	store_free(store);
	return r;
}
