/*
 * A running container: the runtimes' own files give its name, id, image and first process; that
 * process's root and mount table give the tree and the overlay that it is. The overlay is what
 * names the container to the daemon, too, so that nothing here has to be believed by it.
 *
 * Docker's and podman's are found by name; of others (containerd, cri-o) by the id, which is in the
 * cgroup of each of its processes.
 */
#include "base/file.h"
#include "core/cgroup.h"
#include "core/mountinfo.h"
#include "core/overlay.h"
#include "tools/print.h"
#include "tools/snapshot_create.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sysexits.h>

#define METADATA_MAX  (16u * 1024u * 1024u) /* bytes; containers.json of 10,000 containers */
#define MOUNTS_MAX    (64u * 1024u * 1024u) /* bytes; fs.mount-max lines of 600 */
#define SMALL_MAX     65536u                /* bytes of a pid file or a cgroup */
#define DEPTH_MAX     64u                   /* of brackets in JSON, before the parser recurses */
#define ID_PREFIX_MIN 12u                   /* digits: what runtimes show */

struct candidate {
	struct container_place place; /* all but key and root_fd */
	pid_t pid;                    /* 0: not known, or not running */
	bool stopped;
};

struct search {
	const char *name;
	const struct config *config;
	struct candidate found;
	size_t n; /* how many have that name */
};

void container_place_done(struct container_place *place)
{
	free(place->name);
	free(place->id);
	free(place->key);
	free(place->image);
	free(place->image_id);
	cleanup_closep(&place->root_fd);
	*place = (struct container_place){.root_fd = -1};
}

/*
 * JSON of the runtimes.
 */
static bool is_shallow(const char *text)
{
	unsigned int depth = 0;
	bool string = false;

	for (; *text; text++) {
		if (string && *text == '\\' && text[1])
			text++;
		else if (*text == '"')
			string = !string;
		else if (!string && (*text == '{' || *text == '[') && ++depth > DEPTH_MAX)
			return false;
		else if (!string && (*text == '}' || *text == ']') && depth > 0)
			depth--;
	}
	return true;
}

static json_t *parse(const char *text, size_t size)
{
	if (!is_shallow(text))
		return NULL;
	return json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
}

static json_t *read_json(const char *path)
{
	_cleanup_free_ char *text = NULL;
	size_t size;

	if (file_read_at(AT_FDCWD, path, METADATA_MAX, &text, &size) < 0)
		return NULL;
	return parse(text, size);
}

static bool is_id(const char *text)
{
	return text && strlen(text) == CONTAINER_ID_LEN &&
	       strspn(text, "0123456789abcdef") == CONTAINER_ID_LEN;
}

static bool is_meant(const struct search *search, const char *id, const char *name)
{
	size_t n = strlen(search->name);

	if (name && !strcmp(name, search->name))
		return true;
	return n >= ID_PREFIX_MIN && !strncmp(search->name, id, n);
}

static char *copy(const char *text)
{
	return text && *text ? text_format("%s", text) : NULL;
}

static const char *without_algorithm(const char *text)
{
	return text && !strncmp(text, "sha256:", 7) ? text + 7 : text;
}

static struct candidate *found(struct search *search, const char *id, const char *name)
{
	struct candidate *c = &search->found;

	search->n++;
	container_place_done(&c->place);
	*c = (struct candidate){.place = {.root_fd = -1, .id = copy(id), .name = copy(name)}};
	return c;
}

static void look_at_docker(struct search *search, const char *id)
{
	_cleanup_free_ char *path =
	        text_format("%s/containers/%s/config.v2.json", search->config->docker_dir, id);
	json_t *json = read_json(path), *state;
	const char *name = raw_of(json, "Name");
	struct candidate *c;

	if (name && name[0] == '/')
		name++;
	if (json && is_meant(search, id, name)) {
		c = found(search, id, name);
		state = json_object_get(json, "State");
		c->pid = (pid_t)json_number_value(json_object_get(state, "Pid"));
		c->stopped = !json_is_true(json_object_get(state, "Running"));
		c->place.image = copy(raw_of(json_object_get(json, "Config"), "Image"));
		c->place.image_id = copy(without_algorithm(raw_of(json, "Image")));
	}
	json_decref(json);
}

static void search_docker(struct search *search)
{
	_cleanup_free_ char *path = text_format("%s/containers", search->config->docker_dir);
	_cleanup_closedir_ DIR *dir = opendir(path);
	const struct dirent *d;

	while (dir && (d = readdir(dir)))
		if (is_id(d->d_name))
			look_at_docker(search, d->d_name);
}

static pid_t read_pid(const char *directory, const char *id)
{
	_cleanup_free_ char *path =
	        text_format("%s/overlay-containers/%s/userdata/pidfile", directory, id);
	_cleanup_free_ char *text = NULL;
	size_t size;
	long pid;

	if (file_read_at(AT_FDCWD, path, SMALL_MAX, &text, &size) < 0)
		return 0;
	pid = strtol(text, NULL, 10);
	return pid > 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

/* What podman itself keeps of it is JSON in a string. */
static char *podman_image(const json_t *container)
{
	const char *text = raw_of(container, "metadata");
	json_t *metadata = text ? parse(text, strlen(text)) : NULL;
	char *image = copy(raw_of(metadata, "image-name"));

	json_decref(metadata);
	return image;
}

static void look_at_podman(struct search *search, const json_t *container)
{
	const char *id = raw_of(container, "id"), *named = NULL;
	const json_t *name;
	struct candidate *c;
	size_t i;

	if (!is_id(id))
		return;
	json_array_foreach(json_object_get(container, "names"), i,
	        name) if (!named || !strcmp(json_string_value(name) ?: "", search->name)) named =
	        json_string_value(name);
	if (!is_meant(search, id, named))
		return;
	c = found(search, id, named);
	c->pid = read_pid(search->config->podman_run_dir, id);
	c->stopped = c->pid == 0;
	c->place.image = podman_image(container);
	c->place.image_id = copy(raw_of(container, "image"));
}

static void search_podman(struct search *search)
{
	static const char *const files[] = {"containers.json", "volatile-containers.json"};

	for (size_t f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
		_cleanup_free_ char *path = text_format(
		        "%s/overlay-containers/%s", search->config->podman_dir, files[f]);
		json_t *json = read_json(path);
		const json_t *container;
		size_t i;

		json_array_foreach(json, i, container) look_at_podman(search, container);
		json_decref(json);
	}
}

/*
 * Processes.
 */
static bool id_of_process(const char *pid, char ret_id[CONTAINER_ID_LEN + 1])
{
	_cleanup_free_ char *path = text_format("/proc/%s/cgroup", pid), *text = NULL;
	struct cgroup_container container;
	size_t size;

	if (file_read_head_at(AT_FDCWD, path, SMALL_MAX, &text, &size) < 0 ||
	        cgroup_parse(text, size, &container) != CGROUP_CONTAINER)
		return false;
	memcpy(ret_id, container.id, CONTAINER_ID_LEN + 1);
	return true;
}

/* The first process whose cgroup says so: the kernel lists them by number, oldest first mostly. */
static void search_processes(struct search *search)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	char id[CONTAINER_ID_LEN + 1];
	const struct dirent *d;

	while (dir && (d = readdir(dir))) {
		size_t n = strspn(d->d_name, "0123456789");

		if (n == 0 || d->d_name[n] || !id_of_process(d->d_name, id) ||
		        !is_meant(search, id, NULL))
			continue;
		if (search->n > 0 && !strcmp(search->found.place.id, id))
			continue;
		found(search, id, NULL)->pid = (pid_t)strtol(d->d_name, NULL, 10);
	}
}

/* The mount at the root of a process, which is the last that was put there. */
static int root_mount(pid_t pid, struct mountinfo_line *ret_line)
{
	_cleanup_free_ char *path = text_format("/proc/%d/mountinfo", (int)pid), *text = NULL;
	struct mountinfo_line line;
	const char *cursor;
	size_t size;
	int r = file_read_at(AT_FDCWD, path, MOUNTS_MAX, &text, &size);

	if (r < 0)
		return r;
	*ret_line = (struct mountinfo_line){.id = 0};
	cursor = text;
	while ((r = mountinfo_next(&cursor, text + size, &line)) != 0) {
		if (r < 0)
			continue;
		if (strcmp(line.mountpoint, "/") != 0) {
			mountinfo_line_done(&line);
			continue;
		}
		mountinfo_line_done(ret_line);
		*ret_line = line;
	}
	return ret_line->options ? 0 : -ENOENT;
}

/* The key, when the process's root is an overlay with an upper layer, mounted by the host. */
static int key_of(const struct mountinfo_line *line, char **ret_key)
{
	struct overlay_options options;
	int r = strcmp(line->fstype, "overlay") ? -EMEDIUMTYPE : 0;

	if (r == 0)
		r = overlay_options_parse(line->options, true, &options);
	if (r < 0)
		return r;
	*ret_key = options.upper ? realpath(options.upper, NULL) : NULL;
	r = *ret_key ? 0 : -EMEDIUMTYPE;
	overlay_options_done(&options);
	return r;
}

/* Both of one moment: the root that was opened is the overlay that the table names. */
static int open_root(struct candidate *c)
{
	_cleanup_free_ char *path = text_format("/proc/%d/root", (int)c->pid);
	struct mountinfo_line line = {.id = 0};
	struct stat st;
	int r;

	c->place.root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (c->place.root_fd < 0)
		return -errno;
	r = root_mount(c->pid, &line);
	if (r == 0)
		r = key_of(&line, &c->place.key);
	if (r == 0 && (fstat(c->place.root_fd, &st) < 0 ||
	                      st.st_dev != makedev(line.dev_major, line.dev_minor)))
		r = -ESTALE;
	mountinfo_line_done(&line);
	return r;
}

static int say(const char *name, const char *text, int code)
{
	_cleanup_free_ char *safe = text_safe(name);

	fprintf(stderr, "execward: container %s: %s\n", safe, text);
	return code;
}

int container_find(const struct tool *tool, const char *name, struct container_place *ret_place)
{
	struct search search = {
	        .name = name, .config = tool->config, .found = {.place = {.root_fd = -1}}};
	struct candidate *c = &search.found;
	int r = 0;

	search_docker(&search);
	search_podman(&search);
	if (search.n == 0)
		search_processes(&search);
	if (search.n == 0)
		r = say(name,
		        "no runtime knows it; name one of Docker's or podman's, or 12 digits "
		        "or more of an id",
		        EX_NOINPUT);
	else if (search.n > 1)
		r = say(name, "names several; give its id", EX_NOINPUT);
	else if (c->stopped || c->pid == 0)
		r = say(name, "is not running; start it, or snapshot its image with --image",
		        EX_UNAVAILABLE);
	if (r == 0) {
		r = open_root(c);
		if (r == -EMEDIUMTYPE)
			r = say(name, "its root is no overlay of this host", EX_UNAVAILABLE);
		else if (r < 0)
			r = say(name, strerror(-r),
			        r == -EACCES || r == -EPERM ? EX_NOPERM : EX_UNAVAILABLE);
	}
	if (r == 0)
		*ret_place = c->place;
	else
		container_place_done(&c->place);
	return r;
}
