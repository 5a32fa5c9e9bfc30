/*
 * execward snapshot accept: what has changed becomes part of the snapshot. Somebody names what and
 * says why, and both are kept: nothing is ever accepted by itself. All of it is one transaction.
 *
 * A snapshot whose entries are not those that were recorded is refused: its new digest would cover
 * up what was done to it.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "core/glob.h"
#include "snapshot/build.h"
#include "tools/print.h"
#include "tools/snapshot_again.h"
#include "tools/snapshot_find.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define ACCEPT_MAX   1000000u /* differences at once; for more, make a new snapshot */
#define CHANGE_MAX   256u     /* bytes of all words of a change */
#define EXIT_REFUSED 1

struct accept {
	const struct tool *tool;
	const struct call *call;
	struct store *store;
	const char *glob; /* NULL: all */
	struct report report;
	json_t *accepted;
	uint64_t n, refused;
};

static int usage(const struct call *call, const char *text)
{
	fprintf(stderr, "execward %s: %s\n", call->verb->name, text);
	return EX_USAGE;
}

static int check_call(const struct call *call, const char **ret_glob)
{
	const char *glob = call->n_arguments > 1 ? call->arguments[1] : NULL;
	size_t at;

	if (!glob && !call_has(call, OPTION_ALL))
		return usage(call, "name what to accept, a path or a glob, or give --all");
	if (glob && call_has(call, OPTION_ALL))
		return usage(call, "a glob or --all, not both");
	if (glob && glob_check(glob, &at) < 0)
		return usage(call, "the glob has a '[' or '\\' that does not end");
	if (strlen(call->values[OPTION_REASON]) > TEXT_MAX)
		return usage(call, "--reason: too long");
	*ret_glob = glob;
	return 0;
}

/* A path names itself, whatever a glob would make of it. */
static bool is_wanted(const struct accept *accept, const struct difference *difference)
{
	const char *path = difference_path(difference);

	return !accept->glob || !strcmp(accept->glob, path) ||
	       glob_match(accept->glob, GLOB_PATH, path);
}

/* What could not be read cannot be vouched for. */
static bool is_acceptable(const struct difference *difference)
{
	return difference->kind == DIFFERENCE_REMOVED || difference->now.type != ENTRY_FILE ||
	       difference->now.content == CONTENT_KNOWN;
}

/* "added", "removed", or "content mode". */
static void change_words(const struct difference *difference, char ret_words[CHANGE_MAX])
{
	char *out = ret_words;

	if (difference->kind != DIFFERENCE_CHANGED) {
		(void)snprintf(ret_words, CHANGE_MAX, "%s", difference_kind_name(difference->kind));
		return;
	}
	*out = '\0';
	for (unsigned int bit = 1; bit != 0 && bit <= difference->changes; bit <<= 1) {
		const char *name = difference->changes & bit ? entry_change_name(bit) : NULL;

		if (!name || strlen(name) + 2 > CHANGE_MAX - (size_t)(out - ret_words))
			continue;
		if (out > ret_words)
			*out++ = ' ';
		out = stpcpy(out, name);
	}
}

/*
 * One difference.
 */
static void tell(struct accept *accept, const struct difference *difference)
{
	char change[CHANGE_MAX];
	_cleanup_free_ char *path = text_safe(difference_path(difference));
	bool known = difference->now.content == CONTENT_KNOWN;
	json_t *object;

	change_words(difference, change);
	if (!accept->tool->json) {
		printf("accepted %s (%s)\n", path, change);
		return;
	}
	object = json_object();
	set_path(object, "path", difference_path(difference));
	json_object_set_new(object, "change", json_string(change));
	json_object_set_new(
	        object, "sha256", known ? digest_json(&difference->now.digest) : json_null());
	json_array_append_new(accept->accepted, object);
}

static void tell_refused(struct accept *accept, const struct difference *difference)
{
	_cleanup_free_ char *path = text_safe(difference_path(difference));

	accept->refused++;
	fprintf(stderr, "execward %s: %s: not accepted: its content could not be read\n",
	        accept->call->verb->name, path);
}

static int record(struct accept *accept, const struct difference *difference, const char *change)
{
	struct acceptance acceptance = {
	        .snapshot = accept->report.before.id,
	        .path = (char *)(uintptr_t)difference_path(difference),
	        .change = (char *)(uintptr_t)change,
	        .has_digest = difference->now.content == CONTENT_KNOWN,
	        .digest = difference->now.digest,
	        .reason = (char *)(uintptr_t)accept->call->values[OPTION_REASON],
	        .by_uid = getuid(),
	        .time_ns = clock_realtime_ns(),
	};

	return store_acceptance_add(accept->store, &acceptance);
}

/* A snapshot of executables does not keep what is none any more. */
static bool stays(const struct accept *accept, const struct difference *difference)
{
	if (difference->kind == DIFFERENCE_REMOVED)
		return false;
	return accept->report.before.all_files || difference->now.flags & ENTRY_EXECUTABLE;
}

static int take(struct accept *accept, const struct difference *difference)
{
	int64_t id = accept->report.before.id;
	char change[CHANGE_MAX];
	int r;

	if (!is_wanted(accept, difference) || !is_acceptable(difference))
		return 0;
	if (stays(accept, difference))
		r = store_entry_put(accept->store, id, &difference->now);
	else
		r = store_entry_remove(accept->store, id, difference_path(difference));
	change_words(difference, change);
	if (r == 0)
		r = record(accept, difference, change);
	accept->n++;
	return r;
}

/* What is done is told when it is done. */
static void tell_all(struct accept *accept)
{
	const struct comparison *c = &accept->report.comparison;

	for (size_t i = 0; i < c->n; i++) {
		if (!is_wanted(accept, &c->differences[i]))
			continue;
		if (is_acceptable(&c->differences[i]))
			tell(accept, &c->differences[i]);
		else
			tell_refused(accept, &c->differences[i]);
	}
}

/*
 * All of them.
 */
static int write_all(struct accept *accept)
{
	const struct comparison *c = &accept->report.comparison;
	int r = store_begin(accept->store);

	if (r != 0)
		return r;
	for (size_t i = 0; i < c->n && r == 0; i++)
		r = take(accept, &c->differences[i]);
	if (r == 0 && accept->n > 0)
		r = snapshot_renew(accept->store, &accept->report.before);
	if (r == 0 && accept->n > 0)
		r = store_baseline_changed(accept->store);
	if (r == 0 && accept->n > 0)
		return store_commit(accept->store);
	store_rollback(accept->store);
	return r;
}

static int look(struct accept *accept)
{
	const struct call *call = accept->call;
	struct report *report = &accept->report;
	int r = snapshot_find(call, accept->store, call->arguments[0], &report->before);

	if (r == 0 && report->before.state != SNAPSHOT_CURRENT) {
		fprintf(stderr, "execward %s: a newer snapshot stands for that one\n",
		        call->verb->name);
		return EX_NOINPUT;
	}
	if (r == 0 && snapshot_is_image(&report->before)) {
		fprintf(stderr,
		        "execward %s: an image never changes: what is in it now is another one; "
		        "make a "
		        "snapshot of that\n",
		        call->verb->name);
		return EX_USAGE;
	}
	if (r == 0)
		r = snapshot_check_digest(call, accept->store, report);
	if (r == 0 && report->digest != REPORT_DIGEST_INTACT) {
		fprintf(stderr, "execward %s: %s; make a new snapshot of it\n", call->verb->name,
		        report_digest_words(report->digest));
		return EX_DATAERR;
	}
	if (r == 0)
		r = snapshot_again(accept->tool, call, accept->store, ACCEPT_MAX, report);
	if (r == 0 && report->comparison.left_out > 0) {
		fprintf(stderr, "execward %s: more than %u differences: make a new snapshot\n",
		        call->verb->name, ACCEPT_MAX);
		return EX_DATAERR;
	}
	return r;
}

static void show(const struct accept *accept)
{
	_cleanup_free_ char *label = NULL;
	json_t *object;
	char hex[DIGEST_HEX_SIZE];

	if (accept->tool->json) {
		object = json_object();
		json_object_set_new(object, "snapshot", snapshot_json(&accept->report.before));
		json_object_set(object, "accepted", accept->accepted);
		json_object_set_new(object, "refused", json_integer((json_int_t)accept->refused));
		print_json(object);
		json_decref(object);
		return;
	}
	label = snapshot_label(&accept->report.before);
	digest_to_hex(&accept->report.before.digest, hex);
	printf("%" PRIu64 " accepted into %s; its digest is now %s\n", accept->n, label, hex);
}

static int run(struct accept *accept)
{
	const struct call *call = accept->call;
	int r = look(accept);

	if (r != 0)
		return r;
	r = write_all(accept);
	if (r != 0)
		return snapshot_fail(call, accept->store, accept->report.before.name, r);
	tell_all(accept);
	if (accept->n == 0 && accept->refused == 0 && accept->glob) {
		fprintf(stderr, "execward %s: nothing that has changed is matched by it\n",
		        call->verb->name);
		return EX_NOINPUT;
	}
	show(accept);
	r = accept->n > 0 ? snapshot_tell_daemon(accept->tool) : 0;
	return r ?: accept->refused > 0 ? EXIT_REFUSED : 0;
}

int verb_snapshot_accept(const struct tool *tool, const struct call *call)
{
	struct accept accept = {.tool = tool, .call = call};
	int r = check_call(call, &accept.glob);

	if (r == 0)
		r = snapshot_open(tool, call, STORE_READ_WRITE, &accept.store);
	if (r == 0) {
		accept.accepted = json_array();
		r = run(&accept);
	}
	json_decref(accept.accepted);
	report_done(&accept.report);
	store_free(accept.store);
	return r;
}
