/*
 * What the files of allowlists share. Ids of subjects and of rows of keys: the list's times 2^20,
 * and the place in it. So a list is a range, rows are only added at the end, and a row that is
 * missing in between is seen.
 */
#pragma once

#include "store/allowlists.h"
#include "store/store_internal.h"

#define ALLOWLIST_PLACE_BITS 20
#define ALLOWLIST_PLACES     (INT64_C(1) << ALLOWLIST_PLACE_BITS)
#define ALLOWLIST_ID_MAX     ((INT64_C(1) << 43) - 1)
#define ALLOWLIST_KEYS_ROW   1024u /* keys in a row: 32 KiB */

_Static_assert(STATEMENT_SUBJECTS_MAX <= 1 << ALLOWLIST_PLACE_BITS, "a place for each subject");

#define ALLOWLIST_GENERATION "allowlist.generation"
#define ALLOWLIST_DATABASE   "allowlist.database" /* its id: 32 hexadecimal digits */
#define ALLOWLIST_NOW        "allowlist.now"

static inline int64_t first_of_list(int64_t list)
{
	return list << ALLOWLIST_PLACE_BITS;
}

/* Whether the memory can be believed: allowlists_witness.c. */
enum witness {
	WITNESS_UNSET = 0,
	WITNESS_FRESH, /* neither id nor witness, and nothing is remembered */
	WITNESS_GOOD,
	WITNESS_ALONE, /* an id without a witness, or with one that is behind */
	WITNESS_LOST,
};

int witness_look(struct store *store, enum witness *ret_witness);
/* Within a group: makes an id when the database has none. */
int witness_make_id(struct store *store);
/* Writes the file, whatever it knew. */
int witness_write(struct store *store);

/* Within a group, notes what an operator did. @series and @version as far as there are any. */
struct allowlist_act {
	const char *act; /* removed, reset */
	const char *series;
	uint64_t version; /* 0: none */
	int64_t by_uid, now_ns;
	const char *reason;
};
int allowlist_act_add(struct store *store, const struct allowlist_act *act);

/* Within a group: the list's rows in all tables. */
int allowlist_delete(struct store *store, int64_t id);
/* Within a group: starts what store_allowlist_add() goes on with. */
int allowlist_build_start(struct store *store, int64_t id);
