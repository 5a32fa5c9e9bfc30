/* What a filesystem is called, so that it is known again under another device number. */
#pragma once

#include <stddef.h>

#define FILESYSTEM_UUID_SIZE 64u /* bytes with the NUL; libblkid's longest are 36 characters */

/*
 * The UUID of the filesystem that holds @fd, as libblkid reads it from the device (FS_IOC_GETFSUUID
 * where the kernel has it, 6.9). -ENODATA when it has none: tmpfs, overlay, network filesystems.
 */
int filesystem_uuid(int fd, char ret_uuid[FILESYSTEM_UUID_SIZE]);
