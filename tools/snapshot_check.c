/*
 * execward snapshot check: what has changed since. Exits with AIDE's mask, so that what is built
 * around AIDE goes on working; and with 65 when the database itself is not what was recorded.
 */
#include "base/cleanup.h"
#include "tools/print.h"
#include "tools/snapshot_again.h"
#include "tools/snapshot_find.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>

struct ids {
	int64_t *ids;
	size_t n;
};

static int add_id(struct ids *ids, int64_t id)
{
	int64_t *grown;

	/* Named twice: once by its name, once by its id. */
	for (size_t i = 0; i < ids->n; i++)
		if (ids->ids[i] == id)
			return 0;
	grown = reallocarray(ids->ids, ids->n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	ids->ids = grown;
	ids->ids[ids->n++] = id;
	return 0;
}

static int add_current(const struct snapshot_info *info, void *userdata)
{
	if (info->state != SNAPSHOT_CURRENT || !snapshot_has_place(info))
		return 0;
	return add_id(userdata, info->id);
}

static int find_all(const struct call *call, struct store *store, struct ids *ids)
{
	int r = store_snapshots(store, add_current, ids);

	if (r != 0)
		return snapshot_fail(call, store, "snapshots", r);
	if (ids->n > 0)
		return 0;
	fprintf(stderr,
	        "execward %s: nothing to check: no current snapshot is of a directory or a host\n",
	        call->verb->name);
	return EX_NOINPUT;
}

static int find_named(const struct call *call, struct store *store, struct ids *ids)
{
	int r = 0;

	for (size_t i = 0; i < call->n_arguments && r == 0; i++) {
		_cleanup_(snapshot_info_done) struct snapshot_info info = {0};

		r = snapshot_find(call, store, call->arguments[i], &info);
		if (r == 0)
			r = add_id(ids, info.id) < 0 ? EX_SOFTWARE : 0;
	}
	return r;
}

/*
 * The mask, 65 for a database that was changed, or what went wrong; then there is no report, and
 * took_ns is 0.
 */
static int check(const struct tool *tool, const struct call *call, struct store *store, int64_t id,
        struct report *report)
{
	int r = store_snapshot_get(store, id, &report->before);

	if (r != 0)
		return snapshot_fail(call, store, "snapshot", r);
	r = snapshot_check_digest(call, store, report);
	if (r == 0)
		r = snapshot_again(tool, call, store, 0, report);
	if (r != 0) {
		report->took_ns = 0;
		return r;
	}
	if (report->digest != REPORT_DIGEST_CHANGED)
		return comparison_mask(&report->comparison);
	fprintf(stderr,
	        "execward %s: the database was changed: the entries of snapshot %lld are not those "
	        "that were recorded\n",
	        call->verb->name, (long long)id);
	return EX_DATAERR;
}

/* What is operational outweighs what was found; masks add up. */
static int combine(int a, int b)
{
	if (a >= EX__BASE || b >= EX__BASE)
		return a > b ? a : b;
	return a | b;
}

static int check_all(const struct tool *tool, const struct call *call, struct store *store,
        const struct ids *ids, struct reports *reports)
{
	reports->reports = calloc(ids->n, sizeof(*reports->reports));
	if (!reports->reports)
		return EX_SOFTWARE;
	for (size_t i = 0; i < ids->n; i++) {
		struct report report = {.digest = REPORT_DIGEST_UNCHECKED};
		int r = check(tool, call, store, ids->ids[i], &report);

		reports->code = combine(reports->code, r);
		if (report.took_ns > 0)
			reports->reports[reports->n++] = report;
		else
			report_done(&report);
	}
	return reports->n > 0 ? reports_show(tool, call, reports) : reports->code;
}

static void reports_done(struct reports *reports)
{
	for (size_t i = 0; i < reports->n; i++)
		report_done(&reports->reports[i]);
	free(reports->reports);
}

static void ids_done(struct ids *ids)
{
	free(ids->ids);
}

int verb_snapshot_check(const struct tool *tool, const struct call *call)
{
	_cleanup_(reports_done) struct reports reports = {0};
	_cleanup_(ids_done) struct ids ids = {0};
	struct store *store = NULL;
	int r = snapshot_open(tool, call, STORE_READ_ONLY, &store);

	if (r == 0)
		r = call->n_arguments > 0 ? find_named(call, store, &ids)
		                          : find_all(call, store, &ids);
	if (r == 0)
		r = check_all(tool, call, store, &ids, &reports);
	store_free(store);
	return r;
}
