/*
 * What the sources of `execward snapshot create` share: the database, who interrupts, how results
 * and failures are told. All functions that return int return exit codes, after saying what is
 * wrong.
 */
#pragma once

#include "base/cleanup.h"
#include "snapshot/build.h"
#include "snapshot/sources.h"
#include "tools/snapshot_progress.h"

#include <signal.h>

#define EXIT_FINDINGS 1 /* published, but without all that is there */

struct creation {
	const struct tool *tool;
	const struct call *call;
	struct store *store; /* creation_store() */
	enum store_access access;
	const volatile sig_atomic_t *stop; /* a signal asks to end */
	bool published;                    /* at least one: the daemon is to be told */
};

/* A way to make snapshots: --OPTION. */
struct source {
	enum option option;
	int (*create)(struct creation *creation); /* all that the call names of its kind */
};

int create_rootfs(struct creation *creation);
int create_host(struct creation *creation);
int create_container(struct creation *creation);
int create_image(struct creation *creation);
int create_archive(struct creation *creation);

/* --threads; 0: one per core. */
unsigned int creation_threads(const struct creation *creation);

/* "WHAT: TEXT" on stderr, both made harmless for a terminal; @code. */
int creation_say(const char *what, const char *text, int code);
/* Opens the database, or opens it again when it is open for less. */
int creation_store(struct creation *creation, enum store_access access);
/* The exit code of a failure of the store or of build*.h, after saying it. @what: the snapshot. */
int creation_failed(struct creation *creation, const char *what, int r);
/* After a signal: that what was there before stands. */
int creation_interrupted(const char *kind, const char *name);

/* How a snapshot came out. */
struct result {
	struct snapshot_info info; /* snapshot_info_done() */
	struct walk_totals totals;
	bool unchanged; /* it stands since before */
	int64_t elapsed_ns;
	const char *scope_word; /* borrowed; what its scope is called by people; NULL: its value */
	const char *warning;    /* borrowed; NULL */
	const struct source_stats *layers; /* borrowed; NULL when it has none */
};
/* Prints it. 0, or EXIT_FINDINGS when something could not be read. */
int creation_show(struct creation *creation, const struct result *result);

/* A directory tree to snapshot. */
struct tree {
	struct snapshot_info info; /* all but counters and created_ns; borrowed texts */
	int root_fd;
	const char *prefix;      /* as walk_options */
	const char *const *skip; /* as walk_options */
	bool one_filesystem;
	const char *scope_word, *warning; /* as struct result */
};
int creation_tree(struct creation *creation, const struct tree *tree);

/* A running container, by its name or id, or the beginning of its id. */
struct container_place {
	char *name, *id;
	char *key;      /* container_info.key: the canonical upper directory of its root */
	char *image;    /* NULL: unknown */
	char *image_id; /* hex; NULL: unknown */
	int root_fd;    /* O_PATH */
};
int container_find(const struct tool *tool, const char *name, struct container_place *ret_place);
void container_place_done(struct container_place *place);

/* --scope: fills scope and scope_value (fresh memory) of @ret_info. */
int scope_parse(const struct tool *tool, const char *text, struct snapshot_info *ret_info);
