/*
 * What remains is told by bytes: a file of a gigabyte takes as long as a hundred thousand small
 * ones. While directories are still being looked at there is no end to tell.
 */
#include "tools/snapshot_progress.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "core/text.h"
#include "tools/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define JSON_NS NS_PER_SEC /* between two objects */

void bytes_text(uint64_t bytes, char ret_text[BYTES_TEXT_SIZE])
{
	static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
	double value = (double)bytes / 1000;
	size_t unit = 0;

	if (bytes < 1000) {
		snprintf(ret_text, BYTES_TEXT_SIZE, "%u bytes", (unsigned int)bytes);
		return;
	}
	while (value >= 999.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1000;
		unit++;
	}
	snprintf(ret_text, BYTES_TEXT_SIZE, "%.1f %s", value, units[unit]);
}

void progress_init(const struct tool *tool, const char *what, struct progress *ret_progress)
{
	*ret_progress = (struct progress){
	        .tool = tool, .what = what, .terminal = isatty(STDERR_FILENO) && !tool->json};
}

static double rate_of(const struct walk_progress *walk)
{
	return walk->elapsed_ns > 0
	               ? (double)walk->bytes * (double)NS_PER_SEC / (double)walk->elapsed_ns
	               : 0;
}

/* Seconds, or -1 when nobody can tell. */
static int64_t remaining_s(const struct walk_progress *walk)
{
	double rate = rate_of(walk);

	if (!walk->complete || rate < 1 || walk->bytes > walk->bytes_total)
		return -1;
	return (int64_t)((double)(walk->bytes_total - walk->bytes) / rate + 0.5);
}

static void draw(struct progress *progress, const struct walk_progress *walk)
{
	char done[BYTES_TEXT_SIZE], total[BYTES_TEXT_SIZE], rate[BYTES_TEXT_SIZE];
	int64_t left_s = remaining_s(walk);

	bytes_text(walk->bytes, done);
	bytes_text(walk->bytes_total, total);
	bytes_text((uint64_t)rate_of(walk), rate);
	fprintf(stderr, "\r\033[K%" PRIu64 " files, %s of %s%s, %s/s", walk->files, done,
	        walk->complete ? "" : "at least ", total, rate);
	if (left_s >= 0)
		fprintf(stderr, ", %" PRId64 ":%02" PRId64 " left", left_s / 60, left_s % 60);
	fflush(stderr);
	progress->drawn = true;
}

static void write_json(struct progress *progress, const struct walk_progress *walk)
{
	_cleanup_free_ char *what = text_to_utf8(progress->what);
	int64_t left_s = remaining_s(walk);
	json_t *event;

	if (walk->elapsed_ns < progress->next_ns)
		return;
	progress->next_ns = walk->elapsed_ns + JSON_NS;
	event = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:I, s:I}", "event", "progress",
	        "name", what ?: "", "entries", (json_int_t)walk->entries, "files",
	        (json_int_t)walk->files, "bytes", (json_int_t)walk->bytes, "files_total",
	        (json_int_t)walk->files_total, "bytes_total", (json_int_t)walk->bytes_total,
	        "complete", walk->complete, "rate_bytes", (json_int_t)rate_of(walk), "elapsed_ms",
	        (json_int_t)(walk->elapsed_ns / NS_PER_MSEC));
	json_object_set_new(event, "remaining_s", left_s < 0 ? json_null() : json_integer(left_s));
	print_json(event);
	json_decref(event);
	fflush(stdout);
}

void progress_show(struct progress *progress, const struct walk_progress *walk)
{
	if (progress->tool->json)
		write_json(progress, walk);
	else if (progress->terminal)
		draw(progress, walk);
}

void progress_clear(struct progress *progress)
{
	if (!progress->drawn)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	progress->drawn = false;
}
