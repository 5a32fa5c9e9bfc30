/*
 * Paths are resolved by the kernel within the root (RESOLVE_IN_ROOT), and nothing is opened but
 * what an O_PATH descriptor has shown to be a regular file of the filesystem: no device, no FIFO,
 * no file of a server that may never answer.
 */
#include "daemon/preflight_internal.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "core/interpreter.h"
#include "core/mountinfo.h"
#include "crypto/digest.h"
#include "daemon/task_root.h"
#include "daemon/volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <uthash.h>

/* The host's, not the one that a sandbox of our own unit has put together of bind mounts. */
#define INIT_ROOT "/proc/1/root"
#define DEPTH_MAX 4u /* interpreters of interpreters; the kernel follows five, BINPRM */
#define TRIES_MAX 3u /* for a file that changes while it is read */

struct seen {
	ino_t ino; /* on the one filesystem */
	UT_hash_handle hh;
};

struct preflight {
	const struct preflight_query *query;
	int root;
	bool careful; /* names are some user's */
	bool served;  /* something is mounted whose server may never answer */
	unsigned int depth;
	struct seen *seen;
	struct preflight_report *report;
};

void preflight_report_done(struct preflight_report *report)
{
	for (size_t i = 0; i < report->n_items; i++) {
		free(report->items[i].path);
		free(report->items[i].why);
		free(report->items[i].fault);
	}
	*report = (struct preflight_report){0};
}

dev_t preflight_dev(const struct preflight *p)
{
	return p->query->dev;
}

void preflight_incomplete(struct preflight *p)
{
	p->report->complete = false;
}

static int open_by(const struct preflight *p, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {
	        .flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
	        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
	};
	int fd = (int)syscall(SYS_openat2, p->root, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static int open_within(const struct preflight *p, const char *path, int flags)
{
	return open_by(p, path, flags, 0);
}

bool preflight_has(struct preflight *p, const char *path)
{
	_cleanup_close_ int fd = open_within(p, path, O_PATH);

	return fd >= 0;
}

int preflight_readlink(struct preflight *p, const char *path, char **ret_target)
{
	_cleanup_close_ int fd = open_within(p, path, O_PATH | O_NOFOLLOW);

	return fd < 0 ? fd : file_readlink_at(fd, "", ret_target);
}

static int reopen(int fd, int flags)
{
	char link[32];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	fd = open(link, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int preflight_read(
        struct preflight *p, const char *path, size_t max, char **ret_text, size_t *ret_size)
{
	_cleanup_close_ int fd = open_within(p, path, O_PATH), readable = -1;
	_cleanup_free_ char *text = NULL;
	size_t n = 0;
	ssize_t got = 1;
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	readable = reopen(fd, O_RDONLY | O_NONBLOCK);
	text = malloc(max + 1);
	if (readable < 0 || !text)
		return readable < 0 ? readable : -ENOMEM;
	while (n < max && (got = pread(readable, text + n, max - n, (off_t)n)) > 0)
		n += (size_t)got;
	if (got < 0)
		return -errno;
	text[n] = '\0';
	*ret_text = TAKE_PTR(text);
	*ret_size = n;
	return 0;
}

int preflight_each(struct preflight *p, const char *dir,
        int (*fn)(struct preflight *p, const char *dir, const struct dirent *entry, void *userdata),
        void *userdata)
{
	_cleanup_close_ int fd = open_within(p, dir, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
	_cleanup_closedir_ DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	size_t n = 0;
	int r = 0;

	if (!stream)
		return 0;
	(void)TAKE_FD(fd); /* the stream's */
	while (r == 0 && (entry = readdir(stream))) {
		if (n++ >= PREFLIGHT_ENTRIES_MAX) {
			preflight_incomplete(p);
			break;
		}
		if (entry->d_name[0] != '.')
			r = fn(p, dir, entry, userdata);
	}
	return r;
}

/*
 * One program.
 */
static int add_item(struct preflight *p, const char *path, const char *why,
        const struct digest *digest, const char *fault)
{
	struct preflight_report *report = p->report;
	struct preflight_item item = {.path = strdup(path), .why = strdup(why)};

	report->unknown++;
	item.fault = digest ? NULL : strdup(fault);
	if (digest)
		item.digest = *digest;
	if (report->n_items == PREFLIGHT_LISTED_MAX || !item.path || !item.why ||
	        (!digest && !item.fault)) {
		free(item.path);
		free(item.why);
		free(item.fault);
		return report->n_items == PREFLIGHT_LISTED_MAX ? 0 : -ENOMEM;
	}
	report->items[report->n_items++] = item;
	return 0;
}

/* 1: it is new, 0: it was looked at. */
static int see(struct preflight *p, ino_t ino)
{
	struct seen *seen = NULL;

	HASH_FIND(hh, p->seen, &ino, sizeof(ino), seen);
	if (seen)
		return 0;
	if (HASH_COUNT(p->seen) >= PREFLIGHT_PROGRAMS_MAX) {
		preflight_incomplete(p);
		return 0;
	}
	seen = calloc(1, sizeof(*seen));
	if (!seen)
		return -ENOMEM;
	seen->ino = ino;
	HASH_ADD(hh, p->seen, ino, sizeof(seen->ino), seen);
	return 1;
}

/* As the task @pid sees it: what it was started by is in memory, and no server is asked. */
static int interpreter_of_task(
        struct preflight *p, const struct interpreter *interpreter, pid_t pid, const char *why)
{
	_cleanup_close_ int fd = task_open_cached(pid, interpreter->path, 0);

	return fd < 0 ? preflight_path(p, interpreter->path, why)
	              : preflight_fd(p, fd, interpreter->path, pid, why);
}

static int look_at_interpreter(
        struct preflight *p, int fd, const char *path, pid_t pid, const char *by)
{
	_cleanup_free_ uint8_t *head = malloc(INTERPRETER_HEAD_SIZE);
	_cleanup_free_ struct interpreter *interpreter = malloc(sizeof(*interpreter));
	_cleanup_free_ char *why = NULL;
	ssize_t n;
	int r;

	if (!head || !interpreter || asprintf(&why, "interpreter of %s: %s", path, by) < 0) {
		why = NULL;
		return -ENOMEM;
	}
	n = pread(fd, head, INTERPRETER_HEAD_SIZE, 0);
	if (n <= 0 || p->depth >= DEPTH_MAX || !interpreter_of(head, (size_t)n, interpreter))
		return 0;
	p->depth++;
	r = pid > 0 ? interpreter_of_task(p, interpreter, pid, why)
	            : preflight_path(p, interpreter->path, why);
	if (r == 0 && interpreter->name[0])
		r = preflight_name(p, interpreter->name, PREFLIGHT_PATH, why);
	p->depth--;
	return r;
}

static int hash(int fd, struct digest *ret_digest)
{
	int r = -EAGAIN;

	for (unsigned int i = 0; i < TRIES_MAX && r == -EAGAIN; i++)
		r = digest_file(fd, ret_digest);
	return r;
}

int preflight_fd(struct preflight *p, int fd, const char *path, pid_t pid, const char *why)
{
	_cleanup_close_ int readable = -1;
	struct digest digest;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_dev != p->query->dev)
		return 0;
	r = see(p, st.st_ino);
	if (r <= 0)
		return r;
	p->report->checked++;
	readable = reopen(fd, O_RDONLY | O_NONBLOCK | O_NOATIME);
	r = readable < 0 ? readable : hash(readable, &digest);
	if (r < 0)
		return add_item(p, path, why, NULL,
		        r == -EAGAIN ? "it changes while it is read" : strerrordesc_np(-r));
	if (!p->query->knows(path, &digest, p->query->userdata)) {
		r = add_item(p, path, why, &digest, NULL);
		if (r < 0)
			return r;
	}
	return look_at_interpreter(p, readable, path, pid, why);
}

/*
 * A name that some user chose must not lead to a server that never answers: it may not leave its
 * mount, unless all that it leads through is in memory.
 */
static int open_program(const struct preflight *p, const char *path)
{
	int fd;

	if (!p->careful || !p->served)
		return open_within(p, path, O_PATH);
	fd = open_by(p, path, O_PATH, RESOLVE_NO_XDEV);
	return fd == -EXDEV ? open_by(p, path, O_PATH, RESOLVE_CACHED) : fd;
}

void preflight_careful(struct preflight *p, bool careful)
{
	p->careful = careful;
}

static bool has_served(void)
{
	_cleanup_free_ char *text = NULL;
	const char *cursor;
	bool found = false;
	size_t size = 0;
	int r;

	if (task_mounts_read(0, &text, &size) < 0)
		return true;
	cursor = text;
	do {
		struct mountinfo_line line = {0};
		enum volume_kind kind;

		r = mountinfo_next(&cursor, text + size, &line);
		kind = r == 1 ? volume_kind_of(line.fstype) : VOLUME_PLAIN;
		found = found || kind == VOLUME_FUSE || kind == VOLUME_SERVED;
		mountinfo_line_done(&line);
	} while (r != 0 && r != -ENOMEM);
	return found || r != 0;
}

/* -ENOENT: it is not there, or nobody could execute it. */
static int try_path(struct preflight *p, const char *path, const char *why)
{
	_cleanup_close_ int fd = open_program(p, path);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return -ENOENT;
	return preflight_fd(p, fd, path, 0, why);
}

int preflight_path(struct preflight *p, const char *path, const char *why)
{
	int r = try_path(p, path, why);

	return r == -ENOENT ? 0 : r;
}

int preflight_name(struct preflight *p, const char *name, const char *search, const char *why)
{
	const char *end;

	if (strchr(name, '/'))
		return *name == '/' ? preflight_path(p, name, why) : 0;
	for (; *search; search = *end ? end + 1 : end) {
		_cleanup_free_ char *path = NULL;
		int r;

		end = strchrnul(search, ':');
		if (asprintf(&path, "%.*s/%s", (int)(end - search), search, name) < 0) {
			path = NULL;
			return -ENOMEM;
		}
		r = *search == '/' ? try_path(p, path, why) : -ENOENT;
		if (r != -ENOENT)
			return r;
	}
	return 0;
}

static int look_at_entry(
        struct preflight *p, const char *dir, const struct dirent *entry, void *userdata)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/%s", dir, entry->d_name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	return preflight_path(p, path, userdata);
}

int preflight_dir(struct preflight *p, const char *dir, const char *why)
{
	return preflight_each(p, dir, look_at_entry, (void *)(uintptr_t)why);
}

/*
 * Roots.
 */
static int look_at_root(struct preflight *p, const char *root)
{
	_cleanup_close_ int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	p->root = fd;
	r = preflight_units(p);
	if (r == 0)
		r = preflight_cron(p);
	if (r == 0)
		r = preflight_login(p);
	return r;
}

/* The path itself where a system lies there; else only what ours starts from its filesystem. */
static bool is_root(struct preflight *p, const char *path)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	p->root = fd;
	return fd >= 0 && strcmp(path, "/") != 0 &&
	       (preflight_has(p, "/usr/lib/systemd") || preflight_has(p, "/etc/passwd"));
}

static void forget(struct preflight *p)
{
	struct seen *seen, *next;

	HASH_ITER(hh, p->seen, seen, next)
	{
		HASH_DEL(p->seen, seen);
		free(seen);
	}
}

int preflight_run(const struct preflight_query *query, struct preflight_report *ret_report)
{
	const char *own = access(INIT_ROOT, X_OK) == 0 ? INIT_ROOT : "/";
	_cleanup_close_ int fd = open(own, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct preflight p = {
	        .query = query, .root = fd, .served = has_served(), .report = ret_report};
	int r = fd < 0 ? -errno : 0;

	*ret_report = (struct preflight_report){.complete = true};
	if (r == 0)
		r = preflight_running(&p);
	if (r == 0 && is_root(&p, query->path))
		r = look_at_root(&p, query->path);
	if (r == 0)
		r = look_at_root(&p, own);
	forget(&p);
	if (r < 0)
		preflight_report_done(ret_report);
	return r;
}
