/*
 * execward report: denials over a period, by container, program, writer and reason. Counted here
 * from the daemon's events, each of which stands for as many execs as its count says.
 */
#include "base/clock.h"
#include "base/cleanup.h"
#include "tools/client.h"
#include "tools/print.h"
#include "tools/since.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define EVENTS_MAX 100000 /* of one request; docs/control.md */
#define SHOWN_ROWS 10u    /* of each table, in text */

enum axis {
	AXIS_CONTAINER = 0,
	AXIS_IMAGE,
	AXIS_PROGRAM,
	AXIS_WRITER,
	AXIS_REASON,
	_AXIS_MAX,
};

static const char *const axis_names[_AXIS_MAX] = {
        "containers", "images", "programs", "writers", "reasons"};
static const char *const axis_titles[_AXIS_MAX] = {
        "by container", "by image", "by program", "by who dropped it", "by reason"};

struct report {
	json_t *counts[_AXIS_MAX]; /* name -> execs */
	json_int_t read, events, execs, denied;
};

static void report_done(struct report *report)
{
	for (size_t i = 0; i < _AXIS_MAX; i++)
		json_decref(report->counts[i]);
}

static void count(struct report *report, enum axis axis, const char *name, json_int_t execs)
{
	json_t *table = report->counts[axis];
	const char *key = name ?: "(unknown)";

	json_object_set_new(table, key, json_integer(number_of(table, key) + execs));
}

static int count_event(const json_t *event, const char *text, size_t size, void *userdata)
{
	const json_t *f = json_object_get(event, "output_fields");
	const char *verdict = raw_of(f, "execward.verdict") ?: "allow";
	json_int_t execs = number_of(f, "execward.count") ?: 1;
	struct report *report = userdata;

	(void)text;
	(void)size;
	report->read++;
	if (!strcmp(verdict, "allow"))
		return 0;
	report->events++;
	report->execs += execs;
	if (!strcmp(verdict, "deny"))
		report->denied += execs;
	count(report, AXIS_CONTAINER, raw_of(f, "container.name") ?: raw_of(f, "container.id"),
	        execs);
	count(report, AXIS_IMAGE, raw_of(f, "execward.image"), execs);
	count(report, AXIS_PROGRAM, raw_of(f, "proc.exepath"), execs);
	count(report, AXIS_WRITER, raw_of(json_object_get(f, "execward.dropped_by"), "exe"), execs);
	count(report, AXIS_REASON, raw_of(f, "execward.reason"), execs);
	return 0;
}

/*
 * The most first, then by name: the same events give the same report.
 */
struct ranked {
	const char *name;
	json_int_t execs;
};

static int by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->execs != y->execs)
		return x->execs > y->execs ? -1 : 1;
	return strcmp(x->name, y->name);
}

static json_t *rank(json_t *counts)
{
	size_t n = json_object_size(counts), i = 0;
	_cleanup_free_ struct ranked *rows = calloc(n + 1, sizeof(*rows));
	json_t *array = json_array(), *value;
	const char *name;

	if (!rows)
		return array;
	json_object_foreach(counts, name, value) rows[i++] =
	        (struct ranked){name, json_integer_value(value)};
	qsort(rows, n, sizeof(*rows), by_rank);
	for (i = 0; i < n; i++)
		json_array_append_new(array,
		        json_pack("{s:s, s:I}", "name", rows[i].name, "execs", rows[i].execs));
	return array;
}

static json_t *report_json(const struct report *report, int64_t since_ns, int64_t until_ns)
{
	json_t *all = json_pack("{s:I, s:I, s:I, s:I, s:I, s:b}", "since_ns", (json_int_t)since_ns,
	        "until_ns", (json_int_t)until_ns, "programs_refused", report->events, "execs",
	        report->execs, "denied", report->denied, "truncated", report->read >= EVENTS_MAX);

	for (size_t i = 0; i < _AXIS_MAX; i++)
		json_object_set_new(all, axis_names[i], rank(report->counts[i]));
	return all;
}

static void print_axis(const char *title, const json_t *rows)
{
	const json_t *row;
	size_t i;

	printf("\n%s\n", title);
	json_array_foreach(rows, i, row)
	{
		_cleanup_free_ char *name = text_of(row, "name");

		if (i == SHOWN_ROWS)
			break;
		printf("  %8lld  %s\n", number_of(row, "execs"), name);
	}
	if (json_array_size(rows) > SHOWN_ROWS)
		printf("  and %zu more: --json\n", json_array_size(rows) - SHOWN_ROWS);
}

static void print_report(const json_t *all)
{
	json_int_t execs = number_of(all, "execs"), denied = number_of(all, "denied");
	char since[LOCAL_TIME_SIZE], until[LOCAL_TIME_SIZE];

	local_time(number_of(all, "since_ns"), since);
	local_time(number_of(all, "until_ns"), until);
	printf("%s to %s\n%lld execs that nobody vouched for: %lld denied, %lld reported\n", since,
	        until, execs, denied, execs - denied);
	if (json_is_true(json_object_get(all, "truncated")))
		printf("only the newest %d events were counted: choose a later --since\n",
		        EVENTS_MAX);
	if (execs == 0)
		return;
	for (size_t i = 0; i < _AXIS_MAX; i++)
		print_axis(axis_titles[i], json_object_get(all, axis_names[i]));
}

int verb_report(const struct tool *tool, const struct call *call)
{
	_cleanup_(report_done) struct report report = {0};
	int64_t since_ns, now_ns = clock_realtime_ns();
	json_t *request, *all;
	int r = parse_since("report", call->values[OPTION_SINCE] ?: "24h", &since_ns);

	if (r != 0)
		return r;
	for (size_t i = 0; i < _AXIS_MAX; i++)
		report.counts[i] = json_object();
	request = request_new("events");
	json_object_set_new(request, "since_ns", json_integer(since_ns));
	json_object_set_new(request, "limit", json_integer(EVENTS_MAX));
	r = client_events(tool, request, count_event, &report);
	if (r != 0)
		return r;
	all = report_json(&report, since_ns, now_ns);
	if (tool->json)
		print_json(all);
	else
		print_report(all);
	json_decref(all);
	return 0;
}
