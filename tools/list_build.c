#include "tools/list_build.h"

#include "base/cleanup.h"
#include "crypto/dsse.h"
#include "tools/envelope_io.h"
#include "tools/print.h"
#include "tools/snapshot_find.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define NAMES_SHOWN 20u /* of those left out */
/*
 * Bytes of a body whose envelope still has room for as many signatures as it may have: base64 makes
 * four bytes of three, and a signature with its key's id takes less than 1 KiB.
 */
#define BODY_MAX ((DSSE_ENVELOPE_MAX - DSSE_SIGNATURES_MAX * 1024u - 1024u) / 4 * 3)

static const char too_many[] = "more than 1000000 files: one list cannot name them; make several, "
                               "each with a series of its own";

void list_done(struct list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->subjects[i].name);
	free(list->subjects);
	statement_done(&list->statement);
}

int list_say(const struct list *list, const char *what, const char *text, int code)
{
	_cleanup_free_ char *safe = text_safe(what), *message = text_safe(text);

	fprintf(stderr, "execward %s: %s: %s\n", list->call->verb->name, safe, message);
	return code;
}

int list_fail(const struct list *list, const char *what, int r)
{
	switch (r) {
	case -EFBIG:
		return list_say(list, what, too_many, EX_DATAERR);
	case -ENOMEM:
		return list_say(list, what, strerror(ENOMEM), EX_SOFTWARE);
	case -EACCES:
	case -EPERM:
		return list_say(list, what, strerror(-r), EX_NOPERM);
	case -ENOENT:
	case -ENOTDIR:
	case -ELOOP:
		return list_say(list, what, strerror(-r), EX_NOINPUT);
	case -ECANCELED:
		return list_say(list, what, "interrupted; nothing was written", EX_IOERR);
	default:
		return list_say(list, what, strerror(r < 0 ? -r : EIO), EX_IOERR);
	}
}

void list_leave_out(struct list *list, const char *name, const char *why)
{
	_cleanup_free_ char *safe = text_safe(name);

	if (++list->left_out <= NAMES_SHOWN)
		fprintf(stderr, "execward %s: left out: %s: %s\n", list->call->verb->name, safe,
		        why);
}

int list_add(struct list *list, const char *name, const struct digest *digest)
{
	const char *fault = statement_name_fault(name);

	if (fault) {
		list_leave_out(list, name, fault);
		return 0;
	}
	if (list->n == list->room) {
		size_t room = list->room * 2 + 256;
		void *grown = reallocarray(list->subjects, room, sizeof(*list->subjects));

		if (!grown)
			return -ENOMEM;
		list->subjects = grown;
		list->room = room;
	}
	/* Sources may name the same: only what is different counts in the end. */
	if (list->n == 2 * (size_t)STATEMENT_SUBJECTS_MAX)
		return -EFBIG;
	list->subjects[list->n].name = strdup(name);
	list->subjects[list->n].digest = *digest;
	return list->subjects[list->n++].name ? 0 : -ENOMEM;
}

int list_add_entry(struct list *list, const struct entry *entry)
{
	if (entry->type != ENTRY_FILE || !(list->all_files || entry->flags & ENTRY_EXECUTABLE))
		return 0;
	if (entry->content == CONTENT_KNOWN)
		return list_add(list, entry->path, &entry->digest);
	list_leave_out(list, entry->path, "no digest of it is known");
	return 0;
}

static bool is_same(const struct statement_subject *a, const struct statement_subject *b)
{
	return !strcmp(a->name, b->name) && !memcmp(a->digest.bytes, b->digest.bytes, DIGEST_SIZE);
}

static void sort(struct list *list)
{
	size_t kept = 0;

	statement_sort(list->subjects, list->n);
	for (size_t i = 0; i < list->n; i++) {
		if (kept > 0 && is_same(&list->subjects[kept - 1], &list->subjects[i]))
			free(list->subjects[i].name);
		else
			list->subjects[kept++] = list->subjects[i];
	}
	list->n = kept;
}

static json_t *list_json(const struct list *list)
{
	struct summary summary = {.statement = list->statement, .entries = list->n};
	json_t *object = json_object();

	summary_to_json(&summary, object);
	set_path(object, "out", list->call->values[OPTION_OUT]);
	json_object_set_new(object, "subjects", json_integer((json_int_t)list->n));
	json_object_set_new(object, "left_out", json_integer((json_int_t)list->left_out));
	return object;
}

static void tell(const struct list *list)
{
	_cleanup_free_ char *out = text_safe(list->call->values[OPTION_OUT]),
	                    *series = text_safe(list->statement.series);
	char expires[STATEMENT_TIME_SIZE] = "";
	json_t *object;

	if (output_is_stdout(list->call))
		return;
	if (list->tool->json) {
		object = list_json(list);
		print_json(object);
		json_decref(object);
		return;
	}
	(void)statement_time_print(list->statement.expires_ns, expires);
	printf("%s: %zu subjects, series %s, version %" PRIu64 ", until %s; not signed yet\n", out,
	        list->n, series, list->statement.version, expires);
}

int list_write(struct list *list)
{
	_cleanup_free_ char *text = NULL;
	const char *verb = list->call->verb->name;
	size_t size;
	int r;

	sort(list);
	if (list->left_out > NAMES_SHOWN)
		fprintf(stderr, "execward %s: and %" PRIu64 " more were left out\n", verb,
		        list->left_out - NAMES_SHOWN);
	if (list->n == 0) {
		fprintf(stderr,
		        "execward %s: nothing to list was found: an empty list is no list\n", verb);
		return EX_NOINPUT;
	}
	r = list->n > STATEMENT_SUBJECTS_MAX ? -EFBIG : 0;
	if (r == 0)
		r = statement_print(&list->statement, list->subjects, list->n, &text, &size);
	if (r == -EFBIG && list->n > STATEMENT_SUBJECTS_MAX)
		return list_fail(list, "the allowlist", r);
	if (r == -EFBIG || (r == 0 && size > BODY_MAX))
		return list_say(list, "the allowlist",
		        "its envelope would be longer than 64 MiB: make several lists, each with a "
		        "series of its own",
		        EX_DATAERR);
	if (r < 0)
		return list_fail(list, "the allowlist", r);
	r = output_write(list->call, text, size);
	if (r == 0)
		tell(list);
	return r ?: list->left_out > 0 ? EXIT_INCOMPLETE : 0;
}
