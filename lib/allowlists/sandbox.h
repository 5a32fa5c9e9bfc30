/*
 * A process that has what it needs gives up the rest, for good: its user (when it is root's), its
 * capabilities, new privileges, new descriptors, processes and core files, and all system calls but
 * read, write, anonymous memory and exit. Another call kills it.
 *
 * Not given up: the descriptors that are open. Whoever calls closes what is not needed.
 */
#pragma once

#include <stdbool.h>

#define SANDBOX_USER 65534u /* nobody, and nogroup: what the kernel calls the overflow ids */

/* The sanitizers' allocator and reports need more calls, and stderr. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANDBOX_SANITIZED true
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(SANDBOX_SANITIZED)
#define SANDBOX_SANITIZED true
#endif
#ifndef SANDBOX_SANITIZED
#define SANDBOX_SANITIZED false
#endif

/*
 * 0 or -errno: -EPERM for root without CAP_SETUID and CAP_SETGID. After a failure the process has
 * lost some of it and must end.
 */
int sandbox_enter(void);
