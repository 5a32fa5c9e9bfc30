/*
 * The verbs of `execward`. Each handler gets what all share and its own arguments, and returns an
 * exit code of sysexits(3), or 1 for "rejected" and "findings".
 */
#pragma once

#include "config/config.h"
#include "tools/arguments.h"

#include <stdbool.h>

struct tool {
	struct config *config; /* NULL for an offline verb that has no use for it */
	bool json;
	bool colour; /* stdout is a terminal and NO_COLOR is unset */
};

int verb_status(const struct tool *tool, const struct call *call);
int verb_events(const struct tool *tool, const struct call *call);
int verb_show(const struct tool *tool, const struct call *call);
int verb_report(const struct tool *tool, const struct call *call);
int verb_explain(const struct tool *tool, const struct call *call);
int verb_approve(const struct tool *tool, const struct call *call);
int verb_revoke(const struct tool *tool, const struct call *call);
int verb_deny(const struct tool *tool, const struct call *call);
int verb_grants(const struct tool *tool, const struct call *call);
int verb_mode(const struct tool *tool, const struct call *call);
int verb_reload(const struct tool *tool, const struct call *call);
int verb_doctor(const struct tool *tool, const struct call *call);
int verb_selftest(const struct tool *tool, const struct call *call);
int verb_snapshot_create(const struct tool *tool, const struct call *call);
int verb_snapshot_check(const struct tool *tool, const struct call *call);
int verb_snapshot_diff(const struct tool *tool, const struct call *call);
int verb_snapshot_list(const struct tool *tool, const struct call *call);
int verb_snapshot_show(const struct tool *tool, const struct call *call);
int verb_snapshot_explain(const struct tool *tool, const struct call *call);
int verb_snapshot_accept(const struct tool *tool, const struct call *call);
int verb_snapshot_reconcile(const struct tool *tool, const struct call *call);
int verb_snapshot_prune(const struct tool *tool, const struct call *call);
int verb_snapshot_export(const struct tool *tool, const struct call *call);
int verb_snapshot_import(const struct tool *tool, const struct call *call);

int verb_keygen(const struct tool *tool, const struct call *call);
int verb_pubkey(const struct tool *tool, const struct call *call);
int verb_sign(const struct tool *tool, const struct call *call);
int verb_verify(const struct tool *tool, const struct call *call);
int verb_inspect(const struct tool *tool, const struct call *call);
int verb_pae(const struct tool *tool, const struct call *call);
int verb_attach(const struct tool *tool, const struct call *call);
int verb_merge(const struct tool *tool, const struct call *call);
int verb_export(const struct tool *tool, const struct call *call);

int verb_allowlist_install(const struct tool *tool, const struct call *call);
int verb_allowlist_list(const struct tool *tool, const struct call *call);
int verb_allowlist_remove(const struct tool *tool, const struct call *call);
int verb_allowlist_rollback(const struct tool *tool, const struct call *call);
