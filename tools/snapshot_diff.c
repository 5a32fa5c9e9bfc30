/* execward snapshot diff: two snapshots, by the database alone. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "tools/snapshot_again.h"
#include "tools/snapshot_find.h"

#include <sysexits.h>

static int compare(const struct call *call, struct store *store, struct report *report)
{
	int64_t started_ns = clock_monotonic_ns();
	struct report after = {.digest = REPORT_DIGEST_UNCHECKED};
	int r = snapshot_find(call, store, call->arguments[0], &report->before);

	if (r == 0)
		r = snapshot_find(call, store, call->arguments[1], &report->after);
	if (r != 0)
		return r;
	report->began_ns = clock_realtime_ns();
	report->has_after = true;
	r = snapshot_check_digest(call, store, report);
	after.before = report->after; /* borrowed */
	if (r == 0)
		r = snapshot_check_digest(call, store, &after);
	if (r != 0)
		return r;
	if (after.digest == REPORT_DIGEST_CHANGED)
		report->digest = REPORT_DIGEST_CHANGED;
	r = compare_snapshots(store, &report->before, &report->after, &report->comparison);
	report->took_ns = clock_monotonic_ns() - started_ns;
	return r == 0 ? 0 : snapshot_fail(call, store, call->arguments[1], r);
}

int verb_snapshot_diff(const struct tool *tool, const struct call *call)
{
	_cleanup_(report_done) struct report report = {.digest = REPORT_DIGEST_UNCHECKED};
	struct reports reports = {.reports = &report, .n = 1};
	struct store *store = NULL;
	int r = snapshot_open(tool, call, STORE_READ_ONLY, &store);

	if (r == 0)
		r = compare(call, store, &report);
	if (r == 0 && report.digest == REPORT_DIGEST_CHANGED)
		fprintf(stderr,
		        "execward %s: the database was changed: entries are not those that "
		        "were recorded\n",
		        call->verb->name);
	reports.code = report.digest == REPORT_DIGEST_CHANGED ? EX_DATAERR
	                                                      : comparison_mask(&report.comparison);
	if (r == 0)
		r = reports_show(tool, call, &reports);
	store_free(store);
	return r;
}
