/* What a snapshot says of itself, computed anew after its entries were changed in place. */
#include "snapshot/build.h"

static int add_up(const struct entry *entry, int64_t entry_id, void *userdata)
{
	struct snapshot_info *info = userdata;

	(void)entry_id;
	info->entries++;
	info->files += entry->type == ENTRY_FILE;
	info->executables += (entry->flags & ENTRY_EXECUTABLE) != 0;
	info->bytes += entry->content == CONTENT_KNOWN ? entry->size : 0;
	info->unreadable += entry->content == CONTENT_UNREADABLE;
	info->mutable_files += entry->content == CONTENT_MUTABLE;
	return 0;
}

int snapshot_renew(struct store *store, struct snapshot_info *info)
{
	struct snapshot_info now = *info;
	int r;

	now.entries = now.files = now.executables = now.bytes = 0;
	now.unreadable = now.mutable_files = 0;
	r = store_entries(store, now.id, NULL, add_up, &now);
	if (r == 0)
		r = snapshot_digest(store, now.id, &now.digest);
	now.has_digest = true;
	if (r == 0)
		r = store_snapshot_update(store, &now);
	if (r == 0)
		*info = now;
	return r;
}
