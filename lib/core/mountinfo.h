/*
 * /proc/PID/mountinfo as text: the own table, and those of foreign mount namespaces.
 * The text is the kernel's, but its paths are the attacker's.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MOUNTINFO_LINES_MAX 100000u /* fs.mount-max's default */

struct mountinfo_line {
	uint64_t id, parent;
	uint32_t dev_major, dev_minor;
	char *root, *mountpoint; /* escapes undone */
	char *fstype, *source;
	char *options; /* superblock options, escapes kept (overlay_options_parse undoes them) */
};

void mountinfo_line_done(struct mountinfo_line *line);

/*
 * Parses the line that starts at *cursor and moves *cursor behind it. 1 with @ret_line filled,
 * 0 at the end, -EINVAL for a malformed line or one without its newline, -ENOMEM. *cursor is behind
 * the line in each case, so that the caller may go on.
 */
int mountinfo_next(const char **cursor, const char *end, struct mountinfo_line *ret_line);
