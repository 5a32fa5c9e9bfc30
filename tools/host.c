/*
 * A mount is found by its mount point's text: asking the kernel for the mount of a path would open
 * it, and a path on a FUSE or network filesystem may never answer.
 */
#include "tools/host.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "tools/print.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define MOUNTINFO_MAX (64u * 1024u * 1024u) /* bytes; fs.mount-max lines of 600 */

static char *path_of(const struct host *host, const char *path)
{
	return text_format("%s%s", host->root, path);
}

/* @line is taken. */
static void add_mount(struct host *host, struct mountinfo_line *line, size_t *room)
{
	if (host->n_mounts == *room) {
		size_t more = *room * 2 + 64;
		struct mountinfo_line *grown =
		        reallocarray(host->mounts, more, sizeof(host->mounts[0]));

		if (!grown) {
			mountinfo_line_done(line);
			return;
		}
		host->mounts = grown;
		*room = more;
	}
	host->mounts[host->n_mounts++] = *line;
}

void host_init(struct host *host)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	struct mountinfo_line line;
	const char *cursor;
	size_t size, room = 0;
	int r;

	*host = (struct host){.root = getenv("EXECWARD_TEST_ROOT") ?: ""};
	path = path_of(host, "/proc/self/mountinfo");
	if (file_read_head_at(AT_FDCWD, path, MOUNTINFO_MAX, &text, &size) < 0)
		return;
	cursor = text;
	while (host->n_mounts < MOUNTINFO_LINES_MAX &&
	        (r = mountinfo_next(&cursor, text + size, &line)) != 0)
		if (r == 1)
			add_mount(host, &line, &room);
}

void host_done(struct host *host)
{
	for (size_t i = 0; i < host->n_mounts; i++)
		mountinfo_line_done(&host->mounts[i]);
	free(host->mounts);
}

int host_read(const struct host *host, const char *path, char **ret_text)
{
	_cleanup_free_ char *full = path_of(host, path);
	size_t size;

	return file_read_head_at(AT_FDCWD, full, HOST_FILE_MAX, ret_text, &size);
}

int host_read_line(const struct host *host, const char *path, char **ret_line)
{
	int r = host_read(host, path, ret_line);

	if (r == 0)
		(*ret_line)[strcspn(*ret_line, "\n")] = '\0';
	return r;
}

bool host_has(const struct host *host, const char *path)
{
	_cleanup_free_ char *full = path_of(host, path);
	struct stat st;

	return lstat(full, &st) == 0;
}

bool host_has_entries(const struct host *host, const char *path)
{
	_cleanup_free_ char *full = path_of(host, path);
	_cleanup_closedir_ DIR *dir = opendir(full);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			return true;
	return false;
}

char *host_canonical(const struct host *host, const char *path)
{
	_cleanup_free_ char *full = path_of(host, path), *real = realpath(full, NULL);
	size_t n = strlen(host->root);

	if (!real)
		return NULL;
	return text_format("%s", strncmp(real, host->root, n) ? real : real + n);
}

static bool holds(const char *mountpoint, const char *path)
{
	size_t n = strlen(mountpoint);

	if (n == 1)
		return true; /* "/" */
	return !strncmp(mountpoint, path, n) && (path[n] == '/' || !path[n]);
}

const struct mountinfo_line *host_mount_of(const struct host *host, const char *path)
{
	const struct mountinfo_line *best = NULL;

	/* Of two at one mount point the later lies on top. */
	for (size_t i = 0; i < host->n_mounts; i++) {
		const struct mountinfo_line *line = &host->mounts[i];

		if (holds(line->mountpoint, path) &&
		        (!best || strlen(line->mountpoint) >= strlen(best->mountpoint)))
			best = line;
	}
	return best;
}

const struct mountinfo_line *host_mount_at(const struct host *host, const char *mountpoint)
{
	const struct mountinfo_line *best = NULL;

	for (size_t i = 0; i < host->n_mounts; i++)
		if (!strcmp(host->mounts[i].mountpoint, mountpoint))
			best = &host->mounts[i];
	return best;
}
