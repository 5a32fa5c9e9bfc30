/*
 * Images: in the storage of podman or Docker on this disk, or in an archive. Layers that are in the
 * database are not read again; the image's own snapshot is merged from them.
 */
#include "base/clock.h"
#include "tools/print.h"
#include "tools/snapshot_again.h"
#include "tools/snapshot_create.h"
#include "tools/snapshot_problems.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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

/* On a terminal alone: a check's answer is one object. */
static void on_progress_again(const struct walk_progress *walk, void *userdata)
{
	struct image_state *state = userdata;

	if (state->progress.terminal)
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

/* What comes of reading an image. */
struct reading {
	struct snapshot_info info; /* after success; snapshot_info_done() */
	struct source_stats stats;
	char *message; /* after a failure */
};

/* @fd: an archive, or below zero: the storage. */
static int read_image(const struct creation *creation, const struct source_request *request,
        const char *what, int fd, struct reading *reading)
{
	const struct config *config = creation->tool->config;

	if (fd >= 0)
		return snapshot_archive(
		        request, fd, what, &reading->info, &reading->stats, &reading->message);
	return snapshot_image(request, config->podman_dir, config->docker_dir, &reading->info,
	        &reading->stats, &reading->message);
}

static void reading_done(struct reading *reading)
{
	snapshot_info_done(&reading->info);
	free(reading->message);
}

/* @place: of the archive; NULL of a pipe, and of storage. */
static int create(struct creation *creation, const char *what, const char *place, int fd)
{
	_cleanup_(snapshot_info_done) struct snapshot_info scoped = {.scope = SCOPE_NONE};
	_cleanup_(reading_done) struct reading reading = {.message = NULL};
	struct image_state state = {0};
	struct source_request request;
	struct result result = {.layers = &reading.stats};
	int64_t started_ns = clock_monotonic_ns();
	int r = prepare(creation, &state, &scoped, &request);

	if (r != 0)
		return r;
	request.place = place;
	progress_init(creation->tool, what, &state.progress);
	request.reference = fd < 0 ? what : NULL;
	r = read_image(creation, &request, what, fd, &reading);
	progress_clear(&state.progress);
	problems_show(&state.problems);
	problems_done(&state.problems);
	if (r != 0)
		return failed(creation, what, reading.message, r);
	creation->published = true;
	result.info = reading.info; /* borrowed */
	result.totals = totals_of(&reading.info, &reading.stats);
	result.elapsed_ns = clock_monotonic_ns() - started_ns;
	return creation_show(creation, &result);
}

/*
 * Again: the image is read into a database that is thrown away, so that nothing that is known of
 * its layers is believed; then its entries are compared.
 */
#define SCRATCH "/var/tmp/execward-check-XXXXXX"

struct scratch {
	char dir[sizeof(SCRATCH)]; /* empty: none */
	struct store *store;
};

static void scratch_done(struct scratch *scratch)
{
	static const char *const names[] = {
	        "baseline.db", "baseline.db-wal", "baseline.db-shm", "baseline.lock"};

	store_free(scratch->store);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && *scratch->dir; i++) {
		_cleanup_free_ char *path = text_format("%s/%s", scratch->dir, names[i]);

		(void)unlink(path);
	}
	if (*scratch->dir)
		(void)rmdir(scratch->dir);
}

static int scratch_open(struct scratch *scratch)
{
	memcpy(scratch->dir, SCRATCH, sizeof(SCRATCH));
	if (!mkdtemp(scratch->dir)) {
		*scratch->dir = '\0';
		return creation_say("/var/tmp", strerror(errno), EX_CANTCREAT);
	}
	if (store_open(scratch->dir, STORE_READ_WRITE, &scratch->store) != 0)
		return creation_say(scratch->dir, "no database can be made in it", EX_CANTCREAT);
	return 0;
}

static int on_entry(const struct entry *entry, int64_t entry_id, void *userdata)
{
	(void)entry_id;
	return compare_add(entry, userdata);
}

static int open_again(const struct snapshot_info *before, int *ret_fd)
{
	if (before->kind != SNAPSHOT_ARCHIVE)
		return 0;
	if (!before->root)
		return creation_say(before->name,
		        "came through a pipe: make another snapshot of it, and compare them with "
		        "execward snapshot diff",
		        EX_NOINPUT);
	*ret_fd = open(before->root, O_RDONLY | O_CLOEXEC);
	if (*ret_fd >= 0)
		return 0;
	return creation_say(
	        before->root, strerror(errno), errno == EACCES ? EX_NOPERM : EX_NOINPUT);
}

/*
 * Storage has what an id says until it is removed; its references may be other images' today. An
 * archive of other content has no image of that id, and is what somebody wants to know about.
 */
static const char *reference_again(const struct snapshot_info *before)
{
	const char *reference = before->scope == SCOPE_IMAGE ? before->scope_value : before->name;

	if (before->kind == SNAPSHOT_IMAGE)
		return before->image_id ?: reference;
	return before->image_id && reference && !strcmp(reference, before->image_id) ? NULL
	                                                                             : reference;
}

int snapshot_image_again(const struct tool *tool, const struct call *call, struct compare *compare,
        struct report *report)
{
	const struct snapshot_info *before = &report->before;
	_cleanup_(scratch_done) struct scratch scratch = {.store = NULL};
	_cleanup_(reading_done) struct reading reading = {.message = NULL};
	_cleanup_close_ int fd = -1;
	struct creation creation = {.tool = tool, .call = call};
	struct image_state state = {0};
	struct source_request request = {
	        .reference = reference_again(before),
	        .all_files = before->all_files,
	        .by_uid = getuid(),
	        .threads = creation_threads(&creation),
	        .problem = on_problem,
	        .progress = on_progress_again,
	        .userdata = &state,
	};
	int r = open_again(before, &fd);

	if (r == 0)
		r = scratch_open(&scratch);
	if (r != 0)
		return r;
	request.store = scratch.store;
	progress_init(tool, before->name, &state.progress);
	r = read_image(&creation, &request, before->name, fd, &reading);
	progress_clear(&state.progress);
	problems_show(&state.problems);
	problems_done(&state.problems);
	if (r != 0)
		return failed(&creation, before->name, reading.message, r);
	report->totals = totals_of(&reading.info, &reading.stats);
	r = store_entries(scratch.store, reading.info.id, NULL, on_entry, compare);
	return r == 0 ? 0 : creation_failed(&creation, before->name, r);
}

int create_image(struct creation *creation)
{
	return create(creation, creation->call->values[OPTION_IMAGE], NULL, -1);
}

int create_archive(struct creation *creation)
{
	const char *path = creation->call->values[OPTION_ARCHIVE];
	_cleanup_free_ char *place = NULL;
	_cleanup_close_ int fd = -1;

	if (!strcmp(path, "-"))
		return create(creation, "stdin", NULL, STDIN_FILENO);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return creation_say(
		        path, strerror(errno), errno == EACCES ? EX_NOPERM : EX_NOINPUT);
	place = realpath(path, NULL); /* NULL, as of a pipe's name: nobody can look again */
	return create(creation, path, place, fd);
}
