/*
 * Trees: directories, images, archives of images, snapshots. An image's layers are staged in a
 * database of our own, which goes with the run: the daemon's is neither needed nor changed, and
 * nothing vouches because of a list that was made.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "snapshot/sources.h"
#include "snapshot/walk.h"
#include "tools/list_sources.h"
#include "tools/print.h"
#include "tools/snapshot_find.h"
#include "tools/snapshot_progress.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

DEFINE_FREEP(store, store_free)

/* What the callbacks of a walk or a source get. */
struct state {
	struct gather *gather;
	int root_fd; /* of a directory */
	struct progress progress;
};

static void on_problem(const char *path, enum walk_problem problem, int error, void *userdata)
{
	struct state *state = userdata;
	struct list *list = state->gather->list;

	progress_clear(&state->progress);
	if (problem == WALK_UNREADABLE)
		list_leave_out(list, path, strerror(error));
	else if (problem == WALK_MUTABLE)
		list_leave_out(list, path, "changes each time it is read");
	else if (problem == WALK_TOO_LONG)
		list_leave_out(list, path, "its path is too long");
}

static void on_progress(const struct walk_progress *walk, void *userdata)
{
	struct state *state = userdata;

	/* With --json stdout may be the list itself. */
	if (!state->gather->list->tool->json)
		progress_show(&state->progress, walk);
}

int gather_failed(struct gather *gather, const char *what, const char *message, int r)
{
	const struct list *list = gather->list;

	switch (r) {
	case SOURCE_E_NOTFOUND:
		return list_say(list, what, message ?: "no such image", EX_NOINPUT);
	case SOURCE_E_AMBIGUOUS:
		return list_say(list, what, message ?: "several images", EX_USAGE);
	case SOURCE_E_UNSUPPORTED:
		return list_say(list, what, message ?: "not supported", EX_UNAVAILABLE);
	case SOURCE_E_CORRUPT:
		return list_say(list, what, message ?: "damaged", EX_DATAERR);
	default:
		return r > 0 ? snapshot_fail(list->call, NULL, what, r) : list_fail(list, what, r);
	}
}

/*
 * Directories.
 */

/* What has no digest was told as a problem. */
static int on_walked(const struct entry *entry, void *userdata)
{
	struct state *state = userdata;

	if (entry->content != CONTENT_KNOWN ||
	        !gather_is_signed(state->gather, state->root_fd, entry))
		return 0;
	return list_add_entry(state->gather->list, entry);
}

int gather_rootfs(struct gather *gather, const char *directory)
{
	_cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct state state = {.gather = gather, .root_fd = fd};
	struct walk_options options = {
	        .root_fd = fd,
	        .all_files = gather->list->all_files,
	        .stop = gather->stop,
	        .add = on_walked,
	        .problem = on_problem,
	        .progress = on_progress,
	        .userdata = &state,
	};
	struct walk_totals totals;
	int r;

	if (fd < 0)
		return list_fail(gather->list, directory, -errno);
	progress_init(gather->list->tool, directory, &state.progress);
	r = walk_tree(&options, &totals);
	progress_clear(&state.progress);
	return r == 0 ? 0 : list_fail(gather->list, directory, r);
}

/*
 * Snapshots.
 */
static int on_recorded(const struct entry *entry, int64_t entry_id, void *userdata)
{
	(void)entry_id;
	return list_add_entry(userdata, entry);
}

static int add_snapshot(
        struct gather *gather, struct store *store, const struct snapshot_info *info)
{
	int r = store_entries(store, info->id, NULL, on_recorded, gather->list);

	return r == 0 ? 0 : gather_failed(gather, info->name, NULL, r);
}

int gather_snapshot(struct gather *gather, const char *name)
{
	const struct list *list = gather->list;
	_cleanup_(snapshot_info_done) struct snapshot_info info = {0};
	_cleanup_(store_freep) struct store *store = NULL;
	int r = snapshot_open(list->tool, list->call, STORE_READ_ONLY, &store);

	if (r == 0)
		r = snapshot_find(list->call, store, name, &info);
	return r == 0 ? add_snapshot(gather, store, &info) : r;
}

/*
 * Images.
 */
struct scratch {
	char *directory; /* NULL: none */
	struct store *store;
};

static void scratch_done(struct scratch *scratch)
{
	DIR *dir = scratch->directory ? opendir(scratch->directory) : NULL;
	struct dirent *file;

	store_free(scratch->store);
	while (dir && (file = readdir(dir)) != NULL)
		(void)unlinkat(dirfd(dir), file->d_name, 0);
	if (dir)
		closedir(dir);
	if (scratch->directory)
		(void)rmdir(scratch->directory);
	free(scratch->directory);
}

static int scratch_init(struct gather *gather, struct scratch *scratch)
{
	const char *place = getenv("TMPDIR");
	_cleanup_free_ char *name = NULL;
	int r;

	name = text_format("%s/execward-list-XXXXXX", place && place[0] == '/' ? place : "/tmp");
	if (!mkdtemp(name))
		return list_say(gather->list, name, strerror(errno), EX_CANTCREAT);
	scratch->directory = TAKE_PTR(name);
	r = store_open(scratch->directory, STORE_READ_WRITE, &scratch->store);
	return r == 0 ? 0 : gather_failed(gather, scratch->directory, NULL, r);
}

/* @fd is an archive; -1: the storage of this host. */
static int read_image(struct gather *gather, struct scratch *scratch, const char *what, int fd)
{
	const struct list *list = gather->list;
	const struct config *config = list->tool->config;
	struct state state = {.gather = gather};
	struct source_request request = {
	        .store = scratch->store,
	        .all_files = list->all_files,
	        .by_uid = getuid(),
	        .name = "list",
	        .scope_given = true,
	        .scope = SCOPE_NONE,
	        .stop = gather->stop,
	        .problem = on_problem,
	        .progress = on_progress,
	        .userdata = &state,
	};
	_cleanup_(snapshot_info_done) struct snapshot_info info = {0};
	_cleanup_free_ char *message = NULL;
	struct source_stats stats;
	int r;

	progress_init(list->tool, what, &state.progress);
	if (fd >= 0) {
		r = snapshot_archive(&request, fd, what, &info, &stats, &message);
	} else {
		request.reference = what;
		r = snapshot_image(
		        &request, config->podman_dir, config->docker_dir, &info, &stats, &message);
	}
	progress_clear(&state.progress);
	return r == 0 ? add_snapshot(gather, scratch->store, &info)
	              : gather_failed(gather, what, message, r);
}

static int with_scratch(struct gather *gather, const char *what, int fd)
{
	_cleanup_(scratch_done) struct scratch scratch = {0};
	int r = scratch_init(gather, &scratch);

	return r == 0 ? read_image(gather, &scratch, what, fd) : r;
}

int gather_image(struct gather *gather, const char *reference)
{
	return with_scratch(gather, reference, -1);
}

int gather_open(struct gather *gather, const char *path, int *ret_code)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
	                           : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		*ret_code = list_fail(gather->list, path, -errno);
	return fd;
}

int gather_archive(struct gather *gather, const char *path)
{
	int code = 0;
	_cleanup_close_ int fd = gather_open(gather, path, &code);

	return fd < 0 ? code : with_scratch(gather, strcmp(path, "-") ? path : "stdin", fd);
}
