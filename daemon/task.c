/*
 * A task that waits for our verdict cannot exit but by SIGKILL, so its pid stays its own; a writer
 * seen by the creation watcher can, hence the pidfd.
 */
#include "daemon/task.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define PROC_SMALL_MAX  8192u  /* bytes of stat, status, comm, loginuid */
#define PROC_CGROUP_MAX 65536u /* bytes of cgroup: a line per hierarchy */
#define THREADS_MAX     4096u  /* of a task that are looked at */
#define NR_EXECVE       59     /* x86_64; arch/x86/entry/syscalls/syscall_64.tbl */
#define NR_EXECVEAT     322    /* x86_64 */
#define NR_EXECVE_32    11     /* of 32-bit tasks; syscall_32.tbl */
#define NR_EXECVEAT_32  358
#if defined(__aarch64__)
#undef NR_EXECVE
#undef NR_EXECVEAT_32
#undef NR_EXECVEAT
#define NR_EXECVE      221 /* include/uapi/asm-generic/unistd.h */
#define NR_EXECVEAT    281
#define NR_EXECVEAT_32 387 /* arch/arm/tools/syscall.tbl */
#endif

static char *read_text(pid_t pid, const char *name, size_t max, size_t *ret_size)
{
	char path[64], *text = NULL;
	size_t size = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	if (file_read_head_at(AT_FDCWD, path, max, &text, &size) < 0)
		return NULL;
	if (ret_size)
		*ret_size = size;
	return text;
}

static char *read_link(pid_t pid, const char *name)
{
	char path[64], *target = NULL;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return file_readlink_at(AT_FDCWD, path, &target) < 0 ? NULL : target;
}

static char *read_comm(pid_t pid)
{
	size_t size;
	char *comm = read_text(pid, "comm", PROC_SMALL_MAX, &size);

	if (comm && size > 0 && comm[size - 1] == '\n')
		comm[size - 1] = '\0';
	return comm;
}

/* Arguments are NUL-terminated strings one after another; joined by one space. */
static void split_args(char *text, size_t size, char **ret_argv0, char **ret_args)
{
	while (size > 0 && !text[size - 1])
		size--;
	*ret_argv0 = size > 0 ? strndup(text, size) : NULL;
	for (size_t i = 0; i < size; i++)
		if (!text[i])
			text[i] = ' ';
	*ret_args = size > 0 ? strndup(text, size) : NULL;
}

static void read_cmdline(pid_t pid, struct process_info *p)
{
	size_t size = 0;
	_cleanup_free_ char *text = read_text(pid, "cmdline", TEXT_MAX, &size);

	if (text)
		split_args(text, size, &p->exe, &p->cmdline);
}

/* The fields of /proc/PID/stat that are used; proc(5). The name may hold any byte: the last ')'
 * ends it. */
struct stat_fields {
	long ppid, session, tty;
	unsigned long long start_ticks;
};

static int read_stat(pid_t pid, struct stat_fields *ret)
{
	_cleanup_free_ char *text = read_text(pid, "stat", PROC_SMALL_MAX, NULL);
	const char *p = text ? strrchr(text, ')') : NULL;
	long pgrp;
	char state;

	if (!p)
		return -ESRCH;
	if (sscanf(p + 1,
	            " %c %ld %ld %ld %ld %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
	            "%llu",
	            &state, &ret->ppid, &pgrp, &ret->session, &ret->tty, &ret->start_ticks) != 6)
		return -EINVAL;
	return 0;
}

static int64_t start_time_ns(unsigned long long ticks)
{
	int64_t hz = sysconf(_SC_CLK_TCK);

	return clock_realtime_ns() - clock_boottime_ns() + (int64_t)ticks * (NS_PER_SEC / hz);
}

static int64_t read_uid(pid_t pid)
{
	_cleanup_free_ char *text = read_text(pid, "status", PROC_SMALL_MAX, NULL);
	const char *line = text ? strstr(text, "\nUid:") : NULL;
	unsigned int real, effective;

	if (!line || sscanf(line, "\nUid: %u %u", &real, &effective) != 2)
		return -1;
	return effective;
}

/* proc_pid_status(5) has them in this order. */
int task_read_credentials(pid_t pid, struct task_credentials *ret)
{
	_cleanup_free_ char *text = read_text(pid, "status", PROC_SMALL_MAX, NULL);
	const char *line = text ? strstr(text, "\nPPid:") : NULL;
	int ppid, tracer;
	uint32_t uid;

	if (!line ||
	        sscanf(line, "\nPPid: %d TracerPid: %d Uid: %*u %u", &ppid, &tracer, &uid) != 3)
		return -ESRCH;
	*ret = (struct task_credentials){.uid = uid, .ppid = ppid, .tracer = tracer};
	return 0;
}

static int64_t read_login_uid(pid_t pid)
{
	_cleanup_free_ char *text = read_text(pid, "loginuid", PROC_SMALL_MAX, NULL);
	unsigned int uid;

	if (!text || sscanf(text, "%u", &uid) != 1 || uid == UINT32_MAX)
		return -1;
	return uid;
}

static void read_ancestors(const struct stat_fields *fields, struct process_info *p)
{
	pid_t pid = (pid_t)fields->ppid;

	for (size_t i = 0; i < ANCESTOR_MAX && pid > 0; i++) {
		struct stat_fields parent;

		p->parents[i] = read_comm(pid);
		if (i == 0)
			p->parent_exepath = read_link(pid, "exe");
		if (read_stat(pid, &parent) < 0)
			break;
		pid = (pid_t)parent.ppid;
	}
	if (fields->session > 0)
		p->session_leader = read_comm((pid_t)fields->session);
}

static bool exited(int pidfd)
{
	struct pollfd pfd = {.fd = pidfd, .events = POLLIN};

	return pidfd >= 0 && poll(&pfd, 1, 0) == 1;
}

static int finish(struct process_info *process, int pidfd, struct process_info *ret_process)
{
	if (exited(pidfd)) {
		process_info_done(process);
		return -ESRCH;
	}
	*ret_process = *process;
	return 0;
}

int task_read(pid_t pid, int pidfd, enum task_memory memory, struct process_info *ret_process)
{
	struct process_info p = {.pid = pid, .ppid = -1, .uid = -1, .login_uid = -1};
	struct stat_fields fields;

	if (read_stat(pid, &fields) < 0)
		return -ESRCH;
	p.ppid = (pid_t)fields.ppid;
	p.tty = fields.tty;
	p.start_ns = start_time_ns(fields.start_ticks);
	p.comm = read_comm(pid);
	if (memory == TASK_MEMORY_READ)
		read_cmdline(pid, &p);
	p.exepath = read_link(pid, "exe");
	p.cwd = read_link(pid, "cwd");
	p.uid = read_uid(pid);
	p.login_uid = read_login_uid(pid);
	read_ancestors(&fields, &p);
	return finish(&p, pidfd, ret_process);
}

static bool is_exec(long nr)
{
	return nr == NR_EXECVE || nr == NR_EXECVEAT || nr == NR_EXECVE_32 || nr == NR_EXECVEAT_32;
}

static bool thread_is_in_exec(pid_t pid, int thread)
{
	_cleanup_free_ char *text = NULL;
	char name[32];
	long nr;

	snprintf(name, sizeof(name), "task/%d/syscall", thread);
	text = read_text(pid, name, PROC_SMALL_MAX, NULL);
	return text && sscanf(text, "%ld", &nr) == 1 && is_exec(nr);
}

/* Any thread may exec; the kernel names only the process. */
static bool is_in_exec(pid_t pid)
{
	_cleanup_closedir_ DIR *threads = NULL;
	struct dirent *entry;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	threads = opendir(path);
	for (unsigned int n = 0; threads && n < THREADS_MAX && (entry = readdir(threads)); n++)
		if (entry->d_name[0] != '.' && thread_is_in_exec(pid, atoi(entry->d_name)))
			return true;
	return false;
}

int task_read_waiting(pid_t pid, enum task_memory memory, struct process_info *ret_process)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct process_info process;
	int r;

	if (pidfd < 0)
		return -ESRCH;
	r = task_read(pid, pidfd, memory, &process);
	if (r < 0)
		return r;
	if (!is_in_exec(pid)) {
		process_info_done(&process);
		return -ESRCH;
	}
	*ret_process = process;
	return 0;
}

int task_read_writer(
        pid_t pid, int pidfd, enum task_memory memory, struct process_info *ret_process)
{
	struct process_info p = {.pid = pid, .ppid = -1, .uid = -1, .login_uid = -1};

	/* The link is what a dying process loses first, so it is read first. */
	p.exepath = read_link(pid, "exe");
	if (p.exepath) {
		if (memory == TASK_MEMORY_READ)
			read_cmdline(pid, &p);
		else
			p.cmdline = strdup(p.exepath);
		p.uid = read_uid(pid);
		p.comm = read_comm(pid);
	}
	if (!p.exepath || !p.cmdline) {
		process_info_done(&p);
		return -ESRCH;
	}
	return finish(&p, pidfd, ret_process);
}

/*
 * The new program's arguments.
 */
static ssize_t read_memory(pid_t pid, uint64_t address, void *buffer, size_t size)
{
	struct iovec local = {.iov_base = buffer, .iov_len = size};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};

	return process_vm_readv(pid, &local, 1, &remote, 1, 0);
}

struct exec_call {
	int dirfd; /* of execveat; -1 */
	uint64_t path, argv;
};

static int read_exec_call(pid_t pid, struct exec_call *ret)
{
	_cleanup_free_ char *text = read_text(pid, "syscall", PROC_SMALL_MAX, NULL);
	uint64_t args[6];
	long nr;

	if (!text || sscanf(text,
	                     "%ld 0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64
	                     " 0x%" SCNx64 " 0x%" SCNx64,
	                     &nr, &args[0], &args[1], &args[2], &args[3], &args[4], &args[5]) != 7)
		return -ENODATA;
	if (nr == NR_EXECVE)
		*ret = (struct exec_call){.dirfd = -1, .path = args[0], .argv = args[1]};
	else if (nr == NR_EXECVEAT)
		*ret = (struct exec_call){.dirfd = (int)args[0], .path = args[1], .argv = args[2]};
	else
		return -ENODATA; /* a 32-bit task, or a kernel worker */
	return 0;
}

/* Appends one argument with its NUL; reads page by page, since the next page may be unmapped. */
static size_t read_argument(pid_t pid, uint64_t address, char *text, size_t room)
{
	size_t size = 0;

	while (size < room) {
		size_t chunk = 4096 - (size_t)((address + size) % 4096);
		ssize_t n;
		char *end;

		if (chunk > room - size)
			chunk = room - size;
		n = read_memory(pid, address + size, text + size, chunk);
		if (n <= 0)
			break;
		end = memchr(text + size, '\0', (size_t)n);
		if (end)
			return (size_t)(end - text) + 1;
		size += (size_t)n;
	}
	return size;
}

void task_read_exec_args(pid_t pid, char **ret_argv0, char **ret_args)
{
	_cleanup_free_ char *text = malloc(TEXT_MAX);
	struct exec_call call = {0};
	size_t size = 0;

	*ret_argv0 = NULL;
	*ret_args = NULL;
	if (!text || read_exec_call(pid, &call) < 0)
		return;
	for (size_t i = 0; i < TASK_ARGS_MAX && size < TEXT_MAX; i++) {
		uint64_t address = 0;

		if (read_memory(pid, call.argv + i * sizeof(address), &address, sizeof(address)) !=
		                (ssize_t)sizeof(address) ||
		        !address)
			break;
		size += read_argument(pid, address, text + size, TEXT_MAX - size);
	}
	split_args(text, size, ret_argv0, ret_args);
}

void task_exec_done(struct task_exec *exec)
{
	free(exec->path);
	*exec = (struct task_exec){0};
}

int task_read_exec(pid_t pid, struct task_exec *ret_exec)
{
	_cleanup_free_ char *path = malloc(PATH_MAX);
	struct exec_call call = {0};
	size_t size;
	int r;

	if (!path)
		return -ENOMEM;
	r = read_exec_call(pid, &call);
	if (r < 0)
		return r;
	size = read_argument(pid, call.path, path, PATH_MAX);
	if (size == 0 || path[size - 1])
		return -ENODATA;
	ret_exec->dirfd = call.dirfd;
	ret_exec->path = TAKE_PTR(path);
	return 0;
}

enum cgroup_result task_cgroup(pid_t pid, struct cgroup_container *ret_container)
{
	size_t size = 0;
	_cleanup_free_ char *text = read_text(pid, "cgroup", PROC_CGROUP_MAX, &size);

	return text ? cgroup_parse(text, size, ret_container) : CGROUP_UNCHECKED;
}

static bool in_other_ns(pid_t pid, const char *name)
{
	struct stat own, theirs;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	if (stat(path, &own) < 0)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
	return stat(path, &theirs) < 0 || own.st_ino != theirs.st_ino;
}

bool task_in_other_pid_ns(pid_t pid)
{
	return in_other_ns(pid, "pid");
}

bool task_in_other_mnt_ns(pid_t pid)
{
	return in_other_ns(pid, "mnt");
}
