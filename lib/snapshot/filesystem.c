/*
 * The kernel tells the UUID of a mounted filesystem (6.9), else it is read from the device. A
 * device number is no name: disks are numbered in the order in which they are found.
 */
#include "snapshot/filesystem.h"

#include "base/cleanup.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/* linux/fs.h since 6.9; Debian 12's headers are older. */
struct abi_fsuuid {
	uint8_t size;
	uint8_t uuid[16];
};
#define ABI_FS_IOC_GETFSUUID _IOR(0x15, 0, struct abi_fsuuid)
#define UUID_SIZE            16u

static void format(const uint8_t uuid[UUID_SIZE], char ret_uuid[FILESYSTEM_UUID_SIZE])
{
	size_t n = 0;

	for (size_t i = 0; i < UUID_SIZE; i++)
		n += (size_t)snprintf(ret_uuid + n, FILESYSTEM_UUID_SIZE - n, "%s%02x",
		        i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
}

/* Whoever made the filesystem gave it none: two of them would be taken for one. */
static bool is_nil(const uint8_t uuid[UUID_SIZE])
{
	static const uint8_t nil[UUID_SIZE];

	return !memcmp(uuid, nil, UUID_SIZE);
}

static int ask_kernel(int fd, char ret_uuid[FILESYSTEM_UUID_SIZE])
{
	struct abi_fsuuid answer = {0};

	if (ioctl(fd, ABI_FS_IOC_GETFSUUID, &answer) < 0 || answer.size != UUID_SIZE ||
	        is_nil(answer.uuid))
		return -ENODATA;
	format(answer.uuid, ret_uuid);
	return 0;
}

static void free_probe(blkid_probe *probe)
{
	blkid_free_probe(*probe);
}

static int read_device(const char *device, char ret_uuid[FILESYSTEM_UUID_SIZE])
{
	_cleanup_(free_probe) blkid_probe probe = blkid_new_probe_from_filename(device);
	const char *value;
	size_t size; /* with the NUL */

	if (!probe)
		return errno ? -errno : -EIO;
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_UUID);
	if (blkid_do_safeprobe(probe) != 0 ||
	        blkid_probe_lookup_value(probe, "UUID", &value, &size) != 0 || size < 2)
		return -ENODATA;
	if (size > FILESYSTEM_UUID_SIZE)
		return -EMSGSIZE;
	if (strspn(value, "0-") == strlen(value))
		return -ENODATA;
	memcpy(ret_uuid, value, size);
	return 0;
}

int filesystem_uuid(int fd, char ret_uuid[FILESYSTEM_UUID_SIZE])
{
	_cleanup_free_ char *device = NULL;
	struct stat st;

	if (ask_kernel(fd, ret_uuid) == 0)
		return 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	device = blkid_devno_to_devname(st.st_dev);
	return device ? read_device(device, ret_uuid) : -ENODATA;
}
