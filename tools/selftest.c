/*
 * execward selftest: each technique is tried, and what the daemon did about it is compared with
 * what it should have done. In mode enforce the exec fails with EPERM; in the other modes the
 * program runs. In every mode the daemon's events name it, and with the right reason.
 */
#include "tools/selftest.h"

#include "base/clock.h"
#include "core/types.h"
#include "tools/client.h"
#include "tools/table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define EVENTS_MAX 100000 /* docs/control.md: a host with this many in 30 s has other troubles */

struct run {
	const struct tool *tool;
	struct selftest_box *box;
	enum mode mode;
	json_t *events; /* the name of each program's file -> the fields of its alert */
	json_t *results;
	const json_t *kernel;
	unsigned int n[3]; /* by word */
};

enum word {
	WORD_FAILED = 0,
	WORD_OK,
	WORD_SKIPPED,
};

static const char *const words[] = {"FAILED", "ok", "skipped"};

/* By the file's name alone: a bind mount shows another directory, an unlinked file " (deleted)". */
static int note_event(const json_t *event, const char *text, size_t size, void *userdata)
{
	struct run *run = userdata;
	json_t *fields = json_object_get(event, "output_fields");
	const char *path = raw_of(fields, "proc.exepath");
	const char *slash = path ? strrchr(path, '/') : NULL;
	_cleanup_free_ char *name = slash ? text_format("%s", slash + 1) : NULL;

	(void)text;
	(void)size;
	if (name) {
		name[strcspn(name, " ")] = '\0';
		json_object_set(run->events, name, fields);
	}
	return 0;
}

static const json_t *event_of(const struct run *run, const struct selftest_trick *trick)
{
	char path[SELFTEST_PATH_SIZE];

	selftest_path(run->box, trick, path);
	return json_object_get(run->events, strrchr(path, '/') + 1);
}

/* What it should come to, as the column shows it. */
static const char *expected_verdict(const struct run *run)
{
	switch (run->mode) {
	case MODE_ENFORCE:
		return "deny";
	case MODE_LEARN:
		return "allow";
	default:
		return "would_deny";
	}
}

static bool kernel_has(const struct run *run, const char *feature)
{
	const json_t *row;
	size_t i;

	json_array_foreach(run->kernel, i, row)
	{
		if (!strcmp(raw_of(row, "feature") ?: "", feature))
			return json_is_true(json_object_get(row, "present"));
	}
	return false;
}

static const char *expected_reason(const struct run *run, const struct selftest_trick *trick)
{
	if (run->mode == MODE_LEARN)
		return "learning";
	if (trick->nameless && !kernel_has(run, "overlay_handles") &&
	        !kernel_has(run, "backing_events"))
		return "unknown_origin";
	return trick->reason;
}

static char *expected_text(const struct run *run, const struct selftest_trick *trick)
{
	if (!trick->reason)
		return text_format("runs, no alert");
	return text_format("%s, %s %s", run->mode == MODE_ENFORCE ? "EPERM" : "runs",
	        expected_verdict(run), expected_reason(run, trick));
}

static char *got_text(const struct selftest_outcome *outcome, const json_t *event)
{
	_cleanup_free_ char *verdict = text_of(event, "execward.verdict"),
	                    *reason = text_of(event, "execward.reason"), *alert = NULL;
	const char *error = strerrorname_np(outcome->error) ?: "no exit code";

	alert = event ? text_format("%s %s", verdict, reason) : text_format("no alert");
	switch (outcome->end) {
	case SELFTEST_RAN:
		return text_format("runs, %s", alert);
	case SELFTEST_REFUSED:
		/* Another daemon, an LSM or a mount option: this daemon's answer was to let it run.
		 */
		return text_format("%s, %s%s", error, alert,
		        strcmp(verdict, "deny") ? " (refused by something else)" : "");
	case SELFTEST_HUNG:
		return text_format("no answer in time, %s", alert);
	case SELFTEST_SKIPPED:
		return text_format("%s", outcome->step);
	default:
		return text_format("%s: %s", *outcome->step ? outcome->step : "the program", error);
	}
}

static void judge(
        struct run *run, const struct selftest_trick *trick, const struct selftest_outcome *outcome)
{
	_cleanup_free_ char *expected = expected_text(run, trick),
	                    *got = got_text(outcome, event_of(run, trick));
	enum word word = outcome->end == SELFTEST_SKIPPED ? WORD_SKIPPED
	                 : !strcmp(expected, got)         ? WORD_OK
	                                                  : WORD_FAILED;
	run->n[word]++;
	json_array_append_new(
	        run->results, json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "row", trick->row,
	                              "technique", trick->name, "expected", expected, "got", got,
	                              "result", words[word], "ok", word == WORD_OK));
}

static int try_all(struct run *run, int64_t since_ns, int64_t until_ns)
{
	_cleanup_free_ struct selftest_outcome *outcomes =
	        calloc(selftest_n_tricks, sizeof(*outcomes));
	json_t *request = request_new("events");
	int r;

	if (!outcomes || !request) {
		json_decref(request);
		return EX_SOFTWARE;
	}
	for (size_t i = 0; i < selftest_n_tricks; i++)
		outcomes[i] = selftest_try(run->box, &selftest_tricks[i], until_ns);
	json_object_set_new(request, "since_ns", json_integer(since_ns));
	json_object_set_new(request, "limit", json_integer(EVENTS_MAX));
	r = client_events(run->tool, request, note_event, run);
	for (size_t i = 0; i < selftest_n_tricks && r == 0; i++)
		judge(run, &selftest_tricks[i], &outcomes[i]);
	return r;
}

/* The daemon looks into this process's mount namespace, and answers when it guards the overlay. */
static int rescan(const struct tool *tool)
{
	json_t *answer = NULL;
	int r = client_ask(tool, request_new("rescan"), &answer);

	json_decref(answer);
	return r;
}

/* In mode learn the daemon has learned these programs, which nobody will ever run again. */
static void forget(const struct run *run)
{
	for (size_t i = 0; i < selftest_n_tricks && run->mode == MODE_LEARN; i++) {
		json_t *request = request_new("revoke"), *answer = NULL;
		const json_t *event = event_of(run, &selftest_tricks[i]);
		const char *sha256 = raw_of(event, "execward.sha256");

		if (sha256 && request_set(request, "sha256", sha256) == 0)
			(void)client_ask_for(run->tool, request, "not_found", &answer);
		else
			json_decref(request);
		json_decref(answer);
	}
}

/*
 * Results.
 */
static void print_results(const struct run *run)
{
	static const char *const headers[] = {
	        "RESULT", "ROW", "TECHNIQUE", "EXPECTED", "GOT", NULL};
	static const enum colour colours[] = {COLOUR_BAD, COLOUR_GOOD, COLOUR_WARN};
	_cleanup_(table_freep) struct table *table = table_new(headers);
	const json_t *row;
	size_t i;

	json_array_foreach(run->results, i, row)
	{
		const char *result = raw_of(row, "result") ?: "-";
		enum word word = WORD_SKIPPED;

		while (word > 0 && strcmp(words[word], result))
			word--;
		table_add(table, colours[word], result);
		table_add(table, COLOUR_NONE, raw_of(row, "row"));
		table_add(table, COLOUR_NONE, raw_of(row, "technique"));
		table_add(table, COLOUR_NONE, raw_of(row, "expected"));
		table_add(table, COLOUR_NONE, raw_of(row, "got"));
	}
	table_print(run->tool, table);
}

static void print_kernel(const struct run *run)
{
	static const char *const headers[] = {"KERNEL", "STATE", "SINCE", "WITHOUT IT", NULL};
	_cleanup_(table_freep) struct table *table = table_new(headers);
	const json_t *row;
	size_t i;

	json_array_foreach(run->kernel, i, row)
	{
		bool present = json_is_true(json_object_get(row, "present"));

		table_add(table, COLOUR_NONE, raw_of(row, "feature"));
		table_add(table, present ? COLOUR_GOOD : COLOUR_WARN,
		        raw_of(row, "state") ?: (present ? "present" : "absent"));
		table_add(table, COLOUR_NONE, raw_of(row, "since"));
		table_add(table, COLOUR_NONE, raw_of(row, "detail"));
	}
	putchar('\n');
	table_print(run->tool, table);
}

static void print_run(const struct run *run)
{
	if (run->tool->json) {
		json_t *all = json_pack("{s:s, s:I, s:I, s:I, s:O, s:O*}", "mode",
		        mode_name(run->mode), "passed", (json_int_t)run->n[WORD_OK], "failed",
		        (json_int_t)run->n[WORD_FAILED], "skipped",
		        (json_int_t)run->n[WORD_SKIPPED], "results", run->results, "kernel",
		        run->kernel);

		print_json(all);
		json_decref(all);
		return;
	}
	print_results(run);
	print_kernel(run);
	printf("\nmode %s: %u passed, %u failed, %u skipped\n", mode_name(run->mode),
	        run->n[WORD_OK], run->n[WORD_FAILED], run->n[WORD_SKIPPED]);
}

static int selftest(struct run *run)
{
	int64_t since_ns = clock_realtime_ns();
	int64_t until_ns = clock_monotonic_ns() + SELFTEST_TIMEOUT_MS * NS_PER_MSEC;
	int r = selftest_box_new(run->tool->config->runtime_dir, &run->box);

	if (r == 0)
		r = rescan(run->tool);
	if (r == 0)
		r = try_all(run, since_ns, until_ns);
	forget(run);
	selftest_box_free(run->box);
	if (r != 0)
		return r;
	print_run(run);
	return run->n[WORD_FAILED] > 0;
}

int verb_selftest(const struct tool *tool, const struct call *call)
{
	struct run run = {.tool = tool};
	json_t *answer = NULL;
	const json_t *status;
	int r;

	(void)call;
	if (geteuid() != 0) {
		fputs("execward selftest: needs root, to mount a scratch overlay\n", stderr);
		return EX_NOPERM;
	}
	r = client_ask(tool, request_new("status"), &answer);
	if (r != 0)
		return r;
	status = json_object_get(answer, "status");
	run.mode = mode_from_name(raw_of(status, "mode") ?: "");
	run.kernel = json_object_get(status, "kernel");
	run.events = json_object();
	run.results = json_array();
	r = selftest(&run);
	json_decref(run.events);
	json_decref(run.results);
	json_decref(answer);
	return r;
}
