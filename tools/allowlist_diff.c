/*
 * execward allowlist diff: what a release adds, removes and changes. Two lists are sorted and gone
 * through side by side. Nobody has looked at any signature: the first word says so.
 */
#include "base/cleanup.h"
#include "tools/envelope_io.h"
#include "tools/print.h"
#include "tools/snapshot_find.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define EXIT_DIFFERENT 1

struct side {
	const char *path; /* borrowed */
	struct dsse *dsse;
	struct statement statement;
	struct statement_subject *subjects; /* owned, with their names; sorted, each once */
	size_t n, room;
	bool enveloped;
};

static void side_done(struct side *side)
{
	for (size_t i = 0; i < side->n; i++)
		free(side->subjects[i].name);
	free(side->subjects);
	statement_done(&side->statement);
	dsse_free(side->dsse);
}

/*
 * Reading.
 */
static int on_subject(const struct statement_subject *subject, void *userdata)
{
	struct side *side = userdata;

	if (side->n == side->room) {
		size_t room = side->room * 2 + 256;
		void *grown = reallocarray(side->subjects, room, sizeof(*side->subjects));

		if (!grown)
			return -ENOMEM;
		side->subjects = grown;
		side->room = room;
	}
	side->subjects[side->n].name = strdup(subject->name);
	side->subjects[side->n].digest = subject->digest;
	return side->subjects[side->n++].name ? 0 : -ENOMEM;
}

static int compare_digests(const struct statement_subject *a, const struct statement_subject *b)
{
	return memcmp(a->digest.bytes, b->digest.bytes, DIGEST_SIZE);
}

static void sort(struct side *side)
{
	size_t kept = 0;

	statement_sort(side->subjects, side->n);
	for (size_t i = 0; i < side->n; i++) {
		const struct statement_subject *last = kept > 0 ? &side->subjects[kept - 1] : NULL;

		if (last && !strcmp(last->name, side->subjects[i].name) &&
		        compare_digests(last, &side->subjects[i]) == 0)
			free(side->subjects[i].name);
		else
			side->subjects[kept++] = side->subjects[i];
	}
	side->n = kept;
}

static int read_side(const struct call *call, const char *path, struct side *side)
{
	struct statement_reader reader = {.subject = on_subject, .userdata = side};
	_cleanup_free_ char *safe = text_safe(strcmp(path, "-") ? path : "stdin");
	_cleanup_free_ char *message = NULL;
	struct statement_error error = {0};
	int r = envelope_or_body_read(call, path, &side->dsse);

	side->path = path;
	if (r != 0)
		return r;
	side->enveloped = side->dsse->n_signatures > 0;
	r = statement_parse((const char *)side->dsse->body, side->dsse->body_size, &reader,
	        &side->statement, &error);
	if (r == 0) {
		sort(side);
		return 0;
	}
	message = r > 0 ? text_safe(error.message) : NULL;
	fprintf(stderr, "execward %s: %s: %s\n", call->verb->name, safe, message ?: strerror(-r));
	return r > 0 ? EX_DATAERR : EX_SOFTWARE;
}

/*
 * Comparing. A name has one digest as a rule; where it has several, they are compared as sets.
 */
enum change { CHANGE_ADDED, CHANGE_REMOVED, CHANGE_CHANGED, _CHANGE_MAX };

static const char *const change_names[_CHANGE_MAX] = {"added", "removed", "changed"};

struct report {
	const struct tool *tool;
	json_t *json[_CHANGE_MAX]; /* with --json */
	uint64_t counts[_CHANGE_MAX];
};

static void tell_json(struct report *report, enum change change,
        const struct statement_subject *before, const struct statement_subject *now)
{
	json_t *entry = json_pack("{s:s}", "name", (now ?: before)->name);

	if (before)
		json_object_set_new(entry, change == CHANGE_CHANGED ? "sha256_before" : "sha256",
		        digest_json(&before->digest));
	if (now)
		json_object_set_new(entry, "sha256", digest_json(&now->digest));
	json_array_append_new(report->json[change], entry);
}

static void tell_text(struct report *report, enum change change,
        const struct statement_subject *before, const struct statement_subject *now)
{
	static const char signs[_CHANGE_MAX] = {'+', '-', '~'};
	static const enum colour colours[_CHANGE_MAX] = {COLOUR_GOOD, COLOUR_BAD, COLOUR_WARN};
	_cleanup_free_ char *name = text_safe((now ?: before)->name), *word = NULL;
	char old[DIGEST_HEX_SIZE] = "", new[DIGEST_HEX_SIZE] = "";

	if (before)
		digest_to_hex(&before->digest, old);
	if (now)
		digest_to_hex(&now->digest, new);
	word = text_format("%c %s", signs[change], name);
	print_word(report->tool, colours[change], word);
	printf("  %s%s%s\n", old, before && now ? " -> " : "", new);
}

static void tell(struct report *report, enum change change, const struct statement_subject *before,
        const struct statement_subject *now)
{
	report->counts[change]++;
	if (report->tool->json)
		tell_json(report, change, before, now);
	else
		tell_text(report, change, before, now);
}

/* The subjects from @at on that have the name of the first. */
static size_t run_of(const struct side *side, size_t at)
{
	size_t n = 1;

	while (at + n < side->n && !strcmp(side->subjects[at].name, side->subjects[at + n].name))
		n++;
	return n;
}

/* What both have of a name is passed over; what is left is changed pair by pair, then added or
 * removed. Runs are sorted by digest. */
static void compare_runs(struct report *report, const struct statement_subject *a, size_t n,
        const struct statement_subject *b, size_t m)
{
	if (n == 1 && m == 1) {
		if (compare_digests(a, b) != 0)
			tell(report, CHANGE_CHANGED, a, b);
		return;
	}
	while (n > 0 || m > 0) {
		int r = n == 0 ? 1 : m == 0 ? -1 : compare_digests(a, b);

		if (r < 0)
			tell(report, CHANGE_REMOVED, a, NULL);
		else if (r > 0)
			tell(report, CHANGE_ADDED, NULL, b);
		if (r <= 0) {
			a++;
			n--;
		}
		if (r >= 0) {
			b++;
			m--;
		}
	}
}

static void compare(struct report *report, const struct side *a, const struct side *b)
{
	size_t i = 0, j = 0;

	while (i < a->n || j < b->n) {
		size_t n = i < a->n ? run_of(a, i) : 0, m = j < b->n ? run_of(b, j) : 0;
		int r = n == 0 ? 1 : m == 0 ? -1 : strcmp(a->subjects[i].name, b->subjects[j].name);

		n = r > 0 ? 0 : n;
		m = r < 0 ? 0 : m;
		compare_runs(report, n ? &a->subjects[i] : NULL, n, m ? &b->subjects[j] : NULL, m);
		i += n;
		j += m;
	}
}

/*
 * Heads.
 */
static json_t *head_json(const struct side *side)
{
	struct summary summary = {.statement = side->statement, .entries = side->n};
	json_t *object = json_object();

	summary_to_json(&summary, object);
	json_object_set_new(object, "enveloped", json_boolean(side->enveloped));
	return object;
}

/* Of what the heads say, what is not the same: {"version": [7, 8]}. */
static json_t *head_differences(const json_t *a, const json_t *b)
{
	static const char *const keys[] = {
	        "bind", "expires", "issued", "scope", "series", "version"};
	json_t *object = json_object();

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *x = json_object_get(a, keys[i]), *y = json_object_get(b, keys[i]);

		if (!json_equal(x, y))
			json_object_set_new(object, keys[i], json_pack("[O, O]", x, y));
	}
	return object;
}

static char *value_text(const struct side *side, const char *key, const json_t *value)
{
	if (!strcmp(key, "scope"))
		return scope_words(&side->statement.scope);
	if (json_is_integer(value))
		return text_format("%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return text_safe(json_string_value(value));
}

static void show_text(struct report *report, const struct side *a, const struct side *b,
        const json_t *differences)
{
	const char *key;
	json_t *pair;

	print_word(report->tool, COLOUR_WARN, "UNVERIFIED");
	printf(": %s; `execward verify` checks an envelope\n",
	        a->enveloped || b->enveloped ? "no signature was looked at" : "nothing is signed");
	json_object_foreach((json_t *)(uintptr_t)differences, key, pair)
	{
		_cleanup_free_ char *x = value_text(a, key, json_array_get(pair, 0));
		_cleanup_free_ char *y = value_text(b, key, json_array_get(pair, 1));

		printf("  %-10s %s -> %s\n", key, x ?: "", y ?: "");
	}
	compare(report, a, b);
	printf("%" PRIu64 " added, %" PRIu64 " removed, %" PRIu64 " changed; %zu -> %zu entries\n",
	        report->counts[CHANGE_ADDED], report->counts[CHANGE_REMOVED],
	        report->counts[CHANGE_CHANGED], a->n, b->n);
}

static void show_json(struct report *report, const struct side *a, const struct side *b,
        json_t *heads, const json_t *differences)
{
	for (size_t i = 0; i < _CHANGE_MAX; i++)
		report->json[i] = json_array();
	compare(report, a, b);
	for (size_t i = 0; i < _CHANGE_MAX; i++)
		json_object_set_new(heads, change_names[i], report->json[i]);
	json_object_set(heads, "head", (json_t *)(uintptr_t)differences);
	json_object_set_new(heads, "verified", json_false());
	print_json(heads);
}

static int show(const struct tool *tool, const struct side *a, const struct side *b)
{
	struct report report = {.tool = tool};
	json_t *heads = json_pack("{s:o, s:o}", "a", head_json(a), "b", head_json(b));
	json_t *differences =
	        head_differences(json_object_get(heads, "a"), json_object_get(heads, "b"));
	bool different = json_object_size(differences) > 0;

	if (tool->json)
		show_json(&report, a, b, heads, differences);
	else
		show_text(&report, a, b, differences);
	json_decref(differences);
	json_decref(heads);
	for (size_t i = 0; i < _CHANGE_MAX; i++)
		different |= report.counts[i] > 0;
	return different ? EXIT_DIFFERENT : 0;
}

int verb_allowlist_diff(const struct tool *tool, const struct call *call)
{
	_cleanup_(side_done) struct side a = {0}, b = {0};
	int r;

	if (!strcmp(call->arguments[0], "-") && !strcmp(call->arguments[1], "-")) {
		fprintf(stderr, "execward %s: stdin (-) can be read once only\n", call->verb->name);
		return EX_USAGE;
	}
	r = read_side(call, call->arguments[0], &a);
	if (r == 0)
		r = read_side(call, call->arguments[1], &b);
	return r == 0 ? show(tool, &a, &b) : r;
}
