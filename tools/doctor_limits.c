/*
 * Limits of the running daemon, from its directory in /proc. Where the tool sees another /proc than
 * the daemon (a container), there is nothing to read, and a note says so.
 */
#include "base/cleanup.h"
#include "tools/doctor.h"

#include <stdio.h>
#include <string.h>

/* Beside a descriptor for each pending verdict: layers, groups, database, sinks. */
#define OTHER_FDS     1024
#define OOM_SCORE_MAX (-900) /* execwardd.service's OOMScoreAdjust */

static int read_of(const struct doctor *d, const char *name, char **ret_text)
{
	_cleanup_free_ char *path = text_format("/proc/%lld/%s", number_of(d->status, "pid"), name);

	return host_read(&d->host, path, ret_text);
}

/* The soft limit of descriptors, -1 when it cannot be told; "unlimited" is more than enough. */
static long long nofile(const char *limits)
{
	static const char name[] = "\nMax open files";
	const char *at = strstr(limits, name);
	long long value;

	if (!at)
		return -1;
	at += strlen(name);
	at += strspn(at, " ");
	if (!strncmp(at, "unlimited", strlen("unlimited")))
		return INT32_MAX;
	return sscanf(at, "%lld", &value) == 1 ? value : -1;
}

static void add_unread(struct doctor *d, const char *check)
{
	static const struct advice unread = {LEVEL_NOTE, {0},
	        "it is not known whether it is enough",
	        "run execward doctor as root, in the pid namespace of the daemon"};

	findings_add(&d->findings, check, "cannot be read", &unread);
}

static void add_nofile(struct doctor *d)
{
	_cleanup_free_ char *limits = NULL, *state = NULL;
	long long want = (long long)d->tool->config->pending_max + OTHER_FDS;
	long long have = read_of(d, "limits", &limits) < 0 ? -1 : nofile(limits);
	const struct advice few = {LEVEL_WEAK, {19},
	        "out of descriptors, the kernel denies on its own: programs of the image too",
	        "LimitNOFILE=1048576 in execwardd.service, systemctl restart execwardd"};

	if (have < 0) {
		add_unread(d, "descriptors");
		return;
	}
	state = text_format("%lld, wanted at least %lld", have, want);
	if (have < want)
		findings_add(&d->findings, "descriptors", state, &few);
	else
		findings_ok(&d->findings, "descriptors", state);
}

static void add_oom(struct doctor *d)
{
	static const struct advice victim = {LEVEL_NOTE, {18, 19},
	        "the kernel may kill it when memory is short, and what waits then runs",
	        "OOMScoreAdjust=-900 in execwardd.service, systemctl restart execwardd"};
	_cleanup_free_ char *text = NULL, *state = NULL;
	int score;

	if (read_of(d, "oom_score_adj", &text) < 0 || sscanf(text, "%d", &score) != 1) {
		add_unread(d, "oom_score_adj");
		return;
	}
	state = text_format("%d", score);
	if (score > OOM_SCORE_MAX)
		findings_add(&d->findings, "oom_score_adj", state, &victim);
	else
		findings_ok(&d->findings, "oom_score_adj", state);
}

/* By the cgroup, which systemd names after the unit; nothing is asked of systemd. */
static void add_unit(struct doctor *d)
{
	static const struct advice alone = {LEVEL_NOTE, {18},
	        "nobody restarts it when it dies: nothing is guarded from then on",
	        "systemctl enable --now execwardd"};
	_cleanup_free_ char *cgroups = NULL;

	if (read_of(d, "cgroup", &cgroups) < 0)
		add_unread(d, "unit");
	else if (strstr(cgroups, "/execwardd.service"))
		findings_ok(&d->findings, "unit", "execwardd.service");
	else
		findings_add(&d->findings, "unit", "not a service of systemd", &alone);
}

void doctor_limits(struct doctor *d)
{
	if (!d->status || number_of(d->status, "pid") <= 0)
		return;
	add_nofile(d);
	add_oom(d);
	add_unit(d);
}
