/*
 * What a package would install: the files in a .deb or .rpm, read as a stream. Nothing is unpacked.
 * Names are as the package has them: where the tree that it goes into has links (/bin to /usr/bin),
 * the files will lie elsewhere.
 */
#pragma once

#include "core/entry.h"
#include "snapshot/sources.h"

#define PACKAGE_FILES_MAX 1000000u /* entries; as many as a list may have */

struct package_file_options {
	int fd;                            /* borrowed; read from where it is, may be a pipe */
	const char *what;                  /* for messages; borrowed */
	bool all_files;                    /* digests of all files; else of executables */
	const volatile sig_atomic_t *stop; /* NULL, or: -ECANCELED soon after it is set */
	/* Each regular file, by path: path, mode, size, kind, flags, digest. Another return than 0
	 * ends it with that. */
	int (*each)(const struct entry *entry, void *userdata);
	void *userdata;
};

/*
 * 0; SOURCE_E_UNSUPPORTED, when it is neither of the two; SOURCE_E_CORRUPT; both with
 * @reterr_message, which the caller frees and which may be NULL; -ECANCELED; -errno; what each()
 * said.
 */
int package_file_read(const struct package_file_options *options, char **reterr_message);
