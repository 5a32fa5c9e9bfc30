/*
 * Where `allowlist create` finds files. Each source adds what it has to the list, leaves out and
 * says what cannot be there, and returns 0 or an exit code after saying what is wrong with it.
 */
#pragma once

#include "allowlists/file_signature.h"
#include "tools/list_build.h"

#include <signal.h>

struct gather {
	struct list *list;
	const volatile sig_atomic_t *stop;
	const char *packages_root; /* where --package looks; NULL: this host */
	const struct file_signature_terms
	        *terms; /* who must have signed each file; NULL: nobody need */
};

/*
 * With terms, whether the file of @entry, which was read beneath @root_fd, is signed by one of
 * them; one that is not is left out, and said. True without.
 */
bool gather_is_signed(struct gather *gather, int root_fd, const struct entry *entry);
/* The same of bytes that came with a package. */
bool gather_is_signed_with(
        struct gather *gather, const struct entry *entry, const uint8_t *bytes, size_t size);

int gather_rootfs(struct gather *gather, const char *directory);
int gather_image(struct gather *gather, const char *reference);
int gather_archive(struct gather *gather, const char *path);
int gather_snapshot(struct gather *gather, const char *name);
int gather_file(struct gather *gather, const char *path);
int gather_files(struct gather *gather, const char *path);
int gather_sums(struct gather *gather, const char *path);
int gather_sbom(struct gather *gather, const char *path);
int gather_package(struct gather *gather, const char *name);
int gather_package_file(struct gather *gather, const char *path);

/* Opens what --archive and --package-file name, "-" too: a descriptor, or -1 with the exit code. */
int gather_open(struct gather *gather, const char *path, int *ret_code);
/* @message (NULL: none), about @what, for SOURCE_E_X of snapshot/sources.h; else list_fail(). */
int gather_failed(struct gather *gather, const char *what, const char *message, int r);
