/*
 * execward snapshot export: the executables of a snapshot as an allowlist, unsigned, ready for
 * signing (docs/formats.md). Sorted, and with SOURCE_DATE_EPOCH the same bytes each time.
 */
#include "base/cleanup.h"
#include "tools/list_build.h"
#include "tools/snapshot_find.h"

#include <errno.h>

DEFINE_FREEP(store, store_free)

static int on_entry(const struct entry *entry, int64_t entry_id, void *userdata)
{
	(void)entry_id;
	return list_add_entry(userdata, entry);
}

static int read_snapshot(const struct tool *tool, const struct call *call, struct list *list)
{
	_cleanup_(snapshot_info_done) struct snapshot_info info = {0};
	_cleanup_(store_freep) struct store *store = NULL;
	int r = snapshot_open(tool, call, STORE_READ_ONLY, &store);

	if (r == 0)
		r = snapshot_find(call, store, call->argument, &info);
	if (r != 0)
		return r;
	r = store_entries(store, info.id, NULL, on_entry, list);
	if (r == -EFBIG)
		return list_fail(list, info.name, r);
	return r == 0 ? 0 : snapshot_fail(call, store, info.name, r);
}

int verb_snapshot_export(const struct tool *tool, const struct call *call)
{
	_cleanup_(list_done) struct list list = {.tool = tool, .call = call};
	int r = list_head(call, &list.statement);

	if (r == 0)
		r = read_snapshot(tool, call, &list);
	return r == 0 ? list_write(&list) : r;
}
