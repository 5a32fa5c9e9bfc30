/*
 * The sections of `execward doctor`, and what they share. Each adds its findings; none prints.
 */
#pragma once

#include "tools/findings.h"
#include "tools/host.h"

struct doctor {
	const struct tool *tool;
	const json_t *status; /* the daemon's answer; NULL when none answers */
	struct host host;
	uint64_t *guarded; /* device numbers of the filesystems that the daemon guards, sorted */
	size_t n_guarded;
	struct findings findings;
};

void doctor_daemon(struct doctor *doctor);
void doctor_kernel(struct doctor *doctor);
void doctor_settings(struct doctor *doctor);
void doctor_mounts(struct doctor *doctor); /* also fills ->guarded, for what comes after it */
void doctor_paths(struct doctor *doctor);
void doctor_trust(struct doctor *doctor);
void doctor_runtimes(struct doctor *doctor);
void doctor_limits(struct doctor *doctor);

/* What can be said about containers whose layers lie in one directory. */
struct doctor_cover {
	char *state;          /* for people; NULL when there is no such directory */
	char *fix;            /* what ->advice borrows */
	bool untouchable;     /* on FUSE: whatever is opened there may never return */
	struct advice advice; /* level UNSET when there is no such directory */
};

/* After doctor_mounts(). doctor_cover_done() frees. */
void doctor_cover(const struct doctor *doctor, const char *storage, struct doctor_cover *ret_cover);
void doctor_cover_done(struct doctor_cover *cover);
