/*
 * execward snapshot export: the executables of a snapshot as an allowlist, unsigned, ready for
 * signing (docs/formats.md). Sorted, and with SOURCE_DATE_EPOCH the same bytes each time.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "config/config.h"
#include "core/statement.h"
#include "tools/print.h"
#include "tools/snapshot_find.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#define EXIT_INCOMPLETE 1
#define NAMES_SHOWN     20u /* of those left out */

struct export
{
	const struct call *call;
	struct statement statement; /* borrowed series */
	struct statement_subject *subjects;
	size_t n, room;
	uint64_t left_out;
};

static int usage(const struct call *call, const char *text)
{
	fprintf(stderr, "execward %s: %s\n", call->verb->name, text);
	return EX_USAGE;
}

/* Seconds of the environment, for builds that are to be repeated; else now. */
static int issued(const struct call *call, int64_t *ret_ns)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	size_t digits = text ? strspn(text, "0123456789") : 0;

	*ret_ns = clock_realtime_ns() / NS_PER_SEC * NS_PER_SEC;
	if (!text || !*text)
		return 0;
	if (text[digits] || digits > 10)
		return usage(call, "SOURCE_DATE_EPOCH is no number of seconds");
	*ret_ns = (int64_t)strtoll(text, NULL, 10) * NS_PER_SEC;
	return *ret_ns / NS_PER_SEC == strtoll(text, NULL, 10)
	               ? 0
	               : usage(call, "SOURCE_DATE_EPOCH is too late");
}

static int version(const struct call *call, uint64_t *ret_version)
{
	const char *text = call->values[OPTION_LIST_VERSION] ?: "1";
	size_t digits = strspn(text, "0123456789");

	*ret_version = digits > 0 && digits <= 18 && !text[digits] ? strtoull(text, NULL, 10) : 0;
	return *ret_version > 0 ? 0 : usage(call, "--list-version: not a number of 1 or more");
}

static int read_call(const struct call *call, struct statement *statement)
{
	const char *bind = call->values[OPTION_BIND] ?: "digest";
	char text[STATEMENT_TIME_SIZE];
	int64_t valid_ns;
	int r = issued(call, &statement->issued_ns);

	statement->series = (char *)(uintptr_t)call->values[OPTION_SERIES];
	statement->bind = statement_bind_from_name(bind);
	if (r == 0)
		r = version(call, &statement->version);
	if (r != 0)
		return r;
	if (statement_series_fault(statement->series))
		return usage(call, "--series: not printable UTF-8");
	if (statement->bind == STATEMENT_BIND_UNSET)
		return usage(call, "--bind: digest or path");
	if (duration_parse(call->values[OPTION_VALID_FOR], &valid_ns) < 0 || valid_ns < NS_PER_SEC)
		return usage(call, "--valid-for: a duration such as 24h, 180d");
	if (valid_ns > INT64_MAX - statement->issued_ns)
		return usage(call, "--valid-for: too long");
	statement->expires_ns = statement->issued_ns + valid_ns;
	if (statement_time_print(statement->expires_ns, text) < 0)
		return usage(call, "--valid-for: too long");
	return 0;
}

static void leave_out(struct export *export, const struct entry *entry, const char *why)
{
	_cleanup_free_ char *path = text_safe(entry->path);

	if (++export->left_out <= NAMES_SHOWN)
		fprintf(stderr, "execward %s: left out: %s: %s\n", export->call->verb->name, path,
		        why);
}

static int add(struct export *export, const struct entry *entry)
{
	if (export->n == STATEMENT_SUBJECTS_MAX)
		return -EFBIG;
	if (export->n == export->room) {
		size_t room = export->room * 2 + 256;
		void *grown = reallocarray(export->subjects, room, sizeof(*export->subjects));

		if (!grown)
			return -ENOMEM;
		export->subjects = grown;
		export->room = room;
	}
	export->subjects[export->n].name = strdup(entry->path);
	export->subjects[export->n].digest = entry->digest;
	return export->subjects[export->n++].name ? 0 : -ENOMEM;
}

static int on_entry(const struct entry *entry, int64_t entry_id, void *userdata)
{
	struct export *export = userdata;
	const char *fault;

	(void)entry_id;
	if (entry->type != ENTRY_FILE || !(entry->flags & ENTRY_EXECUTABLE))
		return 0;
	fault = entry->content == CONTENT_KNOWN ? NULL : "no digest of it is known";
	if (!fault)
		fault = statement_name_fault(entry->path);
	if (!fault)
		return add(export, entry);
	leave_out(export, entry, fault);
	return 0;
}

static void export_done(struct export *export)
{
	for (size_t i = 0; i < export->n; i++)
		free(export->subjects[i].name);
	free(export->subjects);
}

static int write_out(const struct call *call, const char *text, size_t size)
{
	const char *path = call->values[OPTION_OUT];
	_cleanup_free_ char *safe = text_safe(path);
	int r;

	if (!strcmp(path, "-")) {
		fwrite(text, 1, size, stdout);
		return 0;
	}
	r = file_write_atomic(path, text, size, 0644);
	if (r == 0)
		return 0;
	fprintf(stderr, "execward %s: %s: %s\n", call->verb->name, safe, strerror(-r));
	return r == -EIO ? EX_IOERR : EX_CANTCREAT;
}

static void tell(const struct tool *tool, const struct export *export)
{
	const char *path = export->call->values[OPTION_OUT];
	_cleanup_free_ char *safe = text_safe(path);
	char expires[STATEMENT_TIME_SIZE] = "";
	json_t *object;

	if (export->left_out > NAMES_SHOWN)
		fprintf(stderr, "execward %s: and %" PRIu64 " more\n", export->call->verb->name,
		        export->left_out - NAMES_SHOWN);
	if (!strcmp(path, "-"))
		return;
	(void)statement_time_print(export->statement.expires_ns, expires);
	if (!tool->json) {
		printf("%s: %zu subjects, series %s, version %" PRIu64
		       ", until %s; not signed yet\n",
		        safe, export->n, export->statement.series, export->statement.version,
		        expires);
		return;
	}
	object = json_object();
	set_path(object, "out", path);
	json_object_set_new(object, "subjects", json_integer((json_int_t) export->n));
	json_object_set_new(object, "left_out", json_integer((json_int_t) export->left_out));
	json_object_set_new(object, "series", text_json(export->statement.series));
	json_object_set_new(
	        object, "version", json_integer((json_int_t) export->statement.version));
	json_object_set_new(object, "expires", json_string(expires));
	print_json(object);
	json_decref(object);
}

static int write_list(const struct tool *tool, struct store *store, struct export *export,
        const struct snapshot_info *info)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = store_entries(store, info->id, NULL, on_entry, export);

	if (r != 0)
		return snapshot_fail(export->call, store, info->name, r);
	if (export->n == 0) {
		fprintf(stderr, "execward %s: it has no executable: an empty list is no list\n",
		        export->call->verb->name);
		return EX_DATAERR;
	}
	statement_sort(export->subjects, export->n);
	r = statement_print(&export->statement, export->subjects, export->n, &text, &size);
	if (r < 0)
		return snapshot_fail(export->call, NULL, "the allowlist", r);
	r = write_out(export->call, text, size);
	if (r == 0)
		tell(tool, export);
	return r ?: export->left_out > 0 ? EXIT_INCOMPLETE : 0;
}

int verb_snapshot_export(const struct tool *tool, const struct call *call)
{
	_cleanup_(export_done) struct export export = {.call = call};
	_cleanup_(snapshot_info_done) struct snapshot_info info = {0};
	struct store *store = NULL;
	int r = read_call(call, &export.statement);

	if (r == 0)
		r = snapshot_open(tool, call, STORE_READ_ONLY, &store);
	if (r == 0)
		r = snapshot_find(call, store, call->argument, &info);
	if (r == 0)
		r = write_list(tool, store, &export, &info);
	store_free(store);
	return r;
}
