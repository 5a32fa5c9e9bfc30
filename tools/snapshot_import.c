/*
 * execward snapshot import: an allowlist as a snapshot. Nobody has signed what is read here:
 * whoever gives it a scope vouches for it. So what a list restricts must not be lost on the way:
 * one that binds to paths, has a scope of its own, or has expired, is for comparison only.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "core/statement.h"
#include "snapshot/build.h"
#include "tools/print.h"
#include "tools/snapshot_create.h"
#include "tools/snapshot_find.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

struct import {
	const struct tool *tool;
	const struct call *call;
	struct store *store;
	struct build *build;
	struct snapshot_info info; /* to build; owns scope_value */
	struct walk_totals totals;
	int64_t now_ns;
	int code; /* why the reader ended it; 0: the list did */
};

static int say(struct import *import, const char *text, int code)
{
	_cleanup_free_ char *path = text_safe(import->call->argument);

	fprintf(stderr, "execward %s: %s: %s\n", import->call->verb->name, path, text);
	import->code = code;
	return -ECANCELED;
}

static int fail(struct import *import, int r)
{
	import->code = snapshot_fail(import->call, import->store, import->call->argument, r);
	return -ECANCELED;
}

static int on_header(const struct statement *statement, void *userdata)
{
	struct import *import = userdata;
	struct snapshot_info info = import->info;
	bool scoped = info.scope != SCOPE_NONE;
	int r;

	if (scoped && statement->bind == STATEMENT_BIND_PATH)
		return say(import, "binds to paths, which a snapshot does not: --scope none",
		        EX_DATAERR);
	if (scoped && !statement_scope_is_everywhere(&statement->scope))
		return say(import,
		        "has a scope of its own, which a snapshot would lose: --scope none",
		        EX_DATAERR);
	if (scoped && statement->expires_ns <= import->now_ns)
		return say(import, "has expired: --scope none, for comparison", EX_DATAERR);
	info.name = (char *)(uintptr_t)(import->call->values[OPTION_NAME] ?: statement->series);
	info.created_ns = import->now_ns;
	r = build_begin(
	        &(struct build_options){.store = import->store, .info = &info, .rehash = true},
	        &import->build);
	return r == 0 ? 0 : fail(import, r);
}

/* An allowlist says nothing of modes and owners: they are not compared (lib/snapshot/compare.c). */
static int on_subject(const struct statement_subject *subject, void *userdata)
{
	struct import *import = userdata;
	struct entry entry = {
	        .path = subject->name,
	        .type = ENTRY_FILE,
	        .flags = ENTRY_EXECUTABLE,
	        .kind = EXEC_KIND_OTHER,
	        .content = CONTENT_KNOWN,
	        .digest = subject->digest,
	};
	int r = build_add(&entry, import->build);

	if (r == -EEXIST)
		return say(import, "names a path twice", EX_DATAERR);
	if (r != 0)
		return fail(import, r);
	import->totals.entries++;
	import->totals.files++;
	import->totals.executables++;
	return 0;
}

static int read_list(const struct call *call, char **ret_text, size_t *ret_size)
{
	_cleanup_free_ char *path = text_safe(call->argument);
	int r = file_read_at(AT_FDCWD, call->argument, STATEMENT_SIZE_MAX, ret_text, ret_size);

	if (r == 0)
		return 0;
	fprintf(stderr, "execward %s: %s: %s\n", call->verb->name, path,
	        r == -EFBIG ? "longer than an allowlist may be (64 MiB)" : strerror(-r));
	return r == -EFBIG ? EX_DATAERR : r == -EACCES ? EX_NOPERM : EX_NOINPUT;
}

static int parse(struct import *import, const char *text, size_t size)
{
	struct statement_reader reader = {
	        .header = on_header, .subject = on_subject, .userdata = import};
	_cleanup_free_ char *path = text_safe(import->call->argument), *message = NULL;
	struct statement_error error = {0};
	int r = statement_parse(text, size, &reader, NULL, &error);

	if (r == -ECANCELED)
		return import->code;
	if (r < 0)
		return snapshot_fail(import->call, NULL, import->call->argument, r);
	if (r == 0)
		return 0;
	message = text_safe(error.message);
	fprintf(stderr, "execward %s: %s: byte %zu: %s\n", import->call->verb->name, path, error.at,
	        message);
	return EX_DATAERR;
}

static void show(const struct import *import, const struct snapshot_info *info)
{
	_cleanup_free_ char *label = snapshot_label(info), *scope = snapshot_scope_words(info);
	json_t *object;

	if (import->tool->json) {
		object = snapshot_json(info);
		print_json(object);
		json_decref(object);
		return;
	}
	printf("%s: %" PRIu64 " digests; vouches %s\n", label, info->entries, scope);
	if (info->scope != SCOPE_NONE)
		puts("It does not end with the list: execward snapshot prune, or a newer import, "
		     "replaces it.");
}

static int publish(struct import *import)
{
	_cleanup_(snapshot_info_done) struct snapshot_info info = {0};
	int r = build_publish(import->build, &import->totals, &info);

	if (r == -EEXIST) {
		(void)say(import, "names a path twice", EX_DATAERR);
		return import->code;
	}
	if (r != 0)
		return snapshot_fail(import->call, import->store, import->call->argument, r);
	show(import, &info);
	return snapshot_tell_daemon(import->tool);
}

int verb_snapshot_import(const struct tool *tool, const struct call *call)
{
	struct import import = {.tool = tool,
	        .call = call,
	        .now_ns = clock_realtime_ns(),
	        .info = {.kind = SNAPSHOT_IMPORT, .by_uid = getuid()}};
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r = scope_parse(tool, call->values[OPTION_SCOPE] ?: "none", &import.info);

	if (r == 0)
		r = read_list(call, &text, &size);
	if (r == 0)
		r = snapshot_open(tool, call, STORE_READ_WRITE, &import.store);
	if (r == 0)
		r = parse(&import, text, size);
	if (r == 0)
		r = publish(&import);
	build_free(import.build);
	snapshot_info_done(&import.info);
	store_free(import.store);
	return r;
}
