/*
 * The table of faults. "on_failure" in a fallback means: the configured action for a verdict that
 * could not be reached (allow or deny), reported as an alert of its own.
 */
#include "daemon/faults.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

struct faults {
	_Atomic uint64_t counts[_FAULT_MAX];
};

struct fault_row {
	const char *name;
	const char *fallback;
};

static const struct fault_row rows[_FAULT_MAX] = {
        [FAULT_NONE] = {"none", ""},
        [FAULT_DEADLINE] = {"deadline", "on_failure: no verdict within `deadline`"},
        [FAULT_QUEUE_FULL] = {"queue_full", "on_failure: limits.pending verdicts are under way"},
        [FAULT_PROBE] = {"probe", "origin unknown: nobody vouches"},
        [FAULT_HASH] = {"hash", "origin unknown: nobody vouches for unreadable content"},
        [FAULT_FILE_CHANGED] = {"file_changed", "origin mutable: nobody vouches"},
        [FAULT_LAYER_UNKNOWN] = {"layer_unknown", "origin unknown: nobody vouches"},
        [FAULT_TASK_GONE] = {"task_gone", "answered; the facts of the process are missing"},
        [FAULT_MEMORY] = {"memory", "on_failure"},
        [FAULT_READ] = {"read", "retried; pending execs wait for their deadline"},
        [FAULT_REPLY] = {"reply", "the task was killed while it waited"},
        [FAULT_MARK] = {"mark", "the filesystem is not guarded; retried at the next mount change"},
        [FAULT_EVENT_FD] = {"event_fd", "the kernel denied: no descriptor could be opened"},
        [FAULT_QUEUE_OVERFLOW] = {"queue_overflow",
                "creations were lost; verdicts are not affected"},
        [FAULT_WRITER_GONE] = {"writer_gone", "the drop is recorded without its writer"},
        [FAULT_CREATION_LATE] = {"creation_late",
                "decided before the creation watcher had caught up"},
        [FAULT_RECORDER_FULL] = {"recorder_full", "the verdict stands, its record is lost"},
        [FAULT_STORE] = {"store", "alerts go on, the database misses records"},
        [FAULT_SINK] = {"sink", "the alert is in the database, an output misses it"},
        [FAULT_METADATA] = {"metadata", "the container has no name"},
        [FAULT_SHUTDOWN] = {"shutdown", "on_failure: the daemon was told to end"},
        [FAULT_BASELINE] = {"baseline",
                "an index that cannot be read vouches for nothing; baselines that cannot be loaded "
                "leave those before in force"},
        [FAULT_LEASE_LATE] = {"lease_late",
                "an exec that was let through stood still for 40 s, and somebody may write its "
                "file now"},
        [FAULT_ALLOWLIST] = {"allowlist",
                "signed lists that cannot be loaded leave those before in force"},
};

int faults_new(struct faults **ret_faults)
{
	struct faults *faults = calloc(1, sizeof(*faults));

	if (!faults)
		return -ENOMEM;
	*ret_faults = faults;
	return 0;
}

void faults_free(struct faults *faults)
{
	free(faults);
}

void faults_count(struct faults *faults, enum fault fault)
{
	atomic_fetch_add_explicit(&faults->counts[fault], 1, memory_order_relaxed);
}

uint64_t faults_get(const struct faults *faults, enum fault fault)
{
	return atomic_load_explicit(&faults->counts[fault], memory_order_relaxed);
}

const char *fault_name(enum fault fault)
{
	return rows[fault].name;
}

const char *fault_fallback(enum fault fault)
{
	return rows[fault].fallback;
}
