/*
 * execward verify: whether this host would believe an envelope, as far as that can be told without
 * the versions that were in force. Signatures first; the body is parsed only when they are good.
 */
#include "base/clock.h"
#include "base/cleanup.h"
#include "crypto/digest.h"
#include "crypto/dsse_verify.h"
#include "tools/envelope_io.h"
#include "tools/print.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

struct judgement {
	enum allowlist_reason reason;
	struct dsse_verification signatures;
	struct summary summary; /* only when the signatures are good */
	bool has_summary;
};

static int load_keys(const struct tool *tool, const struct call *call, struct trust **ret_trust)
{
	_cleanup_(trust_error_done) struct trust_error error = {0};
	const char *path = call->values[OPTION_KEYS] ?: tool->config->keys_dir;
	struct stat st;
	int r;

	if (call_has(call, OPTION_KEYS) && stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		r = trust_load_file(path, ret_trust, &error);
	else
		r = trust_load(path, geteuid(), ret_trust, &error);
	if (r == 0)
		return 0;
	fprintf(stderr, "execward verify: %s: %s\n", error.path ?: "keys",
	        error.message ?: "failed");
	if (r < 0)
		return r == -EACCES || r == -EPERM ? EX_NOPERM : EX_IOERR;
	return r == TRUST_E_MISSING ? EX_NOINPUT : EX_CONFIG;
}

/* 0 and the number of --threshold, else the configuration's; or EX_USAGE. */
static int read_threshold(const struct tool *tool, const struct call *call, uint32_t *ret_threshold)
{
	const char *text = call->values[OPTION_THRESHOLD];
	unsigned long n;
	char *end;

	*ret_threshold = call_has(call, OPTION_KEYS) ? 1 : tool->config->threshold;
	if (!text)
		return 0;
	errno = 0;
	n = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || n < 1 || n > DSSE_SIGNATURES_MAX) {
		fprintf(stderr, "execward verify: --threshold: a number of keys, 1 to %u\n",
		        DSSE_SIGNATURES_MAX);
		return EX_USAGE;
	}
	*ret_threshold = (uint32_t)n;
	return 0;
}

static enum allowlist_reason judge_statement(const struct call *call, const struct dsse *dsse,
        const struct trust *trust, int64_t now_ns, struct judgement *verdict)
{
	const struct statement *statement = &verdict->summary.statement;
	struct allowlist_state nothing_known = {.history = ALLOWLIST_HISTORY_NONE};
	struct allowlist_limits limits = {
	        .now_ns = now_ns,
	        .skew_ns = ALLOWLIST_SKEW_NS,
	        .max_validity_ns = ALLOWLIST_MAX_VALIDITY_NS,
	};
	enum allowlist_reason reason;
	struct digest payload;
	int r;

	if (digest_data(dsse->body, dsse->body_size, &payload) < 0)
		return ALLOWLIST_UNCHECKED;
	if (trust_is_revoked(trust, &payload))
		return ALLOWLIST_REVOKED_DIGEST;
	r = summary_of(dsse, &verdict->summary);
	if (r != 0)
		return r < 0 ? ALLOWLIST_UNCHECKED : allowlist_reason_of_statement(r);
	verdict->has_summary = true;
	reason = dsse_verify_series(&verdict->signatures, statement->series);
	if (reason != ALLOWLIST_ACCEPTED)
		return reason;
	if (call_has(call, OPTION_SERIES) &&
	        strcmp(call->values[OPTION_SERIES], statement->series) != 0)
		return ALLOWLIST_UNWANTED_SERIES;
	limits.floor_version = trust_floor(trust, statement->series);
	return allowlist_check(statement, &payload, &nothing_known, &limits);
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

static void show_json(const struct dsse *dsse, const struct judgement *verdict)
{
	json_t *object = json_pack("{s:b, s:s, s:I, s:I, s:o}", "accepted",
	        verdict->reason == ALLOWLIST_ACCEPTED, "reason",
	        allowlist_reason_name(verdict->reason), "signers",
	        (json_int_t)verdict->signatures.n_signers, "threshold",
	        (json_int_t)verdict->signatures.threshold, "signatures",
	        findings_json(dsse, verdict));

	if (verdict->has_summary)
		summary_to_json(&verdict->summary, object);
	if (verdict->summary.error.message[0])
		json_object_set_new(object, "fault", json_string(verdict->summary.error.message));
	print_json(object);
	json_decref(object);
}

static void show_text(
        const struct tool *tool, const struct call *call, const struct judgement *verdict)
{
	const struct dsse_verification *v = &verdict->signatures;
	bool good = verdict->reason == ALLOWLIST_ACCEPTED;
	_cleanup_free_ char *file = text_safe(call->argument);

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

static int fail(const struct tool *tool, int code, const char *word)
{
	json_t *object;

	if (!tool->json || !word)
		return code;
	object = json_pack("{s:b, s:s}", "accepted", 0, "reason", word);
	print_json(object);
	json_decref(object);
	return code;
}

static void judgement_done(struct judgement *verdict)
{
	summary_done(&verdict->summary);
}

int verb_verify(const struct tool *tool, const struct call *call)
{
	_cleanup_(judgement_done) struct judgement verdict = {0};
	_cleanup_(trust_freep) struct trust *trust = NULL;
	_cleanup_(dsse_freep) struct dsse *dsse = NULL;
	int64_t now_ns = clock_realtime_ns(); /* once for all that is asked of it */
	const char *word = NULL;
	uint32_t threshold;
	int r = read_threshold(tool, call, &threshold);

	if (r == 0)
		r = load_keys(tool, call, &trust);
	if (r != 0)
		return r;
	r = envelope_read(call, call->argument, &dsse, &word);
	if (r != 0)
		return fail(tool, r, word);
	dsse_verify(dsse, trust, threshold, now_ns, &verdict.signatures);
	verdict.reason = verdict.signatures.reason;
	if (verdict.reason == ALLOWLIST_ACCEPTED)
		verdict.reason = judge_statement(call, dsse, trust, now_ns, &verdict);
	if (verdict.reason == ALLOWLIST_UNCHECKED)
		return EX_SOFTWARE;
	if (tool->json)
		show_json(dsse, &verdict);
	else
		show_text(tool, call, &verdict);
	return verdict.reason == ALLOWLIST_ACCEPTED ? 0 : 1;
}
