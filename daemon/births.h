/*
 * Who creates files in containers, read while they still write: a short-lived writer (cp, tar, a
 * shell's redirection) has often exited when its close is seen, but hardly when its file appears.
 * What is read here is only asked for when the writer itself is gone.
 */
#pragma once

#include "core/facts.h"
#include "daemon/trusted.h"
#include "daemon/volumes.h"

#include <sys/types.h>

#define BIRTHS_MAX    4096u                     /* creators remembered at a time */
#define BIRTHS_AGE_NS (2 * INT64_C(1000000000)) /* no pid comes round again in that time */

struct births;

/*
 * @group: FAN_CREATE events by file handle (fan_groups.h), or -1 where there are none. @volumes
 * tells whether memory of tasks may be read; NULL: it may. @trusted is told who creates; NULL:
 * nobody asks. 0 or -errno.
 */
int births_new(int group, const struct volumes *volumes, struct trusted *trusted,
        struct births **ret_births);
int births_start(struct births *births);
void births_stop(struct births *births);
void births_free(struct births *births);

/*
 * The process that had @pid when it created a file, at most BIRTHS_AGE_NS ago. 0 with a copy
 * (process_info_done), or -ESRCH.
 */
int births_find(struct births *births, pid_t pid, struct process_info *ret_process);
