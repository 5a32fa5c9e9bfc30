/*
 * A snapshot says where it was made: a directory, a path of the host within its filesystem, a
 * container. The same walk goes there again, with nothing known beforehand.
 */
#include "tools/snapshot_again.h"

#include "base/clock.h"
#include "snapshot/build.h"
#include "snapshot/compare_look.h"
#include "tools/print.h"
#include "tools/snapshot_create.h"
#include "tools/snapshot_find.h"
#include "tools/snapshot_progress.h"
#include "tools/snapshot_skips.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#define PROBLEMS_SHOWN 20u /* lines on stderr; the others are counted */

struct again {
	const struct tool *tool;
	const struct call *call;
	struct compare *compare;
	int root_fd;
	struct progress progress;
	uint64_t problems;
};

static int on_add(const struct entry *now, void *userdata)
{
	struct again *again = userdata;

	return compare_add(now, again->compare);
}

static int on_look(const struct entry *before, struct entry *ret_now, void *userdata)
{
	const struct again *again = userdata;

	return compare_look(again->root_fd, before->path, ret_now);
}

static const char *problem_text(enum walk_problem problem, int error)
{
	switch (problem) {
	case WALK_UNREADABLE:
		return strerror(error);
	case WALK_MUTABLE:
		return "changes while it is read";
	case WALK_TOO_LONG:
		return "its path is too long: left out";
	case WALK_VANISHED:
	case WALK_PROBLEM_UNSET:
	default:
		return "went while it was looked at";
	}
}

static void on_problem(const char *path, enum walk_problem problem, int error, void *userdata)
{
	struct again *again = userdata;
	_cleanup_free_ char *safe = NULL;

	if (problem == WALK_VANISHED || ++again->problems > PROBLEMS_SHOWN)
		return;
	progress_clear(&again->progress);
	safe = text_safe(path);
	fprintf(stderr, "execward %s: %s: %s\n", again->call->verb->name, safe,
	        problem_text(problem, error));
}

static void on_progress(const struct walk_progress *walk, void *userdata)
{
	struct again *again = userdata;

	if (again->progress.terminal)
		progress_show(&again->progress, walk);
}

/*
 * Where.
 */
bool snapshot_has_place(const struct snapshot_info *info)
{
	return info->root != NULL && !snapshot_is_image(info);
}

bool snapshot_is_image(const struct snapshot_info *info)
{
	return info->kind == SNAPSHOT_IMAGE || info->kind == SNAPSHOT_ARCHIVE;
}

static int say(
        const struct again *again, const struct snapshot_info *info, const char *text, int code)
{
	_cleanup_free_ char *label = snapshot_label(info);

	fprintf(stderr, "execward %s: %s: %s\n", again->call->verb->name, label, text);
	return code;
}

/* A container of the same name is another one when its overlay is another. */
static int open_container(struct again *again, const struct snapshot_info *info)
{
	_cleanup_(container_place_done) struct container_place place = {.root_fd = -1};
	int r = container_find(again->tool, info->name, &place);

	if (r != 0)
		return r;
	if (!place.key || !info->scope_value || strcmp(place.key, info->scope_value) != 0)
		return say(again, info, "another container has that name now", EX_NOINPUT);
	again->root_fd = TAKE_FD(place.root_fd);
	return 0;
}

static int open_place(struct again *again, const struct snapshot_info *info)
{
	const char *path = info->kind == SNAPSHOT_HOST ? "/" : info->root;

	if (info->kind == SNAPSHOT_CONTAINER && !info->root)
		return open_container(again, info);
	if (!info->root)
		return say(again, info,
		        "there is no directory to look at again: make another snapshot of it, and "
		        "compare them with execward snapshot diff",
		        EX_NOINPUT);
	again->root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (again->root_fd >= 0)
		return 0;
	return say(again, info, strerror(errno), errno == EACCES ? EX_NOPERM : EX_NOINPUT);
}

static int thread_count(const struct call *call, unsigned int *ret_threads)
{
	const char *text = call->values[OPTION_THREADS];
	size_t digits = text ? strspn(text, "0123456789") : 0;
	unsigned long n = digits > 0 && digits < 5 ? strtoul(text, NULL, 10) : 0;

	*ret_threads = (unsigned int)n;
	if (!text || (!text[digits] && n >= 1 && n <= WALK_THREADS_MAX))
		return 0;
	fprintf(stderr, "execward %s: --threads: not a number of 1 to %u\n", call->verb->name,
	        WALK_THREADS_MAX);
	return EX_USAGE;
}

/*
 * Looking.
 */
static int walk(struct again *again, const struct snapshot_info *info, unsigned int threads,
        struct walk_totals *ret_totals)
{
	bool host = info->kind == SNAPSHOT_HOST;
	_cleanup_(skips_done) struct skips skips = {.n = 0};
	struct walk_options options = {
	        .root_fd = again->root_fd,
	        .prefix = host ? info->root : NULL,
	        .all_files = info->all_files,
	        .one_filesystem = host || info->kind == SNAPSHOT_CONTAINER,
	        .threads = threads,
	        .add = on_add,
	        .problem = on_problem,
	        .progress = on_progress,
	        .userdata = again,
	};
	int r;

	if (host)
		skips_find(again->tool->config, info->root, &skips);
	options.skip = (const char *const *)skips.paths;
	progress_init(again->tool, info->name, &again->progress);
	r = walk_tree(&options, ret_totals);
	progress_clear(&again->progress);
	if (again->problems > PROBLEMS_SHOWN)
		fprintf(stderr, "execward %s: and %" PRIu64 " more\n", again->call->verb->name,
		        again->problems - PROBLEMS_SHOWN);
	return r;
}

static int compare(struct again *again, struct store *store, uint32_t keep, struct report *report)
{
	struct compare_options options = {
	        .store = store,
	        .before = &report->before,
	        .all_files = report->before.all_files,
	        .keep = keep,
	        .look = on_look,
	        .userdata = again,
	};
	const bool image = snapshot_is_image(&report->before);
	unsigned int threads;
	int r = thread_count(again->call, &threads);

	if (r == 0 && image && call_has(again->call, OPTION_PACKAGES))
		return say(again, &report->before,
		        "--packages: the package database of an image is in its layers, and is not "
		        "read there",
		        EX_USAGE);
	if (image)
		options.look = NULL; /* what is in the image has come */
	else if (r == 0)
		r = open_place(again, &report->before);
	if (r != 0)
		return r;
	r = compare_new(&options, &again->compare);
	if (r == 0 && image) {
		r = snapshot_image_again(again->tool, again->call, again->compare, report);
		if (r != 0)
			return r;
	} else if (r == 0) {
		r = walk(again, &report->before, threads, &report->totals);
	}
	if (r == 0)
		r = compare_finish(again->compare, &report->comparison);
	if (r == 0 && call_has(again->call, OPTION_PACKAGES)) {
		report->has_packages = true;
		r = packages_explain(again->root_fd, &report->comparison, report->packages);
	}
	return r == 0 ? 0 : snapshot_fail(again->call, store, report->before.name, r);
}

int snapshot_again(const struct tool *tool, const struct call *call, struct store *store,
        uint32_t keep, struct report *report)
{
	struct again again = {.tool = tool, .call = call, .root_fd = -1};
	int64_t started_ns = clock_monotonic_ns();
	int r;

	report->began_ns = clock_realtime_ns();
	r = compare(&again, store, keep, report);
	report->took_ns = clock_monotonic_ns() - started_ns;
	compare_free(again.compare);
	cleanup_closep(&again.root_fd);
	return r;
}

int snapshot_check_digest(const struct call *call, struct store *store, struct report *report)
{
	const struct snapshot_info *before = &report->before;
	int r = snapshot_digest(store, before->id, &report->computed);

	if (r != 0)
		return snapshot_fail(call, store, before->name, r);
	if (!before->has_digest)
		report->digest = REPORT_DIGEST_NONE;
	else if (digest_equal(&before->digest, &report->computed))
		report->digest = REPORT_DIGEST_INTACT;
	else
		report->digest = REPORT_DIGEST_CHANGED;
	return 0;
}
