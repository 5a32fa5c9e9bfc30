/*
 * execward doctor: what this host has, what it lacks, what that weakens and how to mend it. The
 * kernel's features and the faults come from the running daemon, which has tried them; all else
 * is read from this host's files. Rows are those of the threat matrix (docs/threats.md).
 */
#include "tools/doctor.h"

#include "base/cleanup.h"
#include "tools/client.h"
#include "tools/doctor_rows.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* The two ways in which an administrator switches enforcement off at boot. */
static void add_switches(struct doctor *d)
{
	static const struct advice off = {LEVEL_WEAK, {1, 2, 3, 5, 6, 7}, "nothing is denied",
	        "remove it, then execward reload, or systemctl start execwardd"};
	_cleanup_free_ char *cmdline = NULL;
	bool listed = false;
	char *word, *rest;

	if (host_read_line(&d->host, "/proc/cmdline", &cmdline) < 0)
		cmdline = NULL;
	for (word = cmdline ? strtok_r(cmdline, " \t", &rest) : NULL; word;
	        word = strtok_r(NULL, " \t", &rest))
		listed = listed || !strcmp(word, "execward.off");
	if (listed)
		findings_add(&d->findings, "execward.off", "on the kernel's command line", &off);
	if (host_has(&d->host, "/etc/execward/disabled"))
		findings_add(&d->findings, "/etc/execward/disabled", "exists", &off);
	/* With a configuration elsewhere only the daemon knows where the file would be. */
	else if (!listed && raw_of(d->status, "disabled"))
		findings_add(&d->findings, "disabled", raw_of(d->status, "disabled"), &off);
}

static void add_faults(struct doctor *d)
{
	json_t *faults = json_object_get(d->status, "faults"), *count;
	const char *name;
	size_t n = 0;

	json_object_foreach(faults, name, count)
	{
		_cleanup_free_ char *state =
		        text_format("%lld since the start", json_integer_value(count));
		_cleanup_free_ char *check = text_format("fault %s", name);

		if (json_integer_value(count) <= 0)
			continue;
		n++;
		findings_add(&d->findings, check, state, doctor_fault_advice(name));
	}
	if (n == 0 && json_is_object(faults))
		findings_ok(&d->findings, "faults", "none since the start");
}

static void add_guard(struct doctor *d)
{
	static const struct advice not_enforced = {LEVEL_NOTE, {1, 2, 3, 5, 6, 7},
	        "nothing is denied: programs that nobody vouches for run, and are reported",
	        "when `execward report` shows nothing of yours: mode: enforce, execward reload"};
	static const struct advice not_ready = {LEVEL_WEAK, {25},
	        "what runs now may not be guarded", "execward status --wait-ready 30"};
	static const struct advice overlay_marks = {LEVEL_NOTE, {1, 2, 5, 25},
	        "an overlay's first execs may come before its mark",
	        "guard.marks: auto, systemctl restart execwardd; with Linux 6.5 or later"};
	const char *mode = raw_of(d->status, "mode") ?: "-";
	const char *marks = raw_of(d->status, "marks") ?: "-";
	struct findings *f = &d->findings;

	if (json_is_true(json_object_get(d->status, "ready")))
		findings_ok(f, "ready", "yes");
	else
		findings_add(f, "ready", "no", &not_ready);
	if (!strcmp(mode, "enforce"))
		findings_ok(f, "mode", mode);
	else
		findings_add(f, "mode", mode, &not_enforced);
	if (!strcmp(marks, "backing"))
		findings_ok(f, "marks", marks);
	else
		findings_add(f, "marks", marks, &overlay_marks);
}

void doctor_daemon(struct doctor *d)
{
	static const struct advice no_daemon = {
	        LEVEL_WEAK, {1, 2, 3, 5, 6, 7}, "nothing is guarded", "systemctl start execwardd"};

	if (!d->status) {
		findings_add(&d->findings, "daemon", "does not answer", &no_daemon);
	} else {
		_cleanup_free_ char *version = text_of(d->status, "version");
		_cleanup_free_ char *pid = text_of(d->status, "pid");
		_cleanup_free_ char *state = text_format("execwardd %s, pid %s", version, pid);

		findings_ok(&d->findings, "daemon", state);
		add_guard(d);
	}
	add_switches(d);
	if (d->status)
		add_faults(d);
}

/* The daemon says what a missing feature weakens; this tool says how bad that is. */
static void add_feature(struct doctor *d, const json_t *feature)
{
	const char *name = raw_of(feature, "feature") ?: "-";
	const char *since = raw_of(feature, "since") ?: "-";
	bool present = json_is_true(json_object_get(feature, "present"));
	_cleanup_free_ char *state = text_format("%s (Linux %s)",
	        raw_of(feature, "state") ?: (present ? "present" : "absent"), since);
	_cleanup_free_ char *release = text_format("a kernel that has it: Linux %s", since);
	const json_t *rows = json_object_get(feature, "rows"), *row;
	struct advice advice = {
	        .level = doctor_feature_is_grave(name) ? LEVEL_WEAK : LEVEL_NOTE,
	        .weakens = raw_of(feature, "detail") ?: "what the daemon of another release says",
	        .fix = raw_of(feature, "fix") ?: release,
	};
	size_t i, n = 0;

	if (present)
		advice.level = LEVEL_OK;
	json_array_foreach(rows, i, row)
	{
		json_int_t number = json_integer_value(row);

		if (n + 1 < FINDING_ROWS_MAX && number > 0 && number <= UINT8_MAX)
			advice.rows[n++] = (uint8_t)number;
	}
	findings_add(&d->findings, name, state, &advice);
}

void doctor_kernel(struct doctor *d)
{
	const json_t *feature;
	size_t i;

	json_array_foreach(json_object_get(d->status, "kernel"), i, feature)
	        add_feature(d, feature);
}

int verb_doctor(const struct tool *tool, const struct call *call)
{
	static const struct {
		const char *name;
		void (*examine)(struct doctor *d);
	} sections[] = {
	        {"daemon", doctor_daemon},
	        {"kernel", doctor_kernel},
	        {"settings", doctor_settings},
	        {"mounts", doctor_mounts},
	        {"host", doctor_paths},
	        {"trust", doctor_trust},
	        {"runtimes", doctor_runtimes},
	        {"limits", doctor_limits},
	};
	struct doctor d = {.tool = tool};
	json_t *answer = NULL;
	int r;

	(void)call;
	/* The mounts first: one that comes in between is then guarded and not listed, instead of
	 * listed and said to be unguarded. */
	host_init(&d.host);
	r = client_ask(tool, request_new("status"), &answer);
	if (r != 0 && r != EX_UNAVAILABLE) {
		host_done(&d.host);
		return r;
	}
	findings_init(&d.findings);
	if (r == 0)
		d.status = json_object_get(answer, "status");
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		d.findings.section = sections[i].name;
		sections[i].examine(&d);
	}
	findings_print(tool, &d.findings);
	if (r == 0 && d.findings.n_weak > 0)
		r = 1;
	findings_done(&d.findings);
	free(d.guarded);
	host_done(&d.host);
	json_decref(answer);
	return r;
}
