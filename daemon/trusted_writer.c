/*
 * Who writes. The name of the executable (/proc/PID/exe) only sorts out nearly everybody, for the
 * price of one readlink(2); what it names is then told by its inode, as an exec's is.
 *
 * A helper is a program that a writer runs to write for it, and that exists for many other things:
 * dpkg-deb(1) has tar(1) unpack the maintainer scripts. It counts only as that writer's child.
 *
 * A process that is gone when its close is seen is told as it was seen last (when it created a
 * file, or closed one before). Its number may be another's by then, or it may have executed
 * something else: both take root, or a file of another owner than the writer's, which is not
 * trusted (trusted.c).
 */
#include "daemon/trusted_internal.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "crypto/digest.h"
#include "daemon/task.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define DELETED         " (deleted)"          /* d_path(9) */
#define WRITER_SIZE_MAX (64u * 1024u * 1024u) /* bytes of a writer's executable */

static const struct {
	const char *parent; /* the end of the writer's path */
	const char *helpers[3];
} families[] = {
        {"/dpkg-deb", {"/usr/bin/tar", "/bin/tar", NULL}},
};

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

/* The name in the table, or NULL. @whole: a path in an image; else as the host sees it. */
static const char *helper_at(const char *path, bool whole)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		for (const char *const *helper = families[i].helpers; *helper; helper++)
			if (whole ? !strcmp(path, *helper) : ends_with(path, *helper))
				return *helper;
	return NULL;
}

/* Whether a process of that executable's name may be a writer, whatever it is the name of. */
static bool may_write(struct trusted *t, const char *text)
{
	bool found = helper_at(text, false) != NULL;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->n_paths && !found; i++)
		found = ends_with(text, t->paths[i]);
	pthread_mutex_unlock(&t->lock);
	return found;
}

/*
 * Executables.
 */
static bool recall_executable(
        struct trusted *t, const struct file_identity *identity, struct trusted_executable *ret)
{
	bool found = false;

	pthread_mutex_lock(&t->lock);
	for (unsigned int i = 0; i < EXECUTABLE_MAX && !found; i++) {
		const struct trusted_executable *e = &t->executables[i];

		found = e->process.kind != TRUSTED_UNSET &&
		        file_identity_equal(&e->identity, identity);
		if (found)
			*ret = *e;
	}
	pthread_mutex_unlock(&t->lock);
	return found;
}

static void note_executable(struct trusted *t, const struct trusted_executable *executable)
{
	pthread_mutex_lock(&t->lock);
	t->executables[t->next_executable++ % EXECUTABLE_MAX] = *executable;
	pthread_mutex_unlock(&t->lock);
}

/*
 * Of the file that O_PATH @fd names. Nobody can write it while a process runs it, and the lower
 * file of an image nobody at all.
 */
static int digest_of(int fd, uint64_t size, struct digest *ret_digest)
{
	_cleanup_close_ int file = -1;
	char path[32];

	if (size > WRITER_SIZE_MAX)
		return -EFBIG;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return file < 0 ? -errno : digest_file(file, ret_digest);
}

/* True when @path, with that content, is a configured one: then it has a number. */
static bool number_of(struct trusted *t, const char *path, const struct digest *digest,
        struct trusted_process *process)
{
	bool ok;

	pthread_mutex_lock(&t->lock);
	ok = trusted_is_configured(t, path) &&
	     trusted_writer_number(t, path, digest, &process->writer) == 0;
	pthread_mutex_unlock(&t->lock);
	return ok;
}

static void set_role(struct trusted *t, const char *path, const struct digest *digest,
        struct trusted_executable *e)
{
	e->helper = helper_at(path, true);
	if (!e->helper && number_of(t, path, digest, &e->process))
		e->process.kind = TRUSTED_WRITER;
}

/* What a trusted writer has unpacked in this container: its own next release. */
static bool is_successor(
        struct trusted *t, const struct probe_result *probe, const struct digest *digest)
{
	struct container_info info = {0};
	struct trusted_scope scope = {.kind = SCOPE_CONTAINER};
	bool vouched;

	if (probe->origin != ORIGIN_DROPPED ||
	        overlay_info(t->context.probe.overlays, probe->overlay, &info) < 0)
		return false;
	scope.value = info.key;
	vouched = info.key && trusted_vouches(t, digest, &scope, NULL);
	container_info_done(&info);
	return vouched;
}

/*
 * Copied up, and the same: a package manager that replaces itself makes a link to itself first. The
 * path is the lower file's.
 */
static bool is_copied(const struct probe_result *probe, const struct digest *digest)
{
	struct digest lower;

	return probe->compare && probe->lower_fd >= 0 &&
	       probe->lower_identity.size <= WRITER_SIZE_MAX &&
	       digest_file(probe->lower_fd, &lower) == 0 && digest_equal(&lower, digest);
}

static void classify_in_overlay(
        struct trusted *t, int fd, const struct probe_result *probe, struct trusted_executable *e)
{
	struct digest digest;

	if (!probe->path)
		return;
	e->process.overlay = probe->overlay->dev;
	if (digest_of(fd, probe->identity.size, &digest) < 0)
		return;
	if (probe->origin != ORIGIN_IMAGE && !is_copied(probe, &digest) &&
	        !is_successor(t, probe, &digest))
		return;
	set_role(t, probe->path, &digest, e);
}

/* Whether the guarded root has that very file at @path. */
static bool is_at(const char *root, const char *path, const struct file_look *look)
{
	_cleanup_close_ int fd = -1;
	struct file_look found = {0};
	char whole[PATH_MAX];

	if ((size_t)snprintf(whole, sizeof(whole), "%s%s", strcmp(root, "/") ? root : "", path) >=
	        sizeof(whole))
		return false;
	fd = open(whole, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && file_look(fd, &found) == 0 &&
	       file_identity_same_inode(&found.identity, &look->identity);
}

/* The configured path, or helper's, where it lies; NULL when that is none. Caller frees. */
static char *path_on_host(
        struct trusted *t, const char *root, const char *text, const struct file_look *look)
{
	const char *helper = helper_at(text, false);
	char *found = NULL;

	if (helper && is_at(root, helper, look))
		return strdup(helper);
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->n_paths && !found; i++)
		if (ends_with(text, t->paths[i]) && is_at(root, t->paths[i], look))
			found = strdup(t->paths[i]);
	pthread_mutex_unlock(&t->lock);
	return found;
}

/*
 * It was replaced while it runs, and may have another name for a while, as the old file of a
 * package that is being unpacked has: what that inode was before, with the same content.
 */
static char *path_before(
        struct trusted *t, const struct file_look *look, const struct digest *digest)
{
	char *found = NULL;

	pthread_mutex_lock(&t->lock);
	for (unsigned int i = 0; i < EXECUTABLE_MAX && !found; i++) {
		const struct trusted_executable *e = &t->executables[i];

		if (e->process.kind == TRUSTED_WRITER &&
		        file_identity_same_inode(&e->identity, &look->identity) &&
		        digest_equal(&t->writers[e->process.writer].digest, digest))
			found = strdup(t->writers[e->process.writer].path);
	}
	pthread_mutex_unlock(&t->lock);
	return found;
}

static void classify_on_host(struct trusted *t, int fd, const struct file_look *look,
        const char *text, struct trusted_executable *e)
{
	const struct trusted_context *c = &t->context;
	_cleanup_free_ char *root = NULL, *path = NULL;
	struct trusted_host host = {0};
	const struct trusted_scope scope = {.kind = SCOPE_FILESYSTEM, .value = host.uuid};
	struct digest digest;

	if (!trusted_host_of(t, look->identity.dev, &host))
		return;
	if (digest_of(fd, look->identity.size, &digest) < 0)
		return;
	root = c->root_of(look->identity.dev, c->userdata);
	path = root ? path_on_host(t, root, text, look) : NULL;
	if (!path)
		path = path_before(t, look, &digest);
	if (!path)
		return;
	if (!c->in_baseline(&digest, host.uuid, c->userdata) &&
	        !trusted_vouches(t, &digest, &scope, NULL))
		return;
	memcpy(e->process.filesystem, host.uuid, sizeof(e->process.filesystem));
	set_role(t, path, &digest, e);
}

/* @text: what /proc/PID/exe says. */
static void classify(struct trusted *t, int fd, const struct file_look *look, const char *text,
        struct trusted_executable *e)
{
	struct probe_context *probe = &t->context.probe;
	struct probe_result result;

	*e = (struct trusted_executable){
	        .identity = look->identity, .process = {.kind = TRUSTED_OTHER}};
	if (probe_writer(probe, fd, &result) == 0)
		classify_in_overlay(t, fd, &result, e);
	else if (!result.overlay)
		classify_on_host(t, fd, look, text, e);
	probe_result_done(probe, &result);
}

/*
 * Processes.
 */
static bool exited(int pidfd)
{
	struct pollfd pfd = {.fd = pidfd, .events = POLLIN};

	return pidfd >= 0 && poll(&pfd, 1, 0) == 1;
}

static char *executable_of(pid_t pid)
{
	char path[48], *text = NULL;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (file_readlink_at(AT_FDCWD, path, &text) < 0)
		return NULL;
	if (ends_with(text, DELETED))
		text[strlen(text) - strlen(DELETED)] = '\0';
	return text;
}

/* @fd: of the executable, O_PATH or not; @text: what the kernel calls it. */
static bool identify(struct trusted *t, int fd, const char *text, struct trusted_executable *ret,
        uint32_t *ret_owner)
{
	struct file_look look = {0};

	if (file_look(fd, &look) < 0)
		return false;
	*ret_owner = look.uid;
	if (recall_executable(t, &look.identity, ret))
		return true;
	classify(t, fd, &look, text, ret);
	note_executable(t, ret);
	return true;
}

static bool look_at_executable(struct trusted *t, pid_t pid, const char *text,
        struct trusted_executable *ret, uint32_t *ret_owner)
{
	_cleanup_close_ int fd = -1;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd >= 0 && identify(t, fd, text, ret, ret_owner);
}

static bool is_family(const char *parent, const char *helper)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		for (const char *const *h = families[i].helpers; *h; h++)
			if (*h == helper && ends_with(parent, families[i].parent))
				return true;
	return false;
}

struct look {
	struct trusted_executable executable;
	struct task_credentials credentials;
};

/* Root, or whom the program belongs to: what a user of the container starts is his own. */
static void check_credentials(struct look *look, uint32_t owner)
{
	struct trusted_process *p = &look->executable.process;

	p->uid = look->credentials.uid;
	if (look->credentials.tracer == 0 && (p->uid == 0 || p->uid == owner))
		return;
	p->kind = TRUSTED_OTHER;
	look->executable.helper = NULL;
}

/* False when there is nothing to look at any more. Not a candidate: kind OTHER, and no more. */
static bool look_at(struct trusted *t, pid_t pid, struct look *ret)
{
	_cleanup_free_ char *text = executable_of(pid);
	uint32_t owner = 0;

	if (!text)
		return false;
	ret->executable = (struct trusted_executable){.process = {.kind = TRUSTED_OTHER}};
	if (!may_write(t, text))
		return true;
	if (task_read_credentials(pid, &ret->credentials) < 0 ||
	        !look_at_executable(t, pid, text, &ret->executable, &owner))
		return false;
	check_credentials(ret, owner);
	return true;
}

/* The child of a writer that has such helpers, of the same image and user. */
static void judge_helper(struct trusted *t, const struct look *child, struct trusted_process *ret)
{
	const struct trusted_process *p;
	struct look parent;

	if (!look_at(t, child->credentials.ppid, &parent))
		return;
	p = &parent.executable.process;
	if (p->kind == TRUSTED_WRITER && p->overlay == child->executable.process.overlay &&
	        !strcmp(p->filesystem, child->executable.process.filesystem) &&
	        p->uid == child->credentials.uid &&
	        is_family(t->writers[p->writer].path, child->executable.helper))
		*ret = *p;
}

static bool look_alive(struct trusted *t, pid_t pid, struct trusted_process *ret)
{
	struct look look;

	if (!look_at(t, pid, &look))
		return false;
	*ret = look.executable.process;
	if (look.executable.helper)
		judge_helper(t, &look, ret);
	return true;
}

static void remember(struct trusted *t, pid_t pid, const struct trusted_process *process)
{
	struct trusted_recent *recent = &t->recent[(unsigned int)pid % RECENT_MAX];

	pthread_mutex_lock(&t->lock);
	if (process->kind == TRUSTED_WRITER || recent->pid == pid)
		*recent = (struct trusted_recent){
		        .pid = pid, .time_ns = clock_monotonic_ns(), .process = *process};
	pthread_mutex_unlock(&t->lock);
}

static void recall(struct trusted *t, pid_t pid, struct trusted_process *ret)
{
	const struct trusted_recent *recent = &t->recent[(unsigned int)pid % RECENT_MAX];

	*ret = (struct trusted_process){0};
	pthread_mutex_lock(&t->lock);
	if (recent->pid == pid && clock_monotonic_ns() - recent->time_ns < RECENT_AGE_NS)
		*ret = recent->process;
	pthread_mutex_unlock(&t->lock);
}

void trusted_look(struct trusted *t, pid_t pid, int pidfd, struct trusted_process *ret_process)
{
	struct trusted_process process = {0};

	if (pid <= 0) {
		*ret_process = process;
		return;
	}
	/* Without a pidfd it has been waited for, and its number may be another's. */
	if (pidfd >= 0 && look_alive(t, pid, &process) && !exited(pidfd)) {
		remember(t, pid, &process);
		*ret_process = process;
		return;
	}
	recall(t, pid, ret_process);
}

/*
 * Executions.
 */
static char *name_of(int fd)
{
	char path[32], *text = NULL;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return file_readlink_at(AT_FDCWD, path, &text) < 0 ? NULL : text;
}

/* The real inode, in a lower layer of the task's overlay or in its upper one. */
static void classify_real(struct trusted *t, const struct trusted_exec *exec,
        const struct file_look *look, struct trusted_executable *e)
{
	const struct probe_result *probe = exec->probe;
	struct digest digest;

	*e = (struct trusted_executable){
	        .identity = look->identity, .process = {.kind = TRUSTED_OTHER}};
	if (probe->path && digest_of(exec->fd, look->identity.size, &digest) == 0 &&
	        (probe->origin == ORIGIN_IMAGE || is_copied(probe, &digest) ||
	                is_successor(t, probe, &digest)))
		set_role(t, probe->path, &digest, e);
}

static bool look_at_exec(
        struct trusted *t, const struct trusted_exec *exec, const char *name, struct look *ret)
{
	struct trusted_executable *e = &ret->executable;
	struct file_look look = {0};

	bool layer =
	        exec->probe->overlay && (exec->probe->origin == ORIGIN_IMAGE || exec->probe->upper);

	if (!layer && exec->probe->origin != ORIGIN_HOST)
		return false;
	if (file_look(exec->fd, &look) < 0 ||
	        task_read_credentials(exec->pid, &ret->credentials) < 0)
		return false;
	if (!recall_executable(t, &look.identity, e)) {
		if (layer && !exec->probe->by_overlay)
			classify_real(t, exec, &look, e);
		else
			classify(t, exec->fd, &look, name, e);
		note_executable(t, e);
	}
	/* A lower inode is one for all overlays that have it. */
	if (layer)
		e->process.overlay = exec->probe->overlay->dev;
	check_credentials(ret, look.uid);
	return true;
}

bool trusted_is_candidate(struct trusted *t, int fd)
{
	_cleanup_free_ char *name = name_of(fd);

	return name && may_write(t, name);
}

void trusted_executes(struct trusted *t, const struct trusted_exec *exec)
{
	_cleanup_free_ char *name = name_of(exec->fd);
	struct trusted_process process = {.kind = TRUSTED_OTHER};
	struct look look = {0};

	if (name && look_at_exec(t, exec, name, &look)) {
		process = look.executable.process;
		if (look.executable.helper)
			judge_helper(t, &look, &process);
	}
	remember(t, exec->pid, &process);
}
