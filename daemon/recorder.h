/*
 * The recorder thread: drops and verdicts go into SQLite and, as alerts, to the outputs. Nobody
 * waits for it: its queue is bounded and a full one costs a record, counted.
 *
 * A denied program that is retried is one event: the first is reported at once, repeats within
 * the window raise its count in the database, and the window's end reports the final count in one
 * more line.
 */
#pragma once

#include "daemon/faults.h"
#include "daemon/record.h"
#include "daemon/sinks.h"

#include <stdint.h>

#define RECORDER_QUEUE_MAX   65536u /* records waiting */
#define RECORDER_WINDOWS_MAX 2048u  /* programs whose repeats are counted at a time */

struct recorder;

struct recorder_context {
	struct rulings *rulings;
	struct sinks *sinks;
	struct faults *faults;
	/* Called on the recorder thread when something learned has been committed: the ruling in
	 * force does not know it yet. */
	void (*learned)(void *userdata);
	void *userdata;
};

/* @store is taken (READ_WRITE). */
int recorder_new(const struct recorder_context *context, struct store *store,
        struct recorder **ret_recorder);
int recorder_start(struct recorder *recorder);
/* Writes what is queued, then ends the thread. */
void recorder_stop(struct recorder *recorder);
void recorder_free(struct recorder *recorder);

/* Takes @record in any case; false (and counted) when it had to be dropped. */
bool recorder_push(struct recorder *recorder, struct record *record);

/*
 * Announces a record before the answer that it is about, so that recorder_flush() waits for it;
 * taken back when the record has been pushed, or when there is none after all.
 */
void recorder_reserve(struct recorder *recorder);
void recorder_unreserve(struct recorder *recorder);

/*
 * Waits until everything announced or pushed before this call is in the database, at most
 * @timeout_ms: so that a question asked after an exec sees its event.
 */
bool recorder_flush(struct recorder *recorder, unsigned int timeout_ms);

uint64_t recorder_alerts(const struct recorder *recorder);

/*
 * Those who follow events: @fn gets each alert line on the recorder thread and must not block.
 * Only one at a time (the control thread, which serves all its followers).
 */
void recorder_follow(
        struct recorder *recorder, void (*fn)(const char *line, void *userdata), void *userdata);
