/*
 * What /proc tells about a task. Everything read here was chosen by the task: bounded, never
 * believed. Nothing here takes part in a verdict but the two questions at the end, which only ever
 * make a task more suspect.
 */
#pragma once

#include "core/cgroup.h"
#include "core/facts.h"

#include <stdbool.h>
#include <sys/types.h>

#define TASK_ARGS_MAX 256u /* arguments of a new program that are read */

/*
 * Arguments lie in the task's memory, and that may be a mapping of a FUSE file, whose server would
 * keep us waiting in the kernel, unkillable. Where containers have FUSE mounts, it is not read.
 */
enum task_memory { TASK_MEMORY_LEAVE = 0, TASK_MEMORY_READ };

/*
 * Fills @ret_process with what can be read of @pid. @pidfd (or negative) is checked afterwards:
 * when the process has exited meanwhile, what was read may be another's, and -ESRCH is returned.
 */
int task_read(pid_t pid, int pidfd, enum task_memory memory, struct process_info *ret_process);

/*
 * The same for a task that waits for our verdict. Killed meanwhile, its pid may be another's: what
 * is not in an exec is not it (-ESRCH).
 */
int task_read_waiting(pid_t pid, enum task_memory memory, struct process_info *ret_process);

/* Only what a drop's record needs: exe, cmdline, uid, comm. A few microseconds; same check. */
int task_read_writer(
        pid_t pid, int pidfd, enum task_memory memory, struct process_info *ret_process);

struct task_credentials {
	uint32_t uid;       /* effective */
	pid_t ppid, tracer; /* 0: nobody traces it */
};

int task_read_credentials(pid_t pid, struct task_credentials *ret_credentials);

/*
 * The arguments of the execve(2) or execveat(2) that @pid waits in, from its registers and memory
 * (TASK_MEMORY_READ only):
 * the first, and all joined by one space. Either may be NULL: not every exec can be read.
 */
void task_read_exec_args(pid_t pid, char **ret_argv0, char **ret_args);

/* What the execve(2) or execveat(2) that @pid waits in names. Reads memory (TASK_MEMORY_READ only).
 */
struct task_exec {
	int dirfd;  /* of execveat; -1 */
	char *path; /* may be empty: dirfd itself */
};

void task_exec_done(struct task_exec *exec);
/* 0, or -errno when it waits in nothing that can be read. */
int task_read_exec(pid_t pid, struct task_exec *ret_exec);

/* The container that the task's cgroup claims. */
enum cgroup_result task_cgroup(pid_t pid, struct cgroup_container *ret_container);

/* Whether the task lives in a pid namespace other than ours, or cannot be asked. */
bool task_in_other_pid_ns(pid_t pid);
/* Whether the task lives in a mount namespace other than ours, or cannot be asked. */
bool task_in_other_mnt_ns(pid_t pid);
