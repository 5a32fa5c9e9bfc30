/*
 * execward sign: a statement becomes an envelope, or an envelope gets one signature more. Whoever
 * signs sees first what it says; with --confirm nothing is signed before they have said yes, on a
 * terminal or by --yes.
 */
#include "base/cleanup.h"
#include "tools/envelope_io.h"
#include "tools/passphrase.h"
#include "tools/print.h"
#include "tools/signing_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static int refuse(const struct call *call, int code, const char *what)
{
	_cleanup_free_ char *name =
	        text_safe(strcmp(call->argument, "-") ? call->argument : "stdin");

	fprintf(stderr, "execward sign: %s: %s\n", name, what);
	return code;
}

/* A statement without an envelope, so that what is signed is what --append did not find. */
static int read_statement(const struct call *call, struct dsse **ret_dsse)
{
	_cleanup_(dsse_freep) struct dsse *envelope = NULL;
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = input_read(call, call->argument, STATEMENT_SIZE_MAX, &text, &size);

	if (r != 0)
		return r;
	if (dsse_parse(text, size, &envelope) == 0)
		return refuse(call, EX_DATAERR,
		        "is an envelope already: --append adds a signature to it");
	r = dsse_new(text, size, ret_dsse);
	if (r > 0)
		return refuse(call, EX_DATAERR, dsse_error_text(r));
	return r < 0 ? refuse(call, EX_SOFTWARE, strerror(-r)) : 0;
}

static int read_input(const struct call *call, struct dsse **ret_dsse)
{
	if (call_has(call, OPTION_APPEND))
		return envelope_read(call, call->argument, ret_dsse, NULL);
	return read_statement(call, ret_dsse);
}

static void show(const struct key *key, const struct summary *summary, size_t n_signatures)
{
	char id[DIGEST_HEX_SIZE];

	fprintf(stderr, "to be signed:\n");
	summary_print(stderr, summary);
	fprintf(stderr, "  signatures %zu so far\nwith key %s (%s)\n", n_signatures,
	        id_text(key, id), key_scheme_name(key_scheme(key)));
}

/* On the terminal itself: stdin may be the input. */
static int confirm(const struct call *call)
{
	_cleanup_close_ int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	_cleanup_fclose_ FILE *stream = NULL;
	char answer[16] = "";

	if (call_has(call, OPTION_YES))
		return 0;
	if (tty < 0)
		return refuse(call, EX_NOINPUT,
		        "--confirm needs a terminal to ask, or --yes, and there is neither; "
		        "nothing was "
		        "signed");
	dprintf(tty, "Sign this? Type yes: ");
	stream = fdopen(tty, "r");
	if (!stream)
		return refuse(call, EX_SOFTWARE, strerror(errno));
	(void)TAKE_FD(tty); /* it is the stream's now */
	if (fgets(answer, sizeof(answer), stream) && !strcmp(answer, "yes\n"))
		return 0;
	return refuse(call, 1, "not confirmed; nothing was signed");
}

static int add_signature(const struct call *call, const struct key *key, struct dsse *dsse)
{
	_cleanup_free_ uint8_t *signature = NULL;
	char id[DIGEST_HEX_SIZE];
	size_t size;
	int r;

	if (signature_of(dsse, key) >= 0) {
		fprintf(stderr,
		        "execward sign: this key has signed it already; nothing is added\n");
		return 0;
	}
	r = key_sign(key, dsse->pae, dsse->pae_size, &signature, &size);
	if (r < 0)
		return refuse(
		        call, EX_SOFTWARE, "the key would not sign, or signed something else");
	r = dsse_add(dsse, id_text(key, id), signature, size);
	if (r > 0)
		return refuse(call, EX_DATAERR, dsse_error_text(r));
	return r < 0 ? refuse(call, EX_SOFTWARE, strerror(-r)) : 0;
}

static void report(const struct key *key, const struct summary *summary, const struct dsse *dsse)
{
	char id[DIGEST_HEX_SIZE];
	json_t *object = json_pack("{s:s, s:s, s:i}", "key_id", id_text(key, id), "scheme",
	        key_scheme_name(key_scheme(key)), "signatures", (int)dsse->n_signatures);

	summary_to_json(summary, object);
	print_json(object);
	json_decref(object);
}

int verb_sign(const struct tool *tool, const struct call *call)
{
	_cleanup_(dsse_freep) struct dsse *dsse = NULL;
	_cleanup_(key_freep) struct key *key = NULL;
	_cleanup_(summary_done) struct summary summary = {0};
	int r = passphrase_check(call, !strcmp(call->argument, "-"));

	if (r == 0)
		r = read_input(call, &dsse);
	if (r != 0)
		return r;
	r = summary_of(dsse, &summary);
	if (r > 0)
		return refuse(call, EX_DATAERR, summary.error.message);
	if (r < 0)
		return refuse(call, EX_SOFTWARE, strerror(-r));
	r = signing_key_open(call, &key);
	if (r != 0)
		return r;
	show(key, &summary, dsse->n_signatures);
	if (call_has(call, OPTION_CONFIRM))
		r = confirm(call);
	if (r == 0)
		r = add_signature(call, key, dsse);
	if (r == 0)
		r = envelope_write(call, dsse);
	if (r == 0 && tool->json && !output_is_stdout(call))
		report(key, &summary, dsse);
	return r;
}
