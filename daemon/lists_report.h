/*
 * What is told of the directory of lists: whether it is watched, and which of its files were
 * refused. One thread writes it, any reads it.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LISTS_REFUSED_MAX 64u /* that are remembered, to be shown */

/* A file that was refused, and is there still. */
struct lists_refusal {
	char *name;
	const char *reason; /* a word: allowlist_reason_name(), or unsafe, unreadable, failed */
	char *detail;
	int64_t time_ns; /* CLOCK_REALTIME */
};

struct lists_report {
	char *path;
	char *fault; /* why it is not watched; NULL: it is */
	struct lists_refusal *refused;
	size_t n_refused;
};

void lists_report_done(struct lists_report *report);

struct lists_told;

int lists_told_new(struct lists_told **ret_told);
void lists_told_free(struct lists_told *told);
DEFINE_FREEP(lists_told, lists_told_free)

/* The directory, and why it is not watched (taken; NULL: it is). True when that is new. */
bool lists_told_set(struct lists_told *told, const char *path, char *fault);
/* A file is refused, for the time being; past LISTS_REFUSED_MAX it is not remembered. */
void lists_told_refuse(
        struct lists_told *told, const char *name, const char *reason, const char *detail);
void lists_told_accept(struct lists_told *told, const char *name);
/* Forgets those that @is_there does not know. */
void lists_told_keep(struct lists_told *told,
        bool (*is_there)(const char *name, const void *userdata), const void *userdata);

/* A copy (lists_report_done()). 0 or -ENOMEM. */
int lists_told_report(struct lists_told *told, struct lists_report *ret_report);
