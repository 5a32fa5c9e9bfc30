/* How a snapshot came out, for people and for programs. */
#include "base/clock.h"
#include "core/text.h"
#include "tools/print.h"
#include "tools/snapshot_create.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void set_text(json_t *object, const char *key, const char *text)
{
	_cleanup_free_ char *utf8 = text_to_utf8(text);

	json_object_set_new(object, key, utf8 ? json_string(utf8) : json_null());
}

static void show_json(const struct result *result)
{
	const struct snapshot_info *info = &result->info;
	char sha256[DIGEST_HEX_SIZE];
	json_t *event = json_pack("{s:s, s:I, s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
	                          "s:I, s:I, s:b, s:I}",
	        "event", "snapshot", "id", (json_int_t)info->id, "kind",
	        snapshot_kind_name(info->kind), "scope", snapshot_scope_name(info->scope),
	        "all_files", info->all_files, "created_ns", (json_int_t)info->created_ns, "entries",
	        (json_int_t)result->totals.entries, "files", (json_int_t)result->totals.files,
	        "executables", (json_int_t)result->totals.executables, "bytes",
	        (json_int_t)result->totals.bytes, "hashed", (json_int_t)result->totals.hashed,
	        "hashed_bytes", (json_int_t)result->totals.hashed_bytes, "unreadable",
	        (json_int_t)result->totals.unreadable, "mutable",
	        (json_int_t)result->totals.mutable_files, "unchanged", result->unchanged,
	        "elapsed_ms", (json_int_t)(result->elapsed_ns / NS_PER_MSEC));

	json_object_set_new(event, "too_long", json_integer((json_int_t)result->totals.too_long));
	set_text(event, "name", info->name);
	set_text(event, "scope_value", info->scope_value);
	set_text(event, "image_id", info->image_id);
	set_text(event, "root", info->root);
	set_text(event, "warning", result->warning);
	if (result->layers) {
		json_object_set_new(event, "layers", json_integer(result->layers->layers));
		json_object_set_new(
		        event, "layers_hashed", json_integer(result->layers->layers_hashed));
		json_object_set_new(
		        event, "layers_shared", json_integer(result->layers->layers_shared));
	}
	digest_to_hex(&info->digest, sha256);
	set_text(event, "sha256", info->has_digest ? sha256 : NULL);
	print_json(event);
	json_decref(event);
}

static void show_scope(const struct tool *tool, const struct result *result)
{
	const char *value = result->scope_word ?: result->info.scope_value;
	_cleanup_free_ char *safe = text_safe(value);

	printf("  vouches   ");
	switch (result->info.scope) {
	case SCOPE_IMAGE:
		printf("in containers of the image %s\n", safe);
		break;
	case SCOPE_CONTAINER:
		printf("in the container %s\n", safe);
		break;
	case SCOPE_FILESYSTEM:
		printf("on the filesystem %s\n", safe);
		break;
	default:
		printf("nowhere: for comparison only\n");
	}
	if (result->warning) {
		printf("            ");
		print_word(tool, COLOUR_WARN, result->warning);
		putchar('\n');
	}
}

static void show_work(const struct result *result)
{
	const struct walk_totals *totals = &result->totals;
	double seconds = (double)result->elapsed_ns / (double)NS_PER_SEC;
	char read[BYTES_TEXT_SIZE], rate[BYTES_TEXT_SIZE];

	bytes_text(totals->hashed_bytes, read);
	bytes_text(seconds > 0 ? (uint64_t)((double)totals->hashed_bytes / seconds) : 0, rate);
	printf("  read      %" PRIu64 " files, %s in %.2f s", totals->hashed, read, seconds);
	if (totals->hashed > 0)
		printf(" (%s/s)", rate);
	if (totals->files > totals->hashed)
		printf("; %" PRIu64 " others %s", totals->files - totals->hashed,
		        totals->hashed == 0 ? "unchanged" : "unchanged or linked");
	putchar('\n');
}

static void show_layers(const struct source_stats *layers)
{
	if (layers)
		printf("  layers    %" PRIu32 ": %" PRIu32 " read now, %" PRIu32 " known before\n",
		        layers->layers, layers->layers_hashed, layers->layers_shared);
}

static void show_problems(const struct tool *tool, const struct walk_totals *totals)
{
	if (totals->unreadable + totals->mutable_files + totals->too_long == 0)
		return;
	printf("  ");
	print_word(tool, COLOUR_BAD, "missing");
	printf("   %" PRIu64 " unreadable, %" PRIu64 " changing while they were read, %" PRIu64
	       " paths too long\n",
	        totals->unreadable, totals->mutable_files, totals->too_long);
}

static void show_next(const struct result *result)
{
	_cleanup_free_ char *name =
	        text_format("%s:%s", snapshot_kind_name(result->info.kind), result->info.name);
	_cleanup_free_ char *word = text_shell_word(name);

	if (!result->info.root)
		return; /* nothing that `check` could look at again */
	if (word)
		printf("  next      execward snapshot check %s\n", word);
	else
		printf("  next      execward snapshot check %" PRId64 "\n", result->info.id);
}

static void show_text(const struct tool *tool, const struct result *result)
{
	_cleanup_free_ char *name = text_safe(result->info.name);
	const struct walk_totals *totals = &result->totals;
	char bytes[BYTES_TEXT_SIZE], sha256[DIGEST_HEX_SIZE], since[LOCAL_TIME_SIZE];

	bytes_text(totals->bytes, bytes);
	digest_to_hex(&result->info.digest, sha256);
	local_time(result->info.created_ns, since);
	printf("%s %s: snapshot %" PRId64, snapshot_kind_name(result->info.kind), name,
	        result->info.id);
	if (result->unchanged)
		printf(" of %s stands, nothing has changed\n", since);
	else
		printf(" published\n");
	printf("  holds     %" PRIu64 " entries, %" PRIu64 " files, %" PRIu64 " executables, %s\n",
	        totals->entries, totals->files, totals->executables, bytes);
	show_layers(result->layers);
	show_work(result);
	show_problems(tool, totals);
	printf("  sha256    %s\n", result->info.has_digest ? sha256 : "-");
	show_scope(tool, result);
	show_next(result);
}

int creation_show(struct creation *creation, const struct result *result)
{
	const struct walk_totals *totals = &result->totals;

	if (creation->tool->json)
		show_json(result);
	else
		show_text(creation->tool, result);
	return totals->unreadable + totals->mutable_files + totals->too_long > 0 ? EXIT_FINDINGS
	                                                                         : 0;
}
