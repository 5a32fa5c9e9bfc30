/* What the verbs of `snapshot` share: the database, its snapshots, and what to say when it fails.
 */
#pragma once

#include "store/baselines.h"
#include "tools/verbs.h"

#include <jansson.h>

/* All of these print what is wrong, and return 0 or an exit code. */
int snapshot_open(const struct tool *tool, const struct call *call, enum store_access access,
        struct store **ret_store);
int snapshot_find(const struct call *call, struct store *store, const char *text,
        struct snapshot_info *ret_info);
/* @what failed with @r, a STORE_E_* or a negative errno. */
int snapshot_fail(const struct call *call, const struct store *store, const char *what, int r);

/*
 * Tells the daemon that what vouches has changed. Without a daemon there is nobody to tell; what
 * one that is there answers badly is said, and an exit code.
 */
int snapshot_tell_daemon(const struct tool *tool);
/* True when a daemon listens. */
bool snapshot_has_daemon(const struct tool *tool);

/* Everything of it; the caller's reference. */
json_t *snapshot_json(const struct snapshot_info *info);
/* "rootfs:/srv/web (7)" for a terminal. The caller frees. */
char *snapshot_label(const struct snapshot_info *info);
/* "in containers of the image docker.io/x:1", for a terminal. The caller frees. */
char *snapshot_scope_words(const struct snapshot_info *info);

/* JSON text of hostile bytes: what is not UTF-8 becomes U+FFFD; null for NULL. */
json_t *text_json(const char *text);
/* A path: "path", and "path_hex" beside it when it is not UTF-8. */
void set_path(json_t *object, const char *key, const char *path);
json_t *digest_json(const struct digest *digest);
