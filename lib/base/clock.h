/*
 * Time as a value that is passed in, so that tests can lie to the code. All figures are
 * nanoseconds; int64_t holds them until the year 2262.
 */
#pragma once

#include <stdint.h>

#define NS_PER_SEC  INT64_C(1000000000)
#define NS_PER_MSEC INT64_C(1000000)
#define NS_PER_USEC INT64_C(1000)

/* CLOCK_REALTIME, since the Unix epoch. */
int64_t clock_realtime_ns(void);
/* CLOCK_MONOTONIC; only differences mean anything. */
int64_t clock_monotonic_ns(void);
/* CLOCK_BOOTTIME, the clock of a process's start time in /proc/PID/stat. */
int64_t clock_boottime_ns(void);
