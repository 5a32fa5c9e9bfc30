/* Scheduling of the threads that others wait for. */
#pragma once

/*
 * Lets the calling thread run before ordinary ones (SCHED_RR at its lowest priority; the kernel's
 * throttling leaves 5 % to the others whatever happens). For threads that do microseconds of work
 * at a time. Without the privilege nothing changes.
 */
void thread_hurry(void);
