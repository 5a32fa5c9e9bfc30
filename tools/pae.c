/*
 * execward pae: the bytes to sign, for a signer or a KMS of any kind; `execward attach` brings the
 * signature back. As in sign, what is to be signed is shown first.
 */
#include "base/cleanup.h"
#include "tools/envelope_io.h"
#include "tools/print.h"

#include <stdio.h>
#include <sysexits.h>

int verb_pae(const struct tool *tool, const struct call *call)
{
	_cleanup_(dsse_freep) struct dsse *dsse = NULL;
	_cleanup_(summary_done) struct summary summary = {0};
	json_t *object;
	int r = envelope_or_body_read(call, call->argument, &dsse);

	if (r != 0)
		return r;
	r = summary_of(dsse, &summary);
	if (r < 0)
		return EX_SOFTWARE;
	if (r == 0) {
		fprintf(stderr, "to be signed:\n");
		summary_print(stderr, &summary);
	} else {
		fprintf(stderr, "execward pae: warning: not an allowlist: %s\n",
		        summary.error.message);
	}
	r = output_write(call, dsse->pae, dsse->pae_size);
	if (r != 0 || !tool->json || output_is_stdout(call))
		return r;
	object = json_pack("{s:I}", "size", (json_int_t)dsse->pae_size);
	if (summary.statement.series)
		summary_to_json(&summary, object);
	print_json(object);
	json_decref(object);
	return 0;
}
