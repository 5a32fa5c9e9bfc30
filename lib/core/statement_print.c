/* Writing: each string by jansson, everything else fixed, so that the bytes are always the same. */
#include "core/statement.h"

#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct body {
	char *data;
	size_t size, room;
};

static int append(struct body *body, const char *text, size_t size)
{
	if (size > STATEMENT_SIZE_MAX - body->size)
		return -EFBIG;
	if (body->size + size > body->room) {
		size_t room = (body->size + size) * 2;
		char *grown = realloc(body->data, room);

		if (!grown)
			return -ENOMEM;
		body->data = grown;
		body->room = room;
	}
	memcpy(body->data + body->size, text, size);
	body->size += size;
	return 0;
}

static int append_text(struct body *body, const char *text)
{
	return append(body, text, strlen(text));
}

/* In quotes. */
static int append_string(struct body *body, const char *text)
{
	json_t *value = json_string(text);
	_cleanup_free_ char *quoted = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;

	json_decref(value);
	return quoted ? append_text(body, quoted) : -ENOMEM;
}

/* `,"name":"value"` */
static int append_member(struct body *body, const char *name, const char *value)
{
	int r = append_text(body, ",\"");

	if (r == 0)
		r = append_text(body, name);
	if (r == 0)
		r = append_text(body, "\":");
	return r == 0 ? append_string(body, value) : r;
}

static int append_subject(struct body *body, const struct statement_subject *subject, bool first)
{
	char hex[DIGEST_HEX_SIZE];
	int r;

	if (statement_name_fault(subject->name))
		return -EINVAL;
	digest_to_hex(&subject->digest, hex);
	r = append_text(body, first ? "{\"name\":" : ",{\"name\":");
	if (r == 0)
		r = append_string(body, subject->name);
	if (r == 0)
		r = append_text(body, ",\"digest\":{\"sha256\":\"");
	if (r == 0)
		r = append_text(body, hex);
	return r == 0 ? append_text(body, "\"}}") : r;
}

/* `,"scope":{"images":["a","b"]}`; statement_scope_add() has sorted the patterns. */
static int append_scope(struct body *body, const struct statement_scope *scope)
{
	const char *before = ",\"scope\":{\"";
	int r = 0;

	for (int kind = 1; kind < _STATEMENT_SCOPE_MAX && r == 0; kind++) {
		const struct statement_patterns *patterns = &scope->of[kind];

		if (patterns->n == 0)
			continue;
		r = append_text(body, before);
		if (r == 0)
			r = append_text(
			        body, statement_scope_kind_name((enum statement_scope_kind)kind));
		if (r == 0)
			r = append_text(body, "\":[");
		for (size_t i = 0; i < patterns->n && r == 0; i++) {
			if (i > 0)
				r = append_text(body, ",");
			if (r == 0)
				r = append_string(body, patterns->items[i]);
		}
		if (r == 0)
			r = append_text(body, "]");
		before = ",\"";
	}
	return r == 0 ? append_text(body, "}") : r;
}

/* What restricts says so where whoever does not know it must refuse the list. */
static int append_critical(struct body *body, bool binds_to_paths, bool has_scope)
{
	const char *text = ",\"critical\":[]}}";

	if (binds_to_paths)
		text = has_scope ? ",\"critical\":[\"bind\",\"scope\"]}}"
		                 : ",\"critical\":[\"bind\"]}}";
	else if (has_scope)
		text = ",\"critical\":[\"scope\"]}}";
	return append_text(body, text);
}

static int append_predicate(struct body *body, const struct statement *statement)
{
	char number[32], issued[STATEMENT_TIME_SIZE], expires[STATEMENT_TIME_SIZE];
	bool everywhere = statement_scope_is_everywhere(&statement->scope);
	size_t from = body->size;
	int r;

	if (statement_time_print(statement->issued_ns, issued) < 0 ||
	        statement_time_print(statement->expires_ns, expires) < 0)
		return -EINVAL;
	(void)snprintf(number, sizeof(number), ",\"version\":%" PRIu64, statement->version);
	r = append_text(body, "\"predicate\":{\"series\":");
	if (r == 0)
		r = append_string(body, statement->series);
	if (r == 0)
		r = append_text(body, number);
	if (r == 0)
		r = append_member(body, "issued", issued);
	if (r == 0)
		r = append_member(body, "expires", expires);
	if (r == 0)
		r = append_member(body, "bind", statement_bind_name(statement->bind));
	if (r == 0 && !everywhere)
		r = append_scope(body, &statement->scope);
	if (r == 0)
		r = append_critical(body, statement->bind == STATEMENT_BIND_PATH, !everywhere);
	if (r == 0 && body->size - from > STATEMENT_VALUE_MAX)
		return -EFBIG; /* patterns; whoever reads it would refuse it */
	return r;
}

static bool is_scope(const struct statement_scope *scope)
{
	for (int kind = 0; kind < _STATEMENT_SCOPE_MAX; kind++) {
		const struct statement_patterns *patterns = &scope->of[kind];

		if (patterns->n > (kind == STATEMENT_SCOPE_UNSET ? 0 : STATEMENT_PATTERNS_MAX))
			return false;
		for (size_t i = 0; i < patterns->n; i++)
			if (statement_pattern_fault(patterns->items[i]) ||
			        (i > 0 && strcmp(patterns->items[i - 1], patterns->items[i]) >= 0))
				return false;
	}
	return true;
}

static bool is_valid(const struct statement *statement, size_t n)
{
	char issued[STATEMENT_TIME_SIZE], expires[STATEMENT_TIME_SIZE];

	return n > 0 && statement->series && !statement_series_fault(statement->series) &&
	       statement->version >= 1 && statement->version <= INT64_MAX &&
	       (statement->bind == STATEMENT_BIND_DIGEST ||
	               statement->bind == STATEMENT_BIND_PATH) &&
	       statement_time_print(statement->issued_ns, issued) == 0 &&
	       statement_time_print(statement->expires_ns, expires) == 0 &&
	       strcmp(issued, expires) < 0 && is_scope(&statement->scope);
}

int statement_print(const struct statement *statement, const struct statement_subject *subjects,
        size_t n, char **ret_text, size_t *ret_size)
{
	struct body body = {0};
	int r;

	if (!is_valid(statement, n))
		return -EINVAL;
	if (n > STATEMENT_SUBJECTS_MAX)
		return -EFBIG;
	r = append_text(&body, "{\"_type\":\"" STATEMENT_TYPE "\",\"subject\":[");
	for (size_t i = 0; i < n && r == 0; i++)
		r = append_subject(&body, &subjects[i], i == 0);
	if (r == 0)
		r = append_text(&body, "],\"predicateType\":\"" STATEMENT_PREDICATE "\",");
	if (r == 0)
		r = append_predicate(&body, statement);
	if (r != 0) {
		free(body.data);
		return r;
	}
	*ret_text = body.data;
	*ret_size = body.size;
	return 0;
}

static int compare_subjects(const void *a, const void *b)
{
	const struct statement_subject *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r != 0 ? r : memcmp(x->digest.bytes, y->digest.bytes, DIGEST_SIZE);
}

void statement_sort(struct statement_subject *subjects, size_t n)
{
	if (n > 1)
		qsort(subjects, n, sizeof(*subjects), compare_subjects);
}
