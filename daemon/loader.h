/*
 * Execs that only show by the dynamic loader: a program in a memfd has no filesystem that could be
 * marked, and `ld.so ./prog` executes the loader alone. The kernel opens the loader in either case,
 * and then the task that waits tells what it had asked for.
 */
#pragma once

#include "core/facts.h"
#include "daemon/task.h"

/* Whether the open file is a dynamic loader, by its name in the image. */
bool loader_is_one(int fd);

/*
 * What the task @pid, which waits for the verdict on the loader @identity, executes. UNKNOWN when
 * that cannot be read (a thread that is not the first, a 32-bit task, TASK_MEMORY_LEAVE).
 * @ret_name, for MEMFD, is the name of the file as /proc shows it; the caller frees.
 */
enum exec_form loader_form(
        pid_t pid, enum task_memory memory, const struct file_identity *identity, char **ret_name);
