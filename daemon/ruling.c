/*
 * Grants stand in a table by digest; the few of one digest are told apart by their scope.
 */
#include "daemon/ruling.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "core/image.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

struct shared_config {
	atomic_uint refs;
	struct config *config;
};

struct vouching {
	enum grant_kind kind;
	char *scope;
	int64_t expires_ns;
	struct vouching *next;
};

struct vouching_entry {
	struct digest digest;
	struct vouching *first;
	UT_hash_handle hh;
};

struct ruling {
	atomic_uint refs;
	struct shared_config *shared;
	struct mode_override override;
	struct vouching_entry *entries;
	struct baselines *baselines;   /* NULL: none */
	struct allowlists *allowlists; /* NULL: none */
	struct believed *believed;     /* NULL: nobody */
	struct allowlists_clock *clock;
	bool denylist_empty;
};

struct rulings {
	pthread_rwlock_t holding; /* read: a verdict that will be remembered is under way */
	pthread_mutex_t lock;
	struct ruling *current;
};

int shared_config_new(struct config *config, struct shared_config **ret_shared)
{
	struct shared_config *shared = calloc(1, sizeof(*shared));

	if (!shared) {
		config_free(config);
		return -ENOMEM;
	}
	atomic_init(&shared->refs, 1);
	shared->config = config;
	*ret_shared = shared;
	return 0;
}

struct shared_config *shared_config_ref(struct shared_config *shared)
{
	atomic_fetch_add(&shared->refs, 1);
	return shared;
}

void shared_config_unref(struct shared_config *shared)
{
	if (!shared || atomic_fetch_sub(&shared->refs, 1) > 1)
		return;
	config_free(shared->config);
	free(shared);
}

const struct config *shared_config_get(const struct shared_config *shared)
{
	return shared->config;
}

static int add_grant(struct ruling *r, const struct grant *grant)
{
	struct vouching_entry *entry = NULL;
	struct vouching *v = calloc(1, sizeof(*v));

	if (!v || !(v->scope = strdup(grant->image ?: ""))) {
		free(v);
		return -ENOMEM;
	}
	v->kind = grant->kind;
	v->expires_ns = grant->expires_ns;
	HASH_FIND(hh, r->entries, &grant->digest, sizeof(grant->digest), entry);
	if (!entry) {
		entry = calloc(1, sizeof(*entry));
		if (!entry) {
			free(v->scope);
			free(v);
			return -ENOMEM;
		}
		entry->digest = grant->digest;
		HASH_ADD(hh, r->entries, digest, sizeof(entry->digest), entry);
	}
	v->next = entry->first;
	entry->first = v;
	if (grant->kind == GRANT_DENIED)
		r->denylist_empty = false;
	return 0;
}

int ruling_new(const struct ruling_parts *parts, struct ruling **ret_ruling)
{
	struct ruling *ruling = calloc(1, sizeof(*ruling));
	int r = 0;

	if (!ruling)
		return -ENOMEM;
	atomic_init(&ruling->refs, 1);
	ruling->shared = shared_config_ref(parts->shared);
	ruling->override = parts->mode;
	ruling->baselines = baselines_ref(parts->baselines);
	ruling->allowlists = allowlists_ref(parts->allowlists);
	ruling->believed = believed_ref(parts->believed);
	ruling->clock = parts->clock;
	ruling->denylist_empty = true;
	for (size_t i = 0; i < parts->n_grants && r == 0; i++)
		r = add_grant(ruling, &parts->grants[i]);
	if (r < 0) {
		ruling_unref(ruling);
		return r;
	}
	*ret_ruling = ruling;
	return 0;
}

struct ruling *ruling_ref(struct ruling *ruling)
{
	if (ruling)
		atomic_fetch_add(&ruling->refs, 1);
	return ruling;
}

static void entry_free(struct vouching_entry *entry)
{
	while (entry->first) {
		struct vouching *v = entry->first;

		entry->first = v->next;
		free(v->scope);
		free(v);
	}
	free(entry);
}

void ruling_unref(struct ruling *ruling)
{
	struct vouching_entry *entry, *next;

	if (!ruling || atomic_fetch_sub(&ruling->refs, 1) > 1)
		return;
	HASH_ITER(hh, ruling->entries, entry, next)
	{
		HASH_DEL(ruling->entries, entry);
		entry_free(entry);
	}
	baselines_unref(ruling->baselines);
	allowlists_unref(ruling->allowlists);
	believed_unref(ruling->believed);
	shared_config_unref(ruling->shared);
	free(ruling);
}

const struct config *ruling_config(const struct ruling *ruling)
{
	return ruling->shared->config;
}

struct shared_config *ruling_shared_config(const struct ruling *ruling)
{
	return shared_config_ref(ruling->shared);
}

const struct mode_override *ruling_override(const struct ruling *ruling)
{
	return &ruling->override;
}

struct baselines *ruling_baselines(const struct ruling *ruling)
{
	return ruling->baselines;
}

struct allowlists *ruling_allowlists(const struct ruling *ruling)
{
	return ruling->allowlists;
}

struct believed *ruling_believed(const struct ruling *ruling)
{
	return ruling->believed;
}

const struct trust *ruling_trust(const struct ruling *ruling)
{
	return believed_trust(ruling->believed);
}

void ruling_parts_of(const struct ruling *ruling, struct ruling_parts *ret_parts)
{
	*ret_parts = (struct ruling_parts){
	        .shared = ruling->shared,
	        .mode = ruling->override,
	        .baselines = ruling->baselines,
	        .allowlists = ruling->allowlists,
	        .believed = ruling->believed,
	        .clock = ruling->clock,
	};
}

void ruling_terms(const struct ruling *ruling, int64_t now_ns, struct allowlists_terms *ret_terms)
{
	const struct config *config = ruling->shared->config;

	*ret_terms = (struct allowlists_terms){
	        .trust = believed_trust(ruling->believed),
	        .threshold = config->threshold,
	        .limits = {.now_ns = now_ns,
	                .latest_now_ns =
	                        ruling->clock ? allowlists_clock_see(ruling->clock, now_ns) : 0,
	                .skew_ns = config->skew_s * NS_PER_SEC,
	                .max_validity_ns = config->max_validity_s * NS_PER_SEC,
	                .grace_ns = config->grace_s * NS_PER_SEC},
	        .labels = config->labels,
	        .n_labels = config->n_labels,
	};
}

enum mode ruling_mode(const struct ruling *ruling, int64_t now_ns)
{
	const struct mode_override *o = &ruling->override;

	if (o->mode != MODE_UNSET && (o->until_ns == 0 || now_ns < o->until_ns))
		return o->mode;
	return ruling->shared->config->policy.mode;
}

bool ruling_denylist_empty(const struct ruling *ruling)
{
	return ruling->denylist_empty;
}

const char *ruling_scope(const struct exec_facts *facts, char buffer[RULING_SCOPE_SIZE])
{
	const struct container_info *c = &facts->container;

	if (facts->has_container)
		return c->image && *c->image ? c->image : c->key;
	if (facts->origin != ORIGIN_HOST || !facts->filesystem)
		return NULL;
	snprintf(buffer, RULING_SCOPE_SIZE, RULING_HOST_SCOPE "%s", facts->filesystem);
	return buffer;
}

/* An image may be called "fs" and have a UUID as its tag: it is not the host. */
static bool is_host_scope(const char *scope)
{
	return !strncmp(scope, RULING_HOST_SCOPE, strlen(RULING_HOST_SCOPE));
}

static bool in_scope(const struct vouching *v, const struct exec_facts *facts)
{
	char buffer[RULING_SCOPE_SIZE];
	const char *scope = ruling_scope(facts, buffer);

	if (!*v->scope)
		return true;
	if (!scope || is_host_scope(v->scope) != !facts->has_container)
		return false;
	return !strcmp(v->scope, scope) ||
	       (facts->has_container && image_ref_matches(v->scope, scope));
}

static bool is_in_force(const struct vouching *v, const struct exec_facts *facts, int64_t now_ns)
{
	if (v->expires_ns != 0 && now_ns >= v->expires_ns)
		return false;
	return v->kind == GRANT_DENIED || in_scope(v, facts);
}

static const struct vouching *grants_of(const struct ruling *ruling, const struct exec_facts *facts)
{
	struct vouching_entry *entry = NULL;

	if (facts->has_digest)
		HASH_FIND(hh, ruling->entries, &facts->digest, sizeof(facts->digest), entry);
	return entry ? entry->first : NULL;
}

/* Only where a baseline can make a difference: an image's own program needs none. */
static unsigned int by_baseline(const struct baselines *baselines, const struct exec_facts *facts)
{
	enum baseline_answer answer = BASELINE_UNKNOWN;

	switch (facts->origin) {
	case ORIGIN_DROPPED:
	case ORIGIN_MODIFIED:
	case ORIGIN_VOLUME:
		if (facts->has_container)
			answer = baselines_ask_container(
			        baselines, &facts->digest, &facts->container);
		break;
	case ORIGIN_HOST:
		if (!facts->has_container)
			answer = baselines_ask_filesystem(
			        baselines, &facts->digest, facts->filesystem);
		break;
	default:
		break;
	}
	if (answer == BASELINE_KNOWN)
		return VOUCH_BASELINE;
	return answer == BASELINE_UNKNOWN ? VOUCH_NONE : VOUCH_UNREADABLE;
}

/* What an image has, needs no list; what somebody can still write, none may speak for. */
static enum baseline_answer ask_lists(const struct ruling *ruling, const struct exec_facts *facts,
        int64_t now_ns, struct allowlists_voucher *ret_voucher)
{
	struct allowlists_terms terms;

	switch (facts->origin) {
	case ORIGIN_DROPPED:
	case ORIGIN_MODIFIED:
	case ORIGIN_VOLUME:
	case ORIGIN_HOST:
		break;
	default:
		return BASELINE_UNKNOWN;
	}
	if (!facts->has_digest || allowlists_count(ruling->allowlists) == 0 ||
	        believed_revoked(ruling->believed, &facts->digest))
		return BASELINE_UNKNOWN;
	ruling_terms(ruling, now_ns, &terms);
	return allowlists_ask(ruling->allowlists, &terms, facts, ret_voucher);
}

bool ruling_voucher(const struct ruling *ruling, const struct exec_facts *facts, int64_t now_ns,
        struct allowlists_voucher *ret_voucher)
{
	return ask_lists(ruling, facts, now_ns, ret_voucher) == BASELINE_KNOWN;
}

static unsigned int by_list(
        const struct ruling *ruling, const struct exec_facts *facts, int64_t now_ns)
{
	struct allowlists_voucher voucher;
	enum baseline_answer answer = ask_lists(ruling, facts, now_ns, &voucher);

	if (answer == BASELINE_KNOWN)
		return VOUCH_ALLOWLISTED;
	return answer == BASELINE_UNKNOWN ? VOUCH_NONE : VOUCH_UNREADABLE;
}

unsigned int ruling_vouches(
        const struct ruling *ruling, const struct exec_facts *facts, int64_t now_ns)
{
	static const unsigned int bits[_GRANT_MAX] = {
	        [GRANT_APPROVED] = VOUCH_APPROVED,
	        [GRANT_LEARNED] = VOUCH_LEARNED,
	        [GRANT_DENIED] = VOUCH_DENYLISTED,
	};
	unsigned int vouches = VOUCH_NONE;

	for (const struct vouching *v = grants_of(ruling, facts); v; v = v->next)
		if (is_in_force(v, facts, now_ns))
			vouches |= bits[v->kind];
	if (facts->has_digest)
		vouches |= by_baseline(ruling->baselines, facts);
	return vouches | by_list(ruling, facts, now_ns);
}

int64_t ruling_vouches_until(
        const struct ruling *ruling, const struct exec_facts *facts, int64_t now_ns)
{
	int64_t until_ns = 0;

	for (const struct vouching *v = grants_of(ruling, facts); v; v = v->next)
		if (v->expires_ns != 0 && is_in_force(v, facts, now_ns) &&
		        (until_ns == 0 || v->expires_ns < until_ns))
			until_ns = v->expires_ns;
	return until_ns;
}

int64_t ruling_listed_until(
        const struct ruling *ruling, const struct exec_facts *facts, int64_t now_ns)
{
	struct allowlists_voucher voucher;

	if (!ruling_voucher(ruling, facts, now_ns, &voucher) || voucher.by_path)
		return RULING_NOT_KEPT;
	return voucher.until_ns == INT64_MAX ? 0 : voucher.until_ns;
}

void ruling_decide(const struct ruling *ruling, const struct policy_input *input,
        struct policy_decision *ret_decision)
{
	struct policy_settings settings = ruling->shared->config->policy;

	settings.mode = ruling_mode(ruling, input->now_ns);
	policy_decide(&settings, input, ret_decision);
}

void ruling_decide_fault(
        const struct ruling *ruling, int64_t now_ns, struct policy_decision *ret_decision)
{
	struct policy_settings settings = ruling->shared->config->policy;

	settings.mode = ruling_mode(ruling, now_ns);
	policy_decide_fault(&settings, ret_decision);
}

int rulings_new(struct rulings **ret_rulings)
{
	struct rulings *rulings = calloc(1, sizeof(*rulings));

	if (!rulings)
		return -ENOMEM;
	pthread_mutex_init(&rulings->lock, NULL);
	pthread_rwlock_init(&rulings->holding, NULL);
	*ret_rulings = rulings;
	return 0;
}

void rulings_free(struct rulings *rulings)
{
	if (!rulings)
		return;
	ruling_unref(rulings->current);
	pthread_mutex_destroy(&rulings->lock);
	pthread_rwlock_destroy(&rulings->holding);
	free(rulings);
}

struct ruling *rulings_get(struct rulings *rulings)
{
	struct ruling *ruling;

	pthread_mutex_lock(&rulings->lock);
	ruling = ruling_ref(rulings->current);
	pthread_mutex_unlock(&rulings->lock);
	return ruling;
}

void rulings_set(struct rulings *rulings, struct ruling *ruling, void (*forget)(void *userdata),
        void *userdata)
{
	struct ruling *old;

	pthread_rwlock_wrlock(&rulings->holding);
	pthread_mutex_lock(&rulings->lock);
	old = rulings->current;
	rulings->current = ruling;
	pthread_mutex_unlock(&rulings->lock);
	if (forget)
		forget(userdata);
	pthread_rwlock_unlock(&rulings->holding);
	ruling_unref(old);
}

struct ruling *rulings_hold(struct rulings *rulings)
{
	pthread_rwlock_rdlock(&rulings->holding);
	return rulings_get(rulings);
}

void rulings_release(struct rulings *rulings, struct ruling *ruling)
{
	pthread_rwlock_unlock(&rulings->holding);
	ruling_unref(ruling);
}
