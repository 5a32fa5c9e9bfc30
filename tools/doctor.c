/*
 * execward doctor: what this host has, what it lacks, what that weakens and how to mend it. The
 * kernel's features come from the running daemon, settings from /proc/sys.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "tools/client.h"
#include "tools/print.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

struct sysctl_row {
	const char *path, *good; /* the value that closes it; NULL: shown only */
	const char *weakens, *fix;
};

static const struct sysctl_row sysctls[] = {
	{"/proc/sys/fs/leases-enable", "1",
		"a file can change between digest and exec (rows 9, 10)", "sysctl fs.leases-enable=1"},
	{"/proc/sys/vm/memfd_noexec", "2",
		"programs in memory (memfd_create) run unseen (row 15)", "sysctl vm.memfd_noexec=2"},
	{"/proc/sys/kernel/io_uring_disabled", NULL, "", ""},
	{"/proc/sys/fs/fanotify/max_user_groups", NULL, "", ""},
	{"/proc/sys/fs/fanotify/max_user_marks", NULL, "", ""},
};

static json_t *finding(const char *name, const char *state, bool good, const char *weakens, const char *fix)
{
	return json_pack("{s:s, s:s, s:b, s:s, s:s}", "check", name, "state", state, "good", good,
		"weakens", weakens, "fix", fix);
}

static void add_sysctls(json_t *findings)
{
	for (size_t i = 0; i < sizeof(sysctls) / sizeof(sysctls[0]); i++) {
		const struct sysctl_row *row = &sysctls[i];
		_cleanup_free_ char *value = NULL;
		size_t size;
		bool good;

		if (file_read_at(AT_FDCWD, row->path, 4096, &value, &size) < 0)
			value = NULL;
		if (value)
			value[strcspn(value, "\n")] = '\0';
		good = !row->good || (value && !strcmp(value, row->good));
		json_array_append_new(findings,
			finding(row->path + strlen("/proc/sys/"), value ?: "absent", good,
				good ? "" : row->weakens, good ? "" : row->fix));
	}
}

static void add_kernel(json_t *findings, json_t *status)
{
	json_t *feature;
	size_t i;

	json_array_foreach(json_object_get(status, "kernel"), i, feature)
	{
		bool present = json_is_true(json_object_get(feature, "present"));
		_cleanup_free_ char *fix = NULL;

		if (asprintf(&fix, "a kernel with it: Linux %s",
			    json_string_value(json_object_get(feature, "since"))) < 0)
			fix = NULL;
		json_array_append_new(findings,
			finding(json_string_value(json_object_get(feature, "feature")),
				json_string_value(json_object_get(feature, "state")), present,
				json_string_value(json_object_get(feature, "detail")),
				present ? "" : (fix ?: "")));
	}
}

static void add_faults(json_t *findings, json_t *status)
{
	json_t *count;
	const char *name;

	json_object_foreach(json_object_get(status, "faults"), name, count)
	{
		char text[32];

		if (json_integer_value(count) == 0)
			continue;
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(count));
		json_array_append_new(findings,
			finding(name, text, true, "happened since the start; see docs/architecture.md, Faults",
				""));
	}
}

static int print_findings(const struct tool *tool, json_t *findings)
{
	json_t *f;
	size_t i;
	int r = 0;

	json_array_foreach(findings, i, f)
	{
		bool good = json_is_true(json_object_get(f, "good"));
		_cleanup_free_ char *check = text_of(f, "check"), *state = text_of(f, "state"),
				    *weakens = text_of(f, "weakens"), *fix = text_of(f, "fix");

		if (!good)
			r = 1;
		if (tool->json)
			continue;
		print_word(tool, good ? COLOUR_GOOD : COLOUR_WARN, good ? "  ok  " : " weak ");
		printf(" %-34s %s\n", check, state);
		if (*weakens)
			printf("        %s\n", weakens);
		if (*fix)
			printf("        fix: %s\n", fix);
	}
	return r;
}

int verb_doctor(const struct tool *tool, int argc, char **argv)
{
	const struct option_row rows[] = {{NULL, NULL, NULL}};
	json_t *answer = NULL, *findings;
	int n, r = parse_verb(argc, argv, rows, NULL, 0, &n);

	if (r == 0)
		r = client_ask(tool, json_pack("{s:s}", "request", "status"), &answer);
	if (r != 0)
		return r;
	findings = json_array();
	add_kernel(findings, json_object_get(answer, "status"));
	add_sysctls(findings);
	add_faults(findings, json_object_get(answer, "status"));
	r = print_findings(tool, findings);
	if (tool->json)
		print_json(findings);
	json_decref(findings);
	json_decref(answer);
	return r;
}
