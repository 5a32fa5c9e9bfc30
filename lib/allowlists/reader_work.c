/*
 * Inside the process that reads. First everything that needs a file: keys, seeds, libcrypto's
 * SHA-256. Then nothing but memory and two descriptors is left, and only then comes the envelope:
 * signatures first, and the body is parsed when they are good.
 */
#include "allowlists/reader_internal.h"
#include "allowlists/sandbox.h"

#include "base/file.h"
#include "crypto/digest.h"
#include "crypto/dsse_verify.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUT_SIZE 65536u /* bytes gathered before they are written: a pipe's size */

struct speaker {
	char buffer[OUT_SIZE];
	size_t used;
	bool failed; /* nobody listens any more */
};

struct reading {
	struct speaker *out;
	const struct dsse_verification *signatures;
	enum allowlist_reason reason; /* why the statement's header was enough */
	uint64_t subjects;
};

static void flush(struct speaker *out)
{
	size_t done = 0;

	while (!out->failed && done < out->used) {
		ssize_t n = write(READER_OUT, out->buffer + done, out->used - done);

		if (n < 0 && errno == EINTR)
			continue;
		out->failed = n <= 0;
		done += n > 0 ? (size_t)n : 0;
	}
	out->used = 0;
}

static void put(struct speaker *out, const void *data, size_t size)
{
	const char *bytes = data;

	while (size > 0 && !out->failed) {
		size_t n = sizeof(out->buffer) - out->used;

		if (n > size)
			n = size;
		memcpy(out->buffer + out->used, bytes, n);
		out->used += n;
		bytes += n;
		size -= n;
		if (out->used == sizeof(out->buffer))
			flush(out);
	}
}

static void put_head(struct speaker *out, enum frame_kind kind, size_t size)
{
	const struct frame_head head = {.kind = (uint32_t)kind, .size = (uint32_t)size};

	put(out, &head, sizeof(head));
}

static void say_failure(struct speaker *out, int r)
{
	int32_t failure = r;

	put_head(out, FRAME_FAILURE, sizeof(failure));
	put(out, &failure, sizeof(failure));
	flush(out);
}

static void say_end(
        struct speaker *out, enum allowlist_reason reason, uint64_t subjects, const char *fault)
{
	const struct frame_end end = {.subjects = subjects, .reason = (uint32_t)reason};
	size_t size = strnlen(fault, FRAME_FAULT_MAX);

	put_head(out, FRAME_END, sizeof(end) + size);
	put(out, &end, sizeof(end));
	put(out, fault, size);
	flush(out);
}

/*
 * The signatures.
 */
static int compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct digest));
}

static void say_verdict(struct speaker *out, enum allowlist_reason reason, const struct dsse *dsse,
        const struct dsse_verification *v, const struct digest *payload)
{
	struct frame_verdict frame = {.reason = (uint32_t)reason,
	        .n_findings = (uint32_t)dsse->n_signatures,
	        .n_signers = (uint32_t)v->n_signers,
	        .payload = *payload};

	for (size_t i = 0; i < dsse->n_signatures; i++) {
		frame.findings[i].state = (uint32_t)v->findings[i].state;
		frame.findings[i].known = v->findings[i].key != NULL;
		if (v->findings[i].key)
			frame.findings[i].key = *key_id(v->findings[i].key->key);
	}
	for (size_t i = 0; i < v->n_signers; i++)
		frame.signers[i] = *key_id(v->signers[i]->key);
	qsort(frame.signers, v->n_signers, sizeof(frame.signers[0]), compare_digests);
	put_head(out, FRAME_VERDICT, sizeof(frame));
	put(out, &frame, sizeof(frame));
}

/* It is no envelope: @error is a DSSE_E_X. */
static void say_no_envelope(struct speaker *out, int error)
{
	const struct frame_verdict frame = {
	        .reason = ALLOWLIST_BAD_STATEMENT, .envelope = (uint32_t)error};

	put_head(out, FRAME_VERDICT, sizeof(frame));
	put(out, &frame, sizeof(frame));
	say_end(out, ALLOWLIST_BAD_STATEMENT, 0, dsse_error_text(error));
}

/*
 * The statement.
 */
static size_t size_of_scope(const struct statement_scope *scope)
{
	size_t size = 0;

	for (size_t kind = 0; kind < _STATEMENT_SCOPE_MAX; kind++)
		for (size_t i = 0; i < scope->of[kind].n; i++)
			size += sizeof(uint32_t) + strlen(scope->of[kind].items[i]);
	return size;
}

static void put_patterns(struct speaker *out, const struct statement_patterns *patterns)
{
	for (size_t i = 0; i < patterns->n; i++) {
		uint32_t size = (uint32_t)strlen(patterns->items[i]);

		put(out, &size, sizeof(size));
		put(out, patterns->items[i], size);
	}
}

static void say_statement(struct speaker *out, const struct statement *s)
{
	struct frame_statement frame = {.version = s->version,
	        .issued_ns = s->issued_ns,
	        .expires_ns = s->expires_ns,
	        .bind = (uint32_t)s->bind,
	        .series_size = (uint32_t)strlen(s->series)};

	for (size_t kind = 0; kind < _STATEMENT_SCOPE_MAX; kind++)
		frame.n_patterns[kind] = (uint32_t)s->scope.of[kind].n;
	put_head(
	        out, FRAME_STATEMENT, sizeof(frame) + frame.series_size + size_of_scope(&s->scope));
	put(out, &frame, sizeof(frame));
	put(out, s->series, frame.series_size);
	for (size_t kind = 0; kind < _STATEMENT_SCOPE_MAX; kind++)
		put_patterns(out, &s->scope.of[kind]);
}

static int on_header(const struct statement *statement, void *userdata)
{
	struct reading *reading = userdata;

	say_statement(reading->out, statement);
	reading->reason = dsse_verify_series(reading->signatures, statement->series);
	return reading->reason == ALLOWLIST_ACCEPTED ? 0 : -ECANCELED;
}

static int on_subject(const struct statement_subject *subject, void *userdata)
{
	struct reading *reading = userdata;
	size_t size = strlen(subject->name);

	put_head(reading->out, FRAME_SUBJECT, DIGEST_SIZE + size);
	put(reading->out, subject->digest.bytes, DIGEST_SIZE);
	put(reading->out, subject->name, size);
	reading->subjects++;
	return reading->out->failed ? -EPIPE : 0;
}

static void parse(
        struct speaker *out, const struct dsse *dsse, const struct dsse_verification *signatures)
{
	struct reading reading = {.out = out, .signatures = signatures};
	const struct statement_reader reader = {
	        .header = on_header, .subject = on_subject, .userdata = &reading};
	struct statement_error error = {0};
	int r = statement_parse((const char *)dsse->body, dsse->body_size, &reader, NULL, &error);

	if (r == 0)
		say_end(out, ALLOWLIST_ACCEPTED, reading.subjects, "");
	else if (r == -ECANCELED)
		say_end(out, reading.reason, reading.subjects, "");
	else if (r > 0)
		say_end(out, allowlist_reason_of_statement(r), reading.subjects, error.message);
	else
		say_failure(out, r);
}

static void judge(struct speaker *out, const struct dsse *dsse, const struct trust *trust,
        const struct reader_request *request)
{
	struct dsse_verification v;
	enum allowlist_reason reason;
	struct digest payload;
	int r = digest_data(dsse->body, dsse->body_size, &payload);

	if (r < 0) {
		say_failure(out, r);
		return;
	}
	dsse_verify(dsse, trust, request->threshold, request->now_ns, &v);
	reason = v.reason;
	if (reason == ALLOWLIST_ACCEPTED && trust_is_revoked(trust, &payload))
		reason = ALLOWLIST_REVOKED_DIGEST;
	say_verdict(out, reason, dsse, &v, &payload);
	if (reason == ALLOWLIST_ACCEPTED)
		parse(out, dsse, &v);
	else
		say_end(out, reason, 0, "");
}

static int read_envelope(struct dsse **ret_dsse)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = file_read_fd(READER_IN, DSSE_ENVELOPE_MAX, &text, &size);

	if (r == -EFBIG)
		return DSSE_E_TOO_LARGE;
	return r == 0 ? dsse_parse(text, size, ret_dsse) : r;
}

/* Whatever opens a file the first time that it is used. 0 or -errno. */
static int prepare(const struct reader_request *request, struct trust **ret_trust)
{
	_cleanup_(trust_error_done) struct trust_error error = {0};
	struct digest digest;
	int r = key_setup();

	if (r == 0)
		r = trust_load(request->keys_dir, geteuid(), ret_trust, &error);
	if (r > 0)
		return -EAGAIN; /* whoever asks has just read them, and knows better words */
	json_object_seed(0);
	return r == 0 ? digest_data("", 0, &digest) : r;
}

void reader_run(const struct reader_request *request)
{
	_cleanup_(trust_freep) struct trust *trust = NULL;
	_cleanup_(dsse_freep) struct dsse *dsse = NULL;
	struct speaker *out = calloc(1, sizeof(*out));
	int r = out ? prepare(request, &trust) : -ENOMEM;

	if (!out)
		return;
	if (r == 0)
		r = sandbox_enter();
	if (r == 0)
		r = read_envelope(&dsse);
	if (r < 0)
		say_failure(out, r);
	else if (r > 0)
		say_no_envelope(out, r);
	else
		judge(out, dsse, trust, request);
	free(out);
}
