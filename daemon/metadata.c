/*
 * Which runtime's files to look into is told by where the overlay's upper directory lies, or by
 * where it is mounted. What a file says about a container is only its name.
 */
#include "daemon/metadata.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "daemon/metadata_json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DOCKER_MOUNTS_MAX 16384u /* entries of layerdb/mounts that are looked at */
#define ID_FILE_MAX       256u   /* bytes of mount-id */

__attribute__((format(printf, 1, 2))) static char *format_path(const char *format, ...)
{
	char *path = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&path, format, args) < 0)
		path = NULL;
	va_end(args);
	return path;
}

/*
 * The layer's directory name in ".../<dir>/<layer>/<leaf>"; NULL when the path has another shape.
 */
static char *layer_name(const char *upper, const char *dir, const char *leaf)
{
	const char *end = upper ? strrchr(upper, '/') : NULL, *start, *parent;
	size_t n = strlen(dir);

	if (!end || strcmp(end + 1, leaf) || end == upper)
		return NULL;
	start = memrchr(upper, '/', (size_t)(end - upper));
	if (!start || (size_t)(start - upper) < n + 1)
		return NULL;
	parent = start - n;
	if (strncmp(parent, dir, n) || parent[-1] != '/')
		return NULL;
	return strndup(start + 1, (size_t)(end - start) - 1);
}

static enum metadata_result read_and(const char *path,
	enum metadata_result (*parse)(const char *, size_t, struct container_info *),
	struct container_info *ret_info)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r = path ? file_read_at(AT_FDCWD, path, METADATA_FILE_MAX, &text, &size) : -ENOMEM;

	if (r < 0)
		return r == -ENOENT ? METADATA_NONE : METADATA_BROKEN;
	return parse(text, size, ret_info);
}

/*
 * Docker: layerdb/mounts/<container>/mount-id holds the name of the upper's directory.
 */
static bool is_mount_of(int mounts_fd, const char *id, const char *layer)
{
	_cleanup_free_ char *path = format_path("%s/mount-id", id), *text = NULL;
	size_t size = 0;

	if (!path || file_read_at(mounts_fd, path, ID_FILE_MAX, &text, &size) < 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	return !strcmp(text, layer);
}

static char *docker_id_of(const struct config *config, const char *layer)
{
	_cleanup_free_ char *path =
		format_path("%s/image/overlay2/layerdb/mounts", config->docker_dir);
	_cleanup_closedir_ DIR *dir = path ? opendir(path) : NULL;
	struct dirent *entry;
	unsigned int n = 0;

	while (dir && n++ < DOCKER_MOUNTS_MAX && (entry = readdir(dir)))
		if (metadata_is_id(entry->d_name) && is_mount_of(dirfd(dir), entry->d_name, layer))
			return strdup(entry->d_name);
	return NULL;
}

static enum metadata_result lookup_docker(const struct config *config,
	const struct metadata_query *query, struct container_info *ret_info)
{
	_cleanup_free_ char *layer = layer_name(query->upper, "overlay2", "diff"), *id = NULL,
			    *path = NULL;
	enum metadata_result result;

	if (!layer)
		return METADATA_NONE;
	id = docker_id_of(config, layer);
	if (!id)
		return METADATA_NONE;
	path = format_path("%s/containers/%s/config.v2.json", config->docker_dir, id);
	result = read_and(path, metadata_parse_docker, ret_info);
	if (!ret_info->id)
		ret_info->id = TAKE_PTR(id);
	if (!ret_info->runtime)
		ret_info->runtime = strdup("docker");
	return result == METADATA_NAMED ? METADATA_NAMED : METADATA_BROKEN;
}

/*
 * podman and cri-o: containers.json of the storage names the container of a layer.
 */
static enum metadata_result parse_podman_file(const char *dir, const char *name, const char *layer,
	struct container_info *ret_info)
{
	_cleanup_free_ char *path = format_path("%s/overlay-containers/%s", dir, name), *text = NULL;
	size_t size = 0;
	int r = path ? file_read_at(AT_FDCWD, path, METADATA_FILE_MAX, &text, &size) : -ENOMEM;

	if (r < 0)
		return r == -ENOENT ? METADATA_NONE : METADATA_BROKEN;
	return metadata_parse_podman(text, size, layer, ret_info);
}

/* The storage that the upper directory lies in: everything before "/overlay/<layer>/diff". */
static char *podman_storage_of(const struct config *config, const char *upper, const char *layer)
{
	_cleanup_free_ char *tail = format_path("/overlay/%s/diff", layer);
	size_t n = strlen(upper), m = tail ? strlen(tail) : 0;

	if (!tail || n <= m || strcmp(upper + n - m, tail))
		return strdup(config->podman_dir);
	return strndup(upper, n - m);
}

static void name_podman_image(const char *storage, struct container_info *info)
{
	_cleanup_free_ char *path = format_path("%s/overlay-images/images.json", storage),
			    *text = NULL;
	size_t size = 0;

	if (info->image || !info->image_id || !path ||
		file_read_at(AT_FDCWD, path, METADATA_FILE_MAX, &text, &size) < 0)
		return;
	info->image = metadata_image_name(text, size, info->image_id);
}

/* cri-o keeps the bundle's config.json of a container below the run directory. */
static void add_crio(const struct config *config, struct container_info *info)
{
	_cleanup_free_ char *path = format_path("%s/overlay-containers/%s/userdata/config.json",
		config->podman_run_dir, info->id);
	_cleanup_(container_info_done) struct container_info bundle = {0};

	if (read_and(path, metadata_parse_oci, &bundle) != METADATA_NAMED || !bundle.runtime ||
		strcmp(bundle.runtime, "cri-o"))
		return;
	metadata_fill(&bundle.id, &info->id);
	container_info_done(info);
	*info = bundle;
	memset(&bundle, 0, sizeof(bundle));
}

static enum metadata_result lookup_podman(const struct config *config,
	const struct metadata_query *query, struct container_info *ret_info)
{
	static const char *const files[] = {"containers.json", "volatile-containers.json"};
	_cleanup_free_ char *layer = layer_name(query->upper, "overlay", "diff"), *storage = NULL;
	enum metadata_result result = METADATA_NONE;

	if (!layer)
		return METADATA_NONE;
	storage = podman_storage_of(config, query->upper, layer);
	for (size_t i = 0; storage && i < 2 && result != METADATA_NAMED; i++) {
		enum metadata_result one = parse_podman_file(storage, files[i], layer, ret_info);

		if (one != METADATA_NONE)
			result = one;
	}
	if (result != METADATA_NAMED)
		return result;
	name_podman_image(storage, ret_info);
	add_crio(config, ret_info);
	return METADATA_NAMED;
}

/*
 * containerd: mounted at <run>/io.containerd.runtime.v2.task/<namespace>/<id>/rootfs.
 */
static enum metadata_result lookup_bundle(const char *run_dir, const char *mountpoint,
	struct container_info *ret_info)
{
	_cleanup_free_ char *prefix = format_path("%s/io.containerd.runtime.v2.task/", run_dir),
			    *path = NULL, *id = NULL;
	const char *rest, *slash;
	enum metadata_result result;

	if (!prefix || strncmp(mountpoint, prefix, strlen(prefix)))
		return METADATA_NONE;
	rest = mountpoint + strlen(prefix);
	slash = strchr(rest, '/');
	if (!slash || strlen(slash + 1) < sizeof("/rootfs") ||
		strcmp(mountpoint + strlen(mountpoint) - strlen("/rootfs"), "/rootfs"))
		return METADATA_NONE;
	id = strndup(slash + 1, strlen(slash + 1) - strlen("/rootfs"));
	if (!id || strchr(id, '/'))
		return METADATA_NONE;
	path = format_path("%.*s/config.json",
		(int)(strlen(mountpoint) - strlen("/rootfs")), mountpoint);
	result = read_and(path, metadata_parse_oci, ret_info);
	metadata_fill(&ret_info->id, &id);
	if (!ret_info->runtime)
		ret_info->runtime = strdup("containerd");
	return result == METADATA_BROKEN ? METADATA_BROKEN : METADATA_NAMED;
}

static enum metadata_result lookup_containerd(const struct config *config,
	const struct metadata_query *query, struct container_info *ret_info)
{
	for (size_t i = 0; i < config->n_containerd_run_dirs; i++) {
		for (size_t j = 0; j < query->n_mountpoints; j++) {
			enum metadata_result result = lookup_bundle(
				config->containerd_run_dirs[i], query->mountpoints[j], ret_info);

			if (result != METADATA_NONE)
				return result;
		}
	}
	return METADATA_NONE;
}

enum metadata_result metadata_lookup(const struct config *config,
	const struct metadata_query *query, struct container_info *ret_info)
{
	static enum metadata_result (*const lookups[])(const struct config *config,
		const struct metadata_query *query, struct container_info *ret_info) = {
		lookup_docker, lookup_podman, lookup_containerd};
	enum metadata_result result = METADATA_NONE;

	memset(ret_info, 0, sizeof(*ret_info));
	for (size_t i = 0; i < sizeof(lookups) / sizeof(lookups[0]); i++) {
		result = lookups[i](config, query, ret_info);
		if (result != METADATA_NONE)
			return result;
	}
	if (!query->cgroup)
		return METADATA_NONE;
	ret_info->id = strdup(query->cgroup->id);
	ret_info->runtime = strdup(cgroup_runtime_name(query->cgroup->runtime));
	return METADATA_PARTIAL;
}
