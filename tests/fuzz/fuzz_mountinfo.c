/*
 * A mount table, line by line, with the options of its overlays parsed too. Each call moves on, and
 * a line written anew out of what was read gives the same again.
 */
#include "base/cleanup.h"
#include "core/mountinfo.h"
#include "core/overlay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* As the kernel writes a field. */
static void put(FILE *out, const char *text)
{
	for (; *text; text++)
		fprintf(out, strchr(" \t\n\\", *text) ? "\\%03o" : "%c", (unsigned char)*text);
}

static void check_again(const struct mountinfo_line *l)
{
	_cleanup_(mountinfo_line_done) struct mountinfo_line again = {0};
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	const char *cursor;

	require(out != NULL);
	fprintf(out, "%" PRIu64 " %" PRIu64 " %u:%u ", l->id, l->parent, l->dev_major,
	        l->dev_minor);
	put(out, l->root);
	fputc(' ', out);
	put(out, l->mountpoint);
	fputs(" rw shared:1 - ", out);
	put(out, l->fstype);
	fputc(' ', out);
	put(out, l->source);
	fprintf(out, " %s\n", l->options);
	require(fclose(out) == 0);
	cursor = text;
	require(mountinfo_next(&cursor, text + size, &again) == 1 && cursor == text + size);
	require(!strcmp(again.root, l->root) && !strcmp(again.mountpoint, l->mountpoint));
	require(!strcmp(again.fstype, l->fstype) && !strcmp(again.source, l->source));
	require(!strcmp(again.options, l->options) && again.id == l->id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *cursor = (const char *)data, *end = cursor + size;

	for (;;) {
		_cleanup_(mountinfo_line_done) struct mountinfo_line line = {0};
		_cleanup_(overlay_options_done) struct overlay_options options = {0};
		const char *before = cursor;
		int r = mountinfo_next(&cursor, end, &line);

		if (r == 0)
			return 0;
		require(cursor > before && cursor <= end);
		require(r == 1 || r == -EINVAL);
		if (r < 0)
			continue;
		/* one of a line's texts may be empty, and its escapes only become shorter */
		require(strlen(line.mountpoint) < (size_t)(cursor - before));
		check_again(&line);
		(void)overlay_options_parse(line.options, true, &options);
	}
}
