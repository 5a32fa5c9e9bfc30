/* What probe.c and probe_path.c share. */
#pragma once

#include "daemon/probe.h"

/* The kernel's name for an open file; the caller frees. NULL without memory. */
char *probe_event_path(int fd);
/* A result with identity and mode of @fd. 0 or -errno. */
int probe_begin(int fd, struct probe_result *result);
/* The overlay that @fd lies in, by its device number or fsid; a reference or NULL. */
struct overlay *probe_overlay_of(struct probe_context *context, int fd, dev_t dev);
/* The inode @fd of result->overlay. 0, -ENOTSUP when no handle tells its layer, or -errno. */
int probe_classify_overlay(struct probe_context *context, int fd, struct probe_result *result);
/* An upper inode of result->overlay, @fd: dropped, or copied up from a lower one (compare). */
void probe_classify_upper(struct probe_context *context, int fd, struct probe_result *result);

/* The overlay inode @fd where no handle tells its layer. 0, or -errno when it cannot be told. */
int probe_by_path(struct probe_context *context, int fd, pid_t pid, struct probe_result *result);
/* The same for a file that was just closed, whose writer may go on. */
int probe_created_by_path(struct probe_context *context, int fd, struct probe_result *result);
