/*
 * struct vfs_cap_data of linux/capability.h: little-endian words, the first with the revision and
 * one flag, then permitted and inheritable, 32 capabilities a pair, then (revision 3) the user that
 * is root in the namespace which the file is for.
 */
#include "snapshot/compare_caps.h"

#include <endian.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

struct caps {
	bool valid, effective;
	uint64_t permitted, inheritable;
	uint32_t root;
};

/* linux/capability.h, by number; up to CAP_CHECKPOINT_RESTORE, Linux 5.9. */
static const char *const names[] = {"chown", "dac_override", "dac_read_search", "fowner", "fsetid",
        "kill", "setgid", "setuid", "setpcap", "linux_immutable", "net_bind_service",
        "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner", "sys_module", "sys_rawio",
        "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
        "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write",
        "audit_control", "setfcap", "mac_override", "mac_admin", "syslog", "wake_alarm",
        "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore"};

#define N_NAMES (sizeof(names) / sizeof(names[0]))

static uint32_t word(const uint8_t *caps, size_t i)
{
	uint32_t value;

	memcpy(&value, caps + i * sizeof(value), sizeof(value));
	return le32toh(value);
}

static struct caps decode(const uint8_t *caps, uint32_t size)
{
	struct caps out = {0};
	uint32_t magic = size >= sizeof(magic) ? word(caps, 0) : 0;
	uint32_t revision = magic & VFS_CAP_REVISION_MASK;

	if ((revision == VFS_CAP_REVISION_1 && size == XATTR_CAPS_SZ_1) ||
	        (revision == VFS_CAP_REVISION_2 && size == XATTR_CAPS_SZ_2) ||
	        (revision == VFS_CAP_REVISION_3 && size == XATTR_CAPS_SZ_3))
		out.valid = true;
	if (!out.valid)
		return out;
	out.effective = magic & VFS_CAP_FLAGS_EFFECTIVE;
	out.permitted = word(caps, 1);
	out.inheritable = word(caps, 2);
	if (revision != VFS_CAP_REVISION_1) {
		out.permitted |= (uint64_t)word(caps, 3) << 32;
		out.inheritable |= (uint64_t)word(caps, 4) << 32;
	}
	if (revision == VFS_CAP_REVISION_3)
		out.root = word(caps, 5);
	return out;
}

/* Appends as much as there is room for. */
static void append(char *text, const char *more)
{
	size_t size = strlen(text), n = strlen(more);

	if (n >= CAPS_TEXT_SIZE - size)
		n = CAPS_TEXT_SIZE - 1 - size;
	memcpy(text + size, more, n);
	text[size + n] = '\0';
}

/* "cap_a,cap_b=FLAGS" for the capabilities of @set. */
static void append_set(char *text, uint64_t set, const char *flags)
{
	bool first = true;

	if (set == 0)
		return;
	if (*text)
		append(text, " ");
	for (unsigned int i = 0; i < 64; i++) {
		char number[32];

		if (!(set & UINT64_C(1) << i))
			continue;
		if (i < N_NAMES)
			(void)snprintf(number, sizeof(number), "cap_%s", names[i]);
		else
			(void)snprintf(number, sizeof(number), "%u", i);
		append(text, first ? "" : ",");
		append(text, number);
		first = false;
	}
	append(text, "=");
	append(text, flags);
}

void caps_text(const uint8_t *caps, uint32_t size, char ret_text[CAPS_TEXT_SIZE])
{
	struct caps c = size <= ENTRY_CAPS_MAX ? decode(caps, size) : (struct caps){0};
	uint64_t both = c.permitted & c.inheritable;
	char root[32];

	ret_text[0] = '\0';
	if (size == 0)
		append(ret_text, "none");
	else if (!c.valid)
		(void)snprintf(ret_text, CAPS_TEXT_SIZE, "invalid (%" PRIu32 " bytes)", size);
	if (!c.valid)
		return;
	append_set(ret_text, both, c.effective ? "eip" : "ip");
	append_set(ret_text, c.permitted & ~both, c.effective ? "ep" : "p");
	append_set(ret_text, c.inheritable & ~both, c.effective ? "ei" : "i");
	if (!*ret_text)
		append(ret_text, "none");
	if (c.root != 0) {
		(void)snprintf(root, sizeof(root), " [rootid=%" PRIu32 "]", c.root);
		append(ret_text, root);
	}
}

bool caps_gained(const struct entry *before, const struct entry *now)
{
	struct caps b = {0}, n = {0};

	if (before && before->caps_size <= ENTRY_CAPS_MAX)
		b = decode(before->caps, before->caps_size);
	if (now->caps_size <= ENTRY_CAPS_MAX)
		n = decode(now->caps, now->caps_size);
	if (!n.valid)
		return false;
	return n.permitted & ~b.permitted || n.inheritable & ~b.inheritable ||
	       (n.effective && !b.effective && n.permitted) || (b.valid && n.root != b.root);
}
