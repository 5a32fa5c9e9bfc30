/*
 * Which runtime's files to look into is told by where the overlay's upper directory lies, or by
 * where it is mounted. What a file says about a container is only its name.
 *
 * The directories are canonical here because the upper directory is: /var/lib/docker is a link on
 * many hosts. Ids become parts of paths, so they are 64 hexadecimal digits before they do.
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
#include <sys/stat.h>

#define DOCKER_MOUNTS_MAX 10000u /* entries of layerdb/mounts that are looked at */
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

/* X out of "<head>X<tail>", when X is one component; else NULL. */
static char *between(const char *path, const char *head, const char *tail)
{
	size_t n = strlen(path), h = strlen(head), t = strlen(tail);

	if (n <= h + t || strncmp(path, head, h) || strcmp(path + n - t, tail) ||
	        memchr(path + h, '/', n - h - t))
		return NULL;
	return strndup(path + h, n - h - t);
}

/* Whether @path is @dir or below it; @dir has no slash at its end. */
static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && (path[n] == '/' || !path[n]);
}

static int read_text(const char *path, char **ret_text, size_t *ret_size)
{
	return path ? file_read_at(AT_FDCWD, path, METADATA_FILE_MAX, ret_text, ret_size) : -ENOMEM;
}

static enum metadata_result read_and(const char *path,
        enum metadata_result (*parse)(const char *, size_t, struct container_info *),
        struct container_info *ret_info)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r = read_text(path, &text, &size);

	if (r < 0)
		return r == -ENOENT ? METADATA_NONE : METADATA_BROKEN;
	return parse(text, size, ret_info);
}

/*
 * A mount point is a path in the namespace of the table it was read from, and whoever owns that
 * namespace chose it: it counts when this overlay is mounted there in ours.
 */
static bool is_mounted_here(const struct metadata_query *query, const char *mountpoint)
{
	struct stat st;

	return query->dev == 0 || (lstat(mountpoint, &st) == 0 && st.st_dev == query->dev);
}

/*
 * Docker's directory for @path: the configured one, or the one below it that belongs to
 * userns-remap ("100000.100000"). NULL when @path lies in neither.
 */
static char *docker_root_of(const struct config *config, const char *path)
{
	static const char digits[] = "0123456789";
	_cleanup_free_ char *root = realpath(config->docker_dir, NULL);
	const char *rest;
	size_t uid, gid;

	if (!root || !is_below(path, root) || strlen(path) == strlen(root))
		return NULL;
	rest = path + strlen(root) + 1;
	uid = strspn(rest, digits);
	gid = rest[uid] == '.' ? strspn(rest + uid + 1, digits) : 0;
	if (uid == 0 || gid == 0 || rest[uid + 1 + gid] != '/')
		return TAKE_PTR(root);
	return strndup(path, (size_t)(rest - path) + uid + 1 + gid);
}

/* layerdb/mounts/<container>/mount-id holds the name of the upper's directory. */
static bool is_mount_of(int mounts_fd, const char *id, const char *layer)
{
	_cleanup_free_ char *path = format_path("%s/mount-id", id), *text = NULL;
	size_t size = 0;

	if (!path || file_read_at(mounts_fd, path, ID_FILE_MAX, &text, &size) < 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	return !strcmp(text, layer);
}

/* The cgroup's id first: it is only a hint, but the right one spares the search. */
static char *docker_id_of_layer(
        const char *root, const char *layer, const struct cgroup_container *cgroup)
{
	_cleanup_free_ char *path = format_path("%s/image/overlay2/layerdb/mounts", root);
	_cleanup_closedir_ DIR *dir = path ? opendir(path) : NULL;
	struct dirent *entry;
	unsigned int n = 0;

	if (dir && cgroup && metadata_is_id(cgroup->id) &&
	        is_mount_of(dirfd(dir), cgroup->id, layer))
		return strdup(cgroup->id);
	while (dir && n++ < DOCKER_MOUNTS_MAX && (entry = readdir(dir)))
		if (metadata_is_id(entry->d_name) && is_mount_of(dirfd(dir), entry->d_name, layer))
			return strdup(entry->d_name);
	return NULL;
}

static char *docker_id_by_upper(
        const char *root, const char *upper, const struct cgroup_container *cgroup)
{
	_cleanup_free_ char *head = format_path("%s/overlay2/", root);
	_cleanup_free_ char *layer = head ? between(upper, head, "/diff") : NULL;

	return layer ? docker_id_of_layer(root, layer, cgroup) : NULL;
}

/* "<root>/rootfs/<snapshotter>/<id>" */
static char *docker_id_by_mountpoint(const char *root, const char *mountpoint)
{
	_cleanup_free_ char *head = format_path("%s/rootfs/", root), *snapshotter = NULL;
	const char *slash = strrchr(mountpoint, '/');

	if (!head || !slash || !metadata_is_id(slash + 1))
		return NULL;
	snapshotter = between(mountpoint, head, slash);
	return snapshotter ? strdup(slash + 1) : NULL;
}

static void name_docker_image(const char *root, struct container_info *info)
{
	_cleanup_free_ char *path = format_path("%s/image/overlay2/repositories.json", root);
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	if (!info->image && info->image_id && read_text(path, &text, &size) == 0)
		info->image = metadata_docker_image(text, size, info->image_id);
}

static enum metadata_result read_docker(
        const char *root, const char *id, struct container_info *ret_info)
{
	_cleanup_free_ char *path = format_path("%s/containers/%s/config.v2.json", root, id);
	_cleanup_(container_info_done) struct container_info info = {0};
	enum metadata_result result = read_and(path, metadata_parse_docker, &info);

	if (result == METADATA_NAMED && !strcmp(info.id, id)) {
		name_docker_image(root, &info);
		*ret_info = info;
		memset(&info, 0, sizeof(info));
		return METADATA_NAMED;
	}
	ret_info->id = strdup(id);
	ret_info->runtime = strdup("docker");
	return METADATA_BROKEN;
}

static enum metadata_result lookup_docker(const struct config *config,
        const struct metadata_query *query, struct container_info *ret_info)
{
	_cleanup_free_ char *root = query->upper ? docker_root_of(config, query->upper) : NULL;
	_cleanup_free_ char *id =
	        root ? docker_id_by_upper(root, query->upper, query->cgroup) : NULL;

	for (size_t i = 0; !id && i < query->n_mountpoints; i++) {
		free(root);
		root = docker_root_of(config, query->mountpoints[i]);
		if (root && is_mounted_here(query, query->mountpoints[i]))
			id = docker_id_by_mountpoint(root, query->mountpoints[i]);
	}
	return id ? read_docker(root, id, ret_info) : METADATA_NONE;
}

static enum metadata_result read_podman(
        const char *dir, const char *name, const char *layer, struct container_info *ret_info)
{
	_cleanup_free_ char *path = format_path("%s/overlay-containers/%s", dir, name),
	                    *text = NULL;
	size_t size = 0;
	int r = read_text(path, &text, &size);

	if (r < 0)
		return r == -ENOENT ? METADATA_NONE : METADATA_BROKEN;
	return metadata_parse_podman(text, size, layer, ret_info);
}

/* Containers with --rm are in a list of their own, which a transient store has in the run dir. */
static enum metadata_result search_podman(const struct config *config, const char *storage,
        const char *layer, struct container_info *ret_info)
{
	const struct {
		const char *dir, *name;
	} lists[] = {
	        {storage, "containers.json"},
	        {storage, "volatile-containers.json"},
	        {config->podman_run_dir, "volatile-containers.json"},
	};
	enum metadata_result result = METADATA_NONE;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		enum metadata_result one =
		        read_podman(lists[i].dir, lists[i].name, layer, ret_info);

		if (one == METADATA_NAMED)
			return METADATA_NAMED;
		if (one == METADATA_BROKEN)
			result = METADATA_BROKEN;
	}
	return result;
}

static void name_podman_image(const char *storage, struct container_info *info)
{
	_cleanup_free_ char *path = format_path("%s/overlay-images/images.json", storage);
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	if (!info->image && info->image_id && read_text(path, &text, &size) == 0)
		info->image = metadata_podman_image(text, size, info->image_id);
}

/* cri-o's bundle knows the pod and the image's name better than the storage does. */
static void add_crio(const struct config *config, struct container_info *info)
{
	_cleanup_free_ char *path = format_path(
	        "%s/overlay-containers/%s/userdata/config.json", config->podman_run_dir, info->id);
	_cleanup_(container_info_done) struct container_info bundle = {0};

	if (read_and(path, metadata_parse_oci, &bundle) != METADATA_NAMED || !bundle.runtime ||
	        strcmp(bundle.runtime, "cri-o") || (bundle.id && strcmp(bundle.id, info->id)))
		return;
	metadata_fill(&bundle.id, &info->id);
	metadata_fill(&bundle.name, &info->name);
	metadata_fill(&bundle.image, &info->image);
	metadata_fill(&bundle.image_id, &info->image_id);
	metadata_fill(&bundle.ns, &info->ns);
	metadata_fill(&bundle.pod, &info->pod);
	if (bundle.start_ns == 0)
		bundle.start_ns = info->start_ns;
	container_info_done(info);
	*info = bundle;
	memset(&bundle, 0, sizeof(bundle));
}

static enum metadata_result lookup_podman(const struct config *config,
        const struct metadata_query *query, struct container_info *ret_info)
{
	_cleanup_free_ char *storage = realpath(config->podman_dir, NULL), *head = NULL,
	                    *layer = NULL;
	enum metadata_result result;

	if (!storage || !query->upper)
		return METADATA_NONE;
	head = format_path("%s/overlay/", storage);
	layer = head ? between(query->upper, head, "/diff") : NULL;
	if (!layer)
		return METADATA_NONE;
	result = search_podman(config, storage, layer, ret_info);
	if (result == METADATA_NAMED) {
		add_crio(config, ret_info);
		name_podman_image(storage, ret_info);
	}
	return result;
}

static enum metadata_result lookup_bundle(
        const char *run_dir, const char *mountpoint, struct container_info *ret_info)
{
	_cleanup_free_ char *tasks = format_path("%s/io.containerd.runtime.v2.task", run_dir);
	_cleanup_free_ char *head = NULL, *id = NULL, *path = NULL;
	enum metadata_result result;
	const char *slash;

	if (!tasks || !is_below(mountpoint, tasks) || strlen(mountpoint) == strlen(tasks))
		return METADATA_NONE;
	slash = strchr(mountpoint + strlen(tasks) + 1, '/');
	if (!slash)
		return METADATA_NONE;
	head = strndup(mountpoint, (size_t)(slash - mountpoint) + 1);
	id = head ? between(mountpoint, head, "/rootfs") : NULL;
	if (!id || !metadata_is_id(id))
		return METADATA_NONE;
	path = format_path("%s%s/config.json", head, id);
	result = read_and(path, metadata_parse_oci, ret_info);
	free(ret_info->id); /* the bundle's directory is containerd's, what is in it may be a guess
	                     */
	ret_info->id = TAKE_PTR(id);
	if (!ret_info->runtime)
		ret_info->runtime = strdup("containerd");
	return result == METADATA_BROKEN ? METADATA_BROKEN : METADATA_NAMED;
}

static enum metadata_result lookup_containerd(const struct config *config,
        const struct metadata_query *query, struct container_info *ret_info)
{
	for (size_t i = 0; i < config->n_containerd_run_dirs; i++) {
		_cleanup_free_ char *run_dir = realpath(config->containerd_run_dirs[i], NULL);

		for (size_t j = 0; run_dir && j < query->n_mountpoints; j++) {
			const char *mountpoint = query->mountpoints[j];
			enum metadata_result result;

			if (!is_below(mountpoint, run_dir) || !is_mounted_here(query, mountpoint))
				continue;
			result = lookup_bundle(run_dir, mountpoint, ret_info);
			if (result != METADATA_NONE)
				return result;
		}
	}
	return METADATA_NONE;
}

/* What no file told. */
static enum metadata_result add_cgroup(const struct cgroup_container *cgroup,
        enum metadata_result result, struct container_info *info)
{
	if (!cgroup || info->id)
		return result;
	info->id = strdup(cgroup->id);
	info->runtime = strdup(cgroup_runtime_name(cgroup->runtime));
	return result == METADATA_NONE ? METADATA_PARTIAL : result;
}

enum metadata_result metadata_lookup(const struct config *config,
        const struct metadata_query *query, struct container_info *ret_info)
{
	static enum metadata_result (*const lookups[])(const struct config *config,
	        const struct metadata_query *query, struct container_info *ret_info) = {
	        lookup_docker, lookup_podman, lookup_containerd};
	enum metadata_result result = METADATA_NONE;

	memset(ret_info, 0, sizeof(*ret_info));
	for (size_t i = 0; i < sizeof(lookups) / sizeof(lookups[0]) && result == METADATA_NONE; i++)
		result = lookups[i](config, query, ret_info);
	return add_cgroup(query->cgroup, result, ret_info);
}
