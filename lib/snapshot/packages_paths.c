#include "snapshot/packages_paths.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Links into /usr since Debian 12; packages still name what they ship there by the old path. */
static const char *const directories[] = {
        "bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32"};

#define N_DIRECTORIES (sizeof(directories) / sizeof(directories[0]))

static bool is_merged(int root_fd, const char *directory)
{
	_cleanup_free_ char *target = NULL;
	const char *below;

	if (file_readlink_at(root_fd, directory, &target) < 0)
		return false;
	below = target + (target[0] == '/');
	return !strncmp(below, "usr/", 4) && !strcmp(below + 4, directory);
}

/* "/bin/ls" as "/usr/bin/ls" where /bin is a link. False when it is no path of an entry. */
static bool on_disk(
        const struct dpkg_paths *paths, const struct slice *path, char ret_path[ENTRY_PATH_MAX + 1])
{
	const char *name = path->data, *prefix = "/";
	size_t size = path->size;

	while (size > 0 && name[0] == '/') {
		name++;
		size--;
	}
	for (size_t i = 0; i < N_DIRECTORIES; i++) {
		size_t n = strlen(directories[i]);

		if (paths->merged & 1u << i && size > n && name[n] == '/' &&
		        !memcmp(name, directories[i], n))
			prefix = "/usr/";
	}
	if (size == 0 || memchr(name, '\0', size) || size + strlen(prefix) > ENTRY_PATH_MAX)
		return false;
	(void)snprintf(ret_path, ENTRY_PATH_MAX + 1, "%s%.*s", prefix, (int)size, name);
	return entry_path_valid(ret_path);
}

/* A diversion that makes no sense is none. 0 or -ENOMEM. */
static int add_diversion(struct dpkg_paths *paths, const struct dpkg_diversion *diversion)
{
	char from[ENTRY_PATH_MAX + 1], to[ENTRY_PATH_MAX + 1];
	size_t n = paths->n;

	if (!on_disk(paths, &diversion->from, from) || !on_disk(paths, &diversion->to, to))
		return 0;
	if (n % 64 == 0) {
		void *grown = reallocarray(paths->diversions, n + 64, sizeof(*paths->diversions));

		if (!grown)
			return -ENOMEM;
		paths->diversions = grown;
	}
	paths->n++;
	paths->diversions[n].from = strdup(from);
	paths->diversions[n].to = strdup(to);
	paths->diversions[n].package = strndup(diversion->package.data, diversion->package.size);
	return paths->diversions[n].from && paths->diversions[n].to && paths->diversions[n].package
	               ? 0
	               : -ENOMEM;
}

int dpkg_paths_init(int root_fd, const struct slice *diversions, struct dpkg_paths *ret_paths)
{
	struct dpkg_diversion diversion;
	size_t at = 0;
	int r = 0;

	memset(ret_paths, 0, sizeof(*ret_paths));
	for (size_t i = 0; i < N_DIRECTORIES; i++)
		if (is_merged(root_fd, directories[i]))
			ret_paths->merged |= 1u << i;
	while (r == 0 && ret_paths->n < DIVERSIONS_MAX &&
	        dpkg_diversion(diversions, &at, &diversion))
		r = add_diversion(ret_paths, &diversion);
	return r;
}

void dpkg_paths_done(struct dpkg_paths *paths)
{
	for (size_t i = 0; i < paths->n; i++) {
		free(paths->diversions[i].from);
		free(paths->diversions[i].to);
		free(paths->diversions[i].package);
	}
	free(paths->diversions);
	memset(paths, 0, sizeof(*paths));
}

bool dpkg_path(const struct dpkg_paths *paths, const struct slice *package,
        const struct slice *path, char ret_path[ENTRY_PATH_MAX + 1])
{
	if (!on_disk(paths, path, ret_path))
		return false;
	for (size_t i = 0; i < paths->n; i++) {
		if (strcmp(paths->diversions[i].from, ret_path) != 0 ||
		        slice_is(package, paths->diversions[i].package))
			continue;
		(void)snprintf(ret_path, ENTRY_PATH_MAX + 1, "%s", paths->diversions[i].to);
		break;
	}
	return true;
}
