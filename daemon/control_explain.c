/*
 * "Why did it not run, and what would let it?": everything on record about one program.
 */
#include "base/clock.h"
#include "base/cleanup.h"
#include "core/alert.h"
#include "daemon/control_json.h"
#include "daemon/control_requests.h"

#include <errno.h>
#include <string.h>

#define EXPLAIN_ROWS     20u /* newest drops and events shown */
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
	const struct digest *digest; /* NULL: a path without one */
	json_t *paths, *grants, *drops, *events, *vouchers;
	const char *image;
	char *origin, *copy_of, *container_image;
};

static void explain_done(struct explain *x)
{
	free(x->origin);
	free(x->copy_of);
	free(x->container_image);
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

static int explain_drop(const struct store_drop_row *row, void *userdata)
{
	struct explain *x = userdata;

	add_path(x, row->path);
	json_array_append_new(x->drops, control_drop_json(row));
	return 0;
}

static void replace(char **text, const char *value)
{
	free(*text);
	*text = value ? strdup(value) : NULL;
}

static int explain_event(const struct store_event_row *row, void *userdata)
{
	struct explain *x = userdata;
	json_t *alert = json_loads(row->alert, JSON_REJECT_DUPLICATES, NULL);
	json_t *fields = json_object_get(alert, "output_fields");

	add_path(x, row->path);
	replace(&x->origin, origin_name(row->origin));
	replace(&x->copy_of, json_string_value(json_object_get(fields, "execward.copy_of")));
	replace(&x->container_image, row->image);
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

/* What a verdict on it would be now, in the image asked for or the one it was last seen in. */
static json_t *would(struct control_reply *reply, struct explain *x)
{
	struct ruling *ruling = engine_ruling(reply->engine);
	int64_t now_ns = clock_realtime_ns();
	const char *path = json_string_value(json_array_get(x->paths, 0));
	struct exec_facts facts = {
	        .origin = x->origin ? origin_from_name(x->origin) : ORIGIN_DROPPED,
	        .has_digest = x->digest != NULL,
	        .path = (char *)(uintptr_t)path,
	        .copy_of = x->copy_of,
	        .has_container = true,
	        .container = {.image = (char *)(uintptr_t)(x->image ?: x->container_image),
	                .key = (char *)(uintptr_t) ""},
	        .process = {.uid = -1},
	};
	struct policy_input input = {.facts = &facts, .now_ns = now_ns};
	struct policy_decision decision = {0};
	json_t *object;

	if (x->digest) {
		facts.digest = *x->digest;
		input.vouches = ruling_vouches(ruling, x->digest, &facts.container, now_ns);
		add_vouchers(x, input.vouches);
	}
	ruling_decide(ruling, &input, &decision);
	object = json_pack("{s:s, s:s, s:s}", "verdict", verdict_name(decision.verdict), "reason",
	        reason_name(decision.reason), "mode", mode_name(decision.mode));
	if (decision.rule && object) {
		json_object_set_new(object, "rule_reason", utf8_json(decision.rule->reason));
		json_object_set_new(object, "rule_line", json_integer(decision.rule->line));
	}
	ruling_unref(ruling);
	return object;
}

static int collect(
        struct control_reply *reply, const struct store_event_query *query, struct explain *x)
{
	int r = store_drops(reply->store, query, explain_drop, x);

	if (r == 0)
		r = store_events(reply->store, query, explain_event, x);
	return r == 0 ? store_grants(reply->store, explain_grant, x) : r;
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
	        .paths = json_array(),
	        .grants = json_array(),
	        .drops = json_array(),
	        .events = json_array(),
	        .vouchers = json_array(),
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
	return r;
}
