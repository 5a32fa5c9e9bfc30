/*
 * A directory tree: first a look whether the snapshot of before still holds, which only reads;
 * then, from the first difference on, a new one.
 */
#include "base/clock.h"
#include "core/text.h"
#include "snapshot/unchanged.h"
#include "tools/print.h"
#include "tools/snapshot_create.h"
#include "tools/snapshot_problems.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

struct look_state {
	struct creation *creation;
	struct progress progress;
	int (*known)(struct entry *entry, void *userdata);
	int (*add)(const struct entry *entry, void *userdata);
	void *target; /* of both */
	/* Told at the end: a look that finds a difference is followed by another. */
	struct problems problems;
};

static int on_known(struct entry *entry, void *userdata)
{
	struct look_state *state = userdata;

	return state->known(entry, state->target);
}

static int on_add(const struct entry *entry, void *userdata)
{
	struct look_state *state = userdata;

	return state->add(entry, state->target);
}

static void on_progress(const struct walk_progress *walk, void *userdata)
{
	struct look_state *state = userdata;

	progress_show(&state->progress, walk);
}

static void on_problem(const char *path, enum walk_problem problem, int error, void *userdata)
{
	struct look_state *state = userdata;

	problems_note(&state->problems, path, problem, error);
}

static void look_done(struct look_state *state)
{
	problems_done(&state->problems);
}

static int look(struct look_state *state, const struct tree *tree, struct walk_totals *ret_totals)
{
	struct walk_options options = {
	        .root_fd = tree->root_fd,
	        .prefix = tree->prefix,
	        .all_files = tree->info.all_files,
	        .one_filesystem = tree->one_filesystem,
	        .threads = creation_threads(state->creation),
	        .skip = tree->skip,
	        .stop = state->creation->stop,
	        .known = on_known,
	        .add = on_add,
	        .problem = on_problem,
	        .progress = on_progress,
	        .userdata = state,
	};
	int r;

	progress_init(state->creation->tool, tree->info.name, &state->progress);
	r = walk_tree(&options, ret_totals);
	progress_clear(&state->progress);
	return r;
}

/* Nothing to vouch for is no snapshot: more likely the wrong directory. */
static int check_found(const struct tree *tree, const struct walk_totals *totals)
{
	_cleanup_free_ char *name = NULL;

	if (tree->info.all_files ? totals->files > 0 : totals->executables > 0)
		return 0;
	name = text_safe(tree->info.name);
	fprintf(stderr, "execward: %s: no %s found; nothing was published\n", name,
	        tree->info.all_files ? "files" : "executables");
	return totals->unreadable > 0 ? EX_NOPERM : EX_NOINPUT;
}

static int failed(struct creation *creation, const struct tree *tree, int r)
{
	if (r == -ECANCELED)
		return creation_interrupted(snapshot_kind_name(tree->info.kind), tree->info.name);
	return creation_failed(creation, tree->info.name, r);
}

/* 0 with result->unchanged, when the snapshot of before holds; without, when a new one is needed.
 */
static int compare(struct creation *creation, const struct tree *tree, struct result *result)
{
	_cleanup_(unchanged_freep) struct unchanged *unchanged = NULL;
	_cleanup_(look_done) struct look_state state = {
	        .creation = creation, .known = unchanged_known, .add = unchanged_add};
	int r;

	if (call_has(creation->call, OPTION_REHASH) ||
	        creation_store(creation, STORE_READ_ONLY) != 0 ||
	        unchanged_begin(creation->store, &tree->info, &unchanged) != 0)
		return 0;
	state.target = unchanged;
	r = look(&state, tree, &result->totals);
	if (r == -ECANCELED)
		return failed(creation, tree, r);
	result->unchanged = r == 0 && unchanged_holds(unchanged, &result->info);
	if (result->unchanged)
		problems_show(&state.problems);
	return 0;
}

static int build(struct creation *creation, const struct tree *tree, struct result *result)
{
	_cleanup_(build_freep) struct build *build = NULL;
	_cleanup_(look_done) struct look_state state = {
	        .creation = creation, .known = build_known, .add = build_add};
	struct snapshot_info info = tree->info;
	int r = creation_store(creation, STORE_READ_WRITE);

	if (r != 0)
		return r;
	info.created_ns = clock_realtime_ns();
	r = build_begin(&(struct build_options){.store = creation->store,
	                        .info = &info,
	                        .rehash = call_has(creation->call, OPTION_REHASH)},
	        &build);
	if (r != 0)
		return failed(creation, tree, r);
	state.target = build;
	r = look(&state, tree, &result->totals);
	problems_show(&state.problems);
	if (r != 0)
		return failed(creation, tree, r);
	r = check_found(tree, &result->totals);
	if (r != 0)
		return r;
	r = build_publish(build, &result->totals, &result->info);
	if (r != 0)
		return failed(creation, tree, r);
	creation->published = true;
	return 0;
}

int creation_tree(struct creation *creation, const struct tree *tree)
{
	struct result result = {.scope_word = tree->scope_word, .warning = tree->warning};
	int64_t started_ns = clock_monotonic_ns();
	int r = compare(creation, tree, &result);

	if (r == 0 && !result.unchanged)
		r = build(creation, tree, &result);
	result.elapsed_ns = clock_monotonic_ns() - started_ns;
	if (r == 0)
		r = creation_show(creation, &result);
	snapshot_info_done(&result.info);
	return r;
}
