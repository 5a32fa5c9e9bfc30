/*
 * The page: what a comparison found, for somebody who was not there. Every text from outside goes
 * through put(): control characters, bidirectional controls and bytes that are no UTF-8 are
 * spelled, then what HTML knows is escaped, in text and in attributes alike.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "core/text.h"
#include "tools/print.h"
#include "tools/snapshot_find.h"
#include "tools/snapshot_progress.h"
#include "tools/snapshot_page.h"
#include "tools/snapshot_report.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static void put(FILE *stream, const char *text)
{
	_cleanup_free_ char *safe = text_safe(text);

	for (const char *p = safe; *p; p++) {
		switch (*p) {
		case '&':
			fputs("&amp;", stream);
			break;
		case '<':
			fputs("&lt;", stream);
			break;
		case '>':
			fputs("&gt;", stream);
			break;
		case '"':
			fputs("&quot;", stream);
			break;
		case '\'':
			fputs("&#39;", stream);
			break;
		default:
			fputc(*p, stream);
		}
	}
}

static void put_fact(FILE *stream, const char *name, const char *value)
{
	fprintf(stream, "<dt>%s</dt><dd>", name);
	put(stream, value);
	fputs("</dd>\n", stream);
}

/* The caller's text, which is freed. */
static void put_fact_taken(FILE *stream, const char *name, char *value)
{
	put_fact(stream, name, value);
	free(value);
}

static void put_time(FILE *stream, const char *name, int64_t time_ns)
{
	char text[TIME_TEXT_SIZE];

	time_to_rfc3339(time_ns, text);
	/* Seconds are enough for people. */
	put_fact_taken(stream, name, text_format("%.10s %.8s UTC", text, text + 11));
}

static void put_digest(FILE *stream, const char *name, bool known, const struct digest *digest)
{
	char hex[DIGEST_HEX_SIZE];

	digest_to_hex(digest, hex);
	fprintf(stream, "<dt>%s</dt><dd><code>%s</code></dd>\n", name, known ? hex : "none");
}

static void put_tile(FILE *stream, const char *name, uint64_t value, bool hot)
{
	fprintf(stream, "<div class=\"tile%s\"><b>%" PRIu64 "</b><span>%s</span></div>\n",
	        hot && value > 0 ? " hot" : "", value, name);
}

static void put_tiles(FILE *stream, const struct report *report)
{
	const struct comparison_counts *c = &report->comparison.counts;

	fputs("<div class=\"tiles\">\n", stream);
	put_tile(stream, "to look at first", c->alarms, true);
	put_tile(stream, "added", c->added, false);
	put_tile(stream, "removed", c->removed, false);
	put_tile(stream, "changed", c->changed, false);
	if (report->has_packages)
		put_tile(stream, "accounted for by packages", report_accounted(report), false);
	put_tile(stream, "entries compared", c->entries, false);
	fputs("</div>\n", stream);
}

static void put_verdict(FILE *stream, const struct report *report)
{
	const struct comparison_counts *c = &report->comparison.counts;
	uint64_t all = c->added + c->removed + c->changed;

	if (report->digest == REPORT_DIGEST_CHANGED) {
		fprintf(stream, "<p class=\"verdict bad\">%s</p>\n",
		        "The database was changed: what follows compares with entries that are not "
		        "those that were recorded.");
	}
	if (all == 0)
		fputs("<p class=\"verdict good\">Nothing has changed.</p>\n", stream);
	else
		fprintf(stream,
		        "<p class=\"verdict %s\">%" PRIu64 " difference%s, %" PRIu64
		        " of them to look at first.</p>\n",
		        c->alarms > 0 ? "bad" : "warn", all, all == 1 ? "" : "s", c->alarms);
}

static void put_now(FILE *stream, const struct report *report)
{
	char bytes[BYTES_TEXT_SIZE];

	if (report->has_after) {
		put_fact_taken(stream, "Compared with", snapshot_label(&report->after));
		put_digest(stream, "Its digest", report->after.has_digest, &report->after.digest);
		return;
	}
	bytes_text(report->totals.hashed_bytes, bytes);
	put_time(stream, "Looked at", report->began_ns);
	put_fact_taken(stream, "Read again",
	        text_format("%" PRIu64 " files, %s, in %.1f s", report->totals.hashed, bytes,
	                (double)report->took_ns / (double)NS_PER_SEC));
}

static void put_facts(FILE *stream, const struct report *report)
{
	const struct snapshot_info *before = &report->before;

	fputs("<dl class=\"facts\">\n", stream);
	put_fact_taken(stream, "Snapshot", snapshot_label(before));
	put_fact(stream, "Holds", before->all_files ? "all files" : "executables only");
	put_time(stream, "Recorded", before->created_ns);
	put_digest(stream, "Digest recorded", before->has_digest, &before->digest);
	if (report->digest == REPORT_DIGEST_CHANGED)
		put_digest(stream, "Digest computed", true, &report->computed);
	put_fact(stream, "The database is", report_digest_words(report->digest));
	if (before->root)
		put_fact(stream, "Directory", before->root);
	put_now(stream, report);
	for (size_t i = 0; i < PACKAGES_MANAGERS && report->has_packages; i++)
		put_fact_taken(stream, "Packages", report_packages_words(&report->packages[i]));
	if (report->comparison.counts.unread > 0)
		put_fact_taken(stream, "Not compared",
		        text_format("%" PRIu64 " files: unreadable, or they change",
		                report->comparison.counts.unread));
	if (report->comparison.left_out > 0)
		put_fact_taken(stream, "Left out",
		        text_format("%" PRIu64 " differences; these are the worst",
		                report->comparison.left_out));
	fputs("</dl>\n", stream);
}

/*
 * Differences.
 */
static void put_alarms(FILE *stream, unsigned int alarms)
{
	if (alarms == 0)
		return;
	fputs("<div class=\"alarms\">", stream);
	for (unsigned int bit = 1u << 31; bit > 0; bit >>= 1)
		if (alarms & bit && report_alarm_words(bit))
			fprintf(stream, "<span class=\"tag %s\">%s</span>",
			        bit & REPORT_ATTENTION ? "bad" : "warn", report_alarm_words(bit));
	fputs("</div>", stream);
}

static void put_row(FILE *stream, const struct report_row *row)
{
	fprintf(stream, "<dt>%s</dt><dd class=\"v\">", row->what);
	if (row->before) {
		fputs("<del>", stream);
		put(stream, row->before);
		fputs("</del>", stream);
	}
	if (row->before && row->now)
		fputs(" &rarr; ", stream);
	if (row->now) {
		fputs("<ins>", stream);
		put(stream, row->now);
		fputs("</ins>", stream);
	}
	fputs("</dd>", stream);
}

static void put_difference(FILE *stream, const struct difference *d)
{
	const char *kind = difference_kind_name(d->kind);
	struct report_row rows[REPORT_ROWS_MAX];
	size_t n = report_rows(d, true, rows);

	fprintf(stream,
	        "<tr data-kind=\"%s\"%s><td class=\"k\"><span class=\"tag %s\">%s</span>"
	        "</td><td><span class=\"path\">",
	        kind, d->alarms & REPORT_ATTENTION ? " data-hot=\"1\"" : "",
	        d->kind == DIFFERENCE_CHANGED ? "warn" : "info", kind);
	put(stream, difference_path(d));
	fputs("</span>", stream);
	put_alarms(stream, d->alarms);
	fputs("<dl class=\"rows\">", stream);
	for (size_t i = 0; i < n; i++)
		put_row(stream, &rows[i]);
	fputs("</dl></td></tr>\n", stream);
	report_rows_free(rows, n);
}

static void put_table(FILE *stream, const struct comparison *c, bool accounted, const char *title)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += c->differences[i].accounted == accounted;
	if (n == 0)
		return;
	fprintf(stream,
	        "<h3>%s (%zu)</h3>\n<table><thead><tr><th>What</th><th>Where and how</th>"
	        "</tr></thead><tbody>\n",
	        title, n);
	for (size_t i = 0; i < c->n; i++)
		if (c->differences[i].accounted == accounted)
			put_difference(stream, &c->differences[i]);
	fputs("</tbody></table>\n", stream);
}

static void put_report(FILE *stream, const struct report *report)
{
	_cleanup_free_ char *label = snapshot_label(&report->before);

	fputs("<section>\n<h2>", stream);
	put(stream, label);
	fputs("</h2>\n", stream);
	put_verdict(stream, report);
	put_tiles(stream, report);
	put_facts(stream, report);
	put_table(stream, &report->comparison, false,
	        report->has_packages ? "Differences that no package accounts for"
	                             : "Differences, the most dangerous first");
	put_table(stream, &report->comparison, true,
	        "Accounted for by packages: an explanation, not a proof");
	fputs("</section>\n", stream);
}

int report_html(FILE *stream, const struct reports *reports)
{
	char host[256] = "", time[TIME_TEXT_SIZE];

	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	time_to_rfc3339(clock_realtime_ns(), time);
	fputs(page_head, stream);
	fputs("<h1>Integrity report</h1>\n<p class=\"sub\">Host ", stream);
	put(stream, host);
	fprintf(stream, ", %.10s %.8s UTC</p>\n", time, time + 11);
	for (size_t i = 0; i < reports->n; i++) {
		if (i == 0)
			fputs(page_filter, stream);
		put_report(stream, &reports->reports[i]);
	}
	fputs("<footer>Made by execward " EXECWARD_VERSION
	      ". Content is compared by SHA-256; of names, what cannot be shown is spelled "
	      "(\\xNN). Exit code of this report: ",
	        stream);
	fprintf(stream, "%d.</footer>\n", reports->code);
	fputs(page_foot, stream);
	return ferror(stream) ? -EIO : 0;
}
