#include "tools/allowlist_report.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "tools/client.h"
#include "tools/print.h"
#include "tools/snapshot_find.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

const char *allowlist_keys_dir(const struct tool *tool, const struct call *call)
{
	return call->values[OPTION_KEYS] ?: tool->config->keys_dir;
}

int allowlist_trust(const struct tool *tool, const struct call *call, struct trust **ret_trust)
{
	_cleanup_(trust_error_done) struct trust_error error = {0};
	const char *path = allowlist_keys_dir(tool, call);
	int r = trust_load(path, geteuid(), ret_trust, &error);

	if (r == 0)
		return 0;
	fprintf(stderr, "execward %s: %s: %s\n", call->verb->name, error.path ?: path,
	        error.message ?: "failed");
	if (r < 0)
		return r == -EACCES || r == -EPERM ? EX_NOPERM : EX_IOERR;
	return r == TRUST_E_MISSING ? EX_NOINPUT : EX_CONFIG;
}

void allowlist_limits(
        const struct config *config, int64_t now_ns, struct allowlist_limits *ret_limits)
{
	*ret_limits = (struct allowlist_limits){
	        .now_ns = now_ns,
	        .skew_ns = config->skew_s * NS_PER_SEC,
	        .max_validity_ns = config->max_validity_s * NS_PER_SEC,
	        .grace_ns = config->grace_s * NS_PER_SEC,
	};
}

/*
 * Faults that are not the envelope's.
 */
static const struct {
	int r;
	int code;
	const char *words; /* NULL: strerror() */
} faults[] = {
        {STORE_E_NEWER, EX_CONFIG, "the database was written by a later release"},
        {STORE_E_CORRUPT, EX_DATAERR, "the database is damaged, or has a row that cannot be"},
        {STORE_E_UNSAFE, EX_CONFIG,
                "the directory or the database is not ours alone: owner or mode"},
        {STORE_E_NOTFOUND, EX_NOINPUT, "there is no such list; see execward allowlist list"},
        {STORE_E_FULL, EX_IOERR, "no space left for the database"},
        {STORE_E_BUSY, EX_UNAVAILABLE, "another program writes to the database for too long"},
        {-ESTALE, EX_DATAERR,
                "the database is not the one that allowlists.witness knows: execward allowlist "
                "rollback-state says more"},
        {-ETIMEDOUT, EX_SOFTWARE, "the process that reads the envelope took too long"},
        {-EAGAIN, EX_UNAVAILABLE, "the trusted keys have changed meanwhile: try again"},
        {-EPROTO, EX_SOFTWARE, "the process that reads the envelope has failed"},
        {-E2BIG, EX_DATAERR, "too many lists: execward allowlist remove takes one away"},
        {-ENOENT, EX_NOINPUT, NULL},
        {-EACCES, EX_NOPERM, NULL},
        {-EPERM, EX_NOPERM, NULL},
        {-ENOMEM, EX_SOFTWARE, NULL},
};

int allowlist_fail(const struct call *call, const struct store *store, const char *what, int r)
{
	_cleanup_free_ char *safe = text_safe(what);
	bool database = store && (r == STORE_E_CORRUPT || r == -EIO);
	_cleanup_free_ char *detail = database ? text_safe(store_error(store)) : NULL;
	const char *words = NULL;
	int code = EX_IOERR;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (faults[i].r != r)
			continue;
		code = faults[i].code;
		words = faults[i].words;
	}
	fprintf(stderr, "execward %s: %s: %s%s%s\n", call->verb->name, safe,
	        words ?: strerror(r < 0 ? -r : EIO), detail ? ": " : "", detail ?: "");
	return code;
}

/*
 * What came of an envelope.
 */
int install_result_code(const struct install_result *result)
{
	if (result->envelope != 0)
		return EX_DATAERR;
	return allowlist_is_good(result->reason) ? 0 : 1;
}

const char *install_result_word(const struct install_result *result)
{
	if (result->reason == ALLOWLIST_UNCHANGED)
		return "unchanged";
	return result->reason == ALLOWLIST_ACCEPTED ? "installed" : "refused";
}

json_t *allowlist_signers_json(const struct allowlist_info *info)
{
	json_t *signers = json_array();

	for (size_t i = 0; i < info->n_signers; i++) {
		char hex[DIGEST_HEX_SIZE];

		digest_to_hex(&info->signers[i], hex);
		json_array_append_new(signers, json_string(hex));
	}
	return signers;
}

static json_t *findings_json(const struct install_result *result)
{
	json_t *list = json_array();

	for (size_t i = 0; i < result->n_findings; i++) {
		const struct install_finding *finding = &result->findings[i];
		json_t *entry = json_pack("{s:b}", "good", finding->good && finding->known);
		char hex[DIGEST_HEX_SIZE];

		if (finding->known) {
			digest_to_hex(&finding->key, hex);
			json_object_set_new(entry, "key_id", json_string(hex));
		}
		json_array_append_new(list, entry);
	}
	return list;
}

static void set_info(const struct allowlist_info *info, json_t *object)
{
	const struct statement *s = &info->statement;
	char issued[STATEMENT_TIME_SIZE] = "", expires[STATEMENT_TIME_SIZE] = "";
	char hex[DIGEST_HEX_SIZE];

	(void)statement_time_print(s->issued_ns, issued);
	(void)statement_time_print(s->expires_ns, expires);
	digest_to_hex(&info->payload, hex);
	json_object_set_new(object, "series", json_string(s->series));
	json_object_set_new(object, "version", json_integer((json_int_t)s->version));
	json_object_set_new(object, "issued", json_string(issued));
	json_object_set_new(object, "expires", json_string(expires));
	json_object_set_new(object, "bind", json_string(statement_bind_name(s->bind)));
	json_object_set_new(object, "entries", json_integer((json_int_t)info->subjects));
	json_object_set_new(object, "payload_sha256", json_string(hex));
	json_object_set_new(object, "signers", allowlist_signers_json(info));
}

void install_result_json(const struct install_result *result, json_t *object)
{
	json_object_set_new(object, "result", json_string(install_result_word(result)));
	json_object_set_new(object, "reason", json_string(install_result_reason(result)));
	if (result->fault)
		json_object_set_new(object, "fault", json_string(result->fault));
	if (result->info.statement.series)
		set_info(&result->info, object);
	json_object_set_new(object, "signatures", findings_json(result));
}

void install_result_print(
        const struct tool *tool, const char *what, const struct install_result *result)
{
	const struct statement *s = &result->info.statement;
	bool good = allowlist_is_good(result->reason);
	_cleanup_free_ char *series = text_safe(s->series);
	_cleanup_free_ char *fault = result->fault ? text_safe(result->fault) : NULL;
	char expires[STATEMENT_TIME_SIZE] = "";

	printf("%s: ", what);
	print_word(tool, good ? COLOUR_GOOD : COLOUR_BAD,
	        good ? install_result_word(result) : "REFUSED");
	if (!good)
		printf(" (%s): %s%s%s", install_result_reason(result), install_result_text(result),
		        fault ? ": " : "", fault ?: "");
	if (s->series) {
		(void)statement_time_print(s->expires_ns, expires);
		printf("%s %s version %" PRIu64 ", %" PRIu64 " entries, expires %s",
		        good ? "" : ";", series, s->version, result->info.subjects, expires);
	}
	printf("\n");
	if (good && fault)
		fprintf(stderr, "execward: %s: %s\n", what, fault);
}

int allowlist_tell_daemon(const struct tool *tool)
{
	struct client *client = NULL;
	json_t *answer = NULL;
	int r;

	if (client_connect(tool->config->runtime_dir, &client) != 0)
		return 0;
	client_free(client);
	r = client_ask(tool, request_new("allowlists"), &answer);
	json_decref(answer);
	return r;
}

int allowlist_show_daemon(const struct tool *tool)
{
	bool there = snapshot_has_daemon(tool);
	int r = there ? allowlist_tell_daemon(tool) : 0;

	if (tool->json) {
		json_t *event =
		        json_pack("{s:s, s:b}", "event", "daemon", "in_force", there && r == 0);

		print_json(event);
		json_decref(event);
		return r;
	}
	if (!there)
		puts("No daemon could be told: it holds when execwardd starts or reloads.");
	else if (r == 0)
		puts("The daemon knows: it holds for the next exec.");
	return r;
}
