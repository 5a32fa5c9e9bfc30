/*
 * execward selftest: each technique is tried, and what the daemon said about it is compared with
 * what it should have said. In mode enforce the exec must fail with EPERM; in the other modes it
 * runs, and the daemon's events must name it.
 */
#include "tools/selftest.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "tools/client.h"
#include "tools/print.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

struct run {
	const struct tool *tool;
	struct selftest_box box;
	bool enforce;
	int64_t since_ns;
	json_t *events, *results;
	unsigned int failed;
};

static int collect(json_t *alert, const char *line, void *userdata)
{
	struct run *run = userdata;

	(void)line;
	return json_array_append(run->events, alert) < 0 ? EX_SOFTWARE : 0;
}

static json_t *event_of(const struct run *run, const struct selftest_trick *trick)
{
	json_t *alert, *fields = NULL;
	size_t i;

	json_array_foreach(run->events, i, alert)
	{
		json_t *f = json_object_get(alert, "output_fields");
		const char *path = json_string_value(json_object_get(f, "proc.exepath"));
		size_t n = strlen(trick->path);

		/* An unlinked file is shown with " (deleted)" behind its name. */
		if (path && !strncmp(path, trick->path, n) && (!path[n] || path[n] == ' '))
			fields = f;
	}
	return fields;
}

static bool as_expected(const struct run *run, const struct selftest_trick *trick,
	const struct selftest_outcome *outcome, json_t *event)
{
	const char *reason = json_string_value(json_object_get(event, "execward.reason"));
	const char *verdict = json_string_value(json_object_get(event, "execward.verdict"));

	if (trick->must_run)
		return outcome->ran && !event;
	if (!reason || strcmp(reason, trick->reason))
		return false;
	if (run->enforce)
		return !outcome->ran && outcome->error == EPERM && !strcmp(verdict, "deny");
	return outcome->ran && strcmp(verdict, "deny");
}

static void judge(struct run *run, const struct selftest_trick *trick,
	const struct selftest_outcome *outcome)
{
	json_t *event = event_of(run, trick);
	_cleanup_free_ char *verdict = text_of(event, "execward.verdict"),
			    *reason = text_of(event, "execward.reason");
	bool prepared = outcome->ran || !strcmp(outcome->step, "exec");
	bool good = prepared && as_expected(run, trick, outcome, event);
	const char *word = good ? "ok" : "FAILED";

	run->failed += !good;
	json_array_append_new(run->results,
		json_pack("{s:s, s:s, s:b, s:s, s:s, s:s, s:b}", "row", trick->row, "technique",
			trick->name, "ran", outcome->ran, "error",
			outcome->error ? strerrorname_np(outcome->error) ?: "?" : "", "verdict", verdict,
			"reason", reason, "ok", good));
	if (run->tool->json)
		return;
	print_word(run->tool, good ? COLOUR_GOOD : COLOUR_BAD, word);
	printf("%*s %-3s %-44s %-10s %s/%s\n", (int)(7 - strlen(word)), "", trick->row, trick->name,
		outcome->ran ? "ran" : strerrorname_np(outcome->error) ?: "?", verdict, reason);
}

static int prepare(struct run *run)
{
	json_t *answer = NULL, *status;
	int r = client_ask(run->tool, json_pack("{s:s}", "request", "status"), &answer);

	if (r != 0)
		return r;
	status = json_object_get(answer, "status");
	run->enforce = !strcmp(json_string_value(json_object_get(status, "mode")) ?: "", "enforce");
	json_decref(answer);
	r = selftest_box_make(run->tool->config->runtime_dir, &run->box);
	if (r != 0)
		return r;
	/* The daemon looks into this namespace now, and answers when it guards the overlay. */
	r = client_ask(run->tool, json_pack("{s:s}", "request", "rescan"), &answer);
	if (r == 0)
		json_decref(answer);
	return r;
}

static int try_all(struct run *run)
{
	_cleanup_free_ struct selftest_outcome *outcomes =
		calloc(selftest_n_tricks, sizeof(outcomes[0]));
	int r;

	if (!outcomes)
		return EX_OSERR;
	for (size_t i = 0; i < selftest_n_tricks; i++)
		outcomes[i] = selftest_try(&run->box, &selftest_tricks[i]);
	r = client_each(run->tool,
		json_pack("{s:s, s:I}", "request", "events", "since_ns", (json_int_t)run->since_ns),
		"event", collect, run);
	for (size_t i = 0; i < selftest_n_tricks && r == 0; i++)
		judge(run, &selftest_tricks[i], &outcomes[i]);
	return r;
}

int verb_selftest(const struct tool *tool, int argc, char **argv)
{
	const struct option_row rows[] = {{NULL, NULL, NULL}};
	struct run run = {.tool = tool, .since_ns = clock_realtime_ns()};
	int n, r = parse_verb(argc, argv, rows, NULL, 0, &n);

	if (r != 0)
		return r;
	if (geteuid() != 0) {
		fputs("execward selftest: needs root, to mount a scratch overlay\n", stderr);
		return EX_NOPERM;
	}
	run.events = json_array();
	run.results = json_array();
	r = prepare(&run);
	if (r == 0)
		r = try_all(&run);
	selftest_box_done(&run.box);
	if (r == 0 && tool->json)
		print_json(run.results);
	else if (r == 0)
		printf("%zu techniques, %u failed, mode %s\n", selftest_n_tricks, run.failed,
			run.enforce ? "enforce" : "not enforce");
	json_decref(run.events);
	json_decref(run.results);
	return r != 0 ? r : run.failed > 0;
}
