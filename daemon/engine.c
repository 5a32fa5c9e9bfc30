/*
 * Order of the start: what decides is ready before the first mark is set, and everything present is
 * marked before READY is said. Order of the end: marks go first, then what is pending is answered,
 * then the recorder writes what is left.
 */
#include "daemon/engine.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "daemon/engine_internal.h"
#include "daemon/engine_lists.h"
#include "daemon/engine_rules.h"
#include "daemon/engine_writers.h"
#include "daemon/log.h"
#include "daemon/naming.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#define FIRST_LOOK_MS     20000u /* at the lists of the directory, before READY */
#define LISTS_END_MS      500u
#define SHUTDOWN_GRACE_MS 800u  /* SIGTERM to exit stays below 2 s */
#define DROP_JOBS_MAX     1024u /* drops being hashed at a time: each holds a descriptor */

static int store_failed(const struct config *config, int r)
{
	switch (r) {
	case STORE_E_NEWER:
		log_error(
		        "%s/baseline.db: written by a later release of execward; use that release",
		        config->state_dir);
		return ENGINE_E_STORE;
	case STORE_E_UNSAFE:
		log_error("%s: the directory and baseline.db in it must belong to root and be "
		          "writable by nobody else (chown root, chmod 0700)",
		        config->state_dir);
		return ENGINE_E_UNSAFE;
	case -ENOENT:
		log_error(
		        "%s: the state directory does not exist; create it: install -d -m 0700 %s",
		        config->state_dir, config->state_dir);
		return r;
	default:
		log_error("%s/baseline.db: cannot be used: %s; move it away to start with an empty "
		          "one",
		        config->state_dir, r < 0 ? strerror(-r) : "it is corrupt, busy or full");
		return r < 0 ? r : ENGINE_E_STORE;
	}
}

/* On the thread that found it, before anything is decided by it. */
static void found(
        struct overlay *overlay, const char *mountpoint, pid_t via, bool fresh, void *userdata)
{
	struct engine *e = userdata;
	struct ruling *ruling;

	/* A lower layer of others that becomes writable is not one to remember any more. */
	if (fresh && overlay->upper && overlay->upper->refs > 1)
		held_forget(e->held);
	guard_overlay(e->guard, overlay, mountpoint, via);
	if (!fresh)
		return;
	ruling = rulings_get(e->rulings);
	naming_try(e->overlays, ruling_config(ruling), e->faults, overlay, via);
	ruling_unref(ruling);
}

static void born(struct overlay *overlay, pid_t pid, void *userdata)
{
	struct engine *e = userdata;

	guard_born(e->guard, overlay, pid);
}

static void swept(void *userdata)
{
	struct engine *e = userdata;

	held_sweep(e->held);
}

static void looked(void *userdata)
{
	engine_hosts_look(userdata);
}

/* Each is a descriptor, and without descriptors the kernel denies: three quarters are for events.
 */
static unsigned int leases_max(const struct config *config)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 4 > config->leases_max)
		return config->leases_max;
	return (unsigned int)(limit.rlim_cur / 4);
}

static int make_held(struct engine *e, const struct config *config)
{
	struct held_context context = {
	        .groups = &e->groups,
	        .overlays = e->overlays,
	        .lingering = e->lingering,
	        .max = kernel_has(&e->kernel, KERNEL_LEASES) ? leases_max(config) : 0,
	};

	return held_new(&context, &e->held);
}

/* What would be said of any file of a FUSE mount: its type decides, whatever it holds. */
static enum verdict refuse(const char *mountpoint, pid_t via, void *userdata)
{
	struct engine *e = userdata;
	struct ruling *ruling = rulings_get(e->rulings);
	struct exec_facts facts = {.origin = ORIGIN_MUTABLE, .process = {.uid = -1}};
	const struct policy_input input = {.facts = &facts, .now_ns = clock_realtime_ns()};
	struct policy_decision decision = {0};
	struct overlay *overlay = NULL;
	dev_t root_dev;
	bool known;

	if (via > 0)
		overlay = mounts_root_known(e->mounts, via, &root_dev, &known);
	if (overlay)
		facts.has_container = overlay_info(e->overlays, overlay, &facts.container) == 0;
	overlay_unref(e->overlays, overlay);
	facts.path = strdup(mountpoint);
	ruling_decide(ruling, &input, &decision);
	exec_facts_done(&facts);
	ruling_unref(ruling);
	return decision.verdict;
}

static int make_volumes(struct engine *e)
{
	struct volumes_context context = {
	        .groups = &e->groups,
	        .refuser = &e->refuser,
	        .refuse = refuse,
	        .userdata = e,
	        .backings = e->backings,
	        .hosts = engine_hosts_table(e->hosts),
	        .faults = e->faults,
	};

	return volumes_new(&context, &e->volumes);
}

static unsigned int hash_threads(const struct config *config)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (config->hash_threads > 0)
		return config->hash_threads;
	return cores < 1 ? 1 : cores > 64 ? 64 : (unsigned int)cores;
}

static int make_recorder(struct engine *e, const struct config *config)
{
	struct recorder_context context = {
	        .rulings = e->rulings,
	        .faults = e->faults,
	        .learned = engine_rules_learned,
	        .userdata = e,
	};
	struct store *writer;
	int r = store_open(config->state_dir, STORE_READ_WRITE, &writer);

	if (r != 0)
		return store_failed(config, r);
	r = store_open(config->state_dir, STORE_READ_WRITE, &e->store);
	if (r != 0) {
		store_free(writer);
		return store_failed(config, r);
	}
	r = sinks_new(config, e->faults, &e->sinks);
	if (r < 0) {
		store_free(writer);
		return r;
	}
	context.sinks = e->sinks;
	return recorder_new(&context, writer, &e->recorder);
}

static int make_tables(struct engine *e, const struct config *config)
{
	struct mounts_context mounts = {
	        .config = config,
	        .groups = &e->groups,
	        .found = found,
	        .born = born,
	        .swept = swept,
	        .looked = looked,
	        .userdata = e,
	};
	int r = faults_new(&e->faults);

	if (r == 0)
		r = rulings_new(&e->rulings);
	if (r == 0)
		r = backing_table_new(&e->backings);
	if (r == 0)
		r = overlays_new(image_index_free, &e->overlays);
	if (r == 0)
		r = hash_cache_new(&e->kernel, &e->cache);
	if (r == 0)
		r = image_indexer_new(&e->indexer);
	if (r == 0)
		r = runtime_init_new(&e->inits);
	if (r == 0)
		r = engine_hosts_new(config, &e->hosts);
	if (r == 0)
		r = lingering_new(e->faults, &e->lingering);
	if (r == 0)
		r = make_held(e, config);
	if (r == 0 && config->guard_volumes && config->guard_containers)
		r = make_volumes(e);
	mounts.volumes = e->volumes;
	mounts.backings = e->backings;
	mounts.overlays = e->overlays;
	mounts.faults = e->faults;
	return r == 0 ? mounts_new(&mounts, &e->mounts) : r;
}

static int make_guard(struct engine *e, const struct config *config)
{
	struct guard_context context = {
	        .config = config,
	        .groups = &e->groups,
	        .kernel = &e->kernel,
	        .backings = e->backings,
	        .overlays = e->overlays,
	        .hosts = engine_hosts_table(e->hosts),
	        .faults = e->faults,
	};

	return guard_new(&context, &e->guard);
}

static struct probe_context probe_of(struct engine *e, const struct config *config)
{
	return (struct probe_context){
	        .config = config,
	        .backings = e->backings,
	        .overlays = e->overlays,
	        .mounts = e->mounts,
	        .inits = e->inits,
	        .volumes = e->volumes,
	        .hosts = engine_hosts_table(e->hosts),
	        .faults = e->faults,
	};
}

static int make_trusted(struct engine *e, const struct config *config)
{
	const struct probe_context probe = probe_of(e, config);

	return engine_writers_new(e, &probe);
}

static int make_deciders(struct engine *e, const struct config *config)
{
	const size_t limits[_POOL_PRIORITIES] = {
	        [POOL_VERDICT] = config->pending_max,
	        [POOL_DROP] = DROP_JOBS_MAX,
	};
	struct probe_context probe = probe_of(e, config);
	struct creations_context creations = {
	        .group = e->groups.creations,
	        .probe = probe,
	        .cache = e->cache,
	        .recorder = e->recorder,
	        .faults = e->faults,
	        .trusted = e->trusted,
	};
	int r = pool_new(hash_threads(config), limits, &e->pool);

	creations.pool = e->pool;
	if (r == 0)
		r = births_new(e->groups.births, e->volumes, e->trusted, &e->births);
	creations.births = e->births;
	if (r == 0)
		r = creations_new(&creations, &e->creations);
	e->verdicts_context = (struct verdicts_context){
	        .real_events = kernel_has(&e->kernel, KERNEL_BACKING_EVENTS),
	        .groups = &e->groups,
	        .rulings = e->rulings,
	        .probe = probe,
	        .cache = e->cache,
	        .indexer = e->indexer,
	        .pool = e->pool,
	        .held = e->held,
	        .lingering = e->lingering,
	        .creations = e->creations,
	        .trusted = e->trusted,
	        .recorder = e->recorder,
	        .faults = e->faults,
	};
	if (r == 0)
		r = verdicts_new(&e->verdicts_context, &e->verdicts);
	return r == 0 ? refusals_new(&e->verdicts_context, e->verdicts, &e->refuser, &e->refusals)
	              : r;
}

static int start_threads(struct engine *e)
{
	int r = recorder_start(e->recorder);

	if (r == 0)
		r = lingering_start(e->lingering);
	if (r == 0)
		r = held_start(e->held);
	if (r == 0)
		r = births_start(e->births);
	if (r == 0)
		r = creations_start(e->creations);
	if (r == 0)
		r = refusals_start(e->refusals);
	return r == 0 ? verdicts_start(e->verdicts) : r;
}

/* Guarding has begun: a long list delays READY, and no longer than this, but nobody's verdict. */
static int start_lists(struct engine *e)
{
	struct lists_watch_context context = {
	        .directory = {.rulings = e->rulings,
	                .reader = e->reader,
	                .state_dir = engine_state_dir(e)},
	        .clock = &e->clock,
	        .changed = engine_rules_lists,
	        .clock_set = engine_rules_clock_set,
	        .userdata = e,
	};
	int r = lists_watch_start(&context, &e->lists);

	if (r == 0)
		lists_watch_settle(e->lists, FIRST_LOOK_MS);
	return r;
}

static int start_guarding(struct engine *e)
{
	const char *const *storage;
	size_t n = mounts_storage(e->mounts, &storage);
	int r;

	engine_hosts_look(e);
	r = guard_storage(e->guard, storage, n);
	if (r < 0)
		return r;
	r = mounts_watch_start(e->mounts, e->groups.mounts, &e->watch);
	if (r < 0)
		return r;
	mounts_scan(e->mounts);
	engine_hosts_start(e);
	return 0;
}

static int start(struct engine *e, struct shared_config *shared)
{
	const struct config *config = shared_config_get(shared);
	struct believed *believed = NULL;
	int r = make_tables(e, config);

	if (r == 0)
		r = make_recorder(e, config);
	if (r == 0)
		r = make_trusted(e, config);
	if (r == 0)
		r = engine_lists_believe_first(config, &believed);
	if (r == 0)
		r = engine_rules_load(e, shared, believed);
	believed_unref(believed);
	if (r == 0)
		r = trusted_load(e->trusted, e->store);
	if (r == 0)
		r = make_guard(e, config);
	if (r == 0)
		r = make_deciders(e, config);
	if (r == 0)
		r = start_threads(e);
	if (r == 0)
		r = start_guarding(e);
	return r == 0 ? start_lists(e) : r;
}

static void destroy(struct engine *e)
{
	refusals_free(e->refusals);
	verdicts_free(e->verdicts);
	creations_free(e->creations);
	births_free(e->births);
	trusted_free(e->trusted);
	runtime_init_free(e->inits);
	recorder_free(e->recorder);
	guard_free(e->guard);
	mounts_free(e->mounts);
	held_free(e->held);
	lingering_free(e->lingering);
	volumes_free(e->volumes);
	overlays_free(e->overlays);
	backing_table_free(e->backings);
	image_indexer_free(e->indexer);
	engine_hosts_free(e->hosts);
	hash_cache_free(e->cache);
	sinks_free(e->sinks);
	rulings_free(e->rulings);
	store_free(e->store);
	faults_free(e->faults);
	shared_config_unref(e->base);
	fan_groups_close(&e->groups);
	reader_helper_stop(e->reader);
	pthread_mutex_destroy(&e->loading);
	pthread_mutex_destroy(&e->lock);
	free(e->config_path);
	free(e->disabled);
	free(e);
}

int engine_start(const char *config_path, struct config *config, const struct engine_parts *parts,
        struct engine **ret_engine)
{
	struct engine *e = calloc(1, sizeof(*e));
	int r;

	if (!e) {
		config_free(config);
		return -ENOMEM;
	}
	e->kernel = parts->kernel;
	e->groups = parts->groups;
	e->reader = parts->reader;
	e->refuser = parts->refuser;
	e->started_ns = clock_monotonic_ns();
	pthread_mutex_init(&e->lock, NULL);
	pthread_mutex_init(&e->loading, NULL);
	e->config_path = config_path ? strdup(config_path) : NULL;
	engine_look_disabled(e, config);
	r = shared_config_new(config, &e->base);
	if (r == 0 && config_path && !e->config_path)
		r = -ENOMEM;
	if (r == 0)
		r = start(e, e->base);
	if (r != 0) {
		if (r < 0)
			log_error("cannot start: %s", strerror(-r));
		(void)engine_stop(e); /* the caller exits */
		return r;
	}
	e->ready = true;
	*ret_engine = e;
	return 0;
}

bool engine_stop(struct engine *e)
{
	if (!e)
		return true;
	lists_watch_end(e->lists);
	mounts_watch_stop(e->watch);
	fan_groups_flush(&e->groups);
	refuser_flush(&e->refuser);
	refusals_stop(e->refusals);
	refuser_stop(&e->refuser);
	if (e->verdicts)
		verdicts_stop(e->verdicts, SHUTDOWN_GRACE_MS);
	creations_stop(e->creations);
	births_stop(e->births);
	pool_free(e->pool);
	held_stop(e->held);
	lingering_stop(e->lingering);
	recorder_stop(e->recorder);
	if (!lists_watch_ended(e->lists, LISTS_END_MS)) {
		log_notice("allowlists: the one that is being read is left to the next start");
		return false;
	}
	lists_watch_stop(e->lists);
	destroy(e);
	return true;
}

size_t engine_rescan(struct engine *e)
{
	return mounts_scan(e->mounts);
}

struct ruling *engine_ruling(struct engine *e)
{
	return rulings_get(e->rulings);
}

struct trusted *engine_trusted(struct engine *e)
{
	return e->trusted;
}

void engine_settle(struct engine *e, unsigned int timeout_ms)
{
	(void)creations_drain(e->creations, timeout_ms);
	(void)pool_drain(e->pool, POOL_DROP, timeout_ms);
	(void)recorder_flush(e->recorder, timeout_ms);
}

struct recorder *engine_recorder(struct engine *e)
{
	return e->recorder;
}

struct container_search {
	const char *key;
	struct container_info found;
	int result;
};

static void look_for_container(const struct overlay *overlay, void *userdata)
{
	struct container_search *search = userdata;

	if (search->result == -ENOENT && overlay->info.key &&
	        !strcmp(overlay->info.key, search->key))
		search->result = container_info_copy(&overlay->info, &search->found);
}

int engine_container(struct engine *e, const char *key, struct container_info *ret_container)
{
	struct container_search search = {.key = key, .result = -ENOENT};

	overlays_each(e->overlays, look_for_container, &search);
	if (search.result == 0)
		*ret_container = search.found;
	return search.result;
}

const char *engine_state_dir(const struct engine *e)
{
	return shared_config_get(e->base)->state_dir;
}
