#include "tools/envelope_io.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "tools/print.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static int refuse(const struct call *call, const char *path, int code, const char *what)
{
	_cleanup_free_ char *name = text_safe(strcmp(path, "-") ? path : "stdin");

	fprintf(stderr, "execward %s: %s: %s\n", call->verb->name, name, what);
	return code;
}

int input_read(const struct call *call, const char *path, size_t max_bytes, char **ret_data,
        size_t *ret_size)
{
	bool is_stdin = !strcmp(path, "-");
	_cleanup_close_ int fd = is_stdin ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r;

	if (fd < 0 && !is_stdin)
		return refuse(
		        call, path, errno == EACCES ? EX_NOPERM : EX_NOINPUT, strerror(errno));
	r = file_read_fd(is_stdin ? STDIN_FILENO : fd, max_bytes, ret_data, ret_size);
	if (r == -EFBIG)
		return refuse(call, path, EX_DATAERR, "too large");
	if (r == -ENOMEM)
		return refuse(call, path, EX_SOFTWARE, strerror(ENOMEM));
	if (r == -EISDIR)
		return refuse(call, path, EX_NOINPUT, strerror(EISDIR));
	return r < 0 ? refuse(call, path, EX_IOERR, strerror(-r)) : 0;
}

bool output_is_stdout(const struct call *call)
{
	const char *path = call->values[OPTION_OUT];

	return !path || !strcmp(path, "-");
}

int output_write(const struct call *call, const void *data, size_t size)
{
	const char *path = call->values[OPTION_OUT];
	struct stat st;
	int r;

	if (output_is_stdout(call)) {
		/* A failure is told by main(), which looks at the stream. */
		(void)fwrite(data, 1, size, stdout);
		return 0;
	}
	/* A rename would replace a device or a pipe by a file. */
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return refuse(call, path, EX_CANTCREAT,
		        "is there, and is no regular file: name another, or - for stdout");
	r = file_write_atomic(path, data, size, 0644);
	if (r == -EACCES || r == -EPERM || r == -EROFS)
		return refuse(call, path, EX_NOPERM, strerror(-r));
	if (r == -ENOSPC || r == -EIO || r == -EDQUOT || r == -EFBIG)
		return refuse(call, path, EX_IOERR, strerror(-r));
	return r < 0 ? refuse(call, path, EX_CANTCREAT, strerror(-r)) : 0;
}

static int refuse_envelope(const struct call *call, const char *path, int r)
{
	if (r < 0)
		return refuse(call, path, EX_SOFTWARE, strerror(-r));
	return refuse(call, path, EX_DATAERR, dsse_error_text(r));
}

int envelope_read(
        const struct call *call, const char *path, struct dsse **ret_dsse, const char **reterr_word)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = input_read(call, path, DSSE_ENVELOPE_MAX, &text, &size);

	if (r != 0) {
		if (r == EX_DATAERR && reterr_word)
			*reterr_word = dsse_error_name(DSSE_E_TOO_LARGE);
		return r;
	}
	r = dsse_parse(text, size, ret_dsse);
	if (r == 0)
		return 0;
	if (r > 0 && reterr_word)
		*reterr_word = dsse_error_name(r);
	return refuse_envelope(call, path, r);
}

int envelope_or_body_read(const struct call *call, const char *path, struct dsse **ret_dsse)
{
	_cleanup_(dsse_freep) struct dsse *dsse = NULL;
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = input_read(call, path, DSSE_ENVELOPE_MAX, &text, &size);

	if (r != 0)
		return r;
	r = dsse_parse(text, size, &dsse);
	if (r > 0 && statement_parse(text, size, NULL, NULL, NULL) == 0)
		r = dsse_new(text, size, &dsse);
	else if (r > 0)
		return refuse(
		        call, path, EX_DATAERR, "neither an envelope nor an allowlist's statement");
	if (r != 0)
		return refuse_envelope(call, path, r);
	*ret_dsse = TAKE_PTR(dsse);
	return 0;
}

int envelope_write(const struct call *call, const struct dsse *dsse)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = dsse_print(dsse, &text, &size);

	if (r != 0)
		return refuse_envelope(call, call->values[OPTION_OUT] ?: "stdout", r);
	return output_write(call, text, size);
}

/*
 * Summaries.
 */
void summary_done(struct summary *summary)
{
	statement_done(&summary->statement);
}

static int count(const struct statement_subject *subject, void *userdata)
{
	uint64_t *n = userdata;

	(void)subject;
	(*n)++;
	return 0;
}

int summary_of(const struct dsse *dsse, struct summary *ret_summary)
{
	struct summary summary = {0};
	struct statement_reader reader = {.subject = count, .userdata = &summary.entries};
	int r = statement_parse((const char *)dsse->body, dsse->body_size, &reader,
	        &summary.statement, &summary.error);

	*ret_summary = summary;
	return r;
}

json_t *scope_to_json(const struct statement_scope *scope)
{
	json_t *object = statement_scope_is_everywhere(scope) ? json_null() : json_object();

	for (int kind = 1; kind < _STATEMENT_SCOPE_MAX; kind++) {
		const struct statement_patterns *patterns = &scope->of[kind];
		const char *name = statement_scope_kind_name((enum statement_scope_kind)kind);
		json_t *list = patterns->n > 0 ? json_array() : NULL;

		for (size_t i = 0; i < patterns->n; i++)
			json_array_append_new(list, json_string(patterns->items[i]));
		if (list)
			json_object_set_new(object, name, list);
	}
	return object;
}

char *scope_words(const struct statement_scope *scope)
{
	const char *separator = "";
	char *text = NULL;
	size_t size;
	FILE *stream;

	if (statement_scope_is_everywhere(scope))
		return strdup("everywhere");
	stream = open_memstream(&text, &size);
	if (!stream)
		return NULL;
	for (int kind = 1; kind < _STATEMENT_SCOPE_MAX; kind++) {
		const struct statement_patterns *patterns = &scope->of[kind];

		if (patterns->n == 0)
			continue;
		fprintf(stream, "%s%s", separator,
		        statement_scope_kind_name((enum statement_scope_kind)kind));
		for (size_t i = 0; i < patterns->n; i++) {
			_cleanup_free_ char *pattern = text_safe(patterns->items[i]);

			fprintf(stream, "%s %s", i > 0 ? "," : "", pattern);
		}
		separator = "; ";
	}
	(void)fclose(stream);
	return text;
}

void summary_to_json(const struct summary *summary, json_t *object)
{
	const struct statement *s = &summary->statement;
	char issued[STATEMENT_TIME_SIZE] = "", expires[STATEMENT_TIME_SIZE] = "";

	(void)statement_time_print(s->issued_ns, issued);
	(void)statement_time_print(s->expires_ns, expires);
	json_object_set_new(object, "series", json_string(s->series));
	json_object_set_new(object, "version", json_integer((json_int_t)s->version));
	json_object_set_new(object, "issued", json_string(issued));
	json_object_set_new(object, "expires", json_string(expires));
	json_object_set_new(object, "bind", json_string(statement_bind_name(s->bind)));
	json_object_set_new(object, "scope", scope_to_json(&s->scope));
	json_object_set_new(object, "entries", json_integer((json_int_t)summary->entries));
}

void summary_print(FILE *stream, const struct summary *summary)
{
	const struct statement *s = &summary->statement;
	char issued[STATEMENT_TIME_SIZE] = "", expires[STATEMENT_TIME_SIZE] = "";
	_cleanup_free_ char *series = text_safe(s->series), *scope = scope_words(&s->scope);

	(void)statement_time_print(s->issued_ns, issued);
	(void)statement_time_print(s->expires_ns, expires);
	fprintf(stream, "  series     %s\n  version    %" PRIu64 "\n  entries    %" PRIu64 "\n",
	        series, s->version, summary->entries);
	fprintf(stream, "  issued     %s\n  expires    %s\n  bind       %s\n  scope      %s\n",
	        issued, expires, statement_bind_name(s->bind), scope ?: "");
}

const char *id_text(const struct key *key, char ret_text[DIGEST_HEX_SIZE])
{
	digest_to_hex(key_id(key), ret_text);
	return ret_text;
}

int signature_of(const struct dsse *dsse, const struct key *key)
{
	for (size_t i = 0; i < dsse->n_signatures; i++)
		if (key_verify(key, dsse->pae, dsse->pae_size, dsse->signatures[i].bytes,
		            dsse->signatures[i].size) == SIGNATURE_GOOD)
			return (int)i;
	return -1;
}
