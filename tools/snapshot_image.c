/*
 * Images: in the storage of podman or Docker on this disk, or in an archive. Layers that are in the
 * database are not read again; the image's own snapshot is merged from them.
 */
#include "base/clock.h"
#include "tools/print.h"
#include "tools/snapshot_create.h"
#include "tools/snapshot_problems.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

struct image_state {
	struct progress progress;
	struct problems problems;
};

static void on_problem(const char *path, enum walk_problem problem, int error, void *userdata)
{
	struct image_state *state = userdata;

	problems_note(&state->problems, path, problem, error);
}

static void on_progress(const struct walk_progress *walk, void *userdata)
{
	struct image_state *state = userdata;

	progress_show(&state->progress, walk);
}

static int failed(struct creation *creation, const char *what, const char *message, int r)
{
	switch (r) {
	case SOURCE_E_NOTFOUND:
		return creation_say(what, message ?: "no such image", EX_NOINPUT);
	case SOURCE_E_AMBIGUOUS:
		return creation_say(what, message ?: "several images", EX_USAGE);
	case SOURCE_E_UNSUPPORTED:
		return creation_say(what, message ?: "not supported", EX_UNAVAILABLE);
	case SOURCE_E_CORRUPT:
		return creation_say(what, message ?: "damaged", EX_DATAERR);
	case -ECANCELED:
		return creation_interrupted("image", what);
	default:
		return creation_failed(creation, what, r);
	}
}

/* @scoped holds what the request borrows of --scope. */
static int prepare(struct creation *creation, struct image_state *state,
        struct snapshot_info *scoped, struct source_request *request)
{
	const struct call *call = creation->call;
	const char *scope = call->values[OPTION_SCOPE];
	int r = scope ? scope_parse(creation->tool, scope, scoped) : 0;

	if (r == 0)
		r = creation_store(creation, STORE_READ_WRITE);
	if (r != 0)
		return r;
	*request = (struct source_request){
	        .store = creation->store,
	        .all_files = call_has(call, OPTION_ALL_FILES),
	        .rehash = call_has(call, OPTION_REHASH),
	        .by_uid = getuid(),
	        .name = call->values[OPTION_NAME],
	        .scope_given = scope != NULL,
	        .scope = scoped->scope,
	        .scope_value = scoped->scope_value,
	        .scope_image_id = scoped->image_id,
	        .threads = creation_threads(creation),
	        .stop = creation->stop,
	        .problem = on_problem,
	        .progress = on_progress,
	        .userdata = state,
	};
	return 0;
}

static struct walk_totals totals_of(
        const struct snapshot_info *info, const struct source_stats *stats)
{
	return (struct walk_totals){
	        .entries = info->entries,
	        .files = info->files,
	        .executables = info->executables,
	        .bytes = info->bytes,
	        .hashed = info->hashed,
	        .hashed_bytes = info->hashed_bytes,
	        .unreadable = info->unreadable,
	        .mutable_files = info->mutable_files,
	        .too_long = stats->too_long,
	};
}

/* What @fd is told by: an archive, or below zero: the storage. */
static int create(struct creation *creation, const char *what, int fd)
{
	const struct config *config = creation->tool->config;
	_cleanup_(snapshot_info_done) struct snapshot_info scoped = {.scope = SCOPE_NONE};
	_cleanup_free_ char *message = NULL;
	struct image_state state = {0};
	struct source_request request;
	struct source_stats stats = {0};
	struct result result = {.layers = &stats};
	int64_t started_ns = clock_monotonic_ns();
	int r = prepare(creation, &state, &scoped, &request);

	if (r != 0)
		return r;
	progress_init(creation->tool, what, &state.progress);
	if (fd >= 0) {
		r = snapshot_archive(&request, fd, what, &result.info, &stats, &message);
	} else {
		request.reference = what;
		r = snapshot_image(&request, config->podman_dir, config->docker_dir, &result.info,
		        &stats, &message);
	}
	progress_clear(&state.progress);
	problems_show(&state.problems);
	problems_done(&state.problems);
	if (r != 0)
		return failed(creation, what, message, r);
	creation->published = true;
	result.totals = totals_of(&result.info, &stats);
	result.elapsed_ns = clock_monotonic_ns() - started_ns;
	r = creation_show(creation, &result);
	snapshot_info_done(&result.info);
	return r;
}

int create_image(struct creation *creation)
{
	return create(creation, creation->call->values[OPTION_IMAGE], -1);
}

int create_archive(struct creation *creation)
{
	const char *path = creation->call->values[OPTION_ARCHIVE];
	_cleanup_close_ int fd = -1;

	if (!strcmp(path, "-"))
		return create(creation, "stdin", STDIN_FILENO);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return creation_say(
		        path, strerror(errno), errno == EACCES ? EX_NOPERM : EX_NOINPUT);
	return create(creation, path, fd);
}
