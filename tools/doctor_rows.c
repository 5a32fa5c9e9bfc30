/*
 * The advice. Names of features and faults are the daemon's (docs/control.md, `status`); one that
 * is missing here is shown all the same, with less said about it.
 */
#include "tools/doctor_rows.h"

#include <stddef.h>
#include <string.h>

const struct doctor_row doctor_sysctls[] = {
        {"/proc/sys/fs/leases-enable", "1", true,
                "a file can change between its digest and its exec (rows 9, 10)",
                "sysctl -w fs.leases-enable=1"},
        {"/proc/sys/vm/memfd_noexec", "2", true,
                "a program in memory (memfd_create, fexecve) runs unseen (row 15)",
                "sysctl -w vm.memfd_noexec=2, from Linux 6.3 on; programs that need it break"},
        {"/proc/sys/kernel/io_uring_disabled", "2", false,
                "fixed buffers of io_uring write a tmpfs file unseen: its content is never trusted",
                "sysctl -w kernel.io_uring_disabled=2 where nothing uses it, from Linux 6.6 on"},
        {NULL, NULL, false, NULL, NULL},
};

const struct doctor_row doctor_features[] = {
        {"permission_events", NULL, true, NULL, NULL},
        {"backing_events", NULL, true, NULL, NULL},
        {"overlay_handles", NULL, true, NULL, NULL},
        {"leases", NULL, true, NULL, "sysctl -w fs.leases-enable=1"},
        {"exec_denies_write", NULL, true, NULL, "another kernel: any but Linux 6.11 and 6.12"},
        {NULL, NULL, false, NULL, NULL},
};

const struct doctor_row doctor_faults[] = {
        {"deadline", NULL, true, "no verdict in time: on_failure decided",
                "a longer deadline, more limits.hash_threads"},
        {"queue_full", NULL, true, "too many verdicts under way: on_failure decided",
                "a larger limits.pending, more limits.hash_threads"},
        {"memory", NULL, true, "no memory: on_failure decided",
                "more memory for execwardd.service"},
        {"mark", NULL, true, "a filesystem could not be marked: it was not guarded meanwhile",
                "see the daemon's log for its name"},
        {"event_fd", NULL, true, "no descriptor was left: the kernel denied on its own",
                "a larger LimitNOFILE for execwardd.service"},
        {"shutdown", NULL, true, "the daemon ended with execs waiting: on_failure decided",
                "nothing, when it was stopped on purpose"},
        {"store", NULL, true, "the database misses records", "room on the disk of state_dir"},
        {"recorder_full", NULL, true, "alerts were lost: too many at once",
                "find out what floods it: execward report --since 10m"},
        {"sink", NULL, true, "an output misses alerts; the database has them",
                "see the daemon's log for the output"},
        {"queue_overflow", NULL, true, "creations were lost: some drops have no writer",
                "nothing by hand; verdicts are not affected"},
        {"probe", NULL, false, "an origin could not be told: nobody vouched",
                "see the daemon's log"},
        {"hash", NULL, false, "a file could not be read: nobody vouched", "see the daemon's log"},
        {"file_changed", NULL, false, "a file changed while it was read: nobody vouched",
                "nothing: something wrote it and ran it at once"},
        {"file_too_long", NULL, false, "a file grew while it was read: nobody vouched",
                "nothing: something wrote it and ran it at once"},
        {"layer_unknown", NULL, false, "a layer could not be told: nobody vouched",
                "see the daemon's log"},
        {"task_gone", NULL, false, "a process ended before it was looked at: facts are missing",
                "nothing"},
        {"read", NULL, false, "reading events failed, and was tried again", "see the daemon's log"},
        {"reply", NULL, false, "a process was killed while it waited for its verdict", "nothing"},
        {"writer_gone", NULL, false, "a drop's writer had ended before it was looked at",
                "nothing"},
        {"creation_late", NULL, false, "a verdict came before its drop was on record",
                "a longer deadline"},
        {"metadata", NULL, false, "a container has no name",
                "runtimes: say where the runtime keeps its files"},
        {NULL, NULL, false, NULL, NULL},
};

const struct doctor_row *doctor_find(const struct doctor_row *table, const char *name)
{
	for (; table->name; table++)
		if (!strcmp(table->name, name))
			return table;
	return NULL;
}
