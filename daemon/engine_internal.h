/* The rooms of a running daemon; for engine*.c only. */
#pragma once

#include "daemon/creations.h"
#include "daemon/engine.h"
#include "daemon/engine_hosts.h"
#include "daemon/guard.h"
#include "daemon/held.h"
#include "daemon/lists_watch.h"
#include "daemon/mounts_watch.h"
#include "daemon/refusals.h"
#include "daemon/sinks.h"
#include "daemon/trusted.h"

#include <pthread.h>

struct engine {
	char *config_path; /* NULL: the defaults */
	struct fan_groups groups;
	struct refuser refuser;
	struct kernel_features kernel;
	int64_t started_ns; /* CLOCK_MONOTONIC */
	_Atomic bool ready;

	pthread_mutex_t lock; /* of rulings being built, and of the store below */
	struct store *store;
	pthread_mutex_t loading;       /* of baselines, which takes long; before lock */
	_Atomic int baselines_failure; /* of the last loading: 0, STORE_E_* or -errno */
	_Atomic int lists_failure;     /* the same of the signed lists */
	struct allowlists_clock clock;
	struct reader_helper *reader; /* NULL: none */
	struct lists_watch *lists;

	struct verdicts_context verdicts_context;
	struct faults *faults;
	struct rulings *rulings;
	struct recorder *recorder;
	struct sinks *sinks;
	struct backing_table *backings;
	struct overlays *overlays;
	struct mounts *mounts;
	struct mounts_watch *watch;
	struct guard *guard;
	struct held *held;
	struct lingering *lingering;
	struct volumes *volumes; /* NULL: not guarded */
	struct engine_hosts *hosts;
	char *disabled; /* why enforcement is switched off; NULL: it is not. Under lock */
	struct hash_cache *cache;
	struct image_indexer *indexer;
	struct pool *pool;
	struct births *births;
	struct runtime_init *inits;
	struct trusted *trusted;
	struct creations *creations;
	struct verdicts *verdicts;
	struct refusals *refusals;
	struct shared_config *base; /* directories and limits: fixed at start */
};
