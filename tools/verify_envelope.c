/*
 * An envelope, as far as it can be told without the versions that were in force. Signatures first;
 * the body is parsed only when they are good.
 */
#include "tools/verify.h"

#include "base/cleanup.h"
#include "crypto/digest.h"
#include "tools/print.h"
#include "tools/snapshot_find.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static enum allowlist_reason judge_statement(
        const struct verify_run *run, const struct dsse *dsse, struct judgement *verdict)
{
	const struct statement *statement = &verdict->summary.statement;
	struct allowlist_state nothing_known = {.history = ALLOWLIST_HISTORY_NONE};
	struct allowlist_limits limits;
	enum allowlist_reason reason;
	struct digest payload;
	int r;

	verify_limits(run, &limits);
	if (digest_data(dsse->body, dsse->body_size, &payload) < 0)
		return ALLOWLIST_UNCHECKED;
	if (trust_is_revoked(run->trust, &payload))
		return ALLOWLIST_REVOKED_DIGEST;
	r = summary_of(dsse, &verdict->summary);
	if (r != 0)
		return r < 0 ? ALLOWLIST_UNCHECKED : allowlist_reason_of_statement(r);
	verdict->has_summary = true;
	reason = dsse_verify_series(&verdict->signatures, statement->series);
	if (reason != ALLOWLIST_ACCEPTED)
		return reason;
	if (call_has(run->call, OPTION_SERIES) &&
	        strcmp(run->call->values[OPTION_SERIES], statement->series) != 0)
		return ALLOWLIST_UNWANTED_SERIES;
	limits.floor_version = trust_floor(run->trust, statement->series);
	return allowlist_check(statement, &payload, &nothing_known, &limits);
}

void verify_judge(
        const struct verify_run *run, const struct dsse *dsse, struct judgement *ret_judgement)
{
	struct judgement *verdict = ret_judgement;

	*verdict = (struct judgement){0};
	dsse_verify(dsse, run->trust, run->threshold, run->now_ns, &verdict->signatures);
	verdict->reason = verdict->signatures.reason;
	if (verdict->reason == ALLOWLIST_ACCEPTED)
		verdict->reason = judge_statement(run, dsse, verdict);
}

static json_t *findings_json(const struct dsse *dsse, const struct judgement *verdict)
{
	json_t *list = json_array();

	for (size_t i = 0; i < dsse->n_signatures; i++) {
		const struct dsse_finding *finding = &verdict->signatures.findings[i];
		json_t *entry = json_pack(
		        "{s:b}", "good", finding->state == SIGNATURE_GOOD && finding->key);
		char id[DIGEST_HEX_SIZE];

		if (finding->key) {
			json_object_set_new(
			        entry, "key_id", json_string(id_text(finding->key->key, id)));
			json_object_set_new(entry, "name", json_string(finding->key->name));
		}
		json_array_append_new(list, entry);
	}
	return list;
}

static json_t *object_of(const char *path, bool accepted, const char *reason)
{
	json_t *object = json_pack(
	        "{s:b, s:s, s:s}", "accepted", accepted, "reason", reason, "kind", "envelope");

	set_path(object, "file", path);
	return object;
}

static void show_json(const char *path, const struct dsse *dsse, const struct judgement *verdict)
{
	json_t *object = object_of(path, verdict->reason == ALLOWLIST_ACCEPTED,
	        allowlist_reason_name(verdict->reason));

	json_object_set_new(
	        object, "signers", json_integer((json_int_t)verdict->signatures.n_signers));
	json_object_set_new(object, "threshold", json_integer(verdict->signatures.threshold));
	json_object_set_new(object, "signatures", findings_json(dsse, verdict));
	if (verdict->has_summary)
		summary_to_json(&verdict->summary, object);
	if (verdict->summary.error.message[0])
		json_object_set_new(object, "fault", json_string(verdict->summary.error.message));
	print_json(object);
	json_decref(object);
}

static void show_text(const struct tool *tool, const char *path, const struct judgement *verdict)
{
	const struct dsse_verification *v = &verdict->signatures;
	bool good = verdict->reason == ALLOWLIST_ACCEPTED;
	_cleanup_free_ char *file = text_safe(path);

	printf("%s: ", file);
	print_word(tool, good ? COLOUR_GOOD : COLOUR_BAD, good ? "accepted" : "REJECTED");
	if (!good)
		printf(" (%s): %s", allowlist_reason_name(verdict->reason),
		        allowlist_reason_text(verdict->reason));
	if (verdict->summary.error.message[0])
		printf(": %s", verdict->summary.error.message);
	printf("\n");
	if (verdict->has_summary)
		summary_print(stdout, &verdict->summary);
	printf("  signers    %zu of %u wanted\n", v->n_signers, v->threshold);
	for (size_t i = 0; i < v->n_signers; i++) {
		_cleanup_free_ char *name = text_safe(v->signers[i]->name);
		char id[DIGEST_HEX_SIZE];

		printf("             %s %s\n", id_text(v->signers[i]->key, id), name);
	}
}

static int fail(const struct tool *tool, const char *path, int code, const char *word)
{
	json_t *object;

	if (!tool->json || !word)
		return code;
	object = object_of(path, false, word);
	print_json(object);
	json_decref(object);
	return code;
}

void judgement_done(struct judgement *judgement)
{
	summary_done(&judgement->summary);
}

int verify_envelope(const struct verify_run *run, const char *path)
{
	_cleanup_(judgement_done) struct judgement verdict = {0};
	_cleanup_(dsse_freep) struct dsse *dsse = NULL;
	const char *word = NULL;
	int r = envelope_read(run->call, path, &dsse, &word);

	if (r != 0)
		return fail(run->tool, path, r, word);
	verify_judge(run, dsse, &verdict);
	if (verdict.reason == ALLOWLIST_UNCHECKED)
		return EX_SOFTWARE;
	if (run->tool->json)
		show_json(path, dsse, &verdict);
	else
		show_text(run->tool, path, &verdict);
	return verdict.reason == ALLOWLIST_ACCEPTED ? 0 : 1;
}
