/*
 * execward doctor: what this host has, what it lacks, what that weakens and how to mend it. The
 * kernel's features and the faults come from the running daemon, which has tried them; settings
 * from /proc/sys. Rows are those of the threat matrix (docs/threat-model.md).
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "tools/client.h"
#include "tools/doctor_rows.h"
#include "tools/print.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define VALUE_MAX 4096u /* bytes of a file in /proc */

enum level {
	LEVEL_WEAK = 0, /* something can get past, or gets lost: exit code 1 */
	LEVEL_NOTE,     /* to know; nothing is broken */
	LEVEL_OK,
};

static const char *const level_names[] = {"weak", "note", "ok"};

static void add(json_t *findings, enum level level, const char *check, const char *state,
        const struct doctor_row *row)
{
	bool good = level == LEVEL_OK;

	json_array_append_new(findings,
	        json_pack("{s:s, s:s, s:s, s:b, s:s, s:s}", "check", check, "state", state, "level",
	                level_names[level], "good", level != LEVEL_WEAK, "weakens",
	                good ? "" : row->weakens, "fix", good ? "" : row->fix));
}

/* The first line of a small file, or NULL. */
static char *read_line(const char *path)
{
	char *value = NULL;
	size_t size;

	if (file_read_head_at(AT_FDCWD, path, VALUE_MAX, &value, &size) < 0)
		return NULL;
	value[strcspn(value, "\n")] = '\0';
	return value;
}

static void add_sysctls(json_t *findings)
{
	for (const struct doctor_row *row = doctor_sysctls; row->name; row++) {
		_cleanup_free_ char *value = read_line(row->name);
		bool good = value && !strcmp(value, row->good);
		enum level level = good ? LEVEL_OK : row->grave ? LEVEL_WEAK : LEVEL_NOTE;

		add(findings, level, row->name + strlen("/proc/sys/"), value ?: "absent", row);
	}
}

/* The two ways in which an administrator switches enforcement off at boot. */
static void add_switches(json_t *findings)
{
	static const struct doctor_row row = {
	        .weakens = "nothing is denied",
	        .fix = "remove it, then systemctl restart execwardd",
	};
	_cleanup_free_ char *cmdline = read_line("/proc/cmdline");
	const char *at = cmdline ? strstr(cmdline, "execward.off") : NULL;

	if (at && (at == cmdline || at[-1] == ' '))
		add(findings, LEVEL_WEAK, "execward.off", "on the kernel's command line", &row);
	if (access("/etc/execward/disabled", F_OK) == 0)
		add(findings, LEVEL_WEAK, "/etc/execward/disabled", "exists", &row);
}

static void add_kernel(json_t *findings, const json_t *status)
{
	const json_t *feature;
	size_t i;

	json_array_foreach(json_object_get(status, "kernel"), i, feature)
	{
		bool present = json_is_true(json_object_get(feature, "present"));
		const char *name = raw_of(feature, "feature") ?: "-";
		const char *since = raw_of(feature, "since") ?: "-";
		const char *state = raw_of(feature, "state") ?: (present ? "present" : "absent");
		_cleanup_free_ char *release = text_format("a kernel that has it: Linux %s", since);
		const struct doctor_row *known = doctor_find(doctor_features, name);
		struct doctor_row row = {
		        .weakens = raw_of(feature, "detail") ?: "",
		        .fix = known && known->fix ? known->fix : release,
		};
		enum level level = known && known->grave ? LEVEL_WEAK : LEVEL_NOTE;

		add(findings, present ? LEVEL_OK : level, name, state, &row);
	}
}

static void add_faults(json_t *findings, const json_t *status)
{
	static const struct doctor_row unknown = {
	        .weakens = "a fault that this tool does not know", .fix = "see the daemon's log"};
	json_t *count;
	const char *name;

	json_object_foreach(json_object_get(status, "faults"), name, count)
	{
		const struct doctor_row *row = doctor_find(doctor_faults, name) ?: &unknown;
		_cleanup_free_ char *state =
		        text_format("%lld since the start", json_integer_value(count));
		_cleanup_free_ char *check = text_format("fault %s", name);

		if (json_integer_value(count) > 0)
			add(findings, row->grave ? LEVEL_WEAK : LEVEL_NOTE, check, state, row);
	}
}

static void add_guard(json_t *findings, const json_t *status)
{
	static const struct doctor_row not_enforced = {
	        .weakens =
	                "nothing is denied: programs that nobody vouches for run, and are reported",
	        .fix = "when `execward report` shows nothing of yours: mode: enforce, execward "
	               "reload",
	};
	static const struct doctor_row unguarded = {
	        .weakens = "no container is guarded",
	        .fix = "guard.storage: name the directories that hold the runtimes' layers",
	};
	static const struct doctor_row not_ready = {.weakens = "what runs now may not be guarded",
	        .fix = "execward status --wait-ready 30"};
	const char *mode = raw_of(status, "mode") ?: "-";
	bool ready = json_is_true(json_object_get(status, "ready"));
	_cleanup_free_ char *n =
	        text_format("%zu", json_array_size(json_object_get(status, "guarded")));

	add(findings, ready ? LEVEL_OK : LEVEL_WEAK, "ready", ready ? "yes" : "no", &not_ready);
	add(findings, strcmp(mode, "enforce") ? LEVEL_NOTE : LEVEL_OK, "mode", mode, &not_enforced);
	add(findings, strcmp(n, "0") ? LEVEL_OK : LEVEL_WEAK, "guarded filesystems", n, &unguarded);
}

static void print_finding(const struct tool *tool, const json_t *f)
{
	const char *level = raw_of(f, "level") ?: "-";
	_cleanup_free_ char *check = text_of(f, "check"), *state = text_of(f, "state"),
	                    *weakens = text_of(f, "weakens"), *fix = text_of(f, "fix");

	print_word(tool,
	        !strcmp(level, "ok")     ? COLOUR_GOOD
	        : !strcmp(level, "weak") ? COLOUR_BAD
	                                 : COLOUR_WARN,
	        level);
	printf("%*s%-32s%s\n", (int)(6 - strlen(level)), "", check, state);
	if (raw_of(f, "weakens"))
		printf("      %s\n", weakens);
	if (raw_of(f, "fix"))
		printf("      fix: %s\n", fix);
}

/* Exit code 1 when something is weak. */
static int print_findings(const struct tool *tool, const json_t *findings)
{
	const json_t *f;
	size_t i, weak = 0;

	json_array_foreach(findings, i, f)
	{
		weak += !json_is_true(json_object_get(f, "good"));
		if (!tool->json)
			print_finding(tool, f);
	}
	if (tool->json)
		print_json(findings);
	else
		printf("\n%zu checks, %zu weak\n", json_array_size(findings), weak);
	return weak > 0;
}

int verb_doctor(const struct tool *tool, const struct call *call)
{
	static const struct doctor_row no_daemon = {
	        .weakens = "nothing is guarded", .fix = "systemctl start execwardd"};
	json_t *findings = json_array(), *answer = NULL;
	const json_t *status;
	int r = client_ask(tool, request_new("status"), &answer), found;

	(void)call;
	status = json_object_get(answer, "status");
	if (r == 0) {
		add_guard(findings, status);
		add_kernel(findings, status);
		add_faults(findings, status);
	} else if (r == EX_UNAVAILABLE) {
		add(findings, LEVEL_WEAK, "daemon", "does not answer", &no_daemon);
	}
	if (r == 0 || r == EX_UNAVAILABLE) {
		add_switches(findings);
		add_sysctls(findings);
		found = print_findings(tool, findings);
		r = r ?: found;
	}
	json_decref(findings);
	json_decref(answer);
	return r;
}
