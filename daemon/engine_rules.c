/*
 * Rulings: how they are built from the configuration, the operator's mode and the grants in the
 * database, and replaced. Whoever changes one of them builds the next ruling before it answers, so
 * that the change is in force for the next exec.
 */
#include "base/cleanup.h"
#include "daemon/disabled.h"
#include "daemon/engine_internal.h"
#include "daemon/engine_lists.h"
#include "daemon/engine_rules.h"
#include "daemon/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RELOAD_LOOK_MS 2000u /* the lists of the directory; what takes longer comes later */

/* Settings of the operator's mode in the database. */
#define SETTING_MODE   "mode.override"
#define SETTING_UNTIL  "mode.until_ns"
#define SETTING_CONFIG "mode.config" /* the configuration's mode when it was overridden */

struct grants_list {
	struct grant *items;
	size_t n, room;
};

static void grants_done(struct grants_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		grant_done(&list->items[i]);
	free(list->items);
}

static int copy_grant(const struct grant *grant, void *userdata)
{
	struct grants_list *list = userdata;
	struct grant *copy;

	if (list->n == list->room) {
		size_t room = list->room ? list->room * 2 : 64;
		struct grant *grown = realloc(list->items, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		list->items = grown;
		list->room = room;
	}
	copy = &list->items[list->n];
	*copy = (struct grant){
	        .kind = grant->kind,
	        .digest = grant->digest,
	        .image = strdup(grant->image ?: ""),
	        .expires_ns = grant->expires_ns,
	};
	if (!copy->image)
		return -ENOMEM;
	list->n++;
	return 0;
}

static void forget(void *userdata)
{
	struct engine *e = userdata;

	held_forget(e->held);
}

/* Whether the next ruling may deny what the ones before it allowed. */
enum change { CHANGE_NARROWS = 0, CHANGE_WIDENS };

/* With the grants as they are now. Lock held. */
static int publish(struct engine *e, struct ruling_parts parts, enum change change)
{
	_cleanup_(grants_done) struct grants_list list = {0};
	struct ruling *ruling;
	int r = store_grants(e->store, copy_grant, &list);

	parts.grants = list.items;
	parts.n_grants = list.n;
	parts.clock = &e->clock;
	if (r == 0)
		r = ruling_new(&parts, &ruling);
	if (r == 0)
		engine_hosts_keep(e, parts.baselines);
	if (r == 0)
		rulings_set(e->rulings, ruling, change == CHANGE_WIDENS ? NULL : forget, e);
	return r;
}

/* With another mode where given, and the rest as it is. Lock held. */
static int republish(struct engine *e, const struct mode_override *override, enum change change)
{
	struct ruling *ruling = rulings_get(e->rulings);
	struct ruling_parts parts;
	int r;

	ruling_parts_of(ruling, &parts);
	if (override)
		parts.mode = *override;
	r = publish(e, parts, change);
	ruling_unref(ruling);
	return r;
}

static int save_override(
        struct engine *e, const struct config *config, const struct mode_override *mode)
{
	char until[24];
	int r;

	snprintf(until, sizeof(until), "%lld", (long long)mode->until_ns);
	r = store_begin(e->store);
	if (r != 0)
		return r;
	r = store_setting_set(
	        e->store, SETTING_MODE, mode->mode == MODE_UNSET ? NULL : mode_name(mode->mode));
	if (r == 0)
		r = store_setting_set(e->store, SETTING_UNTIL, until);
	if (r == 0)
		r = store_setting_set(e->store, SETTING_CONFIG, mode_name(config->policy.mode));
	if (r == 0)
		r = store_commit(e->store);
	if (r != 0)
		store_rollback(e->store);
	return r;
}

/* An override lasts until its end, or until the file says another mode than when it was made. */
static void load_override(
        struct engine *e, const struct config *config, struct mode_override *ret_override)
{
	_cleanup_free_ char *mode = NULL, *until = NULL, *configured = NULL;

	*ret_override = (struct mode_override){0};
	if (e->disabled)
		return;
	if (store_setting_get(e->store, SETTING_MODE, &mode) != 0 ||
	        store_setting_get(e->store, SETTING_UNTIL, &until) != 0 ||
	        store_setting_get(e->store, SETTING_CONFIG, &configured) != 0)
		return;
	if (mode_from_name(configured) != config->policy.mode)
		return;
	ret_override->mode = mode_from_name(mode);
	ret_override->until_ns = strtoll(until, NULL, 10);
	if (ret_override->mode == MODE_LEARN && ret_override->until_ns <= 0)
		ret_override->mode = MODE_UNSET; /* learn always has an end */
}

/*
 * Baselines. Reading a new one takes a second for a million digests: by a connection of its own,
 * while verdicts and the recorder go on.
 */
const char *engine_rules_words(int r, const char *too_many)
{
	switch (r) {
	case 0:
		return NULL;
	case STORE_E_CORRUPT:
		return "the database is corrupt";
	case STORE_E_BUSY:
		return "the database is busy";
	case STORE_E_FULL:
	case -ENOSPC:
		return "the disk is full";
	case -E2BIG:
		return too_many;
	default:
		return r < 0 ? strerrordesc_np(-r) ?: "unknown error"
		             : "the database cannot be used";
	}
}

static const char *baselines_error(int r)
{
	return engine_rules_words(r, "there are too many snapshots: execward snapshot prune");
}

const char *engine_baselines_error(const struct engine *e)
{
	return baselines_error(e->baselines_failure);
}

static int read_baselines(
        const char *state_dir, struct baselines *before, struct baselines **ret_baselines)
{
	struct store *store;
	int r = store_open(state_dir, STORE_READ_ONLY, &store);

	if (r != 0)
		return r;
	r = baselines_load(store, state_dir, before, ret_baselines);
	store_free(store);
	return r;
}

/*
 * A reference, of those before (NULL: none) when there are no better ones; not what failed.
 * @loading held.
 */
static struct baselines *next_baselines(struct engine *e)
{
	struct ruling *ruling = rulings_get(e->rulings);
	struct baselines *before = ruling ? ruling_baselines(ruling) : NULL, *next = NULL;
	int r = read_baselines(engine_state_dir(e), before, &next);

	e->baselines_failure = r;
	if (r != 0) {
		faults_count(e->faults, FAULT_BASELINE);
		log_error("%s/baseline.db: the baselines cannot be loaded: %s; %s",
		        engine_state_dir(e), baselines_error(r),
		        before ? "those from before stay in force" : "none is in force");
		next = baselines_ref(before);
	}
	ruling_unref(ruling);
	return next;
}

/* Always narrows: a snapshot that is gone, or has less, must not go on in the kernel. */
int engine_baselines(struct engine *e)
{
	struct baselines *next;
	struct ruling_parts parts;
	struct ruling *ruling;
	int r;

	pthread_mutex_lock(&e->loading);
	next = next_baselines(e);
	r = e->baselines_failure;
	pthread_mutex_lock(&e->lock);
	ruling = rulings_get(e->rulings);
	ruling_parts_of(ruling, &parts);
	parts.baselines = next;
	if (r == 0)
		r = publish(e, parts, CHANGE_NARROWS);
	e->baselines_failure = r;
	pthread_mutex_unlock(&e->lock);
	pthread_mutex_unlock(&e->loading);
	ruling_unref(ruling);
	baselines_unref(next);
	return r;
}

/* As narrowing: an older list may have had what the newer one has not. */
int engine_rules_lists(void *userdata)
{
	struct engine *e = userdata;
	struct allowlists *next;
	struct ruling_parts parts;
	struct ruling *ruling;
	int r;

	pthread_mutex_lock(&e->loading);
	next = engine_lists_next(e);
	r = e->lists_failure;
	pthread_mutex_lock(&e->lock);
	ruling = rulings_get(e->rulings);
	ruling_parts_of(ruling, &parts);
	parts.allowlists = next;
	if (r == 0)
		r = publish(e, parts, CHANGE_NARROWS);
	e->lists_failure = r;
	pthread_mutex_unlock(&e->lock);
	pthread_mutex_unlock(&e->loading);
	ruling_unref(ruling);
	allowlists_unref(next);
	return r;
}

int engine_lists(struct engine *e)
{
	int r = engine_rules_lists(e);

	lists_watch_review(e->lists);
	return r;
}

/* What the kernel remembers was to end at times that the clock may not come to now. */
void engine_rules_clock_set(void *userdata)
{
	struct engine *e = userdata;

	pthread_mutex_lock(&e->lock);
	if (republish(e, NULL, CHANGE_NARROWS) != 0)
		faults_count(e->faults, FAULT_STORE);
	pthread_mutex_unlock(&e->lock);
}

void engine_look_disabled(struct engine *e, struct config *config)
{
	char *reason = disabled_reason(e->config_path), *before;

	if (reason) {
		disabled_apply(config);
		log_error("ENFORCEMENT IS SWITCHED OFF, everything is only reported: %s", reason);
	}
	pthread_mutex_lock(&e->lock);
	before = e->disabled;
	e->disabled = reason;
	pthread_mutex_unlock(&e->lock);
	if (before && !reason)
		log_notice("enforcement is no longer switched off");
	free(before);
}

char *engine_disabled(struct engine *e)
{
	char *reason;

	pthread_mutex_lock(&e->lock);
	reason = e->disabled ? strdup(e->disabled) : NULL;
	pthread_mutex_unlock(&e->lock);
	return reason;
}

int engine_rules_load(struct engine *e, struct shared_config *shared, struct believed *believed)
{
	struct ruling_parts parts = {.shared = shared, .believed = believed};
	int r;

	pthread_mutex_lock(&e->loading);
	parts.baselines = next_baselines(e);
	parts.allowlists = engine_lists_next(e);
	pthread_mutex_lock(&e->lock);
	load_override(e, shared_config_get(shared), &parts.mode);
	trusted_configure(e->trusted, shared_config_get(shared));
	r = publish(e, parts, CHANGE_NARROWS);
	pthread_mutex_unlock(&e->lock);
	pthread_mutex_unlock(&e->loading);
	baselines_unref(parts.baselines);
	allowlists_unref(parts.allowlists);
	return r;
}

void engine_rules_learned(void *userdata)
{
	struct engine *e = userdata;

	pthread_mutex_lock(&e->lock);
	if (republish(e, NULL, CHANGE_WIDENS) != 0)
		faults_count(e->faults, FAULT_STORE);
	pthread_mutex_unlock(&e->lock);
}

/* Filesystems that are refused by type carry their verdict as a mark: it may be another one now. */
static void judge_served(struct engine *e)
{
	if (e->volumes && volumes_have_served(e->volumes))
		mounts_rescan(e->mounts);
}

int engine_set_mode(struct engine *e, const struct mode_override *override)
{
	struct ruling *ruling = rulings_get(e->rulings);
	int r;

	engine_hosts_before(e);
	pthread_mutex_lock(&e->lock);
	r = save_override(e, ruling_config(ruling), override);
	if (r == 0)
		r = republish(e, override, CHANGE_NARROWS);
	pthread_mutex_unlock(&e->lock);
	ruling_unref(ruling);
	if (r == 0)
		engine_hosts_after(e, NULL);
	if (r == 0)
		judge_served(e);
	return r;
}

int engine_grant(struct engine *e, const struct grant *grant)
{
	int r;

	pthread_mutex_lock(&e->lock);
	r = store_grant_add(e->store, grant);
	/* A grant may replace one that lasted longer. */
	if (r == 0)
		r = republish(e, NULL,
		        grant->kind == GRANT_DENIED || grant->expires_ns != 0 ? CHANGE_NARROWS
		                                                              : CHANGE_WIDENS);
	pthread_mutex_unlock(&e->lock);
	return r;
}

int engine_revoke(struct engine *e, enum grant_kind kind, const struct digest *digest,
        const char *image, uint32_t *ret_removed)
{
	int r;

	pthread_mutex_lock(&e->lock);
	r = store_grant_remove(e->store, kind, digest, image, ret_removed);
	if (r == 0)
		r = republish(e, NULL, CHANGE_NARROWS);
	pthread_mutex_unlock(&e->lock);
	return r;
}

int engine_reload(struct engine *e, struct config_error *reterr_error)
{
	struct believed *believed = NULL;
	struct shared_config *shared = NULL;
	struct config *config = NULL;
	int r = config_load(e->config_path, &config, reterr_error);

	if (r == 0)
		r = engine_lists_believe(config, &believed, reterr_error);
	if (r == 0) {
		engine_look_disabled(e, config);
		r = shared_config_new(TAKE_PTR(config), &shared);
	}
	engine_hosts_before(e);
	if (r == 0)
		r = engine_rules_load(e, shared, believed);
	if (r == 0)
		engine_hosts_after(e, shared_config_get(shared));
	if (r == 0)
		r = sinks_reload(e->sinks, shared_config_get(shared));
	if (r == 0)
		judge_served(e);
	if (r == 0)
		lists_watch_look(e->lists, RELOAD_LOOK_MS);
	believed_unref(believed);
	shared_config_unref(shared);
	config_free(config);
	return r;
}
