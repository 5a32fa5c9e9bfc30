/* The executable of a process that writes (trusted.h), in the same way as an exec's. */
#include "daemon/probe_internal.h"

#include <errno.h>

int probe_writer(struct probe_context *c, int fd, struct probe_result *ret_result)
{
	int r = probe_begin(fd, ret_result);

	if (r < 0)
		return r;
	/* fstatfs(2) asks a FUSE server: not where containers have FUSE mounts. */
	if (volumes_memory(c->volumes) == TASK_MEMORY_READ)
		ret_result->overlay = probe_overlay_of(c, fd, (dev_t)ret_result->identity.dev);
	else
		ret_result->overlay = overlays_by_dev(c->overlays, (dev_t)ret_result->identity.dev);
	if (!ret_result->overlay)
		return -ENOENT;
	r = probe_classify_overlay(c, fd, ret_result);
	return r == -ENOTSUP ? probe_by_path(c, fd, 0, ret_result) : r;
}
