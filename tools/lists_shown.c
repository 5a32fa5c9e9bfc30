#include "tools/lists_shown.h"

#include "base/cleanup.h"
#include "tools/client.h"
#include "tools/table.h"

#include <stdio.h>
#include <string.h>

static const char *state_of(const json_t *row, enum colour *ret_colour)
{
	bool good = json_is_true(json_object_get(row, "in_force"));
	bool grace = json_is_true(json_object_get(row, "in_grace"));

	*ret_colour = !good ? COLOUR_BAD : grace ? COLOUR_WARN : COLOUR_NONE;
	return !good ? raw_of(row, "reason") : grace ? "expired, in grace" : "in force";
}

static void add_row(struct table *table, const json_t *row)
{
	_cleanup_free_ char *version = text_of(row, "version");
	enum colour colour;
	const char *state = state_of(row, &colour);
	char until[LOCAL_TIME_SIZE];

	local_time(number_of(row, "expires_ns"), until);
	table_add(table, COLOUR_NONE, raw_of(row, "series"));
	table_add(table, COLOUR_NONE, version);
	table_add(table, colour, state);
	table_add(table, COLOUR_NONE, until);
	table_add(table, COLOUR_NONE, raw_of(row, "bind"));
}

static void print_directory(const struct tool *tool, const json_t *directory)
{
	static const char *const headers[] = {"FILE", "REFUSED", "", NULL};
	_cleanup_(table_freep) struct table *table = table_new(headers);
	const json_t *refused = json_object_get(directory, "refused"), *row;
	_cleanup_free_ char *path = text_of(directory, "path"),
	                    *error = text_of(directory, "error");
	size_t i;

	if (raw_of(directory, "error"))
		printf("  %s: not watched: %s\n", path, error);
	if (json_array_size(refused) == 0)
		return;
	json_array_foreach(refused, i, row)
	{
		table_add(table, COLOUR_NONE, raw_of(row, "file"));
		table_add(table, COLOUR_BAD, raw_of(row, "reason"));
		table_add(table, COLOUR_NONE, raw_of(row, "detail"));
	}
	printf("  %s: %zu refused\n", path, json_array_size(refused));
	table_print(tool, table);
}

static void print_trust(const struct tool *tool, const json_t *trust)
{
	_cleanup_free_ char *error = text_of(trust, "error"), *dir = text_of(trust, "keys_dir"),
	                    *nobody = text_of(trust, "nobody");

	printf("  keys: %lld of use manifest, %lld must sign\n", number_of(trust, "usable"),
	        number_of(trust, "threshold"));
	if (raw_of(trust, "nobody"))
		printf("  %s: %s: no list is in force\n", dir, nobody);
	if (!raw_of(trust, "error"))
		return;
	printf("  ");
	print_word(tool, COLOUR_BAD, "NO LIST IS IN FORCE");
	printf(": %s\n", error);
}

void lists_print(const struct tool *tool, const json_t *status)
{
	static const char *const headers[] = {
	        "SERIES", "VERSION", "STATE", "EXPIRES", "BINDS", NULL};
	_cleanup_(table_freep) struct table *table = table_new(headers);
	const json_t *lists = json_object_get(status, "allowlists");
	const json_t *rows = json_object_get(lists, "lists"), *row;
	_cleanup_free_ char *error = text_of(lists, "error");
	size_t i;

	if (!lists)
		return;
	printf("\nallowlists: %lld installed, %lld in force, %lld digests\n",
	        number_of(lists, "installed"), number_of(lists, "in_force"),
	        number_of(lists, "entries"));
	if (raw_of(lists, "error")) {
		print_word(tool, COLOUR_WARN, "weakened");
		printf(": the newest allowlists cannot be loaded: %s\n", error);
	}
	print_trust(tool, json_object_get(status, "trust"));
	print_directory(tool, json_object_get(lists, "directory"));
	json_array_foreach(rows, i, row) add_row(table, row);
	if (json_array_size(rows) > 0)
		table_print(tool, table);
}

void lists_print_naming(const struct tool *tool, const json_t *lists)
{
	static const char *const headers[] = {
	        "SERIES", "VERSION", "STATE", "EXPIRES", "BINDS", "VOUCHES HERE", NULL};
	_cleanup_(table_freep) struct table *table = table_new(headers);
	const json_t *row;
	size_t i;

	if (json_array_size(lists) == 0)
		return;
	json_array_foreach(lists, i, row)
	{
		bool scope = json_is_true(json_object_get(row, "in_scope"));
		bool force = json_is_true(json_object_get(row, "in_force"));

		add_row(table, row);
		table_add(table, COLOUR_NONE, scope && force ? "yes" : "no");
	}
	printf("\nin allowlists: %zu\n", json_array_size(lists));
	table_print(tool, table);
}
