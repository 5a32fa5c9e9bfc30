/*
 * Settings of the kernel, one table. A setting that the kernel does not have is judged too: it may
 * be one that this kernel needs no switch for, or a kernel from before the switch.
 */
#include "base/cleanup.h"
#include "tools/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SYSCTL_FILE "/etc/sysctl.d/60-execward.conf"

enum rule { RULE_UNSET = 0, EQUALS, AT_LEAST };

struct setting {
	const char *name; /* as sysctl(8) takes it */
	enum rule rule;
	enum level level; /* where it is not as wanted, or holds no number */
	long long want;
	uint8_t rows[FINDING_ROWS_MAX];
	const char *weakens;
	const char *but;       /* what the fix breaks, and what else mends it; "" for nothing */
	enum level absent;     /* where this kernel has no such setting */
	const char *absent_is; /* what that means */
	const char *absent_fix;
	const char *closed_by; /* a setting that closes the same when it is as wanted; NULL */
};

#define USERNS_WEAKENS                                                                             \
	"a task that makes a user namespace can mount a tmpfs in a mount namespace that nobody "   \
	"has seen yet, and run what it puts there"
#define USERNS_BUT                                                                                 \
	" (rootless containers and browsers need them: where they stay, a seccomp profile that "   \
	"refuses them to containers)"

/* The wanted limits of fanotify are the kernel's own defaults, fs/notify/fanotify. */
static const struct setting settings[] = {
        {"fs.leases-enable", EQUALS, LEVEL_WEAK, 1, {9, 10},
                "a file can change between its digest and its exec",
                "; then systemctl restart execwardd", LEVEL_WEAK,
                "no lease can be had: a file can change between its digest and its exec",
                "a kernel built with CONFIG_FILE_LOCKING", NULL},
        {"fs.lease-break-time", AT_LEAST, LEVEL_NOTE, 5, {9, 10},
                "a writer ends the lease on a large file before it is hashed: such a file is "
                "mutable, and denied",
                "", LEVEL_NOTE, "no lease can be had", "a kernel built with CONFIG_FILE_LOCKING",
                NULL},
        {"vm.memfd_noexec", EQUALS, LEVEL_WEAK, 2, {15},
                "a program in memory (memfd_create, fexecve) runs unseen",
                " (programs that run code from a memfd break)", LEVEL_WEAK,
                "nothing refuses a program in memory (memfd_create, fexecve): it runs unseen",
                "Linux 6.3 or later, with vm.memfd_noexec=2", NULL},
        {"kernel.unprivileged_userns_clone", EQUALS, LEVEL_WEAK, 0, {6, 8}, USERNS_WEAKENS,
                USERNS_BUT, LEVEL_OK, "user.max_user_namespaces decides", "",
                "user.max_user_namespaces"},
        {"user.max_user_namespaces", EQUALS, LEVEL_WEAK, 0, {6, 8}, USERNS_WEAKENS, USERNS_BUT,
                LEVEL_OK, "no user namespaces", "", "kernel.unprivileged_userns_clone"},
        {"kernel.io_uring_disabled", EQUALS, LEVEL_NOTE, 2, {3, 16},
                "fixed buffers of io_uring write a tmpfs file unseen: its content is never "
                "trusted",
                " (programs that use io_uring fall back or break)", LEVEL_NOTE,
                "io_uring cannot be switched off: its fixed buffers write a tmpfs file unseen, "
                "whose content is never trusted",
                "Linux 6.6 or later; before, a seccomp profile without io_uring_setup", NULL},
        {"fs.fanotify.max_user_groups", AT_LEAST, LEVEL_WEAK, 128, {19},
                "others of root, in containers too, can take every group: a daemon that is "
                "restarted finds none, and does not start",
                "", LEVEL_OK, "128 groups for a user, fixed", "", NULL},
        {"fs.fanotify.max_user_marks", AT_LEAST, LEVEL_NOTE, 8192, {19},
                "births of files may go unseen: some drops have no writer", "", LEVEL_OK,
                "8192 marks for a group, fixed", "", NULL},
        {"fs.fanotify.max_queued_events", AT_LEAST, LEVEL_NOTE, 16384, {19},
                "a flood of new files loses births: some drops have no writer; verdicts are not "
                "affected",
                "", LEVEL_OK, "16384 events in a queue, fixed", "", NULL},
        {"kernel.yama.ptrace_scope", AT_LEAST, LEVEL_NOTE, 1, {0},
                "a task can write code into another that runs, by ptrace: nothing is executed, "
                "and nothing is seen",
                " (debuggers then attach to their own children only)", LEVEL_NOTE,
                "no Yama: a task can write code into another that runs, by ptrace, and nothing "
                "is executed",
                "a kernel with CONFIG_SECURITY_YAMA", NULL},
};

#define N_SETTINGS (sizeof(settings) / sizeof(settings[0]))

/* The first line of the setting's file. 0 or -errno. */
static int read_setting(const struct doctor *d, const char *name, char **ret_line)
{
	_cleanup_free_ char *path = text_format("/proc/sys/%s", name);

	for (char *c = path + strlen("/proc/sys/"); *c; c++)
		if (*c == '.')
			*c = '/';
	return host_read_line(&d->host, path, ret_line);
}

static bool is_as_wanted(const struct setting *s, const char *line)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(line, &end, 10);
	if (end == line || *end || errno)
		return false;
	return s->rule == EQUALS ? value == s->want : value >= s->want;
}

static bool is_closed(const struct doctor *d, const char *name)
{
	for (size_t i = 0; name && i < N_SETTINGS; i++) {
		_cleanup_free_ char *line = NULL;

		if (strcmp(settings[i].name, name))
			continue;
		if (read_setting(d, name, &line) < 0)
			return false;
		return is_as_wanted(&settings[i], line);
	}
	return false;
}

static void add_absent(struct doctor *d, const struct setting *s)
{
	_cleanup_free_ char *state = text_format("not in this kernel: %s", s->absent_is);
	struct advice advice = {.level = s->absent, .weakens = s->absent_is, .fix = s->absent_fix};

	memcpy(advice.rows, s->rows, sizeof(advice.rows));
	findings_add(&d->findings, s->name, s->absent == LEVEL_OK ? state : "not in this kernel",
	        &advice);
}

static void add_setting(struct doctor *d, const struct setting *s)
{
	_cleanup_free_ char *line = NULL, *state = NULL, *fix = NULL;
	int r = read_setting(d, s->name, &line);
	struct advice advice = {.level = s->level, .weakens = s->weakens};

	if (r == -ENOENT) {
		add_absent(d, s);
		return;
	}
	if (r == 0 && is_as_wanted(s, line)) {
		findings_ok(&d->findings, s->name, line);
		return;
	}
	if (is_closed(d, s->closed_by)) {
		state = text_format("%.64s, closed by %s", r == 0 ? line : "-", s->closed_by);
		findings_ok(&d->findings, s->name, state);
		return;
	}
	state = r < 0 ? text_format("cannot be read: %s", strerror(-r))
	              : text_format("%.64s, wanted %s%lld", line,
	                        s->rule == AT_LEAST ? "at least " : "", s->want);
	fix = text_format("sysctl -w %s=%lld; to keep it: echo '%s = %lld' >> " SYSCTL_FILE "%s",
	        s->name, s->want, s->name, s->want, s->but);
	advice.fix = fix;
	memcpy(advice.rows, s->rows, sizeof(advice.rows));
	findings_add(&d->findings, s->name, state, &advice);
}

void doctor_settings(struct doctor *d)
{
	for (size_t i = 0; i < N_SETTINGS; i++)
		add_setting(d, &settings[i]);
}
