/*
 * The daemon put together: every room made in order, started, reloaded, stopped. The control socket
 * and main() act on it; it decides nothing itself.
 */
#pragma once

#include "allowlists/reader.h"
#include "config/config.h"
#include "daemon/fan_groups.h"
#include "daemon/kernel.h"
#include "daemon/overlays.h"
#include "daemon/refuser.h"
#include "daemon/ruling.h"
#include "daemon/verdicts.h"

#include <jansson.h>

struct engine;
struct trusted;

enum {
	ENGINE_E_INVALID = 1, /* the configuration file: @reterr_error says where and why */
	ENGINE_E_STORE,       /* the database cannot be used; said in the log */
	ENGINE_E_UNSAFE,      /* a directory or the database is not root's alone; said in the log */
};

/* What must be made before there are threads. */
struct engine_parts {
	struct kernel_features kernel;
	struct reader_helper *reader; /* NULL: it could not be started */
	struct refuser refuser;
	struct fan_groups groups;
};

/*
 * @config and @parts are taken, also on failure. Opens the database, finds and marks everything
 * that is there, starts all threads. 0, ENGINE_E_*, or -errno; what failed has been logged.
 */
int engine_start(const char *config_path, struct config *config, const struct engine_parts *parts,
        struct engine **ret_engine);
/*
 * Answers what is pending, then ends everything. False: all is answered and written, but a large
 * list is being read or stored; nothing was freed, and only _exit(2) is left to the caller. What
 * was not committed of that list is not there, and the next start takes it up.
 */
bool engine_stop(struct engine *engine);

/*
 * Loads the configuration file anew, the keys directory, the baselines and the lists. The old ones
 * stay in force when the file is invalid (CONFIG_E_*), or the directory faulty
 * (CONFIG_E_INVALID, without a line); so do the old baselines when they cannot be read
 * (engine_baselines_error()), under the new configuration.
 */
int engine_reload(struct engine *engine, struct config_error *reterr_error);

/*
 * Mode override: UNSET drops it. Stored, and in force at return; on host filesystems enforce only
 * where engine_hosts_refused() says nothing. 0, STORE_E_* or -errno.
 */
int engine_set_mode(struct engine *engine, const struct mode_override *override);

/* Grants. Stored, and in force at return. 0, STORE_E_* or -errno. */
int engine_grant(struct engine *engine, const struct grant *grant);
int engine_revoke(struct engine *engine, enum grant_kind kind, const struct digest *digest,
        const char *image, uint32_t *ret_removed);

/*
 * Loads what snapshots there are now; what did not change is not read again. In force at return. 0,
 * STORE_E_* or -errno: those from before stay in force, which has been logged and counted.
 */
int engine_baselines(struct engine *engine);
/* Why the last loading failed; NULL when it did not. */
const char *engine_baselines_error(const struct engine *engine);

/*
 * The same of signed lists: what is installed now (`execward allowlist install`, `remove`).
 */
int engine_lists(struct engine *engine);
const char *engine_lists_error(const struct engine *engine);

/* Looks for overlays now; returns how many are known. */
size_t engine_rescan(struct engine *engine);

struct ruling *engine_ruling(struct engine *engine); /* a reference */
struct trusted *engine_trusted(struct engine *engine);
/* Where the database is; borrowed. */
const char *engine_state_dir(const struct engine *engine);
/*
 * Waits until what was written and decided before this call is in the database, with the digests of
 * what was written, at most @timeout_ms for each: so that an answer shows it.
 */
void engine_settle(struct engine *engine, unsigned int timeout_ms);
struct recorder *engine_recorder(struct engine *engine);
/* What is known of a container that is mounted now, by its key. 0, -ENOENT or -ENOMEM. */
int engine_container(struct engine *engine, const char *key, struct container_info *ret_container);

/* Of guard.paths, as a new reference: all, and those that are to be enforced and are not. */
json_t *engine_hosts_json(struct engine *engine);
json_t *engine_hosts_refused(struct engine *engine);
/* Why enforcement is switched off, and how to end that; NULL when it is not. The caller frees. */
char *engine_disabled(struct engine *engine);

/* The answer to `status`: a new reference, or NULL when memory is short. */
json_t *engine_status(struct engine *engine);
