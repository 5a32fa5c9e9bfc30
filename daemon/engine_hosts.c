#include "daemon/engine_hosts.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "core/alert.h"
#include "daemon/engine_internal.h"
#include "daemon/log.h"
#include "daemon/preflight.h"
#include "daemon/trusted.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LOGGED_MAX 20u /* unknown programs in one log; status has more */

/* What the last proof of a path has found. */
struct proof {
	char *path;
	char *why; /* it is not enforced; NULL when it may be, or when nobody asked */
	struct preflight_report report;
};

struct engine_hosts {
	struct hostfs_table *table;
	pthread_mutex_t proving; /* one at a time; before lock */
	pthread_mutex_t lock;
	struct proof *proofs;
	size_t n;
};

void engine_hosts_free(struct engine_hosts *h)
{
	if (!h)
		return;
	for (size_t i = 0; h->proofs && i < h->n; i++) {
		free(h->proofs[i].path);
		free(h->proofs[i].why);
		preflight_report_done(&h->proofs[i].report);
	}
	free(h->proofs);
	hostfs_table_free(h->table);
	pthread_mutex_destroy(&h->lock);
	pthread_mutex_destroy(&h->proving);
	free(h);
}

int engine_hosts_new(const struct config *config, struct engine_hosts **ret_hosts)
{
	struct engine_hosts *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	pthread_mutex_init(&h->proving, NULL);
	pthread_mutex_init(&h->lock, NULL);
	h->proofs = calloc(config->n_paths + 1, sizeof(h->proofs[0]));
	r = h->proofs ? hostfs_table_new(config, &h->table) : -ENOMEM;
	for (size_t i = 0; r == 0 && i < config->n_paths; i++) {
		h->proofs[h->n].path = strdup(config->paths[i].path);
		r = h->proofs[h->n++].path ? 0 : -ENOMEM;
	}
	if (r < 0) {
		engine_hosts_free(h);
		return r;
	}
	*ret_hosts = h;
	return 0;
}

struct hostfs_table *engine_hosts_table(struct engine_hosts *h)
{
	return h->table;
}

/*
 * Proofs.
 */
struct knowing {
	const struct ruling *ruling;
	struct trusted *trusted;
	const struct hostfs *fs;
};

/* Whatever would let it run in mode enforce: its digest, or a rule. */
static bool knows(const char *path, const struct digest *digest, void *userdata)
{
	const struct knowing *k = userdata;
	struct exec_facts facts = {
	        .origin = ORIGIN_HOST,
	        .path = (char *)(uintptr_t)path,
	        .filesystem = *k->fs->uuid ? (char *)(uintptr_t)k->fs->uuid : NULL,
	        .guard_mode = MODE_ENFORCE,
	        .has_digest = true,
	        .digest = *digest,
	        .process = {.uid = -1},
	};
	struct policy_input input = {.facts = &facts, .now_ns = clock_realtime_ns()};
	struct policy_decision decision = {0};

	input.vouches = ruling_vouches(k->ruling, &facts, input.now_ns);
	input.vouches |= trusted_bits(k->trusted, &facts);
	ruling_decide(k->ruling, &input, &decision);
	return decision.verdict == VERDICT_ALLOW;
}

__attribute__((format(printf, 1, 2))) static char *format(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = strdup("out of memory");
	va_end(args);
	return text;
}

/* Why @fs cannot be enforced before anything of it is looked at; NULL when it may be tried. */
static char *refuse_early(const struct hostfs *fs, const struct ruling *ruling)
{
	if (!*fs->uuid)
		return format("the filesystem (%s) has no UUID, by which a baseline would be bound",
		        fs->fstype);
	if (!baselines_have_filesystem(ruling_baselines(ruling), fs->uuid))
		return format("there is no baseline of it: execward snapshot create --host %s, "
		              "then execward reload",
		        fs->path);
	return NULL;
}

static char *refuse_late(const struct preflight_report *report)
{
	if (report->unknown > 0)
		return format("%zu of %zu programs that run, or that units, cron or a login start, "
		              "are not known: `execward status --json` lists them; put them into "
		              "the baseline or approve them, then execward reload",
		        report->unknown, report->checked);
	if (!report->complete)
		return format("not everything that may be started could be looked at: there is "
		              "too much of it");
	return NULL;
}

static char *prove(const struct hostfs *fs, const struct ruling *ruling, struct trusted *trusted,
        struct preflight_report *ret_report)
{
	struct knowing knowing = {ruling, trusted, fs};
	const struct preflight_query query = {
	        .path = fs->path, .dev = fs->dev, .knows = knows, .userdata = &knowing};
	char *why = refuse_early(fs, ruling);
	int r;

	*ret_report = (struct preflight_report){0};
	if (why)
		return why;
	r = preflight_run(&query, ret_report);
	return r < 0 ? format("it could not be looked at: %s", strerror(-r))
	             : refuse_late(ret_report);
}

static void log_proof(const struct hostfs *fs, const struct proof *proof)
{
	const struct preflight_report *report = &proof->report;

	if (!proof->why) {
		log_notice("guard.paths: %s: enforced; %zu programs were looked at, all are known",
		        fs->path, report->checked);
		return;
	}
	log_error("guard.paths: %s: NOT ENFORCED, only reported: %s", fs->path, proof->why);
	for (size_t i = 0; i < report->n_items && i < LOGGED_MAX; i++) {
		_cleanup_free_ char *path = text_for_terminal(report->items[i].path);
		_cleanup_free_ char *why = text_for_terminal(report->items[i].why);

		log_error("  not known: %s, %s%s%s", path ?: "?", why ?: "?",
		        report->items[i].fault ? ": " : "", report->items[i].fault ?: "");
	}
	if (report->unknown > LOGGED_MAX)
		log_error("  and %zu more", report->unknown - LOGGED_MAX);
}

static void store_proof(
        struct engine_hosts *h, struct hostfs *fs, char *why, struct preflight_report *report)
{
	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < h->n; i++) {
		struct proof *proof = &h->proofs[i];

		if (strcmp(proof->path, fs->path) != 0)
			continue;
		free(proof->why);
		preflight_report_done(&proof->report);
		proof->why = why;
		proof->report = *report;
		log_proof(fs, proof);
		fs->cleared = !why;
		pthread_mutex_unlock(&h->lock);
		return;
	}
	pthread_mutex_unlock(&h->lock);
	free(why);
	preflight_report_done(report);
}

struct each {
	struct ruling *ruling;
	struct hostfs *found[CONFIG_LIST_MAX]; /* references */
	size_t n;
};

/* Of several paths on one filesystem the first speaks. */
static void collect(const struct hostfs_row *row, void *userdata)
{
	struct each *each = userdata;

	if (row->fs && !strcmp(row->fs->path, row->path) && each->n < CONFIG_LIST_MAX)
		each->found[each->n++] = hostfs_ref(row->fs);
}

/* Calls @fn without a lock. */
static void for_each(struct engine *e,
        void (*fn)(const struct ruling *ruling, struct hostfs *fs, void *userdata), void *userdata)
{
	struct each *each = calloc(1, sizeof(*each));

	if (!each)
		return;
	each->ruling = rulings_get(e->rulings);
	hostfs_each(e->hosts->table, collect, each);
	for (size_t i = 0; i < each->n; i++) {
		fn(each->ruling, each->found[i], userdata);
		hostfs_unref(each->found[i]);
	}
	ruling_unref(each->ruling);
	free(each);
}

static void prove_one(const struct ruling *ruling, struct hostfs *fs, void *userdata)
{
	struct engine *e = userdata;
	struct preflight_report *report;
	char *why;

	if (fs->cleared || hostfs_wanted(fs, ruling, clock_realtime_ns()) != MODE_ENFORCE)
		return;
	report = calloc(1, sizeof(*report));
	if (!report)
		return; /* not cleared: nothing is denied */
	why = prove(fs, ruling, e->trusted, report);
	store_proof(e->hosts, fs, why, report);
	free(report);
}

static void doubt_one(const struct ruling *ruling, struct hostfs *fs, void *userdata)
{
	(void)userdata;
	if (hostfs_mode(fs, ruling, clock_realtime_ns()) != MODE_ENFORCE)
		fs->cleared = false;
}

static void advise_one(const struct ruling *ruling, struct hostfs *fs, void *userdata)
{
	(void)userdata;
	if (*fs->uuid && !baselines_have_filesystem(ruling_baselines(ruling), fs->uuid))
		log_notice("guard.paths: %s has no baseline yet: what runs from it is only "
		           "reported. To record what may run, then enforce it:\n"
		           "  execward snapshot create --host %s\n"
		           "  execward mode enforce",
		        fs->path, fs->path);
}

void engine_hosts_look(struct engine *e)
{
	/* The first scans come before the guard, and before the first mark. */
	if (e->guard && guard_hosts(e->guard))
		held_sweep(e->held);
}

void engine_hosts_start(struct engine *e)
{
	for_each(e, advise_one, NULL);
	pthread_mutex_lock(&e->hosts->proving);
	for_each(e, prove_one, e);
	pthread_mutex_unlock(&e->hosts->proving);
}

void engine_hosts_before(struct engine *e)
{
	for_each(e, doubt_one, NULL);
}

void engine_hosts_after(struct engine *e, const struct config *config)
{
	pthread_mutex_lock(&e->hosts->proving);
	if (config)
		hostfs_configure(e->hosts->table, config);
	for_each(e, prove_one, e);
	pthread_mutex_unlock(&e->hosts->proving);
}

static void keep_one(const struct ruling *ruling, struct hostfs *fs, void *userdata)
{
	(void)ruling;
	if (!fs->cleared || baselines_have_filesystem(userdata, fs->uuid))
		return;
	fs->cleared = false;
	log_error("guard.paths: %s: NOT ENFORCED any more, only reported: its baseline is gone: "
	          "execward snapshot create --host %s, then execward reload",
	        fs->path, fs->path);
}

void engine_hosts_keep(struct engine *e, struct baselines *baselines)
{
	for_each(e, keep_one, baselines);
}

/*
 * What is said.
 */
static json_t *text(const char *value)
{
	_cleanup_free_ char *utf8 = text_to_utf8(value);

	return utf8 ? json_string(utf8) : json_null();
}

static json_t *items_json(const struct preflight_report *report)
{
	json_t *array = json_array();

	for (size_t i = 0; i < report->n_items; i++) {
		const struct preflight_item *item = &report->items[i];
		char hex[DIGEST_HEX_SIZE];

		digest_to_hex(&item->digest, hex);
		json_array_append_new(array,
		        json_pack("{s:o, s:o, s:o, s:o}", "path", text(item->path), "why",
		                text(item->why), "sha256", item->fault ? json_null() : text(hex),
		                "fault", text(item->fault)));
	}
	return array;
}

struct telling {
	struct engine *engine;
	struct ruling *ruling;
	json_t *array;
	bool refused_only;
};

static const struct proof *proof_of(const struct engine_hosts *h, const char *path)
{
	for (size_t i = 0; path && i < h->n; i++)
		if (!strcmp(h->proofs[i].path, path))
			return &h->proofs[i];
	return NULL;
}

static void tell_row(const struct hostfs_row *row, void *userdata)
{
	static const struct preflight_report none;
	const struct telling *t = userdata;
	const struct hostfs *fs = row->fs;
	const struct proof *proof = proof_of(t->engine->hosts, fs ? fs->path : NULL);
	int64_t now_ns = clock_realtime_ns();
	enum mode wanted = fs ? hostfs_wanted(fs, t->ruling, now_ns) : MODE_UNSET;
	bool enforced = fs && hostfs_mode(fs, t->ruling, now_ns) == MODE_ENFORCE;
	bool refused = wanted == MODE_ENFORCE && !enforced;
	bool proved = proof && (refused || enforced);
	bool baseline =
	        fs && *fs->uuid && baselines_have_filesystem(ruling_baselines(t->ruling), fs->uuid);
	const struct preflight_report *report = proved ? &proof->report : &none;
	const char *why = row->why;
	json_t *object;

	if (t->refused_only && fs && !refused)
		return;
	if (!why && refused)
		why = proof && proof->why ? proof->why
		      : baseline          ? "it has not been looked at since: execward reload"
		                          : "there is no baseline of it: execward snapshot create "
		                            "--host, then execward reload";
	object = json_pack("{s:o, s:o, s:o, s:s, s:b, s:b, s:o, s:o}", "path", text(row->path),
	        "filesystem", text(fs && *fs->uuid ? fs->uuid : NULL), "fs",
	        text(fs ? fs->fstype : NULL), "mode",
	        fs ? mode_name(hostfs_mode(fs, t->ruling, now_ns)) : "unguarded", "enforced",
	        enforced, "baseline", baseline, "why", text(why), "unknown", items_json(report));
	json_object_set_new(object, "wanted", fs ? json_string(mode_name(wanted)) : json_null());
	json_object_set_new(object, "checked", json_integer((json_int_t)report->checked));
	json_object_set_new(object, "unknown_total", json_integer((json_int_t)report->unknown));
	json_array_append_new(t->array, object);
}

static json_t *tell(struct engine *e, bool refused_only)
{
	struct telling telling = {e, rulings_get(e->rulings), json_array(), refused_only};

	pthread_mutex_lock(&e->hosts->lock);
	hostfs_each(e->hosts->table, tell_row, &telling);
	pthread_mutex_unlock(&e->hosts->lock);
	ruling_unref(telling.ruling);
	return telling.array;
}

json_t *engine_hosts_json(struct engine *e)
{
	return tell(e, false);
}

json_t *engine_hosts_refused(struct engine *e)
{
	return tell(e, true);
}
