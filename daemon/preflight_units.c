/*
 * Unit files as systemd finds them: the first directory that has a name counts, a link to /dev/null
 * masks it. Of those that can be enabled only the ones that something wants are looked at; drop-ins
 * are looked at whatever they belong to.
 */
#include "daemon/preflight_internal.h"

#include "base/cleanup.h"
#include "core/crontab.h"
#include "core/unit_exec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

/* In their order, systemd.unit(5). */
static const char *const unit_dirs[] = {
        "/etc/systemd/system",
        "/run/systemd/system",
        "/run/systemd/generator.early",
        "/run/systemd/generator",
        "/run/systemd/generator.late",
        "/usr/local/lib/systemd/system",
        "/usr/lib/systemd/system",
        "/lib/systemd/system",
};

static const char *const program_dirs[][2] = {
        {"system-generators", "generator of systemd"},
        {"system-environment-generators", "generator of systemd"},
        {"system-shutdown", "at shutdown"},
        {"system-sleep", "at suspend"},
};

struct name {
	char *text;
	UT_hash_handle hh;
};

struct units {
	struct preflight *preflight;
	struct name *wanted; /* what something wants; of an instance its template, too */
	struct name *done;
	const char *file; /* being read */
};

static bool has_name(const struct name *names, const char *text)
{
	struct name *found = NULL;

	HASH_FIND_STR(names, text, found);
	return found != NULL;
}

static int add_name(struct name **names, const char *text, size_t n)
{
	struct name *name = NULL;

	HASH_FIND(hh, *names, text, n, name);
	if (name)
		return 0;
	name = calloc(1, sizeof(*name));
	if (!name || !(name->text = strndup(text, n))) {
		free(name);
		return -ENOMEM;
	}
	HASH_ADD_KEYPTR(hh, *names, name->text, n, name);
	return 0;
}

static void free_names(struct name **names)
{
	struct name *name, *next;

	HASH_ITER(hh, *names, name, next)
	{
		HASH_DEL(*names, name);
		free(name->text);
		free(name);
	}
}

static void units_done(struct units *u)
{
	free_names(&u->wanted);
	free_names(&u->done);
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n > m && !strcmp(text + n - m, end);
}

static bool is_unit(const char *name)
{
	return ends_with(name, ".service") || ends_with(name, ".socket") ||
	       ends_with(name, ".mount") || ends_with(name, ".swap");
}

static char *join(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

/* getty@tty1.service wants getty@.service. */
static int want(struct units *u, const char *name)
{
	const char *at = strchr(name, '@'), *dot = strrchr(name, '.');
	int r = add_name(&u->wanted, name, strlen(name));

	if (r == 0 && at && dot && dot > at + 1) {
		_cleanup_free_ char *template = NULL;

		if (asprintf(&template, "%.*s%s", (int)(at + 1 - name), name, dot) < 0) {
			template = NULL;
			return -ENOMEM;
		}
		r = add_name(&u->wanted, template, strlen(template));
	}
	return r;
}

static int want_entry(
        struct preflight *p, const char *dir, const struct dirent *entry, void *userdata)
{
	_cleanup_free_ char *path = join(dir, entry->d_name), *target = NULL;
	struct units *u = userdata;
	const char *slash;
	int r = path ? want(u, entry->d_name) : -ENOMEM;

	/* The link may have another name than the unit. */
	if (r < 0 || preflight_readlink(p, path, &target) < 0)
		return r;
	slash = strrchr(target, '/');
	return want(u, slash ? slash + 1 : target);
}

static int find_wanted(
        struct preflight *p, const char *dir, const struct dirent *entry, void *userdata)
{
	_cleanup_free_ char *path = join(dir, entry->d_name), *target = NULL;
	const char *name = entry->d_name, *slash;
	struct units *u = userdata;

	if (!path)
		return -ENOMEM;
	if (ends_with(name, ".wants") || ends_with(name, ".requires") ||
	        ends_with(name, ".upholds"))
		return preflight_each(p, path, want_entry, u);
	/* An alias, which `systemctl enable` makes. */
	if (!is_unit(name) || preflight_readlink(p, path, &target) < 0)
		return 0;
	slash = strrchr(target, '/');
	return want(u, slash ? slash + 1 : target);
}

struct word_context {
	struct units *units;
	const char *why;
};

static int take_shell_word(const char *word, void *userdata)
{
	const struct word_context *c = userdata;

	return preflight_name(c->units->preflight, word, PREFLIGHT_PATH, c->why);
}

static int take_word(enum unit_word_kind kind, const char *word, void *userdata)
{
	const struct word_context *c = userdata;

	if (kind == UNIT_WORD_SCRIPT)
		return shell_line_each(word, take_shell_word, userdata);
	if (kind == UNIT_WORD_ARGUMENT && *word != '/')
		return 0;
	return preflight_name(c->units->preflight, word, PREFLIGHT_PATH, c->why);
}

static int ignore_word(enum unit_word_kind kind, const char *word, void *userdata)
{
	(void)kind;
	(void)word;
	(void)userdata;
	return 0;
}

/* @always: also when it would have to be enabled. */
static int read_unit(struct units *u, const char *path, const char *name, bool always)
{
	_cleanup_free_ char *text = NULL, *why = NULL;
	struct word_context context = {.units = u};
	bool installs = false;
	size_t size;
	int r = preflight_read(u->preflight, path, UNIT_TEXT_MAX, &text, &size);

	if (r < 0)
		return r == -ENOMEM ? r : 0; /* masked, or a broken link */
	if (size == UNIT_TEXT_MAX)
		preflight_incomplete(u->preflight);
	r = unit_exec_each(text, size, ignore_word, NULL, &installs);
	if (r < 0 || (installs && !always && !has_name(u->wanted, name)))
		return r;
	if (asprintf(&why, "unit %s", path) < 0) {
		why = NULL;
		return -ENOMEM;
	}
	context.why = why;
	return unit_exec_each(text, size, take_word, &context, &installs);
}

static int take_drop_in(
        struct preflight *p, const char *dir, const struct dirent *entry, void *userdata)
{
	_cleanup_free_ char *path = join(dir, entry->d_name);

	(void)p;
	if (!path)
		return -ENOMEM;
	return ends_with(entry->d_name, ".conf") ? read_unit(userdata, path, entry->d_name, true)
	                                         : 0;
}

static int take_entry(
        struct preflight *p, const char *dir, const struct dirent *entry, void *userdata)
{
	_cleanup_free_ char *path = join(dir, entry->d_name);
	const char *name = entry->d_name;
	struct units *u = userdata;
	int r;

	if (!path)
		return -ENOMEM;
	if (ends_with(name, ".d"))
		return preflight_each(p, path, take_drop_in, u);
	if (!is_unit(name) || has_name(u->done, name))
		return 0;
	r = add_name(&u->done, name, strlen(name));
	return r == 0 ? read_unit(u, path, name, false) : r;
}

static int look_at_programs(struct preflight *p)
{
	static const char *const roots[] = {"/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"};
	int r = 0;

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		for (size_t k = 0; k < sizeof(program_dirs) / sizeof(program_dirs[0]) && r == 0;
		        k++) {
			_cleanup_free_ char *dir = NULL;

			if (asprintf(&dir, "%s/systemd/%s", roots[i], program_dirs[k][0]) < 0) {
				dir = NULL;
				return -ENOMEM;
			}
			r = preflight_dir(p, dir, program_dirs[k][1]);
		}
	}
	return r;
}

int preflight_units(struct preflight *p)
{
	_cleanup_(units_done) struct units u = {.preflight = p};
	int r = 0;

	for (size_t i = 0; i < sizeof(unit_dirs) / sizeof(unit_dirs[0]) && r == 0; i++)
		r = preflight_each(p, unit_dirs[i], find_wanted, &u);
	for (size_t i = 0; i < sizeof(unit_dirs) / sizeof(unit_dirs[0]) && r == 0; i++)
		r = preflight_each(p, unit_dirs[i], take_entry, &u);
	return r == 0 ? look_at_programs(p) : r;
}
