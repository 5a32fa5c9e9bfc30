/*
 * A request is a flat object: names, numbers, words. Every answer ends with an object that has
 * "ok".
 */
#include "daemon/control_requests.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "core/alert.h"
#include "daemon/control_json.h"
#include "daemon/engine_lists.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FLUSH_TIMEOUT_MS 2000u
#define LIMIT_MAX        100000

int control_send(struct control_reply *reply, json_t *object)
{
	_cleanup_free_ char *line = NULL;
	int r;

	if (!object)
		return -ENOMEM;
	line = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(object);
	if (!line)
		return -ENOMEM;
	r = reply->send(line, strlen(line), reply->userdata);
	return r;
}

int control_fail(struct control_reply *reply, const char *word, const char *format, ...)
{
	_cleanup_free_ char *message = NULL, *utf8 = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&message, format, args);
	va_end(args);
	if (n < 0) {
		message = NULL;
		return -ENOMEM;
	}
	utf8 = text_to_utf8(message);
	return control_send(reply, json_pack("{s:b, s:s, s:s}", "ok", 0, "error", word, "message",
	                                   utf8 ?: "out of memory"));
}

static const char *field_text(json_t *request, const char *name)
{
	return json_string_value(json_object_get(request, name));
}

static int64_t field_int(json_t *request, const char *name)
{
	return json_integer_value(json_object_get(request, name));
}

static bool field_true(json_t *request, const char *name)
{
	return json_is_true(json_object_get(request, name));
}

/* What was decided before the question is to be seen in the answer. */
static void flush_records(struct control_reply *reply)
{
	engine_settle(reply->engine, FLUSH_TIMEOUT_MS);
}

static int store_failure(struct control_reply *reply, int r)
{
	if (r == STORE_E_NOTFOUND)
		return control_fail(reply, "not_found", "nothing on record");
	if (r == STORE_E_FULL)
		return control_fail(reply, "internal", "the disk that holds the database is full");
	return control_fail(reply, "internal", "the database could not be used (%d)", r);
}

static int do_status(struct control_reply *reply, json_t *request)
{
	(void)request;
	return control_send(
	        reply, json_pack("{s:b, s:o}", "ok", 1, "status", engine_status(reply->engine)));
}

/*
 * Queries.
 */
struct query {
	struct store_event_query query;
	struct digest digest;
	struct control_reply *reply;
	json_int_t count;
};

static int read_query(struct control_reply *reply, json_t *request, struct query *ret)
{
	const char *sha256 = field_text(request, "sha256");
	int64_t limit = field_int(request, "limit");

	*ret = (struct query){.reply = reply};
	if (sha256 && digest_from_hex(sha256, &ret->digest) < 0)
		return -EINVAL;
	if (limit < 0 || limit > LIMIT_MAX)
		return -ERANGE;
	ret->query = (struct store_event_query){
	        .since_ns = field_int(request, "since_ns"),
	        .container = field_text(request, "container"),
	        .uid = field_text(request, "event_id"),
	        .path = field_text(request, "path"),
	        .digest = sha256 ? &ret->digest : NULL,
	        .limit = (uint32_t)limit,
	};
	return 0;
}

static int bad_query(struct control_reply *reply, int r)
{
	return control_fail(reply, "bad_request", "%s",
	        r == -ERANGE ? "limit: 0 to 100000" : "sha256: must be 64 hexadecimal digits");
}

static int send_event(const struct store_event_row *row, void *userdata)
{
	struct query *q = userdata;
	json_t *alert = json_loads(row->alert, JSON_REJECT_DUPLICATES, NULL);

	if (!alert)
		return STORE_E_CORRUPT;
	q->count++;
	return control_send(q->reply, json_pack("{s:o}", "event", alert));
}

static int do_events(struct control_reply *reply, json_t *request)
{
	struct query q;
	int r = read_query(reply, request, &q);

	if (r < 0)
		return bad_query(reply, r);
	flush_records(reply);
	r = store_events(reply->store, &q.query, send_event, &q);
	if (r != 0)
		return store_failure(reply, r);
	reply->follow = field_true(request, "follow");
	if (reply->follow)
		return 0;
	return control_send(reply, json_pack("{s:b, s:I}", "ok", 1, "count", q.count));
}

static json_t *utf8_json(const char *text)
{
	_cleanup_free_ char *utf8 = text_to_utf8(text);

	return utf8 ? json_string(utf8) : json_null();
}

static json_t *digest_json(bool known, const struct digest *digest)
{
	char hex[DIGEST_HEX_SIZE];

	if (!known)
		return json_null();
	digest_to_hex(digest, hex);
	return json_string(hex);
}

json_t *control_drop_json(const struct store_drop_row *row)
{
	json_t *writer = json_pack("{s:b, s:I, s:I, s:o, s:o}", "gone", row->writer.writer_gone,
	        "pid", (json_int_t)row->writer.pid, "uid", (json_int_t)row->writer.uid, "exe",
	        utf8_json(row->writer.exe), "cmdline", utf8_json(row->writer.cmdline));
	json_t *drop = json_pack("{s:I, s:o, s:o, s:o, s:o, s:o}", "id", (json_int_t)row->id,
	        "path", utf8_json(row->path), "host_path", utf8_json(row->host_path),
	        "container_id", utf8_json(row->container_id), "container_name",
	        utf8_json(row->container_name), "image", utf8_json(row->image));

	if (!drop || !writer) {
		json_decref(drop);
		json_decref(writer);
		return NULL;
	}
	json_object_set_new(drop, "kind", json_string(exec_kind_name(row->kind)));
	json_object_set_new(drop, "sha256", digest_json(row->has_digest, &row->digest));
	json_object_set_new(drop, "mutable", json_boolean(row->mutable_file));
	json_object_set_new(drop, "time_ns", json_integer(row->writer.time_ns));
	json_object_set_new(drop, "writer", writer);
	return drop;
}

static int send_drop(const struct store_drop_row *row, void *userdata)
{
	struct query *q = userdata;
	json_t *drop = control_drop_json(row);

	q->count++;
	return control_send(q->reply, drop ? json_pack("{s:o}", "drop", drop) : NULL);
}

static int do_drops(struct control_reply *reply, json_t *request)
{
	struct query q;
	int r = read_query(reply, request, &q);

	if (r < 0)
		return bad_query(reply, r);
	flush_records(reply);
	r = store_drops(reply->store, &q.query, send_drop, &q);
	if (r != 0)
		return store_failure(reply, r);
	return control_send(reply, json_pack("{s:b, s:I}", "ok", 1, "count", q.count));
}

/*
 * Grants.
 */
json_t *control_grant_json(const struct grant *grant)
{
	json_t *object = json_pack("{s:s, s:o, s:o, s:o, s:o}", "kind",
	        grant_kind_name(grant->kind), "sha256", digest_json(true, &grant->digest), "image",
	        utf8_json(grant->image ?: ""), "path", utf8_json(grant->path), "reason",
	        utf8_json(grant->reason));

	if (object) {
		json_object_set_new(object, "by_uid", json_integer(grant->by_uid));
		json_object_set_new(object, "created_ns", json_integer(grant->created_ns));
		json_object_set_new(object, "expires_ns", json_integer(grant->expires_ns));
	}
	return object;
}

static int append_grant(const struct grant *grant, void *userdata)
{
	return json_array_append_new(userdata, control_grant_json(grant)) < 0 ? -ENOMEM : 0;
}

static int do_grants(struct control_reply *reply, json_t *request)
{
	json_t *array = json_array();
	int r = store_grants(reply->store, append_grant, array);

	(void)request;
	if (r != 0) {
		json_decref(array);
		return store_failure(reply, r);
	}
	return control_send(reply, json_pack("{s:b, s:o}", "ok", 1, "grants", array));
}

static int do_approve(struct control_reply *reply, json_t *request)
{
	const char *reason = field_text(request, "reason"), *image = field_text(request, "image");
	const char *path = NULL;
	struct grant grant = {
	        .kind = field_true(request, "deny") ? GRANT_DENIED : GRANT_APPROVED,
	        .by_uid = reply->peer_uid,
	        .created_ns = clock_realtime_ns(),
	        .expires_ns = field_int(request, "expires_ns"),
	};
	int r;

	if (!reason || !*reason)
		return control_fail(reply, "bad_request", "reason: say why (--reason TEXT)");
	if (grant.kind == GRANT_DENIED && image)
		return control_fail(reply, "bad_request", "image: a denied digest runs nowhere");
	if (grant.expires_ns != 0 && grant.expires_ns <= grant.created_ns)
		return control_fail(reply, "bad_request", "expires_ns: lies in the past");
	if (control_target(reply, request, &grant.digest, &path) != 0)
		return 0;
	grant.image = (char *)(uintptr_t)(image ?: "");
	grant.path = (char *)(uintptr_t)path;
	grant.reason = (char *)(uintptr_t)reason;
	r = engine_grant(reply->engine, &grant);
	if (r != 0)
		return store_failure(reply, r);
	return control_send(
	        reply, json_pack("{s:b, s:o}", "ok", 1, "grant", control_grant_json(&grant)));
}

static int do_revoke(struct control_reply *reply, json_t *request)
{
	enum grant_kind kind = field_true(request, "deny") ? GRANT_DENIED : GRANT_UNSET;
	struct digest digest;
	const char *path;
	uint32_t removed = 0;
	int r;

	if (control_target(reply, request, &digest, &path) != 0)
		return 0;
	r = engine_revoke(reply->engine, kind, &digest, field_text(request, "image"), &removed);
	if (r == STORE_E_NOTFOUND)
		return control_fail(reply, "not_found", "nothing to revoke: see `execward grants`");
	if (r != 0)
		return store_failure(reply, r);
	return control_send(
	        reply, json_pack("{s:b, s:I}", "ok", 1, "removed", (json_int_t)removed));
}

/*
 * Mode, reload, rescan.
 */
static int send_mode(struct control_reply *reply)
{
	struct ruling *ruling = engine_ruling(reply->engine);
	const struct mode_override *override = ruling_override(ruling);
	int64_t now_ns = clock_realtime_ns();
	bool overridden = override->mode != MODE_UNSET &&
	                  (override->until_ns == 0 || now_ns < override->until_ns);
	json_t *answer = json_pack("{s:b, s:s, s:s, s:I, s:s}", "ok", 1, "mode",
	        mode_name(ruling_mode(ruling, now_ns)), "source",
	        overridden ? "operator" : "config", "until_ns",
	        (json_int_t)(overridden ? override->until_ns : 0), "fallback",
	        mode_name(ruling_config(ruling)->policy.mode));

	json_object_set_new(answer, "not_enforced", engine_hosts_refused(reply->engine));
	ruling_unref(ruling);
	return control_send(reply, answer);
}

static int do_mode(struct control_reply *reply, json_t *request)
{
	const char *word = field_text(request, "mode");
	int64_t for_ns = field_int(request, "for_ns");
	_cleanup_free_ char *disabled = engine_disabled(reply->engine);
	struct mode_override override = {0};
	int r;

	if (!word)
		return send_mode(reply);
	override.mode = mode_from_name(word);
	if (override.mode == MODE_UNSET && strcmp(word, "config"))
		return control_fail(
		        reply, "bad_request", "mode: one of report, enforce, learn, config");
	if (disabled && override.mode != MODE_UNSET && override.mode != MODE_REPORT)
		return control_fail(reply, "disabled", "enforcement is switched off: %s", disabled);
	if (override.mode == MODE_LEARN && for_ns <= 0)
		return control_fail(reply, "bad_request",
		        "for_ns: learn always has an end; say how long (--for 24h)");
	if (for_ns < 0 || for_ns > INT64_MAX / 2)
		return control_fail(reply, "bad_request", "for_ns: out of range");
	if (for_ns > 0 && override.mode != MODE_UNSET)
		override.until_ns = clock_realtime_ns() + for_ns;
	r = engine_set_mode(reply->engine, &override);
	return r != 0 ? store_failure(reply, r) : send_mode(reply);
}

static int do_reload(struct control_reply *reply, json_t *request)
{
	_cleanup_(config_error_done) struct config_error error = {0};
	int r = engine_reload(reply->engine, &error);

	(void)request;
	if (r == 0 && engine_baselines_error(reply->engine))
		return control_fail(reply, "internal",
		        "the new configuration is in force, but the baselines cannot be loaded: "
		        "%s; those from before stay in force",
		        engine_baselines_error(reply->engine));
	if (r == 0 && engine_lists_error(reply->engine))
		return control_fail(reply, "internal",
		        "the new configuration is in force, but the allowlists cannot be loaded: "
		        "%s; those from before stay in force",
		        engine_lists_error(reply->engine));
	if (r == 0)
		return control_send(reply, json_pack("{s:b}", "ok", 1));
	if (!error.message)
		return store_failure(reply, r);
	if (error.line == 0)
		return control_fail(reply, "invalid_config", "%s%s%s", error.file ?: "",
		        error.file ? ": " : "", error.message);
	return control_fail(reply, "invalid_config", "%s:%u:%u: %s", error.file ?: "", error.line,
	        error.column, error.message);
}

#define SETTLE_TIMEOUT_MS                                                                          \
	2000u /* a file of some gigabytes takes longer: its digest comes later                     \
	       */

static int do_baselines(struct control_reply *reply, json_t *request)
{
	struct baselines_totals totals;
	struct ruling *ruling;

	(void)request;
	/* Whoever asks reads the database next: what trusted writers wrote until now is in it. */
	engine_settle(reply->engine, SETTLE_TIMEOUT_MS);
	if (engine_baselines(reply->engine) != 0)
		return control_fail(reply, "internal",
		        "the baselines cannot be loaded: %s; those from before stay in force",
		        engine_baselines_error(reply->engine) ?: "try again");
	ruling = engine_ruling(reply->engine);
	baselines_totals(ruling_baselines(ruling), &totals);
	ruling_unref(ruling);
	return control_send(reply,
	        json_pack("{s:b, s:I, s:I, s:I}", "ok", 1, "generation",
	                (json_int_t)totals.generation, "snapshots", (json_int_t)totals.snapshots,
	                "digests", (json_int_t)totals.digests));
}

static int do_allowlists(struct control_reply *reply, json_t *request)
{
	struct ruling *ruling;
	json_t *lists;

	(void)request;
	if (engine_lists(reply->engine) != 0)
		return control_fail(reply, "internal",
		        "the allowlists cannot be loaded: %s; those from before stay in force",
		        engine_lists_error(reply->engine) ?: "try again");
	ruling = engine_ruling(reply->engine);
	lists = engine_lists_json(reply->engine, ruling);
	ruling_unref(ruling);
	return control_send(reply, json_pack("{s:b, s:o}", "ok", 1, "allowlists", lists));
}

static int do_rescan(struct control_reply *reply, json_t *request)
{
	(void)request;
	return control_send(reply, json_pack("{s:b, s:I}", "ok", 1, "containers",
	                                   (json_int_t)engine_rescan(reply->engine)));
}

/*
 * The table.
 */
struct request_row {
	const char *name;
	const char *fields; /* "name:type " each; types: s string, i integer, b boolean */
	int (*handler)(struct control_reply *reply, json_t *request);
};

static const struct request_row requests[] = {
        {"status", "", do_status},
        {"events", "since_ns:i container:s path:s sha256:s event_id:s limit:i follow:b ",
                do_events},
        {"drops", "since_ns:i container:s path:s sha256:s limit:i ", do_drops},
        {"explain", "sha256:s event_id:s path:s container:s image:s ima:s ima_digest:s ",
                control_explain},
        {"approve", "sha256:s path:s container:s image:s reason:s expires_ns:i deny:b ",
                do_approve},
        {"revoke", "sha256:s path:s container:s image:s deny:b ", do_revoke},
        {"grants", "", do_grants},
        {"mode", "mode:s for_ns:i ", do_mode},
        {"reload", "", do_reload},
        {"baselines", "", do_baselines},
        {"allowlists", "", do_allowlists},
        {"rescan", "", do_rescan},
};

static const struct request_row *find_row(const char *name)
{
	for (size_t i = 0; name && i < sizeof(requests) / sizeof(requests[0]); i++)
		if (!strcmp(requests[i].name, name))
			return &requests[i];
	return NULL;
}

static bool type_is(const json_t *value, char type)
{
	switch (type) {
	case 's':
		return json_is_string(value);
	case 'i':
		return json_is_integer(value);
	case 'b':
		return json_is_boolean(value);
	default:
		return false;
	}
}

/* The name of a field that does not belong there or has the wrong type; NULL when all is well. */
static const char *bad_field(const struct request_row *row, json_t *request)
{
	const char *name;
	json_t *value;

	json_object_foreach(request, name, value)
	{
		size_t n = strlen(name);
		const char *at = row->fields;

		if (!strcmp(name, "request"))
			continue;
		while (*at && (strncmp(at, name, n) || at[n] != ':'))
			at = strchr(at, ' ') + 1;
		if (!*at || !type_is(value, at[n + 1]))
			return name;
	}
	return NULL;
}

const char *control_parse(const char *line, size_t size, json_t **ret_request,
        const struct request_row **ret_row, char **reterr_message)
{
	json_error_t error;
	json_t *request = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);
	const char *word = NULL, *bad;
	const struct request_row *row;
	int n = 0;

	if (!json_is_object(request)) {
		n = asprintf(reterr_message, "not a JSON object: %s",
		        request ? "another type" : error.text);
		word = "bad_request";
	} else if (!(row = find_row(field_text(request, "request")))) {
		n = asprintf(reterr_message, "request: none of this name");
		word = "unknown_request";
	} else if ((bad = bad_field(row, request))) {
		n = asprintf(reterr_message, "%s: unknown field, or of the wrong type", bad);
		word = "bad_request";
	}
	if (n < 0)
		*reterr_message = NULL;
	if (word) {
		json_decref(request);
		return word;
	}
	*ret_request = request;
	*ret_row = row;
	return NULL;
}

int control_handle(struct control_reply *reply, const char *line, size_t size)
{
	_cleanup_free_ char *message = NULL;
	const struct request_row *row = NULL;
	json_t *request = NULL;
	const char *word = control_parse(line, size, &request, &row, &message);
	int r;

	if (word) {
		r = control_fail(reply, word, "%s", message ?: "out of memory");
		return r;
	}
	r = row->handler(reply, request);
	json_decref(request);
	return r;
}
