/*
 * Entries of a snapshot by path, for who asks in about their order: read a block at a time, some
 * five times faster than one by one. Any order is answered.
 */
#pragma once

#include "base/cleanup.h"
#include "store/baselines.h"

struct cursor;

int cursor_new(struct store *store, int64_t id, struct cursor **ret_cursor); /* 0 or -ENOMEM */
void cursor_free(struct cursor *cursor);
DEFINE_FREEP(cursor, cursor_free)

/* The entry, borrowed until the next call. STORE_E_NOTFOUND when there is none. */
int cursor_find(struct cursor *cursor, const char *path, const struct entry **ret_entry);
