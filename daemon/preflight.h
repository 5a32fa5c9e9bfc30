/*
 * Before a host filesystem is enforced: is everything that runs from it, and everything that will
 * be started from it when nobody is there to help, known? Programs that run now; what systemd's
 * units, cron and a login start; and the interpreters and dynamic loaders of all of them.
 *
 * Reads files, and hashes them: seconds. Never on a deciding thread.
 */
#pragma once

#include "core/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PREFLIGHT_LISTED_MAX   100u   /* unknown programs that are named; all are counted */
#define PREFLIGHT_PROGRAMS_MAX 65536u /* looked at; more is a refusal */

struct preflight_item {
	char *path;  /* as it was found; describes only */
	char *why;   /* what would start it */
	char *fault; /* why it has no digest; NULL when it has */
	struct digest digest;
};

struct preflight_report {
	size_t checked; /* programs on the filesystem */
	size_t unknown;
	bool complete; /* false: some could not be looked for, and it is no proof */
	struct preflight_item items[PREFLIGHT_LISTED_MAX];
	size_t n_items;
};

void preflight_report_done(struct preflight_report *report);

struct preflight_query {
	const char *path; /* the guarded one */
	dev_t dev;        /* of its filesystem: what lies elsewhere is not looked at */
	bool (*knows)(const char *path, const struct digest *digest, void *userdata);
	void *userdata;
};

/* 0, or -errno when it could not be done at all. */
int preflight_run(const struct preflight_query *query, struct preflight_report *ret_report);
