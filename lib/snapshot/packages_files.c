/* What one installed package has on the disk, by the database of the tree. */
#include "base/cleanup.h"
#include "base/file.h"
#include "snapshot/beneath.h"
#include "snapshot/packages_internal.h"
#include "snapshot/packages_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATABASE "/var/lib/dpkg"

struct dpkg {
	struct packages_listing *listing;
	int info_fd;
	struct dpkg_paths paths;
};

static void dpkg_done(struct dpkg *dpkg)
{
	cleanup_closep(&dpkg->info_fd);
	dpkg_paths_done(&dpkg->paths);
}

/* "NAME", or "NAME:ARCH". */
static bool is_wanted(const struct dpkg_package *package, const char *name)
{
	size_t n = package->name.size;

	if (!package->installed || strncmp(package->name.data, name, n) != 0)
		return false;
	return !name[n] || (name[n] == ':' && slice_is(&package->arch, name + n + 1));
}

static int read_list(
        const struct dpkg *dpkg, const struct dpkg_package *p, char **ret_text, size_t *ret_size)
{
	char name[512];
	int r;

	(void)snprintf(name, sizeof(name), "%.*s:%.*s.list", (int)p->name.size, p->name.data,
	        (int)p->arch.size, p->arch.data);
	r = file_read_at(dpkg->info_fd, name, PACKAGES_FILE_MAX, ret_text, ret_size);
	if (r != -ENOENT)
		return r;
	(void)snprintf(name, sizeof(name), "%.*s.list", (int)p->name.size, p->name.data);
	return file_read_at(dpkg->info_fd, name, PACKAGES_FILE_MAX, ret_text, ret_size);
}

static int list_files(struct dpkg *dpkg, const struct dpkg_package *package)
{
	struct packages_listing *listing = dpkg->listing;
	char path[ENTRY_PATH_MAX + 1];
	_cleanup_free_ char *text = NULL;
	struct slice all, line;
	size_t size = 0, at = 0;
	int r = read_list(dpkg, package, &text, &size);

	all = (struct slice){text, size};
	while (r == 0 && dpkg_line(&all, &at, &line))
		if (dpkg_path(&dpkg->paths, &package->name, &line, path))
			r = listing->each(path, listing->userdata);
	return r;
}

static int read_database(struct dpkg *dpkg, int dir, const struct slice *status)
{
	_cleanup_free_ char *text = NULL;
	struct slice diversions = {NULL, 0};
	struct dpkg_package package;
	size_t at = 0;
	int r = file_read_at(dir, "diversions", PACKAGES_FILE_MAX, &text, &diversions.size);

	diversions.data = text;
	if (r == 0 || r == -ENOENT)
		r = dpkg_paths_init(dpkg->listing->root_fd, &diversions, &dpkg->paths);
	while (r == 0 && dpkg_package(status, &at, &package)) {
		if (!is_wanted(&package, dpkg->listing->name))
			continue;
		dpkg->listing->found++;
		r = list_files(dpkg, &package);
	}
	return r;
}

enum packages_result packages_dpkg_files(struct packages_listing *listing, int *ret_r)
{
	_cleanup_(dpkg_done) struct dpkg dpkg = {.listing = listing, .info_fd = -1};
	_cleanup_close_ int dir = beneath_open(listing->root_fd, DATABASE, O_RDONLY | O_DIRECTORY);
	_cleanup_free_ char *text = NULL;
	struct slice status;
	size_t size = 0;
	int r = dir < 0 ? dir : file_read_at(dir, "status", PACKAGES_FILE_MAX, &text, &size);

	if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP)
		return PACKAGES_NONE;
	if (r == 0)
		dpkg.info_fd = beneath_open_name(dir, "info", O_RDONLY | O_DIRECTORY);
	if (r == 0 && dpkg.info_fd < 0)
		r = dpkg.info_fd;
	status = (struct slice){text, size};
	if (r == 0)
		r = read_database(&dpkg, dir, &status);
	*ret_r = r;
	return PACKAGES_READ;
}

int packages_files(int root_fd, const char *name, int (*each)(const char *path, void *userdata),
        void *userdata)
{
	struct packages_listing listing = {
	        .root_fd = root_fd, .name = name, .each = each, .userdata = userdata};
	enum packages_result dpkg, rpm = PACKAGES_UNSET;
	int r = 0;

	dpkg = packages_dpkg_files(&listing, &r);
	if (r == 0 && listing.found == 0)
		rpm = packages_rpm_files(&listing, &r);
	if (r != 0)
		return r;
	if (listing.found > 0)
		return 0;
	return dpkg == PACKAGES_READ || rpm == PACKAGES_READ ? PACKAGES_E_NOTFOUND
	                                                     : PACKAGES_E_NO_DATABASE;
}
