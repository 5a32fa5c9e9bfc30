/*
 * Kernel constants that Debian 12's headers (Linux 6.1) lack, each with the release that brought
 * it. Values are ABI: include/uapi/linux/{fanotify,fcntl,stat,nsfs}.h of that release.
 */
#pragma once

#include <linux/ioctl.h>
#include <stdint.h>
#include <sys/fanotify.h>
#include <sys/stat.h>

#ifndef FAN_REPORT_MNT
#define FAN_REPORT_MNT 0x00004000 /* since Linux 6.15 */
#endif
#ifndef FAN_MARK_MNTNS
#define FAN_MARK_MNTNS 0x00000110 /* since Linux 6.15 */
#endif
#ifndef FAN_MNT_ATTACH
#define FAN_MNT_ATTACH 0x01000000 /* since Linux 6.15 */
#define FAN_MNT_DETACH 0x02000000 /* since Linux 6.15 */
#endif
#ifndef FAN_REPORT_FD_ERROR
#define FAN_REPORT_FD_ERROR 0x00002000 /* since Linux 6.13 */
#endif
#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200 /* since Linux 6.5; overlays without nfs_export since 6.6 */
#endif
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x00004000U /* since Linux 6.8; never reused, unlike STATX_MNT_ID */
#endif

#define ABI_SYS_LISTMOUNT   458 /* since Linux 6.8, on every architecture */
#define ABI_LSMT_ROOT       UINT64_MAX
#define ABI_NS_GET_MNTNS_ID _IOR(0xb7, 0x5, uint64_t) /* linux/nsfs.h, since Linux 6.11 */

/* struct mnt_id_req, linux/mount.h, since Linux 6.8; mnt_ns_id since 6.11 */
struct abi_mnt_id_req {
	uint32_t size;
	uint32_t spare;
	uint64_t mnt_id;
	uint64_t param;
	uint64_t mnt_ns_id;
};

#define ABI_PID_INIT_INO  0xEFFFFFFCu /* PROC_PID_INIT_INO, include/linux/proc_ns.h, since 3.8 */
#define ABI_USER_INIT_INO 0xEFFFFFFDu /* PROC_USER_INIT_INO, include/linux/proc_ns.h, since 3.8 */

#define ABI_OVERLAYFS_MAGIC 0x794c7630 /* OVERLAYFS_SUPER_MAGIC, include/uapi/linux/magic.h */
#define ABI_FUSE_MAGIC      0x65735546 /* FUSE_SUPER_MAGIC */
