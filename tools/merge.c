/*
 * execward merge: envelopes of the same content, signed by several people apart, become one. No
 * signature is checked, and other content is refused.
 */
#include "base/cleanup.h"
#include "tools/envelope_io.h"
#include "tools/print.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static int refuse(const char *path, int code, const char *what)
{
	_cleanup_free_ char *name = text_safe(path);

	fprintf(stderr, "execward merge: %s: %s\n", name, what);
	return code;
}

static int take(const struct call *call, const char *path, struct dsse *dsse)
{
	_cleanup_(dsse_freep) struct dsse *other = NULL;
	int r = envelope_read(call, path, &other, NULL);

	if (r != 0)
		return r;
	if (other->pae_size != dsse->pae_size || memcmp(other->pae, dsse->pae, dsse->pae_size) != 0)
		return refuse(path, 1, "has other content than the first one");
	for (size_t i = 0; i < other->n_signatures && r == 0; i++)
		r = dsse_add(dsse, other->signatures[i].keyid, other->signatures[i].bytes,
		        other->signatures[i].size);
	if (r == 0)
		return 0;
	return refuse(path, r > 0 ? EX_DATAERR : EX_SOFTWARE,
	        r > 0 ? dsse_error_text(r) : "out of memory");
}

int verb_merge(const struct tool *tool, const struct call *call)
{
	_cleanup_(dsse_freep) struct dsse *dsse = NULL;
	int r = envelope_read(call, call->argument, &dsse, NULL);

	for (size_t i = 1; i < call->n_arguments && r == 0; i++)
		r = take(call, call->arguments[i], dsse);
	if (r == 0)
		r = envelope_write(call, dsse);
	if (r == 0 && tool->json && !output_is_stdout(call)) {
		json_t *object = json_pack("{s:i}", "signatures", (int)dsse->n_signatures);

		print_json(object);
		json_decref(object);
	}
	return r;
}
