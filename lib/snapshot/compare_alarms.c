/* What of a difference is dangerous, told by the two entries alone. */
#include "snapshot/compare.h"
#include "snapshot/compare_caps.h"

#include <stddef.h>
#include <sys/stat.h>

static const struct {
	unsigned int bit;
	const char *name;
} names[] = {
        {ALARM_NEW_LINK, "link"},
        {ALARM_UNREAD, "unread"},
        {ALARM_NOT_EXECUTABLE, "no_longer_executable"},
        {ALARM_OWNER, "owner"},
        {ALARM_NEW_PROGRAM, "new_program"},
        {ALARM_GONE_PROGRAM, "program_gone"},
        {ALARM_WRITABLE, "world_writable"},
        {ALARM_PROGRAM, "program_changed"},
        {ALARM_HIDDEN, "times_restored"},
        {ALARM_CAPABILITY, "capability"},
        {ALARM_SETUID, "setuid"},
};

const char *difference_alarm_name(unsigned int alarm)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].bit == alarm)
			return names[i].name;
	return NULL;
}

/* S_ISUID and S_ISGID of a file that somebody may run. setgid without x locks: no privilege. */
static uint32_t privilege(const struct entry *entry)
{
	uint32_t bits;

	if (!entry || entry->type != ENTRY_FILE)
		return 0;
	bits = entry->mode & (S_ISUID | S_ISGID);
	return entry->mode & S_IXGRP ? bits : bits & ~(uint32_t)S_ISGID;
}

static bool is_program(const struct entry *entry)
{
	return entry && entry->type == ENTRY_FILE && entry->flags & ENTRY_EXECUTABLE;
}

static bool differs(const struct entry *before, const struct entry *now)
{
	return before->type == ENTRY_FILE && now->type == ENTRY_FILE &&
	       entry_compare(before, now) & ENTRY_CHANGED_CONTENT;
}

/* Sticky directories are made for everybody; sockets and devices are guarded otherwise. */
static bool is_writable(const struct entry *entry)
{
	if (!entry || !(entry->mode & S_IWOTH))
		return false;
	return entry->type == ENTRY_FILE ||
	       (entry->type == ENTRY_DIRECTORY && !(entry->mode & S_ISVTX));
}

/* Whoever writes a file moves its mtime; whoever puts it back has something to hide. */
static bool is_hidden(const struct entry *before, const struct entry *now)
{
	return differs(before, now) && before->content == CONTENT_KNOWN &&
	       now->content == CONTENT_KNOWN && before->size == now->size &&
	       before->identity.mtime_ns != 0 &&
	       before->identity.mtime_ns == now->identity.mtime_ns;
}

static unsigned int when(bool holds, enum difference_alarm alarm)
{
	return holds ? (unsigned int)alarm : 0;
}

static unsigned int alarms_of_pair(const struct entry *before, const struct entry *now)
{
	bool owner = before->uid != now->uid || before->gid != now->gid;

	return when(is_hidden(before, now), ALARM_HIDDEN) |
	       when(differs(before, now) && (is_program(before) || is_program(now)),
	               ALARM_PROGRAM) |
	       when(owner && is_program(now), ALARM_OWNER) |
	       when(privilege(now) && (owner || differs(before, now)), ALARM_SETUID) |
	       when(is_program(before) && !is_program(now), ALARM_NOT_EXECUTABLE) |
	       when(before->content == CONTENT_KNOWN && now->type == ENTRY_FILE &&
	                       now->content != CONTENT_KNOWN,
	               ALARM_UNREAD);
}

/* What is there now, and was not or not so. */
static unsigned int alarms_of_now(const struct entry *before, const struct entry *now)
{
	bool link = now->type == ENTRY_SYMLINK &&
	            (!before || entry_compare(before, now) &
	                                (ENTRY_CHANGED_TYPE | ENTRY_CHANGED_TARGET));

	return when(privilege(now) & ~privilege(before), ALARM_SETUID) |
	       when(now->type == ENTRY_FILE && caps_gained(before, now), ALARM_CAPABILITY) |
	       when(is_writable(now) && !is_writable(before), ALARM_WRITABLE) |
	       when(is_program(now) && !is_program(before), ALARM_NEW_PROGRAM) |
	       when(link, ALARM_NEW_LINK);
}

unsigned int compare_alarms(const struct entry *before, const struct entry *now)
{
	unsigned int alarms = now ? alarms_of_now(before, now) : 0;

	if (before && now)
		alarms |= alarms_of_pair(before, now);
	else if (before)
		alarms |= when(is_program(before), ALARM_GONE_PROGRAM);
	return alarms;
}
