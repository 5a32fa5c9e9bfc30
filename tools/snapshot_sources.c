/*
 * --rootfs and --host. A path of the host is snapshot within its filesystem, and vouches on that
 * filesystem by its UUID; what containers keep below it is left out, since their images vouch for
 * that.
 */
#include "snapshot/filesystem.h"
#include "tools/host.h"
#include "tools/print.h"
#include "tools/snapshot_create.h"
#include "tools/snapshot_skips.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* @path without links; it must be that already, or be relative. */
static int canonical(const char *path, char **ret_path)
{
	_cleanup_free_ char *real = realpath(path, NULL), *trimmed = NULL, *safe = NULL,
	                    *text = NULL;
	size_t n = strlen(path);

	if (!real)
		return creation_say(
		        path, strerror(errno), errno == EACCES ? EX_NOPERM : EX_NOINPUT);
	while (n > 1 && path[n - 1] == '/')
		n--;
	trimmed = text_format("%.*s", (int)n, path);
	if (path[0] == '/' && strcmp(trimmed, real) != 0) {
		safe = text_safe(real);
		text = text_format("leads to %s; name that", safe);
		return creation_say(path, text, EX_NOINPUT);
	}
	*ret_path = TAKE_PTR(real);
	return 0;
}

/*
 * --host.
 */
static bool is_disk(const struct mountinfo_line *line)
{
	static const char *const types[] = {"ext4", "xfs", "btrfs", "f2fs", "bcachefs", "zfs"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(line->fstype, types[i]))
			return true;
	return false;
}

static bool is_first_of_device(const struct host *host, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (host->mounts[i].dev_major == host->mounts[at].dev_major &&
		        host->mounts[i].dev_minor == host->mounts[at].dev_minor)
			return false;
	return true;
}

static int explain(const struct call *call)
{
	struct host host;

	host_init(&host);
	fprintf(stderr,
	        "execward %s: --host: of which paths?\n\n"
	        "A snapshot of a path is what may run there on a guarded host (guard.paths of the\n"
	        "configuration). Take it while you trust what is on it, best after an installation:"
	        "\n"
	        "one path for each filesystem that holds programs. Container storage is left out.\n"
	        "\n  execward snapshot create --host",
	        call->verb->name);
	for (size_t i = 0; i < host.n_mounts; i++) {
		_cleanup_free_ char *word = NULL;

		if (is_disk(&host.mounts[i]) && is_first_of_device(&host, i) &&
		        !strcmp(host.mounts[i].root, "/"))
			word = text_shell_word(host.mounts[i].mountpoint);
		if (word)
			fprintf(stderr, " %s", word);
	}
	fputs("\n\nThen `execward snapshot check` tells what has changed since.\n", stderr);
	host_done(&host);
	return EX_USAGE;
}

static int create_path(struct creation *creation, const char *path)
{
	_cleanup_free_ char *real = NULL;
	_cleanup_close_ int root_fd = -1, fd = -1;
	_cleanup_(skips_done) struct skips skips = {.n = 0};
	char uuid[FILESYSTEM_UUID_SIZE];
	struct tree tree = {.one_filesystem = true};
	int r = canonical(path, &real);

	if (r != 0)
		return r;
	root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = open(real, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (root_fd < 0 || fd < 0)
		return creation_say(
		        path, strerror(errno), errno == EACCES ? EX_NOPERM : EX_NOINPUT);
	tree.root_fd = root_fd;
	tree.prefix = real;
	tree.info = (struct snapshot_info){.kind = SNAPSHOT_HOST,
	        .name = real,
	        .root = real,
	        .scope = SCOPE_FILESYSTEM,
	        .scope_value = uuid,
	        .all_files = call_has(creation->call, OPTION_ALL_FILES),
	        .by_uid = getuid()};
	if (filesystem_uuid(fd, uuid) < 0) {
		tree.info.scope = SCOPE_NONE;
		tree.info.scope_value = NULL;
		tree.warning = "its filesystem has no UUID: the snapshot vouches for nothing";
	}
	skips_find(creation->tool->config, real, &skips);
	tree.skip = (const char *const *)skips.paths;
	return creation_tree(creation, &tree);
}

/* Each for itself. The first failure, or else findings, is what is returned. */
int create_host(struct creation *creation)
{
	const struct call *call = creation->call;
	int worst = 0;

	if (call->n_arguments == 0)
		return explain(call);
	if (call_has(call, OPTION_NAME) || call_has(call, OPTION_SCOPE)) {
		fprintf(stderr,
		        "execward %s: --host takes neither --name nor --scope: its paths name it, "
		        "and their filesystem is where it vouches\n",
		        call->verb->name);
		return EX_USAGE;
	}
	for (size_t i = 0; i < call->n_arguments && !*creation->stop; i++) {
		int r = create_path(creation, call->arguments[i]);

		if (worst <= EXIT_FINDINGS && r > worst)
			worst = r;
	}
	return worst;
}

/*
 * --rootfs.
 */
int create_rootfs(struct creation *creation)
{
	const struct call *call = creation->call;
	const char *scope = call->values[OPTION_SCOPE], *name = call->values[OPTION_NAME];
	_cleanup_free_ char *real = realpath(call->values[OPTION_ROOTFS], NULL), *label = NULL;
	_cleanup_(snapshot_info_done) struct snapshot_info scoped = {.scope = SCOPE_NONE};
	_cleanup_close_ int fd = -1;
	struct tree tree = {.prefix = NULL};
	int r;

	fd = real ? open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd < 0)
		return creation_say(call->values[OPTION_ROOTFS], strerror(errno),
		        errno == EACCES ? EX_NOPERM : EX_NOINPUT);
	r = scope ? scope_parse(creation->tool, scope, &scoped) : 0;
	if (r != 0)
		return r;
	label = text_format("%s", name ?: real);
	tree.root_fd = fd;
	tree.info = (struct snapshot_info){.kind = SNAPSHOT_ROOTFS,
	        .name = label,
	        .root = real,
	        .scope = scoped.scope,
	        .scope_value = scoped.scope_value,
	        .image_id = scoped.image_id,
	        .all_files = call_has(call, OPTION_ALL_FILES),
	        .by_uid = getuid()};
	return creation_tree(creation, &tree);
}

/*
 * --container.
 */
int create_container(struct creation *creation)
{
	const struct call *call = creation->call;
	_cleanup_(container_place_done) struct container_place place = {.root_fd = -1};
	_cleanup_free_ char *label = NULL;
	struct tree tree = {.one_filesystem = true};
	int r;

	if (call_has(call, OPTION_SCOPE)) {
		fprintf(stderr, "execward %s: --container takes no --scope: it vouches there\n",
		        call->verb->name);
		return EX_USAGE;
	}
	r = container_find(creation->tool, call->values[OPTION_CONTAINER], &place);
	if (r != 0)
		return r;
	label = text_format("%s", call->values[OPTION_NAME] ?: place.name ?: place.id);
	tree.root_fd = place.root_fd;
	tree.scope_word = place.name ?: place.id;
	tree.info = (struct snapshot_info){.kind = SNAPSHOT_CONTAINER,
	        .name = label,
	        .scope = SCOPE_CONTAINER,
	        .scope_value = place.key,
	        .image_id = place.image_id,
	        .all_files = call_has(call, OPTION_ALL_FILES),
	        .by_uid = getuid()};
	return creation_tree(creation, &tree);
}
