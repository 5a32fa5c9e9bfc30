/* What a difference is, in words that text and page share. */
#include "base/cleanup.h"
#include "snapshot/compare_caps.h"
#include "tools/print.h"
#include "tools/snapshot_find.h"
#include "tools/snapshot_report.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define SHORT_DIGEST 16 /* hexadecimal digits that tell two apart at a glance */

const char *report_alarm_words(unsigned int alarm)
{
	static const struct {
		unsigned int bit;
		const char *words;
	} rows[] = {
	        {ALARM_SETUID, "runs with rights of its owner or group"},
	        {ALARM_CAPABILITY, "has capabilities that it did not have"},
	        {ALARM_HIDDEN, "other content under the same size and time: made to be overlooked"},
	        {ALARM_PROGRAM, "program changed"},
	        {ALARM_WRITABLE, "everybody may write it"},
	        {ALARM_GONE_PROGRAM, "program is gone"},
	        {ALARM_NEW_PROGRAM, "new program"},
	        {ALARM_OWNER, "program has another owner"},
	        {ALARM_NOT_EXECUTABLE, "no longer executable"},
	        {ALARM_UNREAD, "could not be read now"},
	        {ALARM_NEW_LINK, "link"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].bit == alarm)
			return rows[i].words;
	return NULL;
}

const char *report_digest_words(enum report_digest digest)
{
	switch (digest) {
	case REPORT_DIGEST_INTACT:
		return "as it was recorded";
	case REPORT_DIGEST_CHANGED:
		return "the database was changed: its entries are not those that were recorded";
	case REPORT_DIGEST_NONE:
		return "none was recorded";
	case REPORT_DIGEST_UNCHECKED:
	default:
		return "not checked";
	}
}

uint64_t report_accounted(const struct report *report)
{
	uint64_t n = 0;

	for (size_t i = 0; i < report->comparison.n; i++)
		n += report->comparison.differences[i].accounted;
	return n;
}

char *report_packages_words(const struct packages_report *p)
{
	switch (p->result) {
	case PACKAGES_READ:
		return text_format("%s: %" PRIu64 " packages, account for %" PRIu64, p->manager,
		        p->installed, p->accounted);
	case PACKAGES_NONE:
		return text_format("%s: no database", p->manager);
	case PACKAGES_NO_LIBRARY:
		return text_format("%s: library not found", p->manager);
	case PACKAGES_FAILED:
	case PACKAGES_UNSET:
	case _PACKAGES_RESULT_MAX:
	default:
		return text_format("%s: could not be read%s%s", p->manager, p->error ? ": " : "",
		        p->error ? strerror(p->error) : "");
	}
}

/*
 * One side of a row.
 */
static char *full_text(const struct entry *entry)
{
	char hex[DIGEST_HEX_SIZE];

	if (entry->content == CONTENT_KNOWN) {
		digest_to_hex(&entry->digest, hex);
		return text_format("%s", hex);
	}
	if (entry->content == CONTENT_MUTABLE)
		return text_format("changed while it was read");
	return text_format(entry->content == CONTENT_UNREADABLE ? "could not be read" : "not read");
}

/* A digest is as long as it is shown; words are shorter than that. */
static char *content_text(const struct entry *entry)
{
	_cleanup_free_ char *full = full_text(entry);

	return text_format("%.*s", entry->content == CONTENT_KNOWN ? SHORT_DIGEST : 64, full);
}

static char *type_text(const struct entry *entry)
{
	const char *script = entry->kind == EXEC_KIND_SCRIPT ? "script" : "program";
	bool program = entry->type == ENTRY_FILE && entry->flags & ENTRY_EXECUTABLE;

	return text_format("%s", program ? script : entry_type_name(entry->type));
}

/* The bits that somebody must see are spelled. */
static char *mode_text(const struct entry *entry)
{
	return text_format("%04o%s%s%s", (unsigned int)entry->mode,
	        entry->mode & S_ISUID ? " setuid" : "", entry->mode & S_ISGID ? " setgid" : "",
	        entry->mode & S_ISVTX ? " sticky" : "");
}

static char *owner_text(const struct entry *entry)
{
	return text_format("%" PRIu32 ":%" PRIu32, entry->uid, entry->gid);
}

static char *size_text(const struct entry *entry)
{
	return text_format("%" PRIu64 " bytes", entry->size);
}

static char *capability_text(const struct entry *entry)
{
	char text[CAPS_TEXT_SIZE];

	caps_text(entry->caps, entry->caps_size, text);
	return text_format("%s", text);
}

static char *target_text(const struct entry *entry)
{
	if (entry->type == ENTRY_CHAR || entry->type == ENTRY_BLOCK)
		return text_format("%" PRIu32 ":%" PRIu32, entry->rdev_major, entry->rdev_minor);
	return text_format("%s", entry->target ?: "");
}

static char *ima_text(const struct entry *entry)
{
	return text_format(entry->flags & ENTRY_IMA ? "present" : "absent");
}

/*
 * Rows.
 */
static bool is_file(const struct entry *e)
{
	return e->type == ENTRY_FILE;
}

static bool has_mode(const struct entry *e)
{
	return e->type != ENTRY_SYMLINK;
}

static bool has_caps(const struct entry *e)
{
	return e->caps_size > 0;
}

static bool has_target(const struct entry *e)
{
	return e->type == ENTRY_SYMLINK || e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK;
}

static bool has_ima(const struct entry *e)
{
	return e->flags & ENTRY_IMA;
}

static bool always(const struct entry *e)
{
	return e->path != NULL;
}

/* What there is to say; of what was added or removed, where it applies. */
static const struct aspect {
	const char *what;
	unsigned int change;
	bool (*applies)(const struct entry *entry);
	char *(*text)(const struct entry *entry);
} aspects[] = {
        {"type", ENTRY_CHANGED_TYPE, always, type_text},
        {"sha256", ENTRY_CHANGED_CONTENT, is_file, content_text},
        {"size", ENTRY_CHANGED_CONTENT, is_file, size_text},
        {"mode", ENTRY_CHANGED_MODE, has_mode, mode_text},
        {"owner", ENTRY_CHANGED_OWNER, always, owner_text},
        {"capabilities", ENTRY_CHANGED_CAPS, has_caps, capability_text},
        {"target", ENTRY_CHANGED_TARGET, has_target, target_text},
        {"security.ima", ENTRY_CHANGED_IMA, has_ima, ima_text},
};

static bool is_shown(const struct difference *d, const struct aspect *aspect)
{
	if (d->kind != DIFFERENCE_CHANGED)
		return aspect->applies(difference_entry(d));
	if (aspect->text == size_text)
		return d->changes & ENTRY_CHANGED_CONTENT && d->before.size != d->now.size;
	return d->changes & aspect->change;
}

size_t report_rows(const struct difference *d, bool full, struct report_row rows[REPORT_ROWS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < sizeof(aspects) / sizeof(aspects[0]); i++) {
		const struct aspect *aspect = &aspects[i];
		char *(*text)(const struct entry *entry);

		text = full && aspect->text == content_text ? full_text : aspect->text;
		if (!is_shown(d, aspect))
			continue;
		rows[n++] = (struct report_row){
		        aspect->what,
		        d->before.path ? text(&d->before) : NULL,
		        d->now.path ? text(&d->now) : NULL,
		};
	}
	if (d->moved && d->now.path)
		rows[n++] = (struct report_row){"content of", NULL, text_format("%s", d->moved)};
	else if (d->moved)
		rows[n++] = (struct report_row){"moved to", text_format("%s", d->moved), NULL};
	if (d->remark)
		rows[n++] = (struct report_row){
		        "package", NULL, text_format("%s: %s", d->package, d->remark)};
	return n;
}

void report_rows_free(struct report_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(rows[i].before);
		free(rows[i].now);
	}
}

void report_done(struct report *report)
{
	snapshot_info_done(&report->before);
	snapshot_info_done(&report->after);
	comparison_done(&report->comparison);
}
