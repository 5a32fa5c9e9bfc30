/*
 * Refuses execs from FUSE without ever opening the file.
 *
 * Reading a permission event opens its file, and for FUSE that is a question to the server, which
 * may never answer: the reader would sit in the kernel, unkillable, and with it every descriptor of
 * its process, other groups included. So FUSE has a group of its own, read by a process of its own
 * that may not have another descriptor (RLIMIT_NOFILE 0): the kernel finds no number for the file
 * before it opens it, and denies. What was denied is told to the daemon, which reports it.
 *
 * In mode report the mark asks for a notification instead, which is lost in the same way and told.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct refusal {
	pid_t pid;  /* in our pid namespace; 0 where the kernel does not say (before 6.13) */
	int denied; /* 0: it was only told (mode report) */
};

struct refuser {
	int group; /* for marks; read by the process alone */
	int told;  /* SEQPACKET of struct refusal */
	pid_t pid;
	bool names; /* the kernel says whose exec it was (FAN_REPORT_FD_ERROR) */
};

#define REFUSER_NONE ((struct refuser){-1, -1, -1, false})

/* Forks: before any other group, and any thread. 0 or -errno. */
int refuser_start(struct refuser *ret_refuser);
/* Kills the process: what waits there is allowed from now on, so marks go first. */
void refuser_stop(struct refuser *refuser);

/*
 * Execs from the filesystem of @path are refused (@deny) or told. -EOPNOTSUPP for the second where
 * the kernel has no FAN_REPORT_FD_ERROR. 0 or -errno.
 */
int refuser_mark(const struct refuser *refuser, const char *path, bool deny);
void refuser_unmark(const struct refuser *refuser, const char *path);
void refuser_flush(const struct refuser *refuser);
