#include "daemon/engine_lists.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "core/alert.h"
#include "daemon/engine_internal.h"
#include "daemon/engine_rules.h"
#include "daemon/log.h"

#include <errno.h>
#include <string.h>

#define SHOWN_MAX 100u /* lists in an answer */

static const char *lists_error(int r)
{
	return engine_rules_words(r, "there are too many lists");
}

const char *engine_lists_error(const struct engine *e)
{
	return lists_error(e->lists_failure);
}

static int read_lists(
        struct engine *e, struct allowlists *before, struct allowlists **ret_allowlists)
{
	struct store *store;
	int64_t trusted_ns = 0;
	int r = store_open(engine_state_dir(e), STORE_READ_ONLY, &store);

	if (r != 0)
		return r;
	r = allowlists_load(store, engine_state_dir(e), before, ret_allowlists);
	if (r == 0 && store_trusted_now(store, &trusted_ns) == 0)
		allowlists_clock_stored(&e->clock, trusted_ns);
	store_free(store);
	return r;
}

struct allowlists *engine_lists_next(struct engine *e)
{
	struct ruling *ruling = rulings_get(e->rulings);
	struct allowlists *before = ruling ? ruling_allowlists(ruling) : NULL, *next = NULL;
	int r = read_lists(e, before, &next);

	e->lists_failure = r;
	if (r != 0) {
		faults_count(e->faults, FAULT_ALLOWLIST);
		log_error("%s/baseline.db: the allowlists cannot be loaded: %s; %s",
		        engine_state_dir(e), lists_error(r),
		        before ? "those from before stay in force" : "none is in force");
		next = allowlists_ref(before);
	}
	ruling_unref(ruling);
	return next;
}

/*
 * Whom to believe.
 */
int engine_lists_believe(const struct config *config, struct believed **ret_believed,
        struct config_error *reterr_error)
{
	struct believed *believed;
	int r = believed_load(config->keys_dir, &believed);

	if (r < 0)
		return r;
	if (!believed_fault(believed)) {
		*ret_believed = believed;
		return 0;
	}
	*reterr_error = (struct config_error){.message = strdup(believed_fault(believed))};
	believed_unref(believed);
	return reterr_error->message ? CONFIG_E_INVALID : -ENOMEM;
}

int engine_lists_believe_first(const struct config *config, struct believed **ret_believed)
{
	int r = believed_load(config->keys_dir, ret_believed);

	if (r == 0 && believed_fault(*ret_believed))
		log_error("%s; NO ALLOWLIST IS IN FORCE: mend it, then execward reload",
		        believed_fault(*ret_believed));
	return r;
}

/*
 * Status.
 */
static json_t *text(const char *value)
{
	_cleanup_free_ char *utf8 = text_to_utf8(value);

	return utf8 ? json_string(utf8) : json_null();
}

static json_t *hex(const struct digest *digest)
{
	char digits[DIGEST_HEX_SIZE];

	digest_to_hex(digest, digits);
	return json_string(digits);
}

static json_t *scope_json(const struct statement_scope *scope)
{
	json_t *object = json_object();

	for (int kind = STATEMENT_SCOPE_UNSET + 1; kind < _STATEMENT_SCOPE_MAX; kind++) {
		const struct statement_patterns *patterns = &scope->of[kind];
		json_t *array = json_array();

		for (size_t i = 0; i < patterns->n; i++)
			json_array_append_new(array, text(patterns->items[i]));
		json_object_set_new(
		        object, statement_scope_kind_name((enum statement_scope_kind)kind), array);
	}
	return object;
}

static json_t *signers_json(const struct allowlist_info *info)
{
	json_t *array = json_array();

	for (size_t i = 0; i < info->n_signers; i++)
		json_array_append_new(array, hex(&info->signers[i]));
	return array;
}

json_t *engine_lists_row(const struct allowlist_info *info, const struct allowlists_terms *terms)
{
	const struct statement *s = &info->statement;
	enum allowlist_reason reason = allowlists_state(info, terms);
	bool good = reason == ALLOWLIST_ACCEPTED;
	json_t *row = json_pack("{s:o, s:I, s:b, s:s, s:s, s:b, s:I, s:s}", "series",
	        text(s->series), "version", (json_int_t)s->version, "in_force", good, "reason",
	        allowlist_reason_name(reason), "detail", good ? "" : allowlist_reason_text(reason),
	        "in_grace", good && s->expires_ns <= terms->limits.now_ns, "entries",
	        (json_int_t)info->subjects, "bind", statement_bind_name(s->bind) ?: "");

	if (!row)
		return NULL;
	json_object_set_new(row, "issued_ns", json_integer(s->issued_ns));
	json_object_set_new(row, "expires_ns", json_integer(s->expires_ns));
	json_object_set_new(row, "installed_ns", json_integer(info->installed_ns));
	json_object_set_new(row, "by_uid", json_integer(info->by_uid));
	json_object_set_new(row, "source", text(info->source));
	json_object_set_new(row, "payload", hex(&info->payload));
	json_object_set_new(row, "scope", scope_json(&s->scope));
	json_object_set_new(row, "signers", signers_json(info));
	return row;
}

struct counts {
	uint64_t in_force, in_grace, entries;
};

static json_t *rows_json(const struct ruling *ruling, struct counts *ret_counts)
{
	const struct allowlists *lists = ruling_allowlists(ruling);
	struct allowlists_terms terms;
	json_t *array = json_array();

	*ret_counts = (struct counts){0};
	ruling_terms(ruling, clock_realtime_ns(), &terms);
	for (size_t i = 0; i < allowlists_count(lists); i++) {
		const struct allowlist_info *info = allowlists_get(lists, i);
		bool good = allowlists_state(info, &terms) == ALLOWLIST_ACCEPTED;

		ret_counts->in_force += good;
		ret_counts->in_grace += good && info->statement.expires_ns <= terms.limits.now_ns;
		ret_counts->entries += good ? info->subjects : 0;
		if (i < SHOWN_MAX)
			json_array_append_new(array, engine_lists_row(info, &terms));
	}
	return array;
}

static json_t *directory_json(struct engine *e)
{
	_cleanup_(lists_report_done) struct lists_report report = {0};
	json_t *refused = json_array(), *object;

	if (e->lists)
		lists_watch_report(e->lists, &report);
	for (size_t i = 0; i < report.n_refused; i++) {
		const struct lists_refusal *refusal = &report.refused[i];

		json_array_append_new(
		        refused, json_pack("{s:o, s:s, s:o, s:I}", "file", text(refusal->name),
		                         "reason", refusal->reason, "detail", text(refusal->detail),
		                         "time_ns", (json_int_t)refusal->time_ns));
	}
	object = json_pack("{s:o, s:b, s:o, s:o}", "path", text(report.path), "watched",
	        report.path && !report.fault, "error", text(report.fault), "refused", refused);
	return object;
}

json_t *engine_lists_json(struct engine *e, const struct ruling *ruling)
{
	const struct allowlists *lists = ruling_allowlists(ruling);
	struct counts counts;
	json_t *rows = rows_json(ruling, &counts);

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "installed",
	        (json_int_t)allowlists_count(lists), "in_force", (json_int_t)counts.in_force,
	        "in_grace", (json_int_t)counts.in_grace, "entries", (json_int_t)counts.entries,
	        "generation", (json_int_t)allowlists_generation(lists), "error",
	        text(engine_lists_error(e)), "directory", directory_json(e), "lists", rows);
}

json_t *engine_lists_trust_json(const struct ruling *ruling)
{
	const struct believed *believed = ruling_believed(ruling);
	const struct trust *trust = believed_trust(believed);
	size_t usable =
	        trust ? trust_count_usable(trust, TRUST_USE_MANIFEST, clock_realtime_ns()) : 0;

	return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "keys_dir",
	        text(believed_keys_dir(believed)), "keys", (json_int_t)(trust ? trust->n_keys : 0),
	        "usable", (json_int_t)usable, "threshold",
	        (json_int_t)ruling_config(ruling)->threshold, "revoked_keys",
	        (json_int_t)(trust ? trust->n_revoked_keys : 0), "revoked_digests",
	        (json_int_t)(trust ? trust->n_revoked_digests : 0), "error",
	        text(believed_fault(believed)), "nobody", text(believed_nobody(believed)));
}
