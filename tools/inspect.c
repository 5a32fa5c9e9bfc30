/*
 * execward inspect: what an envelope claims. Nothing of it is checked, and the first word says so.
 */
#include "base/cleanup.h"
#include "crypto/digest.h"
#include "tools/envelope_io.h"
#include "tools/print.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static json_t *hints_json(const struct dsse *dsse)
{
	json_t *list = json_array();

	for (size_t i = 0; i < dsse->n_signatures; i++) {
		const char *keyid = dsse->signatures[i].keyid;

		json_array_append_new(list, json_pack("{s:o, s:i}", "claimed_key_id",
		                                    keyid ? json_string(keyid) : json_null(),
		                                    "size", (int)dsse->signatures[i].size));
	}
	return list;
}

static void show_json(const struct dsse *dsse, const struct summary *summary, const char *payload)
{
	json_t *object = json_pack("{s:b, s:s, s:I, s:o}", "verified", 0, "payload_sha256", payload,
	        "payload_size", (json_int_t)dsse->body_size, "signatures", hints_json(dsse));

	if (summary->statement.series)
		summary_to_json(summary, object);
	else
		json_object_set_new(object, "fault", json_string(summary->error.message));
	print_json(object);
	json_decref(object);
}

static void show_text(const struct tool *tool, const struct dsse *dsse,
        const struct summary *summary, const char *payload)
{
	print_word(tool, COLOUR_WARN, "UNVERIFIED");
	printf(": anybody can have written this; `execward verify` checks it\n");
	if (summary->statement.series)
		summary_print(stdout, summary);
	else
		printf("  statement  not an allowlist: %s\n", summary->error.message);
	printf("  payload    sha256 %s, %zu bytes\n  signatures %zu\n", payload, dsse->body_size,
	        dsse->n_signatures);
	for (size_t i = 0; i < dsse->n_signatures; i++) {
		_cleanup_free_ char *hint = text_safe(dsse->signatures[i].keyid);

		printf("             claims key %s, %zu bytes\n", hint, dsse->signatures[i].size);
	}
}

int verb_inspect(const struct tool *tool, const struct call *call)
{
	_cleanup_(dsse_freep) struct dsse *dsse = NULL;
	_cleanup_(summary_done) struct summary summary = {0};
	char payload[DIGEST_HEX_SIZE];
	struct digest digest;
	int r = envelope_read(call, call->argument, &dsse, NULL);

	if (r != 0)
		return r;
	if (summary_of(dsse, &summary) < 0 || digest_data(dsse->body, dsse->body_size, &digest) < 0)
		return EX_SOFTWARE;
	digest_to_hex(&digest, payload);
	if (tool->json)
		show_json(dsse, &summary, payload);
	else
		show_text(tool, dsse, &summary, payload);
	return 0;
}
