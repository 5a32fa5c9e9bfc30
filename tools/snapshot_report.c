/* A comparison as text and as JSON. */
#include "tools/snapshot_report.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "core/text.h"
#include "snapshot/compare_caps.h"
#include "tools/print.h"
#include "tools/snapshot_find.h"
#include "tools/snapshot_progress.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

/*
 * JSON.
 */
static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)(value > INT64_MAX ? INT64_MAX : value));
}

static void set_content(json_t *object, const struct entry *entry)
{
	char caps[CAPS_TEXT_SIZE];

	json_object_set_new(object, "size", number(entry->size));
	json_object_set_new(object, "content", json_string(entry_content_name(entry->content)));
	json_object_set_new(object, "executable", json_boolean(entry->flags & ENTRY_EXECUTABLE));
	json_object_set_new(object, "ima", json_boolean(entry->flags & ENTRY_IMA));
	json_object_set_new(object, "sha256",
	        entry->content == CONTENT_KNOWN ? digest_json(&entry->digest) : json_null());
	caps_text(entry->caps, entry->caps_size, caps);
	json_object_set_new(
	        object, "capabilities", entry->caps_size > 0 ? json_string(caps) : json_null());
}

static json_t *entry_json(const struct entry *entry)
{
	json_t *object;
	char mode[16];

	if (!entry->path)
		return json_null();
	object = json_object();
	(void)snprintf(mode, sizeof(mode), "%04o", (unsigned int)entry->mode);
	json_object_set_new(object, "type", json_string(entry_type_name(entry->type)));
	json_object_set_new(object, "mode", json_string(mode));
	json_object_set_new(object, "uid", json_integer(entry->uid));
	json_object_set_new(object, "gid", json_integer(entry->gid));
	if (entry->type == ENTRY_FILE)
		set_content(object, entry);
	if (entry->target)
		set_path(object, "target", entry->target);
	if (entry->type == ENTRY_CHAR || entry->type == ENTRY_BLOCK) {
		json_object_set_new(object, "major", json_integer(entry->rdev_major));
		json_object_set_new(object, "minor", json_integer(entry->rdev_minor));
	}
	return object;
}

/* The names of the bits that are set, the highest first. */
static json_t *bits_json(unsigned int bits, const char *(*name)(unsigned int bit))
{
	json_t *array = json_array();

	for (unsigned int bit = 1u << 31; bit > 0; bit >>= 1)
		if (bits & bit && name(bit))
			json_array_append_new(array, json_string(name(bit)));
	return array;
}

static json_t *difference_json(const struct difference *d)
{
	json_t *object = json_object();

	set_path(object, "path", difference_path(d));
	json_object_set_new(object, "changes", bits_json(d->changes, entry_change_name));
	json_object_set_new(object, "alarms", bits_json(d->alarms, difference_alarm_name));
	json_object_set_new(object, "before", entry_json(&d->before));
	json_object_set_new(object, "now", entry_json(&d->now));
	json_object_set_new(object, "accounted", json_boolean(d->accounted));
	json_object_set_new(object, "package", text_json(d->package));
	json_object_set_new(object, "remark", text_json(d->remark));
	set_path(object, "moved", d->moved);
	return object;
}

static json_t *differences_json(const struct comparison *comparison, enum difference_kind kind)
{
	json_t *array = json_array();

	for (size_t i = 0; i < comparison->n; i++)
		if (comparison->differences[i].kind == kind)
			json_array_append_new(array, difference_json(&comparison->differences[i]));
	return array;
}

static json_t *counts_json(const struct report *report)
{
	const struct comparison_counts *c = &report->comparison.counts;
	json_t *object = json_object();

	json_object_set_new(object, "entries", number(c->entries));
	json_object_set_new(object, "added", number(c->added));
	json_object_set_new(object, "removed", number(c->removed));
	json_object_set_new(object, "changed", number(c->changed));
	json_object_set_new(object, "attention", number(c->alarms));
	json_object_set_new(object, "unread", number(c->unread));
	json_object_set_new(object, "left_out", number(report->comparison.left_out));
	json_object_set_new(object, "accounted", number(report_accounted(report)));
	json_object_set_new(object, "hashed", number(report->totals.hashed));
	json_object_set_new(object, "hashed_bytes", number(report->totals.hashed_bytes));
	json_object_set_new(object, "unreadable", number(report->totals.unreadable));
	json_object_set_new(object, "mutable", number(report->totals.mutable_files));
	return object;
}

static json_t *digest_report_json(const struct report *report)
{
	static const char *const names[] = {
	        [REPORT_DIGEST_UNCHECKED] = "unchecked",
	        [REPORT_DIGEST_INTACT] = "intact",
	        [REPORT_DIGEST_CHANGED] = "changed",
	        [REPORT_DIGEST_NONE] = "none",
	};
	json_t *object = json_object();

	json_object_set_new(object, "result", json_string(names[report->digest]));
	json_object_set_new(object, "stored",
	        report->before.has_digest ? digest_json(&report->before.digest) : json_null());
	json_object_set_new(object, "computed",
	        report->digest != REPORT_DIGEST_UNCHECKED ? digest_json(&report->computed)
	                                                  : json_null());
	return object;
}

static json_t *packages_json(const struct report *report)
{
	json_t *array = json_array();

	for (size_t i = 0; i < PACKAGES_MANAGERS && report->has_packages; i++) {
		const struct packages_report *p = &report->packages[i];
		json_t *object = json_object();

		json_object_set_new(object, "manager", json_string(p->manager));
		json_object_set_new(object, "result", json_string(packages_result_name(p->result)));
		json_object_set_new(object, "installed", number(p->installed));
		json_object_set_new(object, "accounted", number(p->accounted));
		json_array_append_new(array, object);
	}
	return array;
}

json_t *report_json(const struct report *report)
{
	const struct comparison *c = &report->comparison;
	json_t *object = json_object();
	char began[TIME_TEXT_SIZE];

	time_to_rfc3339(report->began_ns, began);
	json_object_set_new(object, "snapshot", snapshot_json(&report->before));
	json_object_set_new(
	        object, "against", report->has_after ? snapshot_json(&report->after) : json_null());
	json_object_set_new(object, "digest", digest_report_json(report));
	json_object_set_new(object, "began", json_string(began));
	json_object_set_new(object, "took_ms", json_integer(report->took_ns / NS_PER_MSEC));
	json_object_set_new(object, "counts", counts_json(report));
	json_object_set_new(object, "mask", json_integer(comparison_mask(c)));
	json_object_set_new(object, "packages", packages_json(report));
	json_object_set_new(object, "added", differences_json(c, DIFFERENCE_ADDED));
	json_object_set_new(object, "removed", differences_json(c, DIFFERENCE_REMOVED));
	json_object_set_new(object, "changed", differences_json(c, DIFFERENCE_CHANGED));
	return object;
}

static json_t *reports_json(const struct reports *reports)
{
	json_t *object = json_object(), *array = json_array();

	for (size_t i = 0; i < reports->n; i++)
		json_array_append_new(array, report_json(&reports->reports[i]));
	json_object_set_new(object, "exit", json_integer(reports->code));
	json_object_set_new(object, "reports", array);
	return object;
}

/*
 * Text.
 */
static void print_alarms(const struct tool *tool, unsigned int alarms)
{
	for (unsigned int bit = 1u << 31; bit > 0; bit >>= 1) {
		const char *words = alarms & bit ? report_alarm_words(bit) : NULL;

		if (!words)
			continue;
		fputs("      ", stdout);
		print_word(tool, bit & REPORT_ATTENTION ? COLOUR_BAD : COLOUR_WARN,
		        bit & REPORT_ATTENTION ? "! " : "- ");
		puts(words);
	}
}

static void print_rows(const struct difference *d)
{
	struct report_row rows[REPORT_ROWS_MAX];
	size_t n = report_rows(d, false, rows);

	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *before = text_safe(rows[i].before),
		                    *now = text_safe(rows[i].now);

		printf("      %-14s%s%s%s\n", rows[i].what, rows[i].before ? before : "",
		        rows[i].before && rows[i].now ? " -> " : "", rows[i].now ? now : "");
	}
	report_rows_free(rows, n);
}

static void print_difference(const struct tool *tool, const struct difference *d)
{
	static const char signs[] = {
	        [DIFFERENCE_ADDED] = '+', [DIFFERENCE_REMOVED] = '-', [DIFFERENCE_CHANGED] = '~'};
	_cleanup_free_ char *path = text_safe(difference_path(d));

	printf("  %c ", signs[d->kind]);
	print_word(tool, d->alarms & REPORT_ATTENTION ? COLOUR_BAD : COLOUR_NONE, path);
	putchar('\n');
	print_alarms(tool, d->alarms);
	print_rows(d);
}

/* Those of one kind that are accounted for, or are not. */
static void print_section(const struct tool *tool, const struct report *report,
        enum difference_kind kind, bool accounted, const char *title)
{
	const struct comparison *c = &report->comparison;
	uint64_t n = 0, shown = 0;

	for (size_t i = 0; i < c->n; i++)
		n += c->differences[i].kind == kind && c->differences[i].accounted == accounted;
	if (n == 0)
		return;
	printf("\n%s (%" PRIu64 ")\n", title, n);
	for (size_t i = 0; i < c->n && shown < REPORT_TEXT_MAX; i++) {
		if (c->differences[i].kind != kind || c->differences[i].accounted != accounted)
			continue;
		print_difference(tool, &c->differences[i]);
		shown++;
	}
	if (shown < n)
		printf("  and %" PRIu64 " more: --json and --html have them\n", n - shown);
}

static void print_against(const struct report *report)
{
	_cleanup_free_ char *after = NULL;
	char bytes[BYTES_TEXT_SIZE];
	const struct comparison_counts *c = &report->comparison.counts;

	if (report->has_after) {
		after = snapshot_label(&report->after);
		printf("%-16s%s\n", "against", after);
		return;
	}
	bytes_text(report->totals.hashed_bytes, bytes);
	printf("%-16s%" PRIu64 " entries, %" PRIu64 " files of %s read in %.1f s\n", "now",
	        c->entries, report->totals.hashed, bytes,
	        (double)report->took_ns / (double)NS_PER_SEC);
}

static void print_digest(const struct tool *tool, const struct report *report)
{
	bool bad = report->digest == REPORT_DIGEST_CHANGED;
	char hex[DIGEST_HEX_SIZE] = "-";

	if (report->before.has_digest)
		digest_to_hex(&report->before.digest, hex);
	printf("%-16s%s, ", "its digest", hex);
	print_word(tool, bad ? COLOUR_BAD : COLOUR_NONE, report_digest_words(report->digest));
	putchar('\n');
}

static void print_summary(const struct tool *tool, const struct report *report)
{
	const struct comparison_counts *c = &report->comparison.counts;
	uint64_t all = c->added + c->removed + c->changed;

	printf("%-16s", "result");
	if (all == 0) {
		print_word(tool, COLOUR_GOOD, "nothing has changed");
		putchar('\n');
		return;
	}
	printf("%" PRIu64 " added, %" PRIu64 " removed, %" PRIu64 " changed", c->added, c->removed,
	        c->changed);
	if (c->alarms > 0) {
		_cleanup_free_ char *text = text_format("%" PRIu64 " to look at first", c->alarms);

		fputs("; ", stdout);
		print_word(tool, COLOUR_BAD, text);
	}
	if (report->has_packages)
		printf("; packages account for %" PRIu64, report_accounted(report));
	putchar('\n');
}

static void print_head(const struct tool *tool, const struct report *report)
{
	_cleanup_free_ char *label = snapshot_label(&report->before);
	char created[LOCAL_TIME_SIZE];

	local_time(report->before.created_ns, created);
	printf("%-16s%s, of %s, %s\n", "snapshot", label, created,
	        report->before.all_files ? "all files" : "executables only");
	print_digest(tool, report);
	print_against(report);
	print_summary(tool, report);
	for (size_t i = 0; i < PACKAGES_MANAGERS && report->has_packages; i++) {
		_cleanup_free_ char *words = report_packages_words(&report->packages[i]);

		if (report->packages[i].result != PACKAGES_NONE)
			printf("%-16s%s\n", "packages", words);
	}
	if (report->comparison.counts.unread > 0)
		printf("%-16s%" PRIu64 " files could not be compared: unreadable, or they change\n",
		        "not compared", report->comparison.counts.unread);
	if (report->comparison.left_out > 0)
		printf("%-16s%" PRIu64 " differences more than are kept; these are the worst\n",
		        "left out", report->comparison.left_out);
}

void report_print(const struct tool *tool, const struct report *report)
{
	print_head(tool, report);
	print_section(tool, report, DIFFERENCE_ADDED, false, "Added");
	print_section(tool, report, DIFFERENCE_REMOVED, false, "Removed");
	print_section(tool, report, DIFFERENCE_CHANGED, false, "Changed");
	print_section(tool, report, DIFFERENCE_ADDED, true, "Added, as packages have it");
	print_section(tool, report, DIFFERENCE_CHANGED, true, "Changed, as packages have it");
}

/*
 * Everywhere.
 */
static int write_page(const struct call *call, const char *path, const struct reports *reports)
{
	_cleanup_free_ char *data = NULL, *safe = text_safe(path);
	size_t size = 0;
	FILE *stream = open_memstream(&data, &size);
	int r = stream ? report_html(stream, reports) : -ENOMEM;

	if (stream && fclose(stream) != 0)
		r = -ENOMEM;
	if (r == 0)
		r = file_write_atomic(path, data, size, 0600);
	if (r == 0)
		return 0;
	fprintf(stderr, "execward %s: %s: %s\n", call->verb->name, safe, strerror(-r));
	return EX_CANTCREAT;
}

int reports_show(const struct tool *tool, const struct call *call, const struct reports *reports)
{
	const char *page = call->values[OPTION_HTML];
	int r = page ? write_page(call, page, reports) : 0;
	json_t *object;

	if (tool->json) {
		object = reports_json(reports);
		print_json(object);
		json_decref(object);
		return r ?: reports->code;
	}
	for (size_t i = 0; i < reports->n; i++) {
		if (i > 0)
			putchar('\n');
		report_print(tool, &reports->reports[i]);
	}
	return r ?: reports->code;
}
