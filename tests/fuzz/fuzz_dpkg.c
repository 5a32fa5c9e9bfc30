/*
 * The text files of dpkg's database, each parser over the same bytes. A name that comes out can be
 * part of a file's name, a path that comes out is one of an entry, and every slice lies in the
 * text.
 */
#include "snapshot/packages_paths.h"
#include "snapshot/packages_text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_slice(const struct slice *text, const struct slice *slice)
{
	require(slice->size == 0 || (slice->data >= text->data &&
	                                    slice->data + slice->size <= text->data + text->size));
}

static void check_name(const struct slice *name)
{
	require(name->size > 0 && name->data[0] != '.' && !memchr(name->data, '/', name->size) &&
	        !memchr(name->data, '\0', name->size));
}

static void check_packages(const struct slice *text)
{
	struct dpkg_package package;
	struct slice line, path;
	uint8_t md5[MD5_SIZE];
	size_t at = 0, n = 0;

	while (dpkg_package(text, &at, &package)) {
		size_t in = 0;

		require(n++ <= text->size);
		check_name(&package.name);
		check_name(&package.arch);
		check_slice(text, &package.version);
		check_slice(text, &package.conffiles);
		while (dpkg_line(&package.conffiles, &in, &line))
			if (dpkg_conffile(&line, &path, md5))
				check_slice(text, &path);
	}
}

static void check_path(
        const struct dpkg_paths *paths, const struct slice *text, const struct slice *path)
{
	static const struct slice nobody = {"x", 1};
	char disk[ENTRY_PATH_MAX + 1];

	check_slice(text, path);
	require(path->size > 0);
	if (dpkg_path(paths, &nobody, path, disk))
		require(entry_path_valid(disk));
}

static void check_lines(const struct dpkg_paths *paths, const struct slice *text)
{
	struct dpkg_override o;
	struct slice line, path;
	uint8_t md5[MD5_SIZE];
	size_t at = 0;

	while (dpkg_line(text, &at, &line)) {
		check_slice(text, &line);
		if (line.size > 0)
			check_path(paths, text, &line);
		if (dpkg_md5sum(&line, &path, md5))
			check_path(paths, text, &path);
		if (dpkg_conffile(&line, &path, md5))
			check_path(paths, text, &path);
		if (dpkg_override(&line, &o)) {
			require(o.mode <= 07777);
			check_path(paths, text, &o.path);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};
	struct dpkg_paths paths;
	int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	require(dpkg_paths_init(root_fd, &text, &paths) == 0);
	require(paths.n <= DIVERSIONS_MAX);
	check_packages(&text);
	check_lines(&paths, &text);
	dpkg_paths_done(&paths);
	close(root_fd);
	return 0;
}
