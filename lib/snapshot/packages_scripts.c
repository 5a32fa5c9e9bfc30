#include "snapshot/packages_scripts.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "snapshot/beneath.h"
#include "snapshot/packages_internal.h"
#include "snapshot/packages_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define DATABASE  "/var/lib/dpkg"
#define INFO      DATABASE "/info/"
#define LABEL_MAX 512u /* bytes of "name version" */

static bool is_script(const char *suffix)
{
	static const char *const scripts[] = {"preinst", "postinst", "prerm", "postrm", "config"};

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
		if (!strcmp(suffix, scripts[i]))
			return true;
	return false;
}

/* "NAME" or "NAME:ARCH"; @text is not terminated. */
static bool is_called(const struct dpkg_package *package, const char *text, size_t size)
{
	const struct slice *name = &package->name, *arch = &package->arch;

	if (size < name->size || memcmp(text, name->data, name->size) != 0)
		return false;
	if (size == name->size)
		return true;
	return size == name->size + 1 + arch->size && text[name->size] == ':' &&
	       !memcmp(text + name->size + 1, arch->data, arch->size);
}

/* One that is removed keeps its postrm, for when it is purged. */
static bool has_script(const struct dpkg_package *package, const struct entry *entry)
{
	const char *name, *dot;

	if (strncmp(entry->path, INFO, strlen(INFO)) != 0)
		return false;
	name = entry->path + strlen(INFO);
	dot = strrchr(name, '.');
	if (!dot || strchr(name, '/') || (!package->installed && strcmp(dot, ".postrm") != 0))
		return false;
	return is_script(dot + 1) && is_called(package, name, (size_t)(dot - name));
}

static bool has_conffile(const struct dpkg_package *package, int root_fd, const struct entry *entry)
{
	uint8_t wanted[MD5_SIZE], now[MD5_SIZE];
	struct slice line, path;
	size_t at = 0;

	while (!package->installed && dpkg_line(&package->conffiles, &at, &line))
		if (dpkg_conffile(&line, &path, wanted) && slice_is(&path, entry->path + 1))
			return packages_md5(root_fd, entry, now) && !memcmp(now, wanted, MD5_SIZE);
	return false;
}

static int ask(const struct dpkg_package *package, int root_fd, struct difference *d)
{
	const char *remark = NULL;
	char label[LABEL_MAX];

	if (has_script(package, &d->now))
		remark = "a script of the package";
	else if (has_conffile(package, root_fd, &d->now))
		remark = "content of the removed package's configuration file (by MD5)";
	if (!remark)
		return 0;
	(void)snprintf(label, sizeof(label), "%.*s %.*s", (int)package->name.size,
	        package->name.data,
	        (int)(package->version.size < 256 ? package->version.size : 256),
	        package->version.data ?: "");
	return packages_say(d, label, remark, true);
}

int packages_scripts(int root_fd, struct comparison *comparison)
{
	_cleanup_close_ int dir = beneath_open(root_fd, DATABASE, O_RDONLY | O_DIRECTORY);
	_cleanup_free_ char *data = NULL;
	struct dpkg_package package;
	struct slice status = {0};
	size_t at = 0;
	int r;

	if (dir < 0)
		return dir == -ENOMEM ? dir : 0;
	r = file_read_at(dir, "status", PACKAGES_FILE_MAX, &data, &status.size);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	status.data = data;
	while (r == 0 && dpkg_package(&status, &at, &package))
		for (size_t i = 0; i < comparison->n && r == 0; i++)
			if (comparison->differences[i].kind != DIFFERENCE_REMOVED &&
			        !comparison->differences[i].accounted)
				r = ask(&package, root_fd, &comparison->differences[i]);
	return r;
}
