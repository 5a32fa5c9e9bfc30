/*
 * Who may be in the middle of an exec: let through, by an answer or by a mark, and not yet where
 * the kernel itself denies writers (deny_write_access() in do_open_execat(), fs/exec.c). Whoever
 * holds the lease that makes a verdict true has to hold it until nobody is.
 *
 * No time is long enough for that: a task that shares its processor with many, that is of
 * SCHED_IDLE, or that is throttled by its cgroup stands still for as long as somebody wants it to.
 * So tasks are looked at. In between a task is runnable, or sleeps uninterruptibly in execve(2);
 * one that is anything else, or has run for a while since, has passed. What a task can set by
 * itself (its name, where its stack begins: prctl(2)) is not asked.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PASSING_POLL_MS 20u /* between two looks: the kernel tells nobody when a task goes on */
/*
 * A task that has run this long since it was looked at has passed: the way takes some microseconds.
 * Interrupts that ran on its time count, hence a tick of the slowest clock that is common (250 Hz).
 */
#define PASSING_RAN_NS (4u * 1000000u)

struct passer;

struct passing {
	struct passer *tasks;
	size_t n, room;
};

/*
 * Looks at all threads of @tgid, or with 0 at all tasks but kernel threads and our own, and keeps
 * those that may be in between. Who is gone is nobody. 0; -ENOMEM or -errno when not all could be
 * looked at: then nobody may say that they have passed. Takes some microseconds for a task.
 */
int passing_look(pid_t tgid, struct passing *ret_passing);
/* Drops those that have passed; how many are left. */
size_t passing_left(struct passing *passing);
void passing_done(struct passing *passing);
