/* execward snapshot list, and show: what snapshots there are, and one of them in full. */
#include "base/cleanup.h"
#include "core/text.h"
#include "tools/print.h"
#include "tools/snapshot_find.h"
#include "tools/snapshot_progress.h"
#include "tools/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define ACCEPTANCES_SHOWN 50u /* lines of show; --json has all */

struct list {
	bool all; /* superseded ones, too */
	struct table *table;
	json_t *array;
	uint64_t n, older;
};

static void add_number(struct table *table, uint64_t value)
{
	_cleanup_free_ char *text = text_format("%" PRIu64, value);

	table_add(table, COLOUR_NONE, text);
}

static void add_row(struct list *list, const struct snapshot_info *info)
{
	bool current = info->state == SNAPSHOT_CURRENT;
	char created[LOCAL_TIME_SIZE], bytes[BYTES_TEXT_SIZE];
	_cleanup_free_ char *scope = snapshot_scope_words(info),
	                    *name = text_format(
	                            "%s:%s", snapshot_kind_name(info->kind), info->name);

	local_time(info->created_ns, created);
	bytes_text(info->bytes, bytes);
	add_number(list->table, (uint64_t)info->id);
	table_add(list->table, COLOUR_NONE, name);
	table_add(
	        list->table, current ? COLOUR_GOOD : COLOUR_DIM, snapshot_state_name(info->state));
	table_add(list->table, COLOUR_NONE, created);
	add_number(list->table, info->executables);
	add_number(list->table, info->entries);
	table_add(list->table, COLOUR_NONE, bytes);
	table_add(list->table, COLOUR_NONE, scope);
}

static int on_snapshot(const struct snapshot_info *info, void *userdata)
{
	struct list *list = userdata;

	if (info->state != SNAPSHOT_CURRENT && !list->all) {
		list->older++;
		return 0;
	}
	list->n++;
	if (list->array)
		json_array_append_new(list->array, snapshot_json(info));
	else
		add_row(list, info);
	return 0;
}

static void print_list(const struct tool *tool, const struct list *list)
{
	if (tool->json) {
		print_json(list->array);
		return;
	}
	table_print(tool, list->table);
	if (list->n == 0)
		puts("no snapshot was made yet (execward snapshot create)");
	if (list->older > 0)
		printf("%" PRIu64 " older: --all shows them, prune removes them\n", list->older);
}

int verb_snapshot_list(const struct tool *tool, const struct call *call)
{
	static const char *const headers[] = {
	        "ID", "NAME", "STATE", "OF", "PROGRAMS", "ENTRIES", "SIZE", "VOUCHES", NULL};
	_cleanup_(table_freep) struct table *table = table_new(headers);
	struct list list = {.all = call_has(call, OPTION_ALL),
	        .table = table,
	        .array = tool->json ? json_array() : NULL};
	struct store *store = NULL;
	int r = snapshot_open(tool, call, STORE_READ_ONLY, &store);

	if (r == 0) {
		r = store_snapshots(store, on_snapshot, &list);
		r = r == 0 ? 0 : snapshot_fail(call, store, "snapshots", r);
	}
	if (r == 0)
		print_list(tool, &list);
	json_decref(list.array);
	store_free(store);
	return r;
}

/*
 * show.
 */
struct acceptances {
	json_t *array; /* NULL: a table */
	struct table *table;
	uint64_t n;
};

static json_t *acceptance_json(const struct acceptance *a)
{
	json_t *object = json_object();
	char time[TIME_TEXT_SIZE];

	time_to_rfc3339(a->time_ns, time);
	set_path(object, "path", a->path);
	json_object_set_new(object, "change", text_json(a->change));
	json_object_set_new(object, "reason", text_json(a->reason));
	json_object_set_new(object, "by_uid", json_integer(a->by_uid));
	json_object_set_new(object, "time", json_string(time));
	json_object_set_new(object, "time_ns", json_integer(a->time_ns));
	json_object_set_new(
	        object, "sha256", a->has_digest ? digest_json(&a->digest) : json_null());
	return object;
}

static int on_acceptance(const struct acceptance *a, void *userdata)
{
	struct acceptances *all = userdata;
	char time[LOCAL_TIME_SIZE];

	all->n++;
	if (all->array)
		return json_array_append_new(all->array, acceptance_json(a)) < 0 ? -ENOMEM : 0;
	if (all->n > ACCEPTANCES_SHOWN)
		return 0;
	local_time(a->time_ns, time);
	table_add(all->table, COLOUR_NONE, time);
	add_number(all->table, a->by_uid < 0 ? 0 : (uint64_t)a->by_uid);
	table_add(all->table, COLOUR_NONE, a->change);
	table_add(all->table, COLOUR_NONE, a->path);
	table_add(all->table, COLOUR_NONE, a->reason);
	return 0;
}

static void print_info(const struct snapshot_info *info)
{
	_cleanup_free_ char *label = snapshot_label(info), *scope = snapshot_scope_words(info),
	                    *root = text_safe(info->root), *image = text_safe(info->image_id);
	char created[LOCAL_TIME_SIZE], bytes[BYTES_TEXT_SIZE], hashed[BYTES_TEXT_SIZE],
	        digest[DIGEST_HEX_SIZE] = "-";

	local_time(info->created_ns, created);
	bytes_text(info->bytes, bytes);
	bytes_text(info->hashed_bytes, hashed);
	if (info->has_digest)
		digest_to_hex(&info->digest, digest);
	printf("%-16s%s, %s\n", "snapshot", label, snapshot_state_name(info->state));
	printf("%-16s%s by uid %" PRId64 "\n", "of", created, info->by_uid);
	printf("%-16s%s\n", "vouches", scope);
	printf("%-16s%s\n", "holds", info->all_files ? "all files" : "executables only");
	printf("%-16s%" PRIu64 " entries, %" PRIu64 " files, %" PRIu64 " executables, %s\n",
	        "counts", info->entries, info->files, info->executables, bytes);
	printf("%-16s%" PRIu64 " files, %s; the others were unchanged\n", "read for it",
	        info->hashed, hashed);
	if (info->unreadable + info->mutable_files > 0)
		printf("%-16s%" PRIu64 " unreadable, %" PRIu64
		       " that changed while they were read\n",
		        "without", info->unreadable, info->mutable_files);
	printf("%-16s%s\n%-16s%s\n", "directory", root, "digest", digest);
	if (info->image_id)
		printf("%-16s%s\n", "image id", image);
}

static int show(const struct tool *tool, const struct call *call, struct store *store,
        const struct snapshot_info *info)
{
	static const char *const headers[] = {
	        "ACCEPTED", "BY UID", "CHANGE", "PATH", "REASON", NULL};
	_cleanup_(table_freep) struct table *table = table_new(headers);
	struct acceptances all = {.table = table, .array = tool->json ? json_array() : NULL};
	int r = store_acceptances(store, info->id, NULL, on_acceptance, &all);
	json_t *object;

	if (r != 0) {
		json_decref(all.array);
		return snapshot_fail(call, store, info->name, r);
	}
	if (tool->json) {
		object = snapshot_json(info);
		json_object_set_new(object, "acceptances", all.array);
		print_json(object);
		json_decref(object);
		return 0;
	}
	print_info(info);
	printf("\naccepted into it: %" PRIu64 "\n", all.n);
	table_print(tool, table);
	if (all.n > ACCEPTANCES_SHOWN)
		printf("  and %" PRIu64 " older: --json has them\n", all.n - ACCEPTANCES_SHOWN);
	return 0;
}

int verb_snapshot_show(const struct tool *tool, const struct call *call)
{
	_cleanup_(snapshot_info_done) struct snapshot_info info = {0};
	struct store *store = NULL;
	int r = snapshot_open(tool, call, STORE_READ_ONLY, &store);

	if (r == 0)
		r = snapshot_find(call, store, call->argument, &info);
	if (r == 0)
		r = show(tool, call, store, &info);
	store_free(store);
	return r;
}
