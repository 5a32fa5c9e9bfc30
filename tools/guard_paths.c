#include "tools/guard_paths.h"

#include "base/cleanup.h"
#include "tools/table.h"

#include <stdio.h>
#include <string.h>

static void add_row(struct table *table, const json_t *row)
{
	const char *mode = raw_of(row, "mode") ?: "-";
	bool enforced = json_is_true(json_object_get(row, "enforced"));
	bool refused = !enforced && !strcmp(raw_of(row, "wanted") ?: "", "enforce");

	table_add(table, COLOUR_NONE, raw_of(row, "path"));
	table_add(table, COLOUR_NONE, raw_of(row, "filesystem"));
	table_add(table, refused ? COLOUR_BAD : colour_of_mode(mode), mode);
	table_add(
	        table, COLOUR_NONE, json_is_true(json_object_get(row, "baseline")) ? "yes" : "no");
	table_add(table, COLOUR_NONE, raw_of(row, "why"));
}

void guard_paths_print(const struct tool *tool, const json_t *paths)
{
	static const char *const headers[] = {"PATH", "FILESYSTEM", "MODE", "BASELINE", "", NULL};
	_cleanup_(table_freep) struct table *table = table_new(headers);
	const json_t *row;
	size_t i;

	if (json_array_size(paths) == 0)
		return;
	json_array_foreach(paths, i, row) add_row(table, row);
	printf("\nguarded paths of the host: %zu\n", json_array_size(paths));
	table_print(tool, table);
}

static void complain_of(const json_t *item)
{
	_cleanup_free_ char *path = text_of(item, "path"), *why = text_of(item, "why"),
	                    *sha256 = text_of(item, "sha256"), *fault = text_of(item, "fault");

	fprintf(stderr, "  %s\n    %s\n    %s\n", path, why,
	        raw_of(item, "sha256") ? sha256 : fault);
}

size_t guard_paths_complain(const json_t *paths)
{
	const json_t *row, *item;
	size_t i, k;

	json_array_foreach(paths, i, row)
	{
		_cleanup_free_ char *path = text_of(row, "path"), *why = text_of(row, "why");
		const json_t *unknown = json_object_get(row, "unknown");
		json_int_t more =
		        number_of(row, "unknown_total") - (json_int_t)json_array_size(unknown);

		fprintf(stderr, "execward: %s is NOT enforced, only reported: %s\n", path, why);
		json_array_foreach(unknown, k, item) complain_of(item);
		if (more > 0)
			fprintf(stderr, "  and %lld more\n", more);
	}
	return json_array_size(paths);
}
