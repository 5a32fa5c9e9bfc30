/*
 * Each entry that comes is looked up by its path; what differs goes into a list that is cut back to
 * its worst when it has grown to twice what is kept. So an attacker who changes a million harmless
 * files does not push the one that matters out of the report.
 */
#include "snapshot/compare.h"
#include "snapshot/compare_rows.h"
#include "snapshot/compare_seen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct compare {
	struct compare_options options;
	int64_t snapshot;
	bool before_all, digests_only;
	struct compare_rows *rows;
	struct compare_seen seen;
	struct comparison found;
	size_t room;
};

const char *difference_kind_name(enum difference_kind kind)
{
	switch (kind) {
	case DIFFERENCE_ADDED:
		return "added";
	case DIFFERENCE_REMOVED:
		return "removed";
	case DIFFERENCE_CHANGED:
		return "changed";
	case DIFFERENCE_UNSET:
	default:
		return "unknown";
	}
}

const struct entry *difference_entry(const struct difference *difference)
{
	return difference->now.path ? &difference->now : &difference->before;
}

const char *difference_path(const struct difference *difference)
{
	return difference_entry(difference)->path;
}

static void difference_done(struct difference *difference)
{
	entry_done(&difference->before);
	entry_done(&difference->now);
	free(difference->moved);
	free(difference->package);
	free(difference->remark);
	memset(difference, 0, sizeof(*difference));
}

void comparison_done(struct comparison *comparison)
{
	for (size_t i = 0; i < comparison->n; i++)
		difference_done(&comparison->differences[i]);
	free(comparison->differences);
	memset(comparison, 0, sizeof(*comparison));
}

int comparison_mask(const struct comparison *comparison)
{
	const struct comparison_counts *c = &comparison->counts;

	return (c->added ? DIFFERENCE_ADDED : 0) | (c->removed ? DIFFERENCE_REMOVED : 0) |
	       (c->changed ? DIFFERENCE_CHANGED : 0);
}

static int worse(const void *a, const void *b)
{
	const struct difference *x = a, *y = b;

	if (x->accounted != y->accounted)
		return x->accounted ? 1 : -1;
	if (x->alarms != y->alarms)
		return x->alarms > y->alarms ? -1 : 1;
	return entry_path_compare(difference_path(x), difference_path(y));
}

void comparison_sort(struct comparison *comparison)
{
	if (comparison->n > 1)
		qsort(comparison->differences, comparison->n, sizeof(*comparison->differences),
		        worse);
}

/*
 * What is kept.
 */
static void cut_back(struct comparison *found, size_t keep)
{
	comparison_sort(found);
	while (found->n > keep) {
		difference_done(&found->differences[--found->n]);
		found->left_out++;
	}
}

static int make_room(struct compare *compare)
{
	struct comparison *found = &compare->found;
	size_t keep = compare->options.keep, room;
	struct difference *grown;

	if (found->n >= 2 * keep)
		cut_back(found, keep);
	if (found->n < compare->room)
		return 0;
	room = compare->room * 2 + 16;
	grown = reallocarray(found->differences, room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	found->differences = grown;
	compare->room = room;
	return 0;
}

static void count(struct comparison_counts *counts, const struct difference *difference)
{
	counts->added += difference->kind == DIFFERENCE_ADDED;
	counts->removed += difference->kind == DIFFERENCE_REMOVED;
	counts->changed += difference->kind == DIFFERENCE_CHANGED;
	counts->alarms += difference->alarms >= ALARM_WRITABLE;
}

/* Copies both sides. */
static int keep(struct compare *compare, enum difference_kind kind, unsigned int changes,
        const struct entry *before, const struct entry *now)
{
	struct difference difference = {.kind = kind, .changes = changes};
	int r = make_room(compare);

	if (r == 0 && before)
		r = entry_copy(before, &difference.before);
	if (r == 0 && now)
		r = entry_copy(now, &difference.now);
	if (r < 0) {
		difference_done(&difference);
		return r;
	}
	/* An allowlist knows digests: what it does not say is no change. */
	difference.alarms = compare->digests_only && before && now ? ALARM_PROGRAM
	                                                           : compare_alarms(before, now);
	count(&compare->found.counts, &difference);
	compare->found.differences[compare->found.n++] = difference;
	return 0;
}

/*
 * Comparing.
 */
static unsigned int changes_of(
        const struct compare *compare, const struct entry *before, const struct entry *now)
{
	if (!compare->digests_only)
		return entry_compare(before, now);
	if (before->content != CONTENT_KNOWN || now->content != CONTENT_KNOWN)
		return 0;
	return digest_equal(&before->digest, &now->digest) ? 0 : ENTRY_CHANGED_CONTENT;
}

static bool is_unread(const struct entry *entry)
{
	return entry->content == CONTENT_UNREADABLE || entry->content == CONTENT_MUTABLE;
}

static int pair(struct compare *compare, const struct entry *before, const struct entry *now)
{
	unsigned int changes = changes_of(compare, before, now);

	if (changes)
		return keep(compare, DIFFERENCE_CHANGED, changes, before, now);
	compare->found.counts.unread += is_unread(before) || is_unread(now);
	return 0;
}

/* What only one side can have says nothing when the other has executables only. */
static bool is_comparable(const struct entry *entry, bool other_all_files)
{
	return other_all_files || entry->flags & ENTRY_EXECUTABLE;
}

int compare_add(const struct entry *now, void *userdata)
{
	struct compare *compare = userdata;
	const struct entry *before;
	int64_t row;
	int r = compare_rows_find(compare->rows, now->path, &before, &row);

	compare->found.counts.entries++;
	if (r == STORE_E_NOTFOUND)
		return is_comparable(now, compare->before_all)
		               ? keep(compare, DIFFERENCE_ADDED, 0, NULL, now)
		               : 0;
	if (r == 0)
		r = compare_seen_set(&compare->seen, row);
	return r == 0 ? pair(compare, before, now) : r;
}

/* Asks what is where an entry was that did not come. */
static int look(struct compare *compare, const struct entry *before)
{
	struct entry now = {0};
	int r = compare->options.look
	                ? compare->options.look(before, &now, compare->options.userdata)
	                : 0;

	if (r == 1)
		r = pair(compare, before, &now);
	else if (r == 0)
		r = keep(compare, DIFFERENCE_REMOVED, 0, before, NULL);
	entry_done(&now);
	return r;
}

static int finish_entry(const struct entry *before, int64_t row, void *userdata)
{
	struct compare *compare = userdata;

	if (compare_seen_has(&compare->seen, row) ||
	        !is_comparable(before, compare->options.all_files))
		return 0;
	return look(compare, before);
}

/*
 * Moves: what was removed here and added there with the same content.
 */
static bool is_removed_file(const struct difference *difference)
{
	return difference->kind == DIFFERENCE_REMOVED && difference->before.size > 0 &&
	       difference->before.content == CONTENT_KNOWN;
}

static int by_digest(const void *a, const void *b)
{
	const struct difference *const *x = a, *const *y = b;

	return memcmp((*x)->before.digest.bytes, (*y)->before.digest.bytes, DIGEST_SIZE);
}

static struct difference *removed_with(
        struct difference **removed, size_t n, const struct entry *now)
{
	struct difference key = {.before.digest = now->digest}, *at = &key, **found;

	if (n == 0 || now->content != CONTENT_KNOWN || now->size == 0)
		return NULL;
	found = bsearch(&at, removed, n, sizeof(struct difference *), by_digest);
	return found ? *found : NULL;
}

static int name_move(struct difference *added, struct difference *removed)
{
	free(added->moved);
	added->moved = strdup(removed->before.path);
	if (!added->moved)
		return -ENOMEM;
	if (removed->moved)
		return 0;
	removed->moved = strdup(added->now.path);
	return removed->moved ? 0 : -ENOMEM;
}

static int name_moves(struct comparison *found)
{
	_cleanup_free_ struct difference **removed = calloc(found->n + 1, sizeof(*removed));
	size_t n = 0;
	int r = removed ? 0 : -ENOMEM;

	for (size_t i = 0; removed && i < found->n; i++)
		if (is_removed_file(&found->differences[i]))
			removed[n++] = &found->differences[i];
	if (n > 1)
		qsort(removed, n, sizeof(struct difference *), by_digest);
	for (size_t i = 0; i < found->n && r == 0; i++) {
		struct difference *added = &found->differences[i], *whence;

		if (added->kind != DIFFERENCE_ADDED)
			continue;
		whence = removed_with(removed, n, &added->now);
		if (whence)
			r = name_move(added, whence);
	}
	return r;
}

int compare_finish(struct compare *compare, struct comparison *ret_comparison)
{
	int r = store_entries(
	        compare->options.store, compare->snapshot, NULL, finish_entry, compare);

	if (r != 0)
		return r;
	cut_back(&compare->found, compare->options.keep);
	r = name_moves(&compare->found);
	if (r != 0)
		return r;
	*ret_comparison = compare->found;
	memset(&compare->found, 0, sizeof(compare->found));
	compare->room = 0;
	return 0;
}

int compare_new(const struct compare_options *options, struct compare **ret_compare)
{
	_cleanup_(compare_freep) struct compare *compare = calloc(1, sizeof(*compare));
	int r;

	if (!compare)
		return -ENOMEM;
	compare->options = *options;
	if (options->keep == 0)
		compare->options.keep = COMPARE_KEPT;
	compare->snapshot = options->before->id;
	compare->before_all = options->before->all_files;
	compare->digests_only = options->digests_only || options->before->kind == SNAPSHOT_IMPORT;
	r = compare_rows_new(options->store, compare->snapshot, &compare->rows);
	if (r == 0)
		*ret_compare = TAKE_PTR(compare);
	return r;
}

void compare_free(struct compare *compare)
{
	if (!compare)
		return;
	compare_rows_free(compare->rows);
	compare_seen_done(&compare->seen);
	comparison_done(&compare->found);
	free(compare);
}

static int add_stored(const struct entry *now, int64_t row, void *compare)
{
	(void)row;
	return compare_add(now, compare);
}

int compare_snapshots(struct store *store, const struct snapshot_info *before,
        const struct snapshot_info *now, struct comparison *ret_comparison)
{
	struct compare_options options = {
	        .store = store,
	        .before = before,
	        .all_files = now->all_files,
	        .digests_only = now->kind == SNAPSHOT_IMPORT,
	};
	_cleanup_(compare_freep) struct compare *compare = NULL;
	int r = compare_new(&options, &compare);

	if (r == 0)
		r = store_entries(store, now->id, NULL, add_stored, compare);
	return r == 0 ? compare_finish(compare, ret_comparison) : r;
}
