/* The tar of one layer, into its stage. Whiteouts are files in it: .wh.NAME and .wh..wh..opq. */
#pragma once

#include "snapshot/archive_feed.h"
#include "snapshot/archive_stage.h"

#define LAYER_FILE_MAX  (UINT64_C(1) << 40) /* bytes of one file */
#define LAYER_HOLES_MAX (UINT64_C(1) << 30) /* bytes of holes, which are digested, in a layer */

struct layer_options {
	bool all_files;
	const volatile sig_atomic_t *stop;
	void (*problem)(const char *path, enum walk_problem problem, int error, void *userdata);
	void *userdata;
};

struct layer_totals {
	uint64_t hashed, hashed_bytes, too_long;
};

/*
 * Reads the tar that @feed gives to its end mark. 0, SOURCE_E_CORRUPT with a message, STORE_E_* or
 * -errno.
 */
int layer_read(struct feed *feed, const struct layer_options *options, struct stage *stage,
        struct layer_totals *ret_totals);

/*
 * A name of an archive as an entry's path: "./usr//bin/" is "/usr/bin". 0; -EINVAL with ".." in it;
 * -EMSGSIZE.
 */
int layer_path(const char *name, char ret_path[ENTRY_PATH_MAX + 1]);
/* True when the first bytes of a file are a tar's: a header that adds up, or nothing but zeros. */
bool layer_is_tar(const uint8_t *data, size_t size);
