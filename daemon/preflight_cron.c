/* What cron and a login start, and what the kernel and systemd start by themselves. */
#include "daemon/preflight_internal.h"

#include "base/cleanup.h"
#include "core/crontab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CRON_PATH  "/usr/bin:/bin"      /* _PATH_DEFPATH, crontab(5) */
#define PASSWD_MAX (4u * 1024u * 1024u) /* bytes of /etc/passwd that are read */

struct table {
	struct preflight *preflight;
	char *why;
	char *path; /* the table's PATH; NULL: cron's */
};

static void table_done(struct table *table)
{
	free(table->why);
	free(table->path);
}

static int take_shell_word(const char *word, void *userdata)
{
	const struct table *t = userdata;

	return preflight_name(t->preflight, word, t->path ?: CRON_PATH, t->why);
}

static int take_line(const char *text, bool is_path, void *userdata)
{
	struct table *t = userdata;

	if (!is_path)
		return shell_line_each(text, take_shell_word, t);
	free(t->path);
	t->path = strdup(text);
	return t->path ? 0 : -ENOMEM;
}

static int read_table(struct preflight *p, const char *path, bool has_user)
{
	_cleanup_(table_done) struct table table = {.preflight = p};
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = preflight_read(p, path, CRONTAB_TEXT_MAX, &text, &size);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (size == CRONTAB_TEXT_MAX)
		preflight_incomplete(p);
	if (asprintf(&table.why, "crontab %s", path) < 0) {
		table.why = NULL;
		return -ENOMEM;
	}
	return crontab_each(text, size, has_user, take_line, &table);
}

static int take_table(
        struct preflight *p, const char *dir, const struct dirent *entry, void *userdata)
{
	const bool *has_user = userdata;
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/%s", dir, entry->d_name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	return read_table(p, path, *has_user);
}

int preflight_cron(struct preflight *p)
{
	static const char *const dirs[] = {
	        "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly"};
	bool system = true, user = false;
	int r = read_table(p, "/etc/crontab", true);

	if (r == 0)
		r = preflight_each(p, "/etc/cron.d", take_table, &system);
	preflight_careful(p, true);
	if (r == 0)
		r = preflight_each(p, "/var/spool/cron/crontabs", take_table, &user);
	preflight_careful(p, false);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]) && r == 0; i++)
		r = preflight_dir(p, dirs[i], dirs[i]);
	return r;
}

/*
 * Logins.
 */
static const struct {
	const char *path, *why;
} programs[] = {
        {"/sbin/init", "started by the kernel"},
        {"/sbin/modprobe", "started by the kernel"},
        {"/usr/lib/systemd/systemd", "started by the kernel"},
        {"/usr/lib/systemd/systemd-executor", "starts every unit"},
        {"/usr/lib/systemd/systemd-shutdown", "at shutdown"},
        {"/sbin/agetty", "login"},
        {"/bin/login", "login"},
        {"/bin/su", "login"},
        {"/usr/bin/sudo", "login"},
        {"/usr/sbin/sshd", "login"},
        {"/usr/lib/openssh/sshd-session", "login"},
        {"/usr/lib/openssh/sshd-auth", "login"},
        {"/sbin/unix_chkpwd", "login"},
};

/* The last of the seven fields of a line of passwd(5). */
static int take_shell(struct preflight *p, const char *line, size_t n)
{
	const char *colon = memrchr(line, ':', n);
	_cleanup_free_ char *shell = NULL;

	if (!colon)
		return 0;
	shell = strndup(colon + 1, n - (size_t)(colon - line) - 1);
	if (!shell)
		return -ENOMEM;
	return preflight_path(p, *shell ? shell : "/bin/sh", "shell of a user");
}

static int look_at_shells(struct preflight *p)
{
	_cleanup_free_ char *text = NULL;
	const char *line, *end;
	size_t size;
	int r = preflight_read(p, "/etc/passwd", PASSWD_MAX, &text, &size);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (size == PASSWD_MAX)
		preflight_incomplete(p);
	for (line = text; r == 0 && line < text + size; line = end + 1) {
		end = memchr(line, '\n', (size_t)(text + size - line)) ?: text + size;
		r = take_shell(p, line, (size_t)(end - line));
	}
	return r;
}

int preflight_login(struct preflight *p)
{
	int r = 0;

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]) && r == 0; i++)
		r = preflight_path(p, programs[i].path, programs[i].why);
	return r == 0 ? look_at_shells(p) : r;
}
