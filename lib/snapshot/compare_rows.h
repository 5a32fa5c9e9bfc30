/*
 * Entries of a snapshot with their rows, for who asks in about their order, as a walk does: a block
 * is read at a time. A path behind the block, which a large file that took its time has, is looked
 * up alone and leaves the block where it is.
 */
#pragma once

#include "base/cleanup.h"
#include "store/baselines.h"

struct compare_rows;

int compare_rows_new(struct store *store, int64_t snapshot, struct compare_rows **ret_rows);
void compare_rows_free(struct compare_rows *rows);
DEFINE_FREEP(compare_rows, compare_rows_free)

/* The entry, borrowed until the next call, and its row. STORE_E_NOTFOUND when there is none. */
int compare_rows_find(struct compare_rows *rows, const char *path, const struct entry **ret_entry,
        int64_t *ret_row);
