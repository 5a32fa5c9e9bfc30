/*
 * A pid that is given again meanwhile is another task: its time of start differs. All of it is read
 * from /proc; what a task can choose there (its name) is skipped over from the end.
 */
#include "daemon/passing.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROC_SMALL_MAX 8192u       /* bytes of stat, schedstat, syscall */
#define PF_KTHREAD     0x00200000u /* include/linux/sched.h */
#define NR_EXECVE      59          /* x86_64; arch/x86/entry/syscalls/syscall_64.tbl */
#define NR_EXECVEAT    322
#define NR_EXECVE_32   11 /* of 32-bit tasks; syscall_32.tbl */
#define NR_EXECVEAT_32 358
/* Of x32 tasks: syscall_64.tbl, with __X32_SYSCALL_BIT. */
#define NR_EXECVE_X32   (0x40000000 + 520)
#define NR_EXECVEAT_X32 (0x40000000 + 545)
#if defined(__aarch64__)
#undef NR_EXECVE
#undef NR_EXECVEAT
#undef NR_EXECVEAT_32
#define NR_EXECVE      221 /* include/uapi/asm-generic/unistd.h */
#define NR_EXECVEAT    281
#define NR_EXECVEAT_32 387 /* arch/arm/tools/syscall.tbl */
#endif

struct passer {
	pid_t tgid, tid;
	unsigned long long started; /* clock ticks since boot */
	unsigned long long ran_ns;
};

struct look {
	char state;
	unsigned int flags;
	unsigned long long started;
};

static int read_proc(pid_t tgid, pid_t tid, const char *name, char **ret_text)
{
	char path[80];
	size_t size;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)tgid, (int)tid, name);
	return file_read_head_at(AT_FDCWD, path, PROC_SMALL_MAX, ret_text, &size);
}

/*
 * 0; -ESRCH when the task is gone; another -errno when it could not be looked at, which says
 * nothing of where it is. proc_pid_stat(5).
 */
static int look_at(pid_t tgid, pid_t tid, struct look *ret)
{
	_cleanup_free_ char *text = NULL;
	int r = read_proc(tgid, tid, "stat", &text);
	const char *p = r == 0 ? strrchr(text, ')') : NULL;

	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	if (!p || sscanf(p + 1,
	                  " %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
	                  "%*d %*d %llu",
	                  &ret->state, &ret->flags, &ret->started) != 3)
		return -EINVAL;
	return 0;
}

/*
 * False when it could not be read. Always 0 where the kernel does not say (CONFIG_SCHED_INFO): then
 * it never grows.
 */
static bool ran(pid_t tgid, pid_t tid, unsigned long long *ret_ns)
{
	_cleanup_free_ char *text = NULL;

	return read_proc(tgid, tid, "schedstat", &text) == 0 && sscanf(text, "%llu", ret_ns) == 1;
}

/* A sleeping task's system call is known. None (-1), "running" and nothing tell nothing. */
static bool sleeps_elsewhere(pid_t tgid, pid_t tid)
{
	_cleanup_free_ char *text = NULL;
	long nr;

	return read_proc(tgid, tid, "syscall", &text) == 0 && sscanf(text, "%ld", &nr) == 1 &&
	       nr >= 0 && nr != NR_EXECVE && nr != NR_EXECVEAT && nr != NR_EXECVE_32 &&
	       nr != NR_EXECVEAT_32 && nr != NR_EXECVE_X32 && nr != NR_EXECVEAT_X32;
}

static bool may_be_between(pid_t tgid, pid_t tid, const struct look *look)
{
	if (look->flags & PF_KTHREAD)
		return false;
	return look->state == 'R' || (look->state == 'D' && !sleeps_elsewhere(tgid, tid));
}

static int add(struct passing *p, pid_t tgid, pid_t tid, const struct look *look)
{
	if (p->n == p->room) {
		size_t room = p->room ? p->room * 2 : 16;
		struct passer *grown = reallocarray(p->tasks, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		p->tasks = grown;
		p->room = room;
	}
	p->tasks[p->n] = (struct passer){.tgid = tgid, .tid = tid, .started = look->started};
	if (!ran(tgid, tid, &p->tasks[p->n].ran_ns))
		p->tasks[p->n].ran_ns = ULLONG_MAX; /* nothing will be more */
	p->n++;
	return 0;
}

/* The number that a directory of /proc is named by; 0 for the others. */
static pid_t number_of(const struct dirent *entry)
{
	char *end;
	unsigned long n = strtoul(entry->d_name, &end, 10);

	return *end || n > INT32_MAX ? 0 : (pid_t)n;
}

static int each_number(const char *path, int (*fn)(pid_t number, void *userdata), void *userdata)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return -errno;
	while (errno = 0, r == 0 && (entry = readdir(dir)))
		if (number_of(entry) > 0)
			r = fn(number_of(entry), userdata);
	return r == 0 ? -errno : r;
}

struct looking {
	struct passing *passing;
	pid_t tgid;
};

static int look_at_thread(pid_t tid, void *userdata)
{
	const struct looking *l = userdata;
	struct look look;
	int r = look_at(l->tgid, tid, &look);

	if (r < 0)
		return r == -ESRCH ? 0 : r;
	if (!may_be_between(l->tgid, tid, &look))
		return 0;
	return add(l->passing, l->tgid, tid, &look);
}

static int look_at_process(pid_t tgid, void *userdata)
{
	struct looking l = {userdata, tgid};
	char path[40];
	int r;

	if (tgid == getpid())
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)tgid);
	r = each_number(path, look_at_thread, &l);
	return r == -ENOENT || r == -ESRCH ? 0 : r;
}

int passing_look(pid_t tgid, struct passing *ret)
{
	struct passing passing = {0};
	int r = tgid > 0 ? look_at_process(tgid, &passing)
	                 : each_number("/proc", look_at_process, &passing);

	if (r < 0) {
		passing_done(&passing);
		return r;
	}
	*ret = passing;
	return 0;
}

static bool has_passed(const struct passer *task)
{
	unsigned long long ran_ns;
	struct look look;
	int r = look_at(task->tgid, task->tid, &look);

	if (r < 0)
		return r == -ESRCH;
	if (look.started != task->started || !may_be_between(task->tgid, task->tid, &look))
		return true;
	return ran(task->tgid, task->tid, &ran_ns) && ran_ns > task->ran_ns &&
	       ran_ns - task->ran_ns >= PASSING_RAN_NS;
}

size_t passing_left(struct passing *p)
{
	size_t left = 0;

	for (size_t i = 0; i < p->n; i++)
		if (!has_passed(&p->tasks[i]))
			p->tasks[left++] = p->tasks[i];
	p->n = left;
	return left;
}

void passing_done(struct passing *p)
{
	free(p->tasks);
	*p = (struct passing){0};
}
