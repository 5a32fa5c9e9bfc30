/* Key files: a private key is written once, for its owner alone, and never over another. */
#pragma once

#include "crypto/key_private.h"

#include <sys/types.h>

/*
 * Writes a new file: whole and synced, or not at all. 0; -EEXIST when there is one of that name, or
 * a symlink; another -errno.
 */
int key_file_write_new(const char *path, const void *data, size_t size, mode_t mode);

/*
 * Reads a public or private key file, whichever it is. @passphrase may be NULL. With
 * KEY_E_PASSPHRASE and no passphrase the caller may ask for one and come again. @ret_open_mode,
 * which may be NULL, says whether others than its owner may read it. 0, a KEY_E_X or -errno.
 */
int key_file_read(const char *path, const struct secret *passphrase, struct key **ret_key,
        bool *ret_open_mode);
