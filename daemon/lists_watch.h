/*
 * The thread that keeps signed lists as they should be: it watches the directory that they come
 * from, says once when one expires, goes on in its grace or is not in force any more, and keeps the
 * time that was trusted. Verdicts do not wait for it, and need it for nothing: what has expired,
 * they see themselves.
 */
#pragma once

#include "daemon/lists_directory.h"

struct lists_watch;

struct lists_watch_context {
	struct lists_directory_context directory;
	struct allowlists_clock *clock;
	/* Lists were installed or removed: they are to be in force, or not, when this returns. */
	int (*changed)(void *userdata);
	/* Somebody has set the clock: what was remembered until some time is to be forgotten. */
	void (*clock_set)(void *userdata);
	void *userdata;
};

/* 0 or -errno. It looks at the directory at once. */
int lists_watch_start(const struct lists_watch_context *context, struct lists_watch **ret_watch);
/* Waits at most @timeout_ms for the first look. */
void lists_watch_settle(struct lists_watch *watch, unsigned int timeout_ms);
/* The configuration or the keys are others: looks at all of the directory, and waits likewise. */
void lists_watch_look(struct lists_watch *watch, unsigned int timeout_ms);
/* Other lists are in force: what of them is to be said is looked at soon. */
void lists_watch_review(struct lists_watch *watch);
/*
 * Ends it as soon as the list that is being read has been, which may take seconds: nothing is put
 * in force any more. The caller goes on, and waits when nobody waits for the caller.
 */
void lists_watch_end(struct lists_watch *watch);
/* Waits at most @timeout_ms for that. True: lists_watch_stop() will not wait. */
bool lists_watch_ended(struct lists_watch *watch, unsigned int timeout_ms);
void lists_watch_stop(struct lists_watch *watch);

/* lists_report_done() */
void lists_watch_report(struct lists_watch *watch, struct lists_report *ret_report);
