/*
 * What the verbs of envelopes read and write alike: files or pipes ("-"), bounded in and atomic
 * out, with their messages and exit codes.
 */
#pragma once

#include "core/statement.h"
#include "crypto/dsse.h"
#include "crypto/key.h"
#include "tools/verbs.h"

#include <jansson.h>

/* All of a file, or of stdin. 0; 66, 77, 74; 65 past @max_bytes. The caller frees. */
int input_read(const struct call *call, const char *path, size_t max_bytes, char **ret_data,
        size_t *ret_size);
/* To --out, or to stdout without it and for "-". 0; 73, 74, 77. */
int output_write(const struct call *call, const void *data, size_t size);
/* "-" or nothing: the result itself is on stdout, and no report may be. */
bool output_is_stdout(const struct call *call);

/* An envelope of a file. 0, what input_read() says, or 65 with the word of the fault in
 * *reterr_word, which may be NULL. */
int envelope_read(const struct call *call, const char *path, struct dsse **ret_dsse,
        const char **reterr_word);
/* The same, or a body that has no envelope yet. */
int envelope_or_body_read(const struct call *call, const char *path, struct dsse **ret_dsse);
int envelope_write(const struct call *call, const struct dsse *dsse);

/* A statement and the number of its subjects. */
struct summary {
	struct statement statement;
	uint64_t entries;
	struct statement_error error; /* when it is none */
};

void summary_done(struct summary *summary);
/* 0, STATEMENT_E_* with summary->error, or -ENOMEM. */
int summary_of(const struct dsse *dsse, struct summary *ret_summary);
/* series, version, issued, expires, bind, scope, entries into an object. */
void summary_to_json(const struct summary *summary, json_t *object);
/* `{"images": [...]}` with the kinds that have patterns; null: everywhere. */
json_t *scope_to_json(const struct statement_scope *scope);
/* The same for people: `images web:*, db:*; hosts prod`, or `everywhere`. The caller frees. */
char *scope_words(const struct statement_scope *scope);
/* The same as lines for people. */
void summary_print(FILE *stream, const struct summary *summary);

/* The key's id in hexadecimal. */
const char *id_text(const struct key *key, char ret_text[DIGEST_HEX_SIZE]);
/* The signature of the envelope that this key made; -1 when none. */
int signature_of(const struct dsse *dsse, const struct key *key);
