/* execward report: denials over a period, by container, program and writer. */
#include "base/clock.h"
#include "base/cleanup.h"
#include "core/alert.h"
#include "tools/client.h"
#include "tools/print.h"
#include "tools/since.h"

#include <stdio.h>
#include <string.h>

#define REPORT_TOP 10u /* rows of each table */

struct report {
	json_t *containers, *programs, *writers, *reasons; /* name -> count */
	json_int_t events, execs;
};

static void add(json_t *table, const char *name, json_int_t count)
{
	json_int_t before = json_integer_value(json_object_get(table, name ?: "-"));

	json_object_set_new(table, name ?: "-", json_integer(before + count));
}

static const char *get(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static int add_event(json_t *alert, const char *line, void *userdata)
{
	struct report *report = userdata;
	json_t *f = json_object_get(alert, "output_fields");
	json_int_t count = json_integer_value(json_object_get(f, "execward.count"));
	const char *verdict = get(f, "execward.verdict");

	(void)line;
	if (!verdict || !strcmp(verdict, "allow"))
		return 0;
	report->events++;
	report->execs += count;
	add(report->containers, get(f, "container.name") ?: get(f, "container.id"), count);
	add(report->programs, get(f, "proc.exepath"), count);
	add(report->reasons, get(f, "execward.reason"), count);
	add(report->writers, get(json_object_get(f, "execward.dropped_by"), "exe") ?: "(not known)", count);
	return 0;
}

static void print_table(const char *title, json_t *table)
{
	_cleanup_free_ bool *used = calloc(json_object_size(table) + 1, sizeof(bool));

	printf("\n%s\n", title);
	for (unsigned int row = 0; used && row < REPORT_TOP; row++) {
		json_int_t best = -1;
		size_t at = 0, best_at = 0;
		const char *name, *best_name = NULL;
		json_t *value;

		json_object_foreach(table, name, value)
		{
			if (!used[at] && json_integer_value(value) > best) {
				best = json_integer_value(value);
				best_name = name;
				best_at = at;
			}
			at++;
		}
		if (!best_name)
			break;
		used[best_at] = true;
		_cleanup_free_ char *text = text_for_terminal(best_name);
		printf("  %8lld  %s\n", (long long)best, text ?: "");
	}
}

int verb_report(const struct tool *tool, int argc, char **argv)
{
	const char *since = "24h";
	const struct option_row rows[] = {{"since", &since, NULL}, {NULL, NULL, NULL}};
	struct report report = {json_object(), json_object(), json_object(), json_object(), 0, 0};
	int64_t since_ns;
	json_t *all;
	int n, r = parse_verb(argc, argv, rows, NULL, 0, &n);

	if (r == 0)
		r = parse_since(since, &since_ns);
	if (r == 0)
		r = client_each(tool,
			json_pack("{s:s, s:I, s:i}", "request", "events", "since_ns",
				(json_int_t)since_ns, "limit", 100000),
			"event", add_event, &report);
	all = json_pack("{s:I, s:I, s:o, s:o, s:o, s:o}", "events", report.events, "execs", report.execs,
		"containers", report.containers, "programs", report.programs, "writers",
		report.writers, "reasons", report.reasons);
	if (r == 0 && tool->json) {
		print_json(all);
	} else if (r == 0) {
		printf("since %s: %lld programs refused or reported, %lld attempts\n", since,
			(long long)report.events, (long long)report.execs);
		print_table("by container", report.containers);
		print_table("by program", report.programs);
		print_table("by reason", report.reasons);
		print_table("by who dropped it", report.writers);
	}
	json_decref(all);
	return r;
}
