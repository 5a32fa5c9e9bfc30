/* Columns that line up. Cells are made harmless for a terminal as they come in. */
#pragma once

#include "base/cleanup.h"
#include "tools/print.h"

#define TABLE_COLUMNS_MAX 8u

struct table;

/* @headers ends with NULL, has TABLE_COLUMNS_MAX columns at most, and is borrowed. */
struct table *table_new(const char *const *headers);
void table_free(struct table *table);
DEFINE_FREEP(table, table_free)

/* The next cell, row by row; NULL and "" become "-". */
void table_add(struct table *table, enum colour colour, const char *text);
/* Headers in dim, then the rows; two spaces before each line. Nothing for a table without rows. */
void table_print(const struct tool *tool, const struct table *table);
