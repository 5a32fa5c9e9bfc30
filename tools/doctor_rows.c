/*
 * The advice. Names of features and faults are the daemon's (docs/control.md, `status`); one that
 * is missing here is shown all the same, with less said about it.
 */
#include "tools/doctor_rows.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *name;
	struct advice advice;
} faults[] = {
        {"deadline", {LEVEL_WEAK, {17}, "no verdict in time: on_failure decided",
                             "a longer deadline, more limits.hash_threads"}},
        {"queue_full", {LEVEL_WEAK, {17, 19}, "too many verdicts under way: on_failure decided",
                               "a larger limits.pending, more limits.hash_threads"}},
        {"memory", {LEVEL_WEAK, {19}, "no memory: on_failure decided",
                           "more memory for execwardd.service"}},
        {"mark", {LEVEL_WEAK, {1, 2, 5, 25},
                         "a filesystem could not be marked: it was not guarded meanwhile",
                         "see the daemon's log for its name"}},
        {"event_fd", {LEVEL_WEAK, {19}, "no descriptor was left: the kernel denied on its own",
                             "a larger LimitNOFILE for execwardd.service"}},
        {"shutdown", {LEVEL_WEAK, {18}, "the daemon ended with execs waiting: on_failure decided",
                             "nothing, when it was stopped on purpose"}},
        {"store",
                {LEVEL_WEAK, {19}, "the database misses records", "room on the disk of state_dir"}},
        {"recorder_full", {LEVEL_WEAK, {19}, "alerts were lost: too many at once",
                                  "find out what floods it: execward report --since 10m"}},
        {"sink", {LEVEL_WEAK, {19}, "an output misses alerts; the database has them",
                         "see the daemon's log for the output"}},
        {"baseline", {LEVEL_WEAK, {19},
                             "baselines could not be read: they vouched for nothing, or "
                             "older ones did",
                             "see the daemon's log"}},
        {"allowlist", {LEVEL_WEAK, {19}, "signed lists could not be loaded: older ones vouched",
                              "see the daemon's log"}},
        {"queue_overflow", {LEVEL_WEAK, {19}, "creations were lost: some drops have no writer",
                                   "nothing by hand; verdicts are not affected"}},
        {"probe", {LEVEL_NOTE, {0}, "an origin could not be told: nobody vouched",
                          "see the daemon's log"}},
        {"hash", {LEVEL_NOTE, {0}, "a file could not be read: nobody vouched",
                         "see the daemon's log"}},
        {"file_changed", {LEVEL_NOTE, {0}, "a file changed while it was read: nobody vouched",
                                 "nothing: something wrote it and ran it at once"}},
        {"file_too_long", {LEVEL_NOTE, {0}, "a file grew while it was read: nobody vouched",
                                  "nothing: something wrote it and ran it at once"}},
        {"layer_unknown", {LEVEL_NOTE, {0}, "a layer could not be told: nobody vouched",
                                  "see the daemon's log"}},
        {"task_gone",
                {LEVEL_NOTE, {0}, "a process ended before it was looked at: facts are missing",
                        "nothing"}},
        {"read", {LEVEL_NOTE, {0}, "reading events failed, and was tried again",
                         "see the daemon's log"}},
        {"reply", {LEVEL_NOTE, {0}, "a process was killed while it waited for its verdict",
                          "nothing"}},
        {"writer_gone",
                {LEVEL_NOTE, {0}, "a drop's writer had ended before it was looked at", "nothing"}},
        {"creation_late", {LEVEL_NOTE, {0}, "a verdict came before its drop was on record",
                                  "a longer deadline"}},
        {"lease_late",
                {LEVEL_WEAK, {9, 10},
                        "an exec stood still for 40 s after it was let through: its "
                        "file could be written meanwhile",
                        "find out who keeps processes from running: cgroup limits, a freezer"}},
        {"metadata", {LEVEL_NOTE, {0}, "a container has no name",
                             "runtimes: say where the runtime keeps its files"}},
};

static const char *const grave_features[] = {
        "permission_events",
        "backing_events",
        "overlay_handles",
        "leases",
        "exec_denies_write",
};

const struct advice *doctor_fault_advice(const char *name)
{
	static const struct advice unknown = {
	        LEVEL_NOTE, {0}, "a fault that this tool does not know", "see the daemon's log"};

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (!strcmp(faults[i].name, name))
			return &faults[i].advice;
	return &unknown;
}

bool doctor_feature_is_grave(const char *name)
{
	for (size_t i = 0; i < sizeof(grave_features) / sizeof(grave_features[0]); i++)
		if (!strcmp(grave_features[i], name))
			return true;
	return false;
}
