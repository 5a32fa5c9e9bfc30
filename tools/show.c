/*
 * execward show: one event in full, and what to do next. The command lines it offers are made to be
 * copied: a name that could not be shown truthfully is left out of them.
 */
#include "tools/client.h"
#include "tools/print.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

struct row {
	const char *key, *label;
};

static const struct row what[] = {
        {"proc.exepath", "path"},
        {"execward.sha256", "sha256"},
        {"execward.kind", "kind"},
        {"execward.size", "size"},
        {"execward.origin", "origin"},
        {"execward.copy_of", "copy of"},
        {"execward.verdict", "verdict"},
        {"execward.reason", "reason"},
        {"execward.rule_reason", "rule"},
        {"execward.mode", "mode"},
        {"execward.fault", "fault"},
        {"execward.count", "times"},
        {NULL, NULL},
};
static const struct row where[] = {
        {"container.name", "container"},
        {"execward.container_id", "id"},
        {"execward.image", "image"},
        {"execward.runtime", "runtime"},
        {"k8s.ns.name", "namespace"},
        {"k8s.pod.name", "pod"},
        {"execward.host_path", "on the host"},
        {"execward.filesystem", "filesystem"},
        {NULL, NULL},
};
static const struct row who[] = {
        {"user.name", "user"},
        {"user.uid", "uid"},
        {"user.loginuid", "login uid"},
        {"proc.pid", "pid"},
        {"proc.name", "name"},
        {"proc.cmdline", "command line"},
        {"proc.cwd", "directory"},
        {"proc.pname", "parent"},
        {"proc.aname[2]", "grandparent"},
        {NULL, NULL},
};
static const struct row caller[] = {
        {"exepath", "called by"},
        {NULL, NULL},
};
static const struct row writer[] = {
        {"exe", "program"},
        {"cmdline", "command line"},
        {"pid", "pid"},
        {"uid", "uid"},
        {"time", "at"},
        {NULL, NULL},
};

static void print_rows(const json_t *fields, const struct row *rows)
{
	for (; rows->key; rows++) {
		_cleanup_free_ char *text = text_of(fields, rows->key);

		if (strcmp(text, "-"))
			printf("  %-14s%s\n", rows->label, text);
	}
}

static void print_section(const char *title, const json_t *fields, const struct row *rows)
{
	printf("\n%s\n", title);
	print_rows(fields, rows);
}

static void print_writer(const json_t *f)
{
	const json_t *by = json_object_get(f, "execward.dropped_by");
	json_int_t age_ms = number_of(f, "execward.age_ms");

	if (!json_is_object(by)) {
		puts("\nwho dropped it\n  not on record");
		return;
	}
	print_section("who dropped it", by, writer);
	if (json_is_true(json_object_get(by, "writer_gone")))
		puts("  it had ended when it was looked at");
	if (json_is_integer(json_object_get(f, "execward.age_ms")))
		printf("  %-14s%lld.%03lld s before this exec\n", "written", age_ms / 1000,
		        age_ms % 1000);
}

static void print_next(const json_t *f)
{
	const char *sha256 = raw_of(f, "execward.sha256"), *image = scope_of_event(f);
	_cleanup_free_ char *safe = text_safe(sha256),
	                    *scope = image ? text_shell_word(image) : NULL;

	puts("\nwhat to do next");
	if (!sha256) {
		puts("  no digest is known: nothing can vouch for it");
		return;
	}
	if (!image || scope)
		printf("  let it run     execward approve %s%s%s --reason 'WHY'\n", safe,
		        scope ? " --image " : "", scope ?: "");
	else
		printf("  let it run     execward approve %s --reason 'WHY'   (in every image: the "
		       "name "
		       "of this one cannot be typed)\n",
		        safe);
	printf("  never again    execward deny %s --reason 'WHY'\n", safe);
	printf("  what is known  execward explain %s\n", safe);
}

static void print_alert(const struct tool *tool, const json_t *alert)
{
	const json_t *f = json_object_get(alert, "output_fields");
	_cleanup_free_ char *time = text_of(alert, "time"), *rule = text_of(alert, "rule"),
	                    *priority = text_of(alert, "priority"),
	                    *event = text_of(f, "execward.event_id"),
	                    *verdict = text_of(f, "execward.verdict");

	printf("event %s, %s\n%s: %s: ", event, time, priority, rule);
	print_word(tool, colour_of_verdict(verdict), verdict);
	putchar('\n');
	print_section("what", f, what);
	print_section("where", f, where);
	print_section("who ran it", f, who);
	print_rows(json_object_get(f, "execward.caller"), caller);
	print_writer(f);
	print_next(f);
}

struct counted {
	const struct tool *tool;
	unsigned int n;
};

static int show_one(const json_t *event, const char *text, size_t size, void *userdata)
{
	struct counted *counted = userdata;

	counted->n++;
	if (!counted->tool->json) {
		print_alert(counted->tool, event);
		return 0;
	}
	fwrite(text, 1, size, stdout);
	putchar('\n');
	return 0;
}

int verb_show(const struct tool *tool, const struct call *call)
{
	struct counted counted = {.tool = tool};
	json_t *request = request_new("events");
	int r = request_set(request, "event_id", call->argument);

	if (r != 0) {
		json_decref(request);
		return r;
	}
	r = client_events(tool, request, show_one, &counted);
	if (r == 0 && counted.n == 0) {
		_cleanup_free_ char *event = text_safe(call->argument);

		fprintf(stderr, "execward show: %s: no such event; see execward events\n", event);
		r = 1;
	}
	return r;
}
