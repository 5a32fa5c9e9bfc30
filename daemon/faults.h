/*
 * Everything that can go wrong while the daemon runs, as rows of one table: its name (in `status`
 * and alerts), and what happens instead. Counting is lock-free, so that deciding threads may.
 */
#pragma once

#include <stdint.h>

enum fault {
	FAULT_NONE = 0,
	FAULT_DEADLINE,
	FAULT_QUEUE_FULL,
	FAULT_PROBE,
	FAULT_HASH,
	FAULT_FILE_CHANGED,
	FAULT_LAYER_UNKNOWN,
	FAULT_TASK_GONE,
	FAULT_MEMORY,
	FAULT_READ,
	FAULT_REPLY,
	FAULT_MARK,
	FAULT_EVENT_FD,
	FAULT_QUEUE_OVERFLOW,
	FAULT_WRITER_GONE,
	FAULT_CREATION_LATE,
	FAULT_RECORDER_FULL,
	FAULT_STORE,
	FAULT_SINK,
	FAULT_METADATA,
	FAULT_SHUTDOWN,
	FAULT_BASELINE,
	FAULT_LEASE_LATE,
	FAULT_ALLOWLIST,
	_FAULT_MAX,
};

struct faults;

int faults_new(struct faults **ret_faults);
void faults_free(struct faults *faults);

void faults_count(struct faults *faults, enum fault fault);
uint64_t faults_get(const struct faults *faults, enum fault fault);

/* The row's name and fallback; static storage. */
const char *fault_name(enum fault fault);
const char *fault_fallback(enum fault fault);
