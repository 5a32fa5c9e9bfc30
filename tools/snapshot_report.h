/* A comparison as it is shown: as text, as JSON, as a page. */
#pragma once

#include "snapshot/compare.h"
#include "snapshot/packages.h"
#include "snapshot/walk.h"
#include "tools/verbs.h"

#include <jansson.h>
#include <stdio.h>

#define REPORT_TEXT_MAX 500u /* differences of a kind that text shows; a page and JSON show all */
#define REPORT_ROWS_MAX 12u  /* lines about one difference */

/* Which of them is the database's own digest? */
enum report_digest {
	REPORT_DIGEST_UNCHECKED = 0,
	REPORT_DIGEST_INTACT,  /* entries are what they were when it was written */
	REPORT_DIGEST_CHANGED, /* somebody has changed them in the database */
	REPORT_DIGEST_NONE,    /* none was written */
};

struct report {
	struct snapshot_info before;
	bool has_after; /* diff: another snapshot; check: what is there now */
	struct snapshot_info after;
	struct comparison comparison;
	struct walk_totals totals; /* check */
	int64_t began_ns, took_ns; /* CLOCK_REALTIME; a duration */
	enum report_digest digest;
	struct digest computed;
	bool has_packages;
	struct packages_report packages[PACKAGES_MANAGERS];
};

struct reports {
	struct report *reports;
	size_t n;
	int code; /* what the verb exits with */
};

void report_done(struct report *report);

/* One line about a difference: what, before, after. Texts are as they came: hostile. */
struct report_row {
	const char *what;
	char *before, *now; /* NULL: there is none */
};

/* The number of rows, at most REPORT_ROWS_MAX; report_rows_free(). @full: whole digests. */
size_t report_rows(
        const struct difference *difference, bool full, struct report_row rows[REPORT_ROWS_MAX]);
void report_rows_free(struct report_row *rows, size_t n);
/* What an alarm means, in words for people; NULL for no single bit. */
const char *report_alarm_words(unsigned int alarm);
/* Bits of the alarms that a reader should look at first. */
#define REPORT_ATTENTION (_ALARMS_ALL & ~(unsigned int)(ALARM_WRITABLE - 1))

uint64_t report_accounted(const struct report *report);
/* "dpkg: 123 packages, accounts for 4", or why it does not. The caller frees. */
char *report_packages_words(const struct packages_report *packages);
const char *report_digest_words(enum report_digest digest);

void report_print(const struct tool *tool, const struct report *report);
json_t *report_json(const struct report *report);
/* All of it as text or JSON on stdout, and as a page where --html says. An exit code. */
int reports_show(const struct tool *tool, const struct call *call, const struct reports *reports);

/* A page on its own. */
int report_html(FILE *stream, const struct reports *reports);
