/*
 * The directory whose files are signed lists that are in force: one that is put there is installed,
 * one that is deleted is removed, and what is there at the start is looked at. The kernel tells
 * (inotify(7)); nothing is looked at twice for nothing.
 *
 * It must belong to root and be writable by nobody else, and no symlink leads to it or out of it.
 * What is in it is foreign all the same: only regular files named *.dsse and *.json are opened, and
 * they are read by a process that can do nothing else (allowlists/reader.h). One thread's.
 */
#pragma once

#include "allowlists/reader.h"
#include "daemon/lists_report.h"
#include "daemon/ruling.h"
#include "store/store.h"

#include <stdbool.h>

struct lists_directory;

struct lists_directory_context {
	struct rulings *rulings;      /* trust, threshold, limits of the one in force */
	struct reader_helper *reader; /* NULL: nothing can be read */
	const char *state_dir;
};

int lists_directory_new(
        const struct lists_directory_context *context, struct lists_directory **ret_directory);
void lists_directory_free(struct lists_directory *directory);
DEFINE_FREEP(lists_directory, lists_directory_free)

/* By any thread: no further file is looked at. */
void lists_directory_end(struct lists_directory *directory);
/* Readable when something has happened in it. */
int lists_directory_fd(const struct lists_directory *directory);
/*
 * Opens the directory of the configuration in force, anew, and looks at all of it. What is not
 * there any more is removed; nothing is, when it cannot be told what is there. True when lists were
 * installed or removed.
 */
bool lists_directory_look(struct lists_directory *directory);
/* Handles what has happened. Likewise. */
bool lists_directory_read(struct lists_directory *directory);
/* By any thread. 0 or -ENOMEM. */
int lists_directory_report(struct lists_directory *directory, struct lists_report *ret_report);
/* Its connection, for what its thread has to write beside; NULL when it cannot be opened. */
struct store *lists_directory_store(struct lists_directory *directory);
