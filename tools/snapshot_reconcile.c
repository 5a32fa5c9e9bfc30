/*
 * execward snapshot reconcile: after a package transaction the snapshot of the host takes over what
 * has been vouched for since. A file goes in when a trusted writer wrote that very content (the
 * daemon saw it) and the package database lists it there with that content; neither alone will do.
 * Modes and owners are the writer's, too: dpkg's database has none.
 *
 * What is gone goes out when it came in with a package that does not have it any more. All other
 * differences stay what they are, for `snapshot check` to tell.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "snapshot/build.h"
#include "snapshot/compare.h"
#include "snapshot/compare_look.h"
#include "snapshot/cursor.h"
#include "snapshot/filesystem.h"
#include "snapshot/packages.h"
#include "snapshot/packages_scripts.h"
#include "tools/print.h"
#include "tools/snapshot_again.h"
#include "tools/snapshot_find.h"
#include "tools/snapshot_skips.h"
#include "tools/snapshot_written.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#define RECONCILE_MAX 1000000u /* differences at once; the others are left for the next time */
#define REASON_SIZE   600u     /* bytes of "package NAME VERSION" */

struct reconcile {
	const struct tool *tool;
	const struct call *call;
	struct store *store;
	struct report report; /* before; comparison: all differences */
	struct written written;
	int root_fd, packages_fd; /* "/"; the root of the system whose package database counts */
	size_t prefix;            /* bytes of a path that are that root's */
	struct cursor *cursor;
	struct compare *compare;
	struct comparison candidates; /* copies, with paths in the system's root */
	json_t *accepted;
	uint64_t added, changed, removed;
};

static void done(struct reconcile *r)
{
	cursor_free(r->cursor);
	compare_free(r->compare);
	comparison_done(&r->candidates);
	report_done(&r->report);
	written_done(&r->written);
	json_decref(r->accepted);
	store_free(r->store);
	cleanup_closep(&r->root_fd);
	cleanup_closep(&r->packages_fd);
}

static int fail(const struct reconcile *r, const char *text, int code)
{
	_cleanup_free_ char *safe = text_safe(r->report.before.name);

	fprintf(stderr, "execward %s: %s: %s\n", r->call->verb->name, safe, text);
	return code;
}

/*
 * Which snapshot.
 */
/* 0 without a snapshot (id 0) is no failure: there is nothing to reconcile. */
static int find(struct reconcile *r)
{
	const char *path = r->call->n_arguments > 0 ? r->call->arguments[0] : "/";
	_cleanup_free_ char *real = realpath(path, NULL), *safe = text_safe(path);
	const struct snapshot_info wanted = {.kind = SNAPSHOT_HOST, .name = real};
	int result;

	if (!real) {
		fprintf(stderr, "execward %s: %s: %s\n", r->call->verb->name, safe,
		        strerror(errno));
		return errno == EACCES ? EX_NOPERM : EX_NOINPUT;
	}
	result = build_before(r->store, &wanted, &r->report.before);
	if (result != 0 && result != STORE_E_NOTFOUND)
		return snapshot_fail(r->call, r->store, path, result);
	return 0;
}

/* Its entries are what was recorded, and the filesystem is still the one that it vouches on. */
static int check(struct reconcile *r)
{
	const struct snapshot_info *before = &r->report.before;
	_cleanup_close_ int fd = open(before->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char uuid[FILESYSTEM_UUID_SIZE];
	int result;

	if (before->scope != SCOPE_FILESYSTEM || !before->scope_value)
		return fail(r, "its filesystem had no UUID: the snapshot vouches for nothing",
		        EX_DATAERR);
	if (fd < 0 || filesystem_uuid(fd, uuid) < 0 || strcmp(uuid, before->scope_value) != 0)
		return fail(r, "another filesystem is there now", EX_NOINPUT);
	result = snapshot_check_digest(r->call, r->store, &r->report);
	if (result == 0 && r->report.digest != REPORT_DIGEST_INTACT)
		return fail(r, report_digest_words(r->report.digest), EX_DATAERR);
	return result;
}

/*
 * A guarded path may be a whole system of its own, with a package database; else the database is
 * this host's.
 */
static int open_roots(struct reconcile *r)
{
	static const char *const databases[] = {
	        "var/lib/dpkg/status", "var/lib/rpm", "usr/lib/sysimage/rpm"};
	const char *root = r->report.before.root;

	r->root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r->packages_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->root_fd < 0 || r->packages_fd < 0)
		return fail(r, strerror(errno), errno == EACCES ? EX_NOPERM : EX_NOINPUT);
	r->prefix = strcmp(root, "/") ? strlen(root) : 0;
	for (size_t i = 0; i < sizeof(databases) / sizeof(databases[0]); i++)
		if (faccessat(r->packages_fd, databases[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return 0;
	close(r->packages_fd);
	r->packages_fd = fcntl(r->root_fd, F_DUPFD_CLOEXEC, 0);
	r->prefix = 0;
	return r->packages_fd < 0 ? fail(r, strerror(errno), EX_SOFTWARE) : 0;
}

/*
 * What has changed: only that is read.
 */
static int on_known(struct entry *entry, void *userdata)
{
	struct reconcile *r = userdata;
	const struct entry *before;

	if (cursor_find(r->cursor, entry->path, &before) != 0 || before->content != CONTENT_KNOWN ||
	        !entry_unchanged(before, entry))
		return 0;
	build_recall(before, entry);
	return 1;
}

static int on_add(const struct entry *entry, void *userdata)
{
	struct reconcile *r = userdata;

	return compare_add(entry, r->compare);
}

static int on_look(const struct entry *before, struct entry *ret_now, void *userdata)
{
	const struct reconcile *r = userdata;

	return compare_look(r->root_fd, before->path, ret_now);
}

static int walk(struct reconcile *r)
{
	const struct snapshot_info *before = &r->report.before;
	_cleanup_(skips_done) struct skips skips = {.n = 0};
	const struct compare_options comparing = {
	        .store = r->store,
	        .before = before,
	        .all_files = before->all_files,
	        .keep = RECONCILE_MAX,
	        .look = on_look,
	        .userdata = r,
	};
	struct walk_options walking = {
	        .root_fd = r->root_fd,
	        .prefix = before->root,
	        .all_files = before->all_files,
	        .one_filesystem = true,
	        .known = on_known,
	        .add = on_add,
	        .userdata = r,
	};
	int result;

	skips_find(r->tool->config, before->root, &skips);
	walking.skip = (const char *const *)skips.paths;
	result = cursor_new(r->store, before->id, &r->cursor);
	if (result == 0)
		result = compare_new(&comparing, &r->compare);
	if (result == 0)
		result = walk_tree(&walking, &r->report.totals);
	if (result == 0)
		result = compare_finish(r->compare, &r->report.comparison);
	return result == 0 ? 0 : snapshot_fail(r->call, r->store, before->name, result);
}

/*
 * What may be taken over.
 */
static bool is_candidate(const struct reconcile *r, const struct difference *d)
{
	if (d->kind == DIFFERENCE_REMOVED)
		return d->before.package != NULL;
	if (d->kind == DIFFERENCE_CHANGED && !(d->changes & ENTRY_CHANGED_CONTENT))
		return false;
	return d->now.type == ENTRY_FILE && d->now.content == CONTENT_KNOWN &&
	       written_find(&r->written, &d->now.digest);
}

/* The path as the package database has it. */
static void strip(const struct reconcile *r, struct entry *entry)
{
	if (entry->path && r->prefix > 0)
		memmove(entry->path, entry->path + r->prefix, strlen(entry->path + r->prefix) + 1);
}

static int add_candidate(struct reconcile *r, const struct difference *d)
{
	struct difference *copy = &r->candidates.differences[r->candidates.n];
	int result = 0;

	*copy = (struct difference){.kind = d->kind, .changes = d->changes & ENTRY_CHANGED_CONTENT};
	if (d->kind != DIFFERENCE_ADDED)
		result = entry_copy(&d->before, &copy->before);
	if (result == 0 && d->kind != DIFFERENCE_REMOVED)
		result = entry_copy(&d->now, &copy->now);
	if (result < 0) {
		entry_done(&copy->before);
		return result;
	}
	strip(r, &copy->before);
	strip(r, &copy->now);
	r->candidates.n++;
	return 0;
}

static int find_candidates(struct reconcile *r)
{
	const struct comparison *all = &r->report.comparison;
	int result = 0;

	r->candidates.differences = calloc(all->n + 1, sizeof(r->candidates.differences[0]));
	if (!r->candidates.differences)
		return -ENOMEM;
	for (size_t i = 0; i < all->n && result == 0; i++)
		if (is_candidate(r, &all->differences[i]))
			result = add_candidate(r, &all->differences[i]);
	if (result == 0)
		result = packages_explain(r->packages_fd, &r->candidates, r->report.packages);
	if (result == 0)
		result = packages_scripts(r->packages_fd, &r->candidates);
	return result;
}

/* Still listed, a file that is gone is a finding; content is what the package says, or nothing. */
static bool is_accounted(const struct difference *d)
{
	if (d->kind == DIFFERENCE_REMOVED)
		return !d->package;
	return d->accounted && d->package;
}

/*
 * Taking over.
 */
static void tell(struct reconcile *r, const struct difference *d, const char *path)
{
	_cleanup_free_ char *safe = NULL, *package = NULL;
	const char *owner = d->kind == DIFFERENCE_REMOVED ? d->before.package : d->package;
	json_t *object;

	r->added += d->kind == DIFFERENCE_ADDED;
	r->changed += d->kind == DIFFERENCE_CHANGED;
	r->removed += d->kind == DIFFERENCE_REMOVED;
	if (!r->tool->json) {
		safe = text_safe(path);
		package = text_safe(owner);
		printf("%s %s (%s)\n", difference_kind_name(d->kind), safe, package);
		return;
	}
	object = json_object();
	set_path(object, "path", path);
	json_object_set_new(object, "change", json_string(difference_kind_name(d->kind)));
	json_object_set_new(object, "package", text_json(owner));
	json_object_set_new(object, "sha256",
	        d->kind == DIFFERENCE_REMOVED ? json_null() : digest_json(&d->now.digest));
	json_array_append_new(r->accepted, object);
}

static int record(struct reconcile *r, const struct difference *d, char *path)
{
	char reason[REASON_SIZE];
	struct acceptance acceptance = {
	        .snapshot = r->report.before.id,
	        .path = path,
	        .change = (char *)(uintptr_t)(d->kind == DIFFERENCE_CHANGED
	                                              ? entry_change_name(ENTRY_CHANGED_CONTENT)
	                                              : difference_kind_name(d->kind)),
	        .has_digest = d->kind != DIFFERENCE_REMOVED,
	        .digest = d->now.digest,
	        .reason = reason,
	        .by_uid = getuid(),
	        .time_ns = clock_realtime_ns(),
	};

	if (d->kind == DIFFERENCE_REMOVED)
		snprintf(reason, sizeof(reason), "gone with package %s", d->before.package);
	else
		snprintf(reason, sizeof(reason), "package %s", d->package);
	return store_acceptance_add(r->store, &acceptance);
}

/* The package is on record with what was written, too. */
static int name_package(struct reconcile *r, const struct difference *d)
{
	struct provenance row = *written_find(&r->written, &d->now.digest);

	row.package = d->package;
	return store_provenance_add(r->store, &row);
}

static int put(struct reconcile *r, const struct difference *d, char *path)
{
	struct entry entry = d->now;
	int result;

	if (d->kind == DIFFERENCE_REMOVED)
		return store_entry_remove(r->store, r->report.before.id, path);
	entry.path = path;
	entry.package = d->package;
	result = store_entry_put(r->store, r->report.before.id, &entry);
	return result == 0 ? name_package(r, d) : result;
}

static int take(struct reconcile *r, const struct difference *d)
{
	_cleanup_free_ char *path = NULL;
	int result;

	if (!is_accounted(d))
		return 0;
	path = text_format("%.*s%s", (int)r->prefix, r->report.before.root, difference_path(d));
	result = put(r, d, path);
	if (result == 0)
		result = record(r, d, path);
	if (result == 0)
		tell(r, d, path);
	return result;
}

static uint64_t taken(const struct reconcile *r)
{
	return r->added + r->changed + r->removed;
}

static int write_all(struct reconcile *r)
{
	int result = store_begin(r->store);

	if (result != 0)
		return result;
	for (size_t i = 0; i < r->candidates.n && result == 0; i++)
		result = take(r, &r->candidates.differences[i]);
	if (result == 0 && taken(r) > 0)
		result = snapshot_renew(r->store, &r->report.before);
	if (result == 0 && taken(r) > 0)
		result = store_baseline_changed(r->store);
	if (result == 0 && taken(r) > 0)
		return store_commit(r->store);
	store_rollback(r->store);
	return result;
}

/*
 * Telling.
 */
static uint64_t left(const struct reconcile *r)
{
	const struct comparison_counts *counts = &r->report.comparison.counts;

	return counts->added + counts->changed + counts->removed - taken(r);
}

static void show(const struct reconcile *r)
{
	_cleanup_free_ char *label = NULL;
	bool known = r->report.before.id != 0;
	json_t *object;

	if (r->tool->json) {
		object = json_pack("{s:I, s:I, s:I, s:I}", "added", (json_int_t)r->added, "changed",
		        (json_int_t)r->changed, "removed", (json_int_t)r->removed, "left",
		        (json_int_t)left(r));
		json_object_set(object, "accepted", r->accepted);
		json_object_set_new(
		        object, "snapshot", known ? snapshot_json(&r->report.before) : json_null());
		print_json(object);
		json_decref(object);
		return;
	}
	if (!known) {
		printf("nothing to reconcile: there is no snapshot of that host path\n");
		return;
	}
	label = snapshot_label(&r->report.before);
	printf("%s: %" PRIu64 " added, %" PRIu64 " changed, %" PRIu64 " removed", label, r->added,
	        r->changed, r->removed);
	if (left(r) > 0)
		printf("; %" PRIu64 " other differences: execward snapshot check", left(r));
	putchar('\n');
}

static int reconcile(struct reconcile *r)
{
	const struct snapshot_info *before = &r->report.before;
	int result = check(r);

	if (result == 0)
		result = open_roots(r);
	if (result != 0)
		return result;
	result = written_read(r->store, before->scope_value, clock_realtime_ns(), &r->written);
	if (result != 0)
		return snapshot_fail(r->call, r->store, "what trusted writers wrote", result);
	result = walk(r);
	if (result != 0)
		return result;
	result = find_candidates(r);
	if (result == 0)
		result = write_all(r);
	return result == 0 ? 0 : snapshot_fail(r->call, r->store, before->name, result);
}

/* Nothing is recorded anywhere: where execward is installed and not used, say. */
static bool has_database(const struct tool *tool)
{
	_cleanup_free_ char *path = text_format("%s/baseline.db", tool->config->state_dir);

	return access(path, F_OK) == 0 || errno != ENOENT;
}

int verb_snapshot_reconcile(const struct tool *tool, const struct call *call)
{
	_cleanup_(done) struct reconcile r = {
	        .tool = tool, .call = call, .root_fd = -1, .packages_fd = -1};
	int result;

	if (call->n_arguments > 1) {
		fprintf(stderr, "execward %s: one path at a time\n", call->verb->name);
		return EX_USAGE;
	}
	r.accepted = json_array();
	if (!has_database(tool)) {
		show(&r);
		return 0;
	}
	/* What was written a moment ago is on record once the daemon has answered. */
	result = snapshot_tell_daemon(tool);
	if (result == 0)
		result = snapshot_open(tool, call, STORE_READ_WRITE, &r.store);
	if (result == 0)
		result = find(&r);
	if (result == 0 && r.report.before.id != 0)
		result = reconcile(&r);
	if (result != 0)
		return result;
	show(&r);
	return taken(&r) > 0 ? snapshot_tell_daemon(tool) : 0;
}
