/*
 * What was fetched last, by URL: the ETag of the envelope, and the payload that it held. A file of
 * its own in the state directory, STATE_DIR/fetch.json. It saves downloads and decides nothing: one
 * that is lost, faulty or a lie costs a download, since the ETag is only sent for a payload that is
 * in force (tools/allowlist_fetch.c).
 */
#pragma once

#include "core/types.h"

#include <jansson.h>
#include <stdint.h>

#define FETCH_TAGS_FILE     "fetch.json"
#define FETCH_TAGS_MAX      256u       /* URLs; the oldest goes first */
#define FETCH_TAGS_SIZE_MAX (1u << 20) /* bytes of the file: 256 entries of 1.3 KiB fit */

/* What is kept; a file that is not there or not as it should be is an empty one. NULL: -ENOMEM. */
json_t *fetch_tags_read(const char *state_dir);
/* Borrowed; NULL: nothing is known of it. URLs are kept as digests: they may hold secrets. */
const char *fetch_tags_find(const json_t *tags, const char *url, struct digest *ret_payload);
/* @etag NULL forgets the URL. 0 or -errno. */
int fetch_tags_set(json_t *tags, const char *url, const char *etag, const struct digest *payload,
        int64_t now_ns);
/* Atomic. 0 or -errno. */
int fetch_tags_write(const json_t *tags, const char *state_dir);
