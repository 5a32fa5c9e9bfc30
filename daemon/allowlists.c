/*
 * A verdict goes through the lists one by one: there are few, and what decides whether one is asked
 * at all (scope, signers, clock) costs less than the page of its index that is read then.
 */
#include "daemon/allowlists.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOAD_TRIES 8u /* each costs a list that somebody replaces meanwhile */

struct list {
	struct allowlist_info info;
	struct baseline_index *index;
	bool settled; /* nothing was changed in the database while it was read */
};

struct allowlists {
	atomic_uint refs;
	struct list *lists; /* by series */
	size_t n, room, shared;
	int64_t generation;
};

DEFINE_FREEP(allowlists, allowlists_unref)

struct allowlists *allowlists_ref(struct allowlists *allowlists)
{
	if (allowlists)
		atomic_fetch_add(&allowlists->refs, 1);
	return allowlists;
}

void allowlists_unref(struct allowlists *a)
{
	if (!a || atomic_fetch_sub(&a->refs, 1) > 1)
		return;
	for (size_t i = 0; i < a->n; i++) {
		allowlist_info_done(&a->lists[i].info);
		baseline_index_unref(a->lists[i].index);
	}
	free(a->lists);
	free(a);
}

/*
 * Loading.
 */
struct loading {
	struct store *store;
	const char *state_dir;
	const struct allowlists *before;
	struct allowlists *set;
};

/* To be freed after a failure, too. */
static int copy_info(const struct allowlist_info *from, struct allowlist_info *to)
{
	*to = (struct allowlist_info){
	        .id = from->id,
	        .payload = from->payload,
	        .signers = calloc(from->n_signers + 1, sizeof(to->signers[0])),
	        .n_signers = from->n_signers,
	        .subjects = from->subjects,
	        .installed_ns = from->installed_ns,
	        .by_uid = from->by_uid,
	        .source = strdup(from->source ?: ""),
	};
	if (!to->signers || !to->source)
		return -ENOMEM;
	if (from->n_signers > 0)
		memcpy(to->signers, from->signers, from->n_signers * sizeof(to->signers[0]));
	return statement_copy(&from->statement, &to->statement);
}

static int take_list(const struct allowlist_info *info, void *userdata)
{
	struct allowlists *set = ((struct loading *)userdata)->set;
	int r;

	if (set->n >= ALLOWLISTS_MAX)
		return -E2BIG;
	if (set->n == set->room) {
		size_t room = set->room ? set->room * 2 : 16;
		struct list *grown = realloc(set->lists, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		set->lists = grown;
		set->room = room;
	}
	set->lists[set->n] = (struct list){0};
	r = copy_info(info, &set->lists[set->n].info);
	if (r == 0)
		set->n++;
	else
		allowlist_info_done(&set->lists[set->n].info);
	return r;
}

/* The index of the set before, when it is of the very same list. */
static struct baseline_index *index_before(const struct allowlists *before, const struct list *now)
{
	for (size_t i = 0; before && i < before->n; i++) {
		const struct list *old = &before->lists[i];

		if (old->info.id == now->info.id && old->settled &&
		        old->info.subjects == now->info.subjects &&
		        old->info.statement.bind == now->info.statement.bind &&
		        digest_equal(&old->info.payload, &now->info.payload))
			return baseline_index_ref(old->index);
	}
	return NULL;
}

static int take_keys(const struct digest *keys, size_t n, void *userdata)
{
	int r = baseline_index_add(userdata, keys, n);

	return r == -EILSEQ ? STORE_E_CORRUPT : r;
}

static int make_index(const struct loading *loading, struct list *list)
{
	int r = baseline_index_new(loading->state_dir, &list->index);

	if (r == 0)
		r = store_allowlist_keys(loading->store, list->info.id, take_keys, list->index);
	return r == 0 ? baseline_index_finish(list->index) : r;
}

static int make_indexes(const struct loading *loading)
{
	struct allowlists *set = loading->set;
	int r = 0;

	for (size_t i = 0; i < set->n && r == 0; i++) {
		struct list *list = &set->lists[i];

		list->index = index_before(loading->before, list);
		list->settled = list->index != NULL;
		set->shared += list->settled;
		if (!list->index)
			r = make_index(loading, list);
	}
	return r;
}

static int load_once(struct store *store, const char *state_dir, struct allowlists *before,
        struct allowlists **ret_allowlists)
{
	_cleanup_(allowlists_unrefp) struct allowlists *set = calloc(1, sizeof(*set));
	struct loading loading = {
	        .store = store, .state_dir = state_dir, .before = before, .set = set};
	int64_t after;
	int r;

	if (!set)
		return -ENOMEM;
	atomic_init(&set->refs, 1);
	r = store_allowlist_generation(store, &set->generation);
	if (r == 0)
		r = store_allowlists(store, take_list, &loading);
	if (r == 0)
		r = make_indexes(&loading);
	if (r == 0)
		r = store_allowlist_generation(store, &after);
	if (r != 0)
		return r;
	/* Read while somebody else changed the database: it may be half of one, half of another. */
	if (after != set->generation)
		return STORE_E_NOTFOUND;
	for (size_t i = 0; i < set->n; i++)
		set->lists[i].settled = true;
	*ret_allowlists = TAKE_PTR(set);
	return 0;
}

int allowlists_load(struct store *store, const char *state_dir, struct allowlists *before,
        struct allowlists **ret_allowlists)
{
	int r = STORE_E_NOTFOUND;

	for (unsigned int try = 0; try < LOAD_TRIES && r == STORE_E_NOTFOUND; try++)
		r = load_once(store, state_dir, before, ret_allowlists);
	return r == STORE_E_NOTFOUND ? STORE_E_BUSY : r;
}

/*
 * Asking.
 */
int64_t allowlists_clock_see(struct allowlists_clock *clock, int64_t now_ns)
{
	int64_t latest_ns = atomic_load_explicit(&clock->latest_ns, memory_order_relaxed);

	while (latest_ns < now_ns &&
	        !atomic_compare_exchange_weak_explicit(&clock->latest_ns, &latest_ns, now_ns,
	                memory_order_relaxed, memory_order_relaxed))
		;
	return latest_ns > now_ns ? latest_ns : now_ns;
}

void allowlists_clock_stored(struct allowlists_clock *clock, int64_t stored_ns)
{
	if (atomic_exchange(&clock->stored_ns, stored_ns) > stored_ns)
		atomic_store(&clock->latest_ns, stored_ns);
	else
		(void)allowlists_clock_see(clock, stored_ns);
}

enum allowlist_reason allowlists_state(
        const struct allowlist_info *info, const struct allowlists_terms *terms)
{
	struct allowlist_limits limits = terms->limits;

	if (!terms->trust)
		return ALLOWLIST_NO_KEYS;
	limits.floor_version = trust_floor(terms->trust, info->statement.series);
	return allowlist_in_force(info, terms->trust, terms->threshold, &limits);
}

int64_t allowlists_until(const struct allowlist_info *info, const struct allowlists_terms *terms)
{
	struct allowlist_limits limits = terms->limits;

	if (!terms->trust)
		return INT64_MAX;
	limits.floor_version = trust_floor(terms->trust, info->statement.series);
	return allowlist_in_force_until(info, terms->trust, terms->threshold, &limits);
}

/* What each way to bind asks for, made when the first list wants it. */
struct keys {
	struct digest of[_STATEMENT_BIND_MAX];
	bool has[_STATEMENT_BIND_MAX];
};

/* BASELINE_FAILED when there is none: a path that is not known is no path that is listed. */
static enum baseline_answer ask_list(
        const struct list *list, const struct exec_facts *facts, struct keys *keys)
{
	enum statement_bind bind = list->info.statement.bind;

	if (bind <= STATEMENT_BIND_UNSET || bind >= _STATEMENT_BIND_MAX)
		return BASELINE_FAILED;
	if (bind == STATEMENT_BIND_PATH &&
	        (!facts->path || strlen(facts->path) > STATEMENT_TEXT_MAX))
		return BASELINE_UNKNOWN;
	if (!keys->has[bind]) {
		if (allowlist_key(bind, &facts->digest, facts->path, &keys->of[bind]) < 0)
			return BASELINE_FAILED;
		keys->has[bind] = true;
	}
	return baseline_index_ask(list->index, &keys->of[bind]);
}

/* One whose word holds for the content under any name, then one that holds for longer. */
static bool is_better(const struct allowlists_voucher *a, const struct allowlists_voucher *b)
{
	if (!b->info || a->by_path != b->by_path)
		return !b->info || !a->by_path;
	return a->until_ns > b->until_ns;
}

enum baseline_answer allowlists_ask(const struct allowlists *a,
        const struct allowlists_terms *terms, const struct exec_facts *facts,
        struct allowlists_voucher *ret_voucher)
{
	struct allowlists_voucher best = {0};
	struct keys keys = {0};
	bool failed = false;

	for (size_t i = 0; a && facts->has_digest && i < a->n; i++) {
		const struct list *list = &a->lists[i];
		struct allowlists_voucher found = {.info = &list->info,
		        .by_path = list->info.statement.bind == STATEMENT_BIND_PATH};
		enum baseline_answer answer;

		if (!allowlist_scope_holds(&list->info, facts, terms->labels, terms->n_labels) ||
		        allowlists_state(&list->info, terms) != ALLOWLIST_ACCEPTED)
			continue;
		answer = ask_list(list, facts, &keys);
		failed = failed || (answer != BASELINE_KNOWN && answer != BASELINE_UNKNOWN);
		if (answer != BASELINE_KNOWN)
			continue;
		found.until_ns = allowlists_until(&list->info, terms);
		if (is_better(&found, &best))
			best = found;
	}
	if (!best.info)
		return failed ? BASELINE_FAILED : BASELINE_UNKNOWN;
	*ret_voucher = best;
	return BASELINE_KNOWN;
}

bool allowlists_names(const struct allowlists *a, size_t i, const struct exec_facts *facts)
{
	struct keys keys = {0};

	return facts->has_digest && ask_list(&a->lists[i], facts, &keys) == BASELINE_KNOWN;
}

size_t allowlists_count(const struct allowlists *a)
{
	return a ? a->n : 0;
}

const struct allowlist_info *allowlists_get(const struct allowlists *a, size_t i)
{
	return &a->lists[i].info;
}

int64_t allowlists_generation(const struct allowlists *a)
{
	return a ? a->generation : 0;
}

size_t allowlists_shared(const struct allowlists *a)
{
	return a ? a->shared : 0;
}
