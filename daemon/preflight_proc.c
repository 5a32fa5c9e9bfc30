/*
 * What runs: the file behind /proc/PID/exe, which is the one that was executed also when it has
 * another name by now, or none. A script shows as its interpreter; where it lies is not told.
 */
#include "daemon/preflight_internal.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "daemon/mounts.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int look_at_task(struct preflight *p, const char *pid)
{
	_cleanup_free_ char *target = NULL, *why = NULL;
	_cleanup_close_ int fd = -1;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%.20s/exe", pid);
	fd = open(path, O_PATH | O_CLOEXEC); /* a kernel thread has none; others may be gone */
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != preflight_dev(p))
		return 0;
	if (file_readlink_at(AT_FDCWD, path, &target) < 0)
		return 0;
	if (asprintf(&why, "running (pid %.20s)", pid) < 0) {
		why = NULL;
		return -ENOMEM;
	}
	return preflight_fd(p, fd, target, (pid_t)strtol(pid, NULL, 10), why);
}

int preflight_running(struct preflight *p)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	const struct dirent *entry;
	size_t n = 0;
	int r = 0;

	if (!proc)
		return -errno;
	preflight_careful(p, true);
	while (r == 0 && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		if (n++ >= MOUNTS_TASKS_MAX) {
			preflight_incomplete(p);
			break;
		}
		r = look_at_task(p, entry->d_name);
	}
	preflight_careful(p, false);
	return r;
}
