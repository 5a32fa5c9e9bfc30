/*
 * Cells are kept until the widths are known. A width is counted in code points: a wide character
 * moves the cells behind it, which is ugly and harmless.
 */
#include "tools/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct cell {
	char *text;
	enum colour colour;
};

struct table {
	const char *const *headers;
	size_t n_columns, n_cells, room;
	struct cell *cells;
};

static void out_of_memory(void)
{
	fputs("execward: out of memory\n", stderr);
	exit(EX_SOFTWARE);
}

struct table *table_new(const char *const *headers)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table) {
		out_of_memory();
		return NULL;
	}
	table->headers = headers;
	while (table->n_columns < TABLE_COLUMNS_MAX && headers[table->n_columns])
		table->n_columns++;
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
}

void table_add(struct table *table, enum colour colour, const char *text)
{
	if (table->n_cells == table->room) {
		size_t room = table->room * 2 + 16;
		struct cell *grown = reallocarray(table->cells, room, sizeof(*grown));

		if (!grown) {
			out_of_memory();
			return;
		}
		table->cells = grown;
		table->room = room;
	}
	table->cells[table->n_cells++] = (struct cell){text_safe(text), colour};
}

/* Code points: every byte but the continuations of UTF-8. */
static size_t width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void measure(const struct table *table, size_t widths[TABLE_COLUMNS_MAX])
{
	for (size_t i = 0; i < table->n_columns; i++)
		widths[i] = width(table->headers[i]);
	for (size_t i = 0, column = 0; i < table->n_cells; i++) {
		size_t n = width(table->cells[i].text);

		if (n > widths[column])
			widths[column] = n;
		column = column + 1 == table->n_columns ? 0 : column + 1;
	}
}

static void print_cell(
        const struct tool *tool, enum colour colour, const char *text, size_t room, bool last)
{
	print_word(tool, colour, text);
	if (last)
		putchar('\n');
	else
		printf("%*s", (int)(room - width(text) + 2), "");
}

void table_print(const struct tool *tool, const struct table *table)
{
	size_t widths[TABLE_COLUMNS_MAX] = {0}, n = table->n_columns;

	if (table->n_cells == 0 || n == 0)
		return;
	measure(table, widths);
	fputs("  ", stdout);
	for (size_t i = 0; i < n; i++)
		print_cell(tool, COLOUR_DIM, table->headers[i], widths[i], i + 1 == n);
	for (size_t i = 0; i < table->n_cells; i++) {
		if (i % n == 0)
			fputs("  ", stdout);
		print_cell(tool, table->cells[i].colour, table->cells[i].text, widths[i % n],
		        i % n + 1 == n);
	}
}
