/*
 * "Why did it not run, and what would let it?": everything on record about one program.
 */
#include "base/clock.h"
#include "base/cleanup.h"
#include "core/alert.h"
#include "daemon/control_json.h"
#include "daemon/control_requests.h"
#include "daemon/control_signature.h"
#include "daemon/engine_lists.h"
#include "daemon/trusted.h"
#include "snapshot/filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define EXPLAIN_ROWS     20u /* newest drops and events shown, and entries of snapshots */
#define FLUSH_TIMEOUT_MS 2000u

static const char *field_text(json_t *request, const char *name)
{
	return json_string_value(json_object_get(request, name));
}

/* The digests on record for a path: one, or several. */
struct digests {
	struct digest first;
	bool known, several;
};

static void note(struct digests *d, bool known, const struct digest *digest)
{
	if (!known)
		return;
	if (!d->known)
		d->first = *digest;
	else if (!digest_equal(&d->first, digest))
		d->several = true;
	d->known = true;
}

static int note_drop(const struct store_drop_row *row, void *userdata)
{
	note(userdata, row->has_digest, &row->digest);
	return 0;
}

static int note_event(const struct store_event_row *row, void *userdata)
{
	note(userdata, row->has_digest, &row->digest);
	return 0;
}

static int digests_of_path(struct control_reply *reply, json_t *request, struct digests *ret)
{
	struct store_event_query query = {
	        .path = field_text(request, "path"),
	        .container = field_text(request, "container"),
	};
	int r;

	memset(ret, 0, sizeof(*ret));
	engine_settle(reply->engine, FLUSH_TIMEOUT_MS);
	r = store_drops(reply->store, &query, note_drop, ret);
	return r == 0 ? store_events(reply->store, &query, note_event, ret) : r;
}

int control_target(struct control_reply *reply, json_t *request, struct digest *ret_digest,
        const char **ret_path)
{
	const char *sha256 = field_text(request, "sha256"), *path = field_text(request, "path");
	struct digests digests;

	*ret_path = path;
	if (sha256) {
		if (digest_from_hex(sha256, ret_digest) == 0)
			return 0;
		(void)control_fail(reply, "bad_request", "sha256: must be 64 hexadecimal digits");
		return 1;
	}
	if (!path) {
		(void)control_fail(reply, "bad_request", "sha256 or path: say which program");
		return 1;
	}
	if (digests_of_path(reply, request, &digests) != 0)
		(void)control_fail(reply, "internal", "the database could not be read");
	else if (!digests.known)
		(void)control_fail(reply, "not_found",
		        "%s: no digest of it is on record; give the SHA-256", path);
	else if (digests.several)
		(void)control_fail(reply, "ambiguous",
		        "%s: several programs of that path are on record; give the SHA-256, or the "
		        "container",
		        path);
	else {
		*ret_digest = digests.first;
		return 0;
	}
	return 1;
}

/*
 * Explain.
 */
struct explain {
	const json_t *request;
	const struct digest *digest; /* NULL: a path without one */
	json_t *paths, *grants, *drops, *events, *vouchers, *baselines, *allowlists;
	const char *image; /* asked for; NULL: where it was seen last */
	char *origin, *copy_of, *filesystem;
	struct container_info container; /* where it was seen last */
	struct exec_facts facts;         /* of its next exec; borrows all */
};

static void explain_done(struct explain *x)
{
	free(x->origin);
	free(x->copy_of);
	free(x->filesystem);
	container_info_done(&x->container);
}

static json_t *utf8_json(const char *text)
{
	_cleanup_free_ char *utf8 = text_to_utf8(text);

	return utf8 ? json_string(utf8) : json_null();
}

static void add_path(struct explain *x, const char *path)
{
	json_t *text = utf8_json(path);
	size_t i;
	json_t *value;

	json_array_foreach(x->paths, i, value)
	{
		if (json_equal(value, text)) {
			json_decref(text);
			return;
		}
	}
	json_array_append_new(x->paths, text);
}

static void replace(char **text, const char *value)
{
	free(*text);
	*text = value ? strdup(value) : NULL;
}

static int explain_drop(const struct store_drop_row *row, void *userdata)
{
	struct explain *x = userdata;

	add_path(x, row->path);
	replace(&x->container.image, row->image);
	replace(&x->container.key, row->container_key);
	json_array_append_new(x->drops, control_drop_json(row));
	return 0;
}

static int explain_event(const struct store_event_row *row, void *userdata)
{
	struct explain *x = userdata;
	json_t *alert = json_loads(row->alert, JSON_REJECT_DUPLICATES, NULL);
	json_t *fields = json_object_get(alert, "output_fields");

	add_path(x, row->path);
	replace(&x->origin, origin_name(row->origin));
	replace(&x->copy_of, json_string_value(json_object_get(fields, "execward.copy_of")));
	replace(&x->container.image, row->image);
	replace(&x->container.key,
	        json_string_value(json_object_get(fields, "execward.container_key")));
	if (alert)
		json_array_append_new(x->events, alert);
	return 0;
}

static int explain_grant(const struct grant *grant, void *userdata)
{
	struct explain *x = userdata;

	if (x->digest && digest_equal(&grant->digest, x->digest))
		json_array_append_new(x->grants, control_grant_json(grant));
	return 0;
}

static void add_vouchers(struct explain *x, unsigned int vouches)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} names[] = {
	        {VOUCH_DENYLISTED, "denylist"},
	        {VOUCH_APPROVED, "approved"},
	        {VOUCH_LEARNED, "learned"},
	        {VOUCH_BASELINE, "baseline"},
	        {VOUCH_ALLOWLISTED, "allowlist"},
	        {VOUCH_SIGNED, "security.ima"},
	        {VOUCH_TRUSTED_WRITER, "trusted_writer"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (vouches & names[i].bit)
			json_array_append_new(x->vouchers, json_string(names[i].name));
}

/* Of a file that was executed there: a guarded filesystem is a disk of ours, and answers. */
static char *filesystem_of(const char *path)
{
	_cleanup_close_ int fd = path ? open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
	char uuid[FILESYSTEM_UUID_SIZE];

	return fd >= 0 && filesystem_uuid(fd, uuid) == 0 ? strdup(uuid) : NULL;
}

/* What its next exec would be like, in the image asked for or where it was seen last. */
static void set_facts(struct control_reply *reply, struct explain *x)
{
	struct container_info now;

	x->facts = (struct exec_facts){
	        .origin = x->origin ? origin_from_name(x->origin) : ORIGIN_DROPPED,
	        .has_digest = x->digest != NULL,
	        .path = (char *)(uintptr_t)json_string_value(json_array_get(x->paths, 0)),
	        .copy_of = x->copy_of,
	        .process = {.uid = -1},
	};
	if (x->digest)
		x->facts.digest = *x->digest;
	if (x->facts.origin == ORIGIN_HOST) {
		x->filesystem = filesystem_of(x->facts.path);
		x->facts.filesystem = x->filesystem;
		return;
	}
	/* The image's id, which baselines are bound by, is on record nowhere else. */
	if (!x->image && x->container.key &&
	        engine_container(reply->engine, x->container.key, &now) == 0) {
		container_info_done(&x->container);
		x->container = now;
	}
	x->facts.has_container = true;
	x->facts.container = (struct container_info){
	        .image = x->image ? (char *)(uintptr_t)x->image : x->container.image,
	        .image_id = x->image ? NULL : x->container.image_id,
	        .key = x->image || !x->container.key ? (char *)(uintptr_t) "" : x->container.key,
	};
}

/* Who wrote it, and when, where that is what vouches. */
static void add_writer(struct trusted *trusted, const struct explain *x, json_t *object)
{
	const struct trusted_scope scope = trusted_scope_of(&x->facts);
	struct trusted_answer answer = {0};

	if (!object || !x->facts.has_digest ||
	        !trusted_vouches(trusted, &x->facts.digest, &scope, &answer))
		return;
	json_object_set_new(object, "trusted_writer",
	        json_pack("{s:o, s:I, s:I}", "exe", utf8_json(answer.writer), "time_ns",
	                (json_int_t)answer.time_ns, "expires_ns", (json_int_t)answer.expires_ns));
	free(answer.writer);
}

/* The lists that have it, whether they vouch for this one or not. */
static void add_lists(struct explain *x, const struct ruling *ruling, int64_t now_ns)
{
	const struct allowlists *lists = ruling_allowlists(ruling);
	struct allowlists_terms terms;

	ruling_terms(ruling, now_ns, &terms);
	for (size_t i = 0; i < allowlists_count(lists); i++) {
		const struct allowlist_info *info = allowlists_get(lists, i);
		json_t *row;

		if (!allowlists_names(lists, i, &x->facts))
			continue;
		row = engine_lists_row(info, &terms);
		if (row)
			json_object_set_new(row, "in_scope",
			        json_boolean(allowlist_scope_holds(
			                info, &x->facts, terms.labels, terms.n_labels)));
		json_array_append_new(x->allowlists, row);
	}
}

/* What a verdict on it would be now. */
static json_t *would(struct control_reply *reply, struct explain *x)
{
	struct ruling *ruling = engine_ruling(reply->engine);
	struct policy_input input = {.facts = &x->facts, .now_ns = clock_realtime_ns()};
	struct policy_decision decision = {0};
	json_t *object;

	add_lists(x, ruling, input.now_ns);
	input.vouches = ruling_vouches(ruling, &x->facts, input.now_ns);
	input.vouches |= trusted_bits(engine_trusted(reply->engine), &x->facts);
	input.vouches |= control_signature_vouches(x->request, ruling, &x->facts);
	add_vouchers(x, input.vouches);
	ruling_decide(ruling, &input, &decision);
	object = json_pack("{s:s, s:s, s:s}", "verdict", verdict_name(decision.verdict), "reason",
	        reason_name(decision.reason), "mode", mode_name(decision.mode));
	add_writer(engine_trusted(reply->engine), x, object);
	if (decision.rule && object) {
		json_object_set_new(object, "rule_reason", utf8_json(decision.rule->reason));
		json_object_set_new(object, "rule_line", json_integer(decision.rule->line));
	}
	ruling_unref(ruling);
	return object;
}

/* A snapshot that has the digest, whether it vouches for this one or only elsewhere. */
static int explain_baseline(
        const struct snapshot_info *info, const struct entry *entry, void *userdata)
{
	struct explain *x = userdata;
	json_t *row = json_pack("{s:I, s:s, s:o, s:s, s:o, s:o, s:o, s:I, s:b}", "snapshot",
	        (json_int_t)info->id, "kind", snapshot_kind_name(info->kind), "name",
	        utf8_json(info->name), "scope", snapshot_scope_name(info->scope), "scope_value",
	        utf8_json(info->scope_value), "image_id", utf8_json(info->image_id), "path",
	        utf8_json(entry->path), "created_ns", (json_int_t)info->created_ns, "in_scope",
	        baselines_scope_holds(info, &x->facts));

	return json_array_append_new(x->baselines, row) < 0 ? -ENOMEM : 0;
}

static int collect(
        struct control_reply *reply, const struct store_event_query *query, struct explain *x)
{
	int r = store_drops(reply->store, query, explain_drop, x);

	if (r == 0)
		r = store_events(reply->store, query, explain_event, x);
	if (r == 0)
		r = store_grants(reply->store, explain_grant, x);
	set_facts(reply, x);
	if (r == 0 && x->digest)
		r = store_digest_where(reply->store, x->digest, EXPLAIN_ROWS, explain_baseline, x);
	return r;
}

static bool is_revoked(struct control_reply *reply, const struct explain *x)
{
	struct ruling *ruling = engine_ruling(reply->engine);
	bool revoked = x->digest && believed_revoked(ruling_believed(ruling), x->digest);

	ruling_unref(ruling);
	return revoked;
}

static int send_explain(struct control_reply *reply, const char *target, struct explain *x)
{
	char hex[DIGEST_HEX_SIZE] = "";
	json_t *verdict = would(reply, x);
	json_t *explain = json_pack("{s:o, s:o, s:o, s:o, s:O, s:O, s:O, s:O, s:O}", "target",
	        utf8_json(target), "origin", utf8_json(x->origin), "copy_of", utf8_json(x->copy_of),
	        "would", verdict, "paths", x->paths, "grants", x->grants, "drops", x->drops,
	        "events", x->events, "vouchers", x->vouchers);

	if (x->digest)
		digest_to_hex(x->digest, hex);
	if (explain)
		json_object_set(explain, "baselines", x->baselines);
	if (explain)
		json_object_set(explain, "allowlists", x->allowlists);
	if (explain)
		json_object_set_new(explain, "revoked", json_boolean(is_revoked(reply, x)));
	if (explain)
		json_object_set_new(explain, "sha256", x->digest ? json_string(hex) : json_null());
	return control_send(
	        reply, explain ? json_pack("{s:b, s:o}", "ok", 1, "explain", explain) : NULL);
}

static int event_digest(const struct store_event_row *row, void *userdata)
{
	struct digests *d = userdata;

	d->several = true; /* found */
	d->known = row->has_digest;
	d->first = row->digest;
	return 0;
}

/* Narrows the query to what the request is about. 0, or 1 after a failure was sent. */
static int explain_query(struct control_reply *reply, json_t *request,
        struct store_event_query *query, struct digest *digest)
{
	const char *event_id = field_text(request, "event_id"), *path;
	struct digests digests = {0};
	int r;

	*query = (struct store_event_query){
	        .container = field_text(request, "container"), .limit = EXPLAIN_ROWS};
	if (!event_id) {
		if (control_target(reply, request, digest, &path) != 0)
			return 1;
		query->digest = digest;
		return 0;
	}
	query->uid = event_id;
	r = store_events(reply->store, query, event_digest, &digests);
	if (r != 0 || !digests.several) {
		(void)control_fail(
		        reply, r ? "internal" : "not_found", "%s: no such event", event_id);
		return 1;
	}
	if (digests.known) {
		*digest = digests.first;
		query->digest = digest;
		query->uid = NULL;
	}
	return 0;
}

int control_explain(struct control_reply *reply, json_t *request)
{
	_cleanup_(explain_done) struct explain x = {
	        .request = request,
	        .paths = json_array(),
	        .grants = json_array(),
	        .drops = json_array(),
	        .events = json_array(),
	        .vouchers = json_array(),
	        .baselines = json_array(),
	        .allowlists = json_array(),
	        .image = field_text(request, "image"),
	};
	const char *target = field_text(request, "event_id") ?: field_text(request, "sha256");
	struct store_event_query query;
	struct digest digest;
	int r;

	engine_settle(reply->engine, FLUSH_TIMEOUT_MS);
	r = explain_query(reply, request, &query, &digest);
	if (r == 0) {
		x.digest = query.digest;
		r = collect(reply, &query, &x);
		r = r == 0 ? send_explain(reply, target ?: field_text(request, "path"), &x)
		           : control_fail(reply, "internal", "the database could not be read");
	} else {
		r = 0;
	}
	json_decref(x.paths);
	json_decref(x.grants);
	json_decref(x.drops);
	json_decref(x.events);
	json_decref(x.vouchers);
	json_decref(x.baselines);
	json_decref(x.allowlists);
	return r;
}
