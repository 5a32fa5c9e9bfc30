#include "allowlists/reader_frames.h"

#include "core/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PACKED_START 65536u
#define ERRNO_MAX    4095 /* the kernel's MAX_ERRNO */

void reader_answer_done(struct reader_answer *answer)
{
	statement_done(&answer->statement);
	free(answer->fault);
	free(answer->packed);
	free(answer->pending);
	*answer = (struct reader_answer){0};
}

/*
 * The frames. Each gets its bytes, whole.
 */
static bool findings_are_sound(const struct frame_verdict *v)
{
	for (size_t i = 0; i < v->n_findings; i++)
		if (v->findings[i].state > SIGNATURE_BAD || v->findings[i].known > 1)
			return false;
	for (size_t i = 1; i < v->n_signers; i++)
		if (memcmp(&v->signers[i - 1], &v->signers[i], sizeof(v->signers[i])) >= 0)
			return false;
	return true;
}

static bool verdict_is_sound(const struct frame_verdict *v)
{
	bool accepted = v->reason == ALLOWLIST_ACCEPTED;

	if (v->reason <= ALLOWLIST_UNCHECKED || v->reason >= _ALLOWLIST_REASON_MAX ||
	        v->envelope >= _DSSE_E_MAX || v->n_findings > DSSE_SIGNATURES_MAX ||
	        v->n_signers > v->n_findings)
		return false;
	if (v->envelope != 0 && (v->reason != ALLOWLIST_BAD_STATEMENT || v->n_findings > 0))
		return false;
	if (accepted && v->n_signers == 0)
		return false;
	return findings_are_sound(v);
}

static int read_verdict(struct reader_answer *answer, const void *data, size_t size)
{
	struct frame_verdict v;

	if (size != sizeof(v))
		return -EPROTO;
	memcpy(&v, data, sizeof(v));
	if (!verdict_is_sound(&v))
		return -EPROTO;
	answer->reason = (enum allowlist_reason)v.reason;
	answer->envelope = (int)v.envelope;
	answer->payload = v.payload;
	answer->n_findings = v.n_findings;
	answer->n_signers = v.n_signers;
	memcpy(answer->findings, v.findings, sizeof(v.findings));
	memcpy(answer->signers, v.signers, sizeof(v.signers));
	return 0;
}

/* The next @size bytes as text of their own; NULL when there are not so many, or a NUL among them.
 */
static char *take_text(const char **at, const char *end, size_t size)
{
	const char *text = *at;

	if (size > (size_t)(end - text) || size > STATEMENT_TEXT_MAX || memchr(text, '\0', size))
		return NULL;
	*at += size;
	return strndup(text, size);
}

static int read_pattern(
        struct statement_scope *scope, size_t kind, const char **at, const char *end)
{
	_cleanup_free_ char *pattern = NULL;
	uint32_t size;
	int r;

	if ((size_t)(end - *at) < sizeof(size))
		return -EPROTO;
	memcpy(&size, *at, sizeof(size));
	*at += sizeof(size);
	pattern = take_text(at, end, size);
	if (!pattern)
		return -EPROTO;
	r = statement_scope_add(scope, (enum statement_scope_kind)kind, pattern);
	return r == 0 || r == -ENOMEM ? r : -EPROTO;
}

static bool statement_is_sound(const struct statement *s)
{
	return s->series && !statement_series_fault(s->series) && s->version >= 1 &&
	       s->version <= INT64_MAX && s->issued_ns >= 0 && s->expires_ns > s->issued_ns &&
	       s->bind > STATEMENT_BIND_UNSET && s->bind < _STATEMENT_BIND_MAX;
}

static int read_patterns(struct statement_scope *scope, const struct frame_statement *head,
        const char **at, const char *end)
{
	int r = head->n_patterns[STATEMENT_SCOPE_UNSET] == 0 ? 0 : -EPROTO;

	for (size_t kind = STATEMENT_SCOPE_UNSET + 1; kind < _STATEMENT_SCOPE_MAX; kind++)
		for (uint32_t i = 0; i < head->n_patterns[kind] && r == 0; i++)
			r = read_pattern(scope, kind, at, end);
	return r;
}

static int read_statement(struct reader_answer *answer, const void *data, size_t size)
{
	struct statement *s = &answer->statement;
	const char *at = data, *end = at + size;
	struct frame_statement head;
	int r;

	if (size < sizeof(head))
		return -EPROTO;
	memcpy(&head, data, sizeof(head));
	at += sizeof(head);
	s->version = head.version;
	s->issued_ns = head.issued_ns;
	s->expires_ns = head.expires_ns;
	s->bind = head.bind < _STATEMENT_BIND_MAX ? (enum statement_bind)head.bind
	                                          : STATEMENT_BIND_UNSET;
	s->series = take_text(&at, end, head.series_size);
	if (!statement_is_sound(s))
		return -EPROTO;
	r = read_patterns(&s->scope, &head, &at, end);
	return r == 0 && at != end ? -EPROTO : r;
}

static int pack(struct reader_answer *answer, const void *data, size_t size)
{
	if (answer->packed_room - answer->packed_size < size + 1) {
		size_t room = answer->packed_room ? 2 * answer->packed_room : PACKED_START;
		char *packed = realloc(answer->packed, room);

		if (!packed)
			return -ENOMEM;
		answer->packed = packed;
		answer->packed_room = room;
	}
	memcpy(answer->packed + answer->packed_size, data, size);
	answer->packed[answer->packed_size + size] = '\0';
	answer->packed_size += size + 1;
	return 0;
}

static int read_subject(struct reader_answer *answer, const void *data, size_t size)
{
	char name[STATEMENT_TEXT_MAX + 1];
	size_t n;

	if (size <= DIGEST_SIZE || size > DIGEST_SIZE + STATEMENT_TEXT_MAX ||
	        answer->subjects == STATEMENT_SUBJECTS_MAX)
		return -EPROTO;
	n = size - DIGEST_SIZE;
	memcpy(name, (const char *)data + DIGEST_SIZE, n);
	name[n] = '\0';
	if (strlen(name) != n || statement_name_fault(name))
		return -EPROTO;
	answer->subjects++;
	return pack(answer, data, size);
}

/* A message, which may be empty. */
static int read_fault(struct reader_answer *answer, const char *text, size_t size)
{
	char copy[FRAME_FAULT_MAX + 1];

	if (size > FRAME_FAULT_MAX)
		return -EPROTO;
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return -EPROTO;
	memcpy(copy, text, size);
	copy[size] = '\0';
	if (size == 0)
		return 0;
	answer->fault = text_to_utf8(copy);
	return answer->fault ? 0 : -ENOMEM;
}

/* What the reader may conclude, once the signatures have been accepted. */
static bool is_conclusion(enum allowlist_reason reason)
{
	return reason == ALLOWLIST_ACCEPTED || reason == ALLOWLIST_OTHER_SERIES ||
	       reason == ALLOWLIST_THRESHOLD_NOT_MET || reason == ALLOWLIST_BAD_STATEMENT ||
	       reason == ALLOWLIST_UNKNOWN_CRITICAL || reason == ALLOWLIST_EMPTY ||
	       reason == ALLOWLIST_REVOKED_DIGEST;
}

static int read_end(struct reader_answer *answer, const void *data, size_t size)
{
	struct frame_end end;
	enum allowlist_reason reason;

	if (size < sizeof(end))
		return -EPROTO;
	memcpy(&end, data, sizeof(end));
	reason = end.reason < _ALLOWLIST_REASON_MAX ? (enum allowlist_reason)end.reason
	                                            : ALLOWLIST_UNCHECKED;
	if (end.reserved != 0 || end.subjects != answer->subjects)
		return -EPROTO;
	if (answer->reason == ALLOWLIST_ACCEPTED ? !is_conclusion(reason)
	                                         : reason != answer->reason)
		return -EPROTO;
	if (reason == ALLOWLIST_ACCEPTED && answer->subjects == 0)
		return -EPROTO;
	answer->reason = reason;
	return read_fault(answer, (const char *)data + sizeof(end), size - sizeof(end));
}

static int read_failure(struct reader_answer *answer, const void *data, size_t size)
{
	int32_t failure;

	if (size != sizeof(failure))
		return -EPROTO;
	memcpy(&failure, data, sizeof(failure));
	if (failure >= 0 || failure < -ERRNO_MAX)
		return -EPROTO;
	answer->failure = failure;
	return 0;
}

/*
 * Turns.
 */
static bool is_turn(const struct reader_answer *answer, enum frame_kind kind)
{
	switch (answer->last) {
	case FRAME_UNSET:
		return kind == FRAME_VERDICT || kind == FRAME_FAILURE;
	case FRAME_VERDICT:
		return kind == FRAME_END || kind == FRAME_FAILURE ||
		       (kind == FRAME_STATEMENT && answer->reason == ALLOWLIST_ACCEPTED);
	case FRAME_STATEMENT:
	case FRAME_SUBJECT:
		return kind == FRAME_SUBJECT || kind == FRAME_END || kind == FRAME_FAILURE;
	default:
		return false;
	}
}

static int read_frame(struct reader_answer *answer, const struct frame_head *head, const void *data)
{
	static int (*const readers[_FRAME_KIND_MAX])(
	        struct reader_answer * answer, const void *data, size_t size) = {
	        [FRAME_VERDICT] = read_verdict,
	        [FRAME_STATEMENT] = read_statement,
	        [FRAME_SUBJECT] = read_subject,
	        [FRAME_END] = read_end,
	        [FRAME_FAILURE] = read_failure,
	};
	enum frame_kind kind = (enum frame_kind)head->kind;

	if (!is_turn(answer, kind))
		return -EPROTO;
	answer->last = kind;
	return readers[kind](answer, data, head->size);
}

/* How many bytes the frame at @data takes, head and all; 0: not even its head is there. */
static int frame_size(const char *data, size_t size, struct frame_head *ret_head, size_t *ret_size)
{
	*ret_size = 0;
	if (size < sizeof(*ret_head))
		return 0;
	memcpy(ret_head, data, sizeof(*ret_head));
	if (ret_head->kind <= FRAME_UNSET || ret_head->kind >= _FRAME_KIND_MAX ||
	        ret_head->size > FRAME_MAX)
		return -EPROTO;
	*ret_size = sizeof(*ret_head) + ret_head->size;
	return 0;
}

/* Reads the frames that are whole; *ret_used is where the next begins. */
static int read_frames(
        struct reader_answer *answer, const char *data, size_t size, size_t *ret_used)
{
	size_t used = 0;

	for (;;) {
		struct frame_head head = {0};
		size_t n = 0;
		int r = frame_size(data + used, size - used, &head, &n);

		if (r == 0 && (n == 0 || n > size - used)) {
			*ret_used = used;
			return 0;
		}
		if (r == 0)
			r = read_frame(answer, &head, data + used + sizeof(head));
		if (r != 0)
			return r;
		used += n;
	}
}

int reader_answer_feed(struct reader_answer *answer, const void *data, size_t size)
{
	size_t used = 0, all;
	char *pending;
	int r;

	answer->total += size;
	if (answer->total > FRAMES_MAX)
		return -EPROTO;
	if (answer->pending_size == 0) {
		r = read_frames(answer, data, size, &used);
		if (r != 0 || used == size)
			return r;
		data = (const char *)data + used;
		size -= used;
	}
	all = answer->pending_size + size;
	pending = realloc(answer->pending, all);
	if (!pending)
		return -ENOMEM;
	answer->pending = pending;
	memcpy(pending + answer->pending_size, data, size);
	r = read_frames(answer, pending, all, &used);
	if (r != 0)
		return r;
	memmove(pending, pending + used, all - used);
	answer->pending_size = all - used;
	return 0;
}

int reader_answer_finish(const struct reader_answer *answer)
{
	if (answer->last == FRAME_FAILURE)
		return answer->failure;
	return answer->last == FRAME_END && answer->pending_size == 0 ? 0 : -EPROTO;
}

int reader_answer_subjects(const struct reader_answer *answer,
        int (*each)(const struct statement_subject *subject, void *userdata), void *userdata)
{
	const char *at = answer->packed;
	int r = 0;

	for (uint64_t i = 0; i < answer->subjects && r == 0; i++) {
		struct statement_subject subject = {.name = (char *)(uintptr_t)(at + DIGEST_SIZE)};

		memcpy(subject.digest.bytes, at, DIGEST_SIZE);
		r = each(&subject, userdata);
		at += DIGEST_SIZE + strlen(subject.name) + 1;
	}
	return r;
}
