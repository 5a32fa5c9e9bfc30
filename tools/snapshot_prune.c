/* execward snapshot prune: removes snapshots that newer ones stand for. */
#include "base/clock.h"
#include "tools/print.h"
#include "tools/snapshot_find.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define KEEP_DEFAULT 1u
#define KEEP_DIGITS  6u /* 999999 at most */

static int keep_of(const struct call *call, uint32_t *ret_keep)
{
	const char *text = call->values[OPTION_KEEP];
	size_t digits = text ? strspn(text, "0123456789") : 0;

	*ret_keep = KEEP_DEFAULT;
	if (!text)
		return 0;
	if (digits == 0 || digits > KEEP_DIGITS || text[digits]) {
		fprintf(stderr, "execward %s: --keep: not a number of 0 to 999999\n",
		        call->verb->name);
		return EX_USAGE;
	}
	*ret_keep = (uint32_t)strtoul(text, NULL, 10);
	return 0;
}

int verb_snapshot_prune(const struct tool *tool, const struct call *call)
{
	struct store *store = NULL;
	uint32_t keep, removed = 0;
	int r = keep_of(call, &keep);

	if (r == 0)
		r = snapshot_open(tool, call, STORE_READ_WRITE, &store);
	if (r == 0) {
		r = store_baselines_prune(store, keep, clock_realtime_ns(), &removed);
		r = r == 0 ? 0 : snapshot_fail(call, store, tool->config->state_dir, r);
	}
	store_free(store);
	if (r != 0)
		return r;
	if (tool->json)
		printf("{\"removed\":%" PRIu32 "}\n", removed);
	else
		printf("removed: %" PRIu32 "\n", removed);
	return removed > 0 ? snapshot_tell_daemon(tool) : 0;
}
