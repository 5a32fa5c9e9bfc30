/*
 * What the verbs that install allowlists share: whom this host trusts, its limits, the words about
 * what came of an envelope, and telling the daemon.
 */
#pragma once

#include "allowlists/install.h"
#include "tools/verbs.h"

#include <jansson.h>

/* --keys, else trust.keys_dir. Borrowed. */
const char *allowlist_keys_dir(const struct tool *tool, const struct call *call);
/* Of that directory. 0, or says what is wrong and returns an exit code. */
int allowlist_trust(const struct tool *tool, const struct call *call, struct trust **ret_trust);
/* What the configuration says, with a now that is taken once per run. */
void allowlist_limits(
        const struct config *config, int64_t now_ns, struct allowlist_limits *ret_limits);

/* @what failed with @r: a STORE_E_* or -errno of allowlist_install() and the store. An exit code.
 */
int allowlist_fail(const struct call *call, const struct store *store, const char *what, int r);

/* 0; 1 for one that is refused; 65 for what is no envelope. */
int install_result_code(const struct install_result *result);
/* installed, unchanged, refused */
const char *install_result_word(const struct install_result *result);
/* Adds result, reason, fault and what is known of the list. */
void install_result_json(const struct install_result *result, json_t *object);
/* Ids of keys, in hexadecimal; the caller's reference. */
json_t *allowlist_signers_json(const struct allowlist_info *info);
/* One line on stdout; @what is the envelope as it may be shown. */
void install_result_print(
        const struct tool *tool, const char *what, const struct install_result *result);

/*
 * Tells the daemon that lists have changed: they are in force for the next exec when this returns.
 * Without a daemon there is nobody to tell. 0 or an exit code.
 */
int allowlist_tell_daemon(const struct tool *tool);
/* The same, and says on stdout whether the daemon knows. */
int allowlist_show_daemon(const struct tool *tool);
