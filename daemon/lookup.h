/*
 * The real inode behind an overlay inode where the kernel does not tell it by handle: before Linux
 * 6.6, and on overlays that were mounted without CAP_DAC_READ_SEARCH (rootless). The path is only
 * where to look; what is found counts when it is the same inode by birth and change time, which
 * nobody can set.
 */
#pragma once

#include "daemon/overlays.h"

enum lookup_result {
	LOOKUP_UNKNOWN = 0, /* not found, or not the same */
	LOOKUP_UPPER,
	LOOKUP_LOWER,
};

struct lookup {
	int fd;        /* the real inode, open for reading; owned */
	int lower_fd;  /* UPPER: the lower file of the same path, or -1; owned */
	char *path;    /* in the container; owned */
	bool metacopy; /* UPPER: it has no content of its own, which is the lower file's */
};

/* Opens a file of a layer for reading, without links, within the layer. A descriptor or -1. */
int lookup_open(const struct layer *layer, const char *path);

/* The upper inode at @path when it is the same as the overlay's: a descriptor, or -1. */
int lookup_upper(
        const struct overlay *overlay, const char *path, const struct file_identity *identity);

/*
 * The name of @uid by the container's own /etc/passwd; the caller frees. NULL when it has none.
 * Opens a file: for the pool only.
 */
char *lookup_user(const struct overlay *overlay, int64_t uid);

/* Whether two inode numbers, one of them told by an overlay, are the same. */
bool lookup_same_number(uint64_t a, uint64_t b);

/*
 * @path: where the kernel says the file is, seen from any root: each of its tails is tried, below
 * @root, which is the directory of the overlay that is mounted there, or "". @identity: of the
 * overlay inode. Opens files: not for a thread that an exec waits for at every event.
 */
enum lookup_result lookup_real(const struct overlay *overlay, const char *root, const char *path,
        const struct file_identity *identity, struct lookup *ret_lookup);
