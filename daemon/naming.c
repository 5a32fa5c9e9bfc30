#include "daemon/naming.h"

#include "daemon/metadata.h"
#include "daemon/task.h"

void naming_try(struct overlays *overlays, const struct config *config, struct faults *faults,
        struct overlay *overlay, pid_t pid)
{
	struct cgroup_container claimed;
	struct container_info info = {0};
	const char *mountpoints[] = {overlay->mountpoint};
	struct metadata_query query = {
	        .upper = overlay->upper ? overlay->upper->path : NULL,
	        .mountpoints = mountpoints,
	        .n_mountpoints = 1,
	        .dev = overlay->dev,
	};

	if (overlay->named || overlay->naming_attempts++ >= NAMING_ATTEMPTS_MAX)
		return;
	if (pid > 0 && task_cgroup(pid, &claimed) == CGROUP_CONTAINER)
		query.cgroup = &claimed;
	switch (metadata_lookup(config, &query, &info)) {
	case METADATA_BROKEN:
		faults_count(faults, FAULT_METADATA);
		overlay_set_info(overlays, overlay, &info);
		break;
	case METADATA_NAMED:
	case METADATA_PARTIAL:
		overlay_set_info(overlays, overlay, &info);
		break;
	default:
		container_info_done(&info);
	}
}
