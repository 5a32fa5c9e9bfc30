/*
 * Every entry is compared when the walk asks what is known, in order. What is added afterwards only
 * has to be as many of each as have been found: a file that had to be read is a difference, unless
 * its content cannot be had now as before.
 */
#include "snapshot/unchanged.h"

#include "base/cleanup.h"
#include "snapshot/build.h"
#include "snapshot/cursor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct unchanged {
	struct store *store;
	struct snapshot_info before;
	struct cursor *cursor;
	uint64_t files, others; /* found unchanged, and not added yet */
	uint64_t added;
};

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool made_alike(const struct snapshot_info *a, const struct snapshot_info *b)
{
	return a->scope == b->scope && same_text(a->scope_value, b->scope_value) &&
	       same_text(a->image_id, b->image_id) && same_text(a->root, b->root) &&
	       a->all_files == b->all_files;
}

int unchanged_begin(
        struct store *store, const struct snapshot_info *info, struct unchanged **ret_unchanged)
{
	_cleanup_(unchanged_freep) struct unchanged *unchanged = calloc(1, sizeof(*unchanged));
	int r;

	if (!unchanged)
		return -ENOMEM;
	unchanged->store = store;
	r = build_before(store, info, &unchanged->before);
	if (r == 0 && !made_alike(info, &unchanged->before))
		r = STORE_E_NOTFOUND;
	if (r == 0)
		r = cursor_new(store, unchanged->before.id, &unchanged->cursor);
	if (r == 0)
		*ret_unchanged = TAKE_PTR(unchanged);
	return r;
}

/* Of a new file nobody knows yet whether it is an executable, but for its mode. */
static bool is_wanted(const struct unchanged *u, const struct entry *entry)
{
	return u->before.all_files || entry->type != ENTRY_FILE || entry->mode & 0111;
}

int unchanged_known(struct entry *entry, void *userdata)
{
	struct unchanged *u = userdata;
	const struct entry *before;
	int r = cursor_find(u->cursor, entry->path, &before);

	if (r == STORE_E_NOTFOUND && !is_wanted(u, entry))
		return 0;
	if (r != 0)
		return UNCHANGED_E_DIFFERS;
	if (entry->type == ENTRY_FILE && before->content != CONTENT_KNOWN)
		return 0;
	if (entry->type == ENTRY_FILE && !entry_unchanged(before, entry))
		return UNCHANGED_E_DIFFERS;
	if (entry->type == ENTRY_FILE)
		build_recall(before, entry);
	if (entry_compare(before, entry) != 0)
		return UNCHANGED_E_DIFFERS;
	u->files += entry->type == ENTRY_FILE;
	u->others += entry->type != ENTRY_FILE;
	return entry->type == ENTRY_FILE;
}

static bool is_same_failure(struct unchanged *u, const struct entry *entry)
{
	_cleanup_(entry_done) struct entry before = {0};

	return store_entry_find(u->store, u->before.id, entry->path, &before, NULL) == 0 &&
	       before.content == entry->content && entry_compare(&before, entry) == 0;
}

int unchanged_add(const struct entry *entry, void *userdata)
{
	struct unchanged *u = userdata;
	bool failed = entry->content == CONTENT_UNREADABLE || entry->content == CONTENT_MUTABLE;
	uint64_t *found = entry->type == ENTRY_FILE ? &u->files : &u->others;

	if (!failed && *found > 0)
		(*found)--;
	else if (!failed || !is_same_failure(u, entry))
		return UNCHANGED_E_DIFFERS;
	u->added++;
	return 0;
}

bool unchanged_holds(struct unchanged *u, struct snapshot_info *ret_info)
{
	if (u->files > 0 || u->others > 0 || u->added != u->before.entries)
		return false;
	*ret_info = u->before;
	u->before = (struct snapshot_info){.id = 0};
	return true;
}

void unchanged_free(struct unchanged *unchanged)
{
	if (!unchanged)
		return;
	snapshot_info_done(&unchanged->before);
	cursor_free(unchanged->cursor);
	free(unchanged);
}
