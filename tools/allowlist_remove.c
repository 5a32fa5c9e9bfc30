/* execward allowlist remove: a list goes; the version that was in force stays remembered. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "tools/allowlist_report.h"
#include "tools/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static int take_away(const struct call *call, struct store *store, struct allowlist_info *info)
{
	int r = store_allowlist_find(store, call->argument, info);

	if (r == 0)
		r = store_allowlist_remove(store, info->id, getuid(), clock_realtime_ns(),
		        call->values[OPTION_REASON]);
	return r == 0 ? 0 : allowlist_fail(call, store, call->argument, r);
}

static void show(const struct tool *tool, const struct allowlist_info *info)
{
	_cleanup_free_ char *series = text_safe(info->statement.series);
	json_t *object;

	if (!tool->json) {
		printf("%s: version %" PRIu64 " removed\n", series, info->statement.version);
		return;
	}
	object = json_pack("{s:s, s:I}", "removed", info->statement.series, "version",
	        (json_int_t)info->statement.version);
	print_json(object);
	json_decref(object);
}

int verb_allowlist_remove(const struct tool *tool, const struct call *call)
{
	_cleanup_(allowlist_info_done) struct allowlist_info info = {0};
	struct store *store = NULL;
	int r = store_open(tool->config->state_dir, STORE_READ_WRITE, &store);

	if (r != 0)
		return allowlist_fail(call, NULL, tool->config->state_dir, r);
	r = take_away(call, store, &info);
	if (r == 0) {
		show(tool, &info);
		r = allowlist_show_daemon(tool);
	}
	store_free(store);
	return r;
}
