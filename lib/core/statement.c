/*
 * Cutting and reading. The cutter only knows strings and brackets; what it cuts out must be one
 * whole value to jansson, which knows the rest, so that a mistake of the cutter is a refusal.
 */
#include "core/statement.h"

#include "base/cleanup.h"
#include "core/statement_scope.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

struct span {
	size_t at, size;
};

struct cutter {
	const char *text;
	size_t size, at;
	struct statement_error *error; /* NULL: not wanted */
};

/* The members that are known, and where they are. */
enum member { MEMBER_TYPE, MEMBER_SUBJECT, MEMBER_PREDICATE_TYPE, MEMBER_PREDICATE, _MEMBER_MAX };

#define CRITICAL_KNOWN 6u /* names that `critical` may have */

static const char *const member_names[_MEMBER_MAX] = {
        [MEMBER_TYPE] = "_type",
        [MEMBER_SUBJECT] = "subject",
        [MEMBER_PREDICATE_TYPE] = "predicateType",
        [MEMBER_PREDICATE] = "predicate",
};

void statement_done(struct statement *statement)
{
	free(statement->series);
	statement_scope_done(&statement->scope);
	memset(statement, 0, sizeof(*statement));
}

__attribute__((format(printf, 2, 3))) static int refuse(
        const struct cutter *cutter, const char *format, ...)
{
	va_list args;

	if (!cutter->error)
		return STATEMENT_E_INVALID;
	cutter->error->at = cutter->at;
	va_start(args, format);
	(void)vsnprintf(cutter->error->message, sizeof(cutter->error->message), format, args);
	va_end(args);
	return STATEMENT_E_INVALID;
}

/*
 * The cutter.
 */
static int peek(const struct cutter *cutter)
{
	return cutter->at < cutter->size ? (unsigned char)cutter->text[cutter->at] : -1;
}

/* The next byte that is no blank of RFC 8259; -1 at the end. */
static int next(struct cutter *cutter)
{
	int c;

	for (;;) {
		c = peek(cutter);
		if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
			return c;
		cutter->at++;
	}
}

static bool take(struct cutter *cutter, char c)
{
	if (next(cutter) != c)
		return false;
	cutter->at++;
	return true;
}

/* From a quote to behind the one that ends it. */
static bool skip_string(struct cutter *cutter)
{
	for (cutter->at++; cutter->at < cutter->size; cutter->at++) {
		char c = cutter->text[cutter->at];

		if (c == '"') {
			cutter->at++;
			return true;
		}
		if (c == '\\')
			cutter->at++;
	}
	return false;
}

/* An array or an object, to behind the bracket that closes it; @limit levels at most. */
static bool skip_nested(struct cutter *cutter, unsigned int limit)
{
	unsigned int depth = 0;

	do {
		int c = peek(cutter);

		if (c < 0)
			return false;
		if (c == '"') {
			if (!skip_string(cutter))
				return false;
			continue;
		}
		if ((c == '{' || c == '[') && ++depth > limit)
			return false;
		if (c == '}' || c == ']')
			depth--;
		cutter->at++;
	} while (depth > 0);
	return true;
}

/* A number or a word: up to what can only follow it. */
static bool skip_scalar(struct cutter *cutter)
{
	size_t from = cutter->at;

	while (cutter->at < cutter->size && !strchr(",]} \t\r\n", cutter->text[cutter->at]))
		cutter->at++;
	return cutter->at > from;
}

/* The value at the next byte that is no blank. */
static int cut(struct cutter *cutter, unsigned int limit, struct span *ret_span)
{
	int c = next(cutter);
	size_t from = cutter->at;
	bool whole;

	if (c == '"')
		whole = skip_string(cutter);
	else if (c == '{' || c == '[')
		whole = skip_nested(cutter, limit);
	else
		whole = skip_scalar(cutter);
	if (!whole) {
		cutter->at = from;
		return refuse(cutter, "a value is missing, does not end, or is nested too deep");
	}
	*ret_span = (struct span){from, cutter->at - from};
	return 0;
}

/*
 * Values.
 */

/* The whole value: no fractions, no string past the bound. The depth is bounded by the cutter. */
static bool is_sound(const json_t *value) // NOLINT(misc-no-recursion)
{
	const char *key;
	json_t *child;
	size_t i;

	if (json_is_real(value) || json_string_length(value) > STATEMENT_TEXT_MAX)
		return false;
	json_array_foreach(value, i, child)
	{
		if (!is_sound(child))
			return false;
	}
	json_object_foreach((json_t *)(uintptr_t)value, key, child)
	{
		if (strlen(key) > STATEMENT_TEXT_MAX || !is_sound(child))
			return false;
	}
	return true;
}

static int load(struct cutter *cutter, const struct span *span, json_t **ret_value)
{
	json_error_t error;
	json_t *value = NULL;

	cutter->at = span->at;
	if (span->size > STATEMENT_VALUE_MAX)
		return refuse(cutter, "a value is longer than %u bytes", STATEMENT_VALUE_MAX);
	value = json_loadb(cutter->text + span->at, span->size,
	        JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!value && json_error_code(&error) == json_error_out_of_memory)
		return -ENOMEM;
	if (!value && json_error_code(&error) == json_error_duplicate_key)
		return refuse(cutter, "a key stands twice in one object");
	if (!value)
		return refuse(cutter, "no JSON, or a number that is no integer of 64 bits");
	if (!is_sound(value)) {
		json_decref(value);
		return refuse(cutter, "a number is no integer, or a string is longer than %u bytes",
		        STATEMENT_TEXT_MAX);
	}
	cutter->at = span->at + span->size;
	*ret_value = value;
	return 0;
}

static int load_string(struct cutter *cutter, const struct span *span, json_t **ret_value)
{
	json_t *value = NULL;
	int r = load(cutter, span, &value);

	if (r != 0)
		return r;
	if (!json_is_string(value)) {
		json_decref(value);
		cutter->at = span->at;
		return refuse(cutter, "a string is wanted here");
	}
	*ret_value = value;
	return 0;
}

/*
 * The outermost object.
 */
static size_t member_of(const char *name)
{
	size_t i = 0;

	while (i < _MEMBER_MAX && strcmp(member_names[i], name) != 0)
		i++;
	return i;
}

/* A member that is not known is ignored, and must be sound all the same. */
static int skip_member(struct cutter *cutter, const struct span *span)
{
	json_t *value = NULL;
	int r = load(cutter, span, &value);

	if (r == 0)
		json_decref(value);
	return r;
}

static int note_member(struct cutter *cutter, json_t *seen, const char *name,
        const struct span *value, struct span spans[_MEMBER_MAX])
{
	size_t member = member_of(name);

	if (json_object_get(seen, name))
		return refuse(cutter, "a key stands twice in one object");
	if (json_object_size(seen) == STATEMENT_MEMBERS_MAX)
		return refuse(cutter, "more than %u members", STATEMENT_MEMBERS_MAX);
	if (json_object_set_new(seen, name, json_true()) < 0)
		return -ENOMEM;
	if (member == _MEMBER_MAX)
		return skip_member(cutter, value);
	spans[member] = *value;
	return 0;
}

static int cut_member(struct cutter *cutter, json_t *seen, struct span spans[_MEMBER_MAX])
{
	struct span name = {0}, value = {0};
	json_t *key = NULL;
	int r = cut(cutter, 0, &name);

	if (r == 0)
		r = load_string(cutter, &name, &key);
	if (r != 0)
		return r;
	if (!take(cutter, ':'))
		r = refuse(cutter, "a ':' is missing");
	if (r == 0)
		r = cut(cutter, STATEMENT_DEPTH_MAX - 1, &value);
	if (r == 0)
		r = note_member(cutter, seen, json_string_value(key), &value, spans);
	json_decref(key);
	return r;
}

static int cut_members(struct cutter *cutter, json_t *seen, struct span spans[_MEMBER_MAX])
{
	int r;

	if (!take(cutter, '{'))
		return refuse(cutter, "no object: a statement begins with '{'");
	do {
		r = cut_member(cutter, seen, spans);
		if (r != 0)
			return r;
	} while (take(cutter, ','));
	if (!take(cutter, '}'))
		return refuse(cutter, "a ',' or '}' is missing");
	if (next(cutter) >= 0)
		return refuse(cutter, "something follows the statement");
	if (json_object_get(seen, "payloadType"))
		return refuse(cutter, "a signed envelope: this reads the statement in it");
	for (size_t i = 0; i < _MEMBER_MAX; i++)
		if (spans[i].size == 0)
			return refuse(cutter, "\"%s\" is missing", member_names[i]);
	return 0;
}

/*
 * The header.
 */
static int expect(struct cutter *cutter, const struct span *span, const char *wanted)
{
	json_t *value = NULL;
	int r = load_string(cutter, span, &value);

	if (r != 0)
		return r;
	if (strcmp(json_string_value(value), wanted) != 0)
		r = refuse(cutter, "not \"%s\": another kind of statement", wanted);
	json_decref(value);
	return r;
}

/* NULL when it is not there or no string. */
static const char *member_text(const json_t *predicate, const char *name)
{
	return json_string_value(json_object_get(predicate, name));
}

/* A name of `critical`. */
static int check_name(const struct cutter *cutter, const json_t *predicate, const json_t *name,
        unsigned int *seen)
{
	static const char *const known[CRITICAL_KNOWN] = {
	        "series", "version", "issued", "expires", "bind", "scope"};
	const char *text = json_string_value(name);
	size_t k = 0;

	if (!text)
		return refuse(cutter, "critical: an array of names is wanted");
	while (k < CRITICAL_KNOWN && strcmp(known[k], text) != 0)
		k++;
	if (k == CRITICAL_KNOWN) {
		(void)refuse(cutter, "critical: names what is not known here: a newer list, or "
		                     "none of ours");
		return STATEMENT_E_UNKNOWN_CRITICAL;
	}
	if (*seen & 1u << k || !json_object_get(predicate, text))
		return refuse(cutter, "critical: %s stands twice, or is missing", text);
	*seen |= 1u << k;
	return 0;
}

/* Each name once, known here, and there; and what restricts, named: a reader that does not know
 * `scope` would believe the list everywhere. */
static int check_critical(const struct cutter *cutter, const json_t *predicate)
{
	const json_t *critical = json_object_get(predicate, "critical"), *name;
	const unsigned int scope = 1u << (CRITICAL_KNOWN - 1);
	unsigned int seen = 0;
	size_t i;

	if (critical && !json_is_array(critical))
		return refuse(cutter, "critical: an array of names is wanted");
	json_array_foreach(critical, i, name)
	{
		int r = check_name(cutter, predicate, name, &seen);

		if (r != 0)
			return r;
	}
	if (json_object_get(predicate, "scope") && !(seen & scope))
		return refuse(cutter, "scope: must be named in critical");
	return 0;
}

static int read_scope(
        const struct cutter *cutter, const json_t *predicate, struct statement *statement)
{
	const json_t *scope = json_object_get(predicate, "scope");
	const char *fault = NULL;
	int r = scope ? statement_scope_read(scope, &statement->scope, &fault) : 0;

	if (r > 0)
		(void)refuse(cutter, "scope: %s", fault);
	return r;
}

static int read_times(
        const struct cutter *cutter, const json_t *predicate, struct statement *statement)
{
	const char *issued = member_text(predicate, "issued");
	const char *expires = member_text(predicate, "expires");

	if (!issued || statement_time_parse(issued, &statement->issued_ns) < 0)
		return refuse(cutter, "issued: a time such as 2026-01-01T00:00:00Z is wanted");
	if (!expires || statement_time_parse(expires, &statement->expires_ns) < 0)
		return refuse(cutter, "expires: a time such as 2026-07-01T00:00:00Z is wanted");
	if (statement->expires_ns <= statement->issued_ns)
		return refuse(cutter, "expires: not after issued");
	return 0;
}

/* A list that does not say how it binds binds by digest. */
static int read_bind(
        const struct cutter *cutter, const json_t *predicate, struct statement *statement)
{
	const json_t *bind = json_object_get(predicate, "bind");

	statement->bind =
	        bind ? statement_bind_from_name(json_string_value(bind)) : STATEMENT_BIND_DIGEST;
	return statement->bind ? 0 : refuse(cutter, "bind: digest or path is wanted");
}

static int read_series(
        const struct cutter *cutter, const json_t *predicate, struct statement *statement)
{
	const char *series = member_text(predicate, "series");
	const json_t *version = json_object_get(predicate, "version");
	const char *fault = series ? statement_series_fault(series) : "is missing, or no string";

	if (fault)
		return refuse(cutter, "series: %s", fault);
	if (!json_is_integer(version) || json_integer_value(version) < 1)
		return refuse(cutter, "version: an integer of 1 or more is wanted");
	statement->version = (uint64_t)json_integer_value(version);
	statement->series = strdup(series);
	return statement->series ? 0 : -ENOMEM;
}

static void give(struct statement *statement, struct statement *ret_statement)
{
	*ret_statement = *statement;
	memset(statement, 0, sizeof(*statement));
}

static int read_header(
        struct cutter *cutter, const struct span *span, struct statement *ret_statement)
{
	_cleanup_(statement_done) struct statement statement = {0};
	json_t *predicate = NULL;
	int r = load(cutter, span, &predicate);

	if (r != 0)
		return r;
	cutter->at = span->at;
	r = json_is_object(predicate) ? 0 : refuse(cutter, "predicate: an object is wanted");
	if (r == 0)
		r = check_critical(cutter, predicate);
	if (r == 0)
		r = read_times(cutter, predicate, &statement);
	if (r == 0)
		r = read_bind(cutter, predicate, &statement);
	if (r == 0)
		r = read_series(cutter, predicate, &statement);
	if (r == 0)
		r = read_scope(cutter, predicate, &statement);
	json_decref(predicate);
	if (r == 0)
		give(&statement, ret_statement);
	return r;
}

/*
 * The subjects.
 */

/* Lowercase digits alone: one digest has one spelling. */
static bool read_digest(const json_t *subject, struct digest *ret_digest)
{
	const json_t *set = json_object_get(subject, "digest"), *value;
	const char *hex = member_text(set, "sha256"), *key;

	json_object_foreach((json_t *)(uintptr_t)set, key, value)
	{
		if (!json_is_string(value))
			return false;
	}
	return hex && !hex[strspn(hex, "0123456789abcdef")] &&
	       digest_from_hex(hex, ret_digest) == 0;
}

static int read_subject(const struct cutter *cutter, const struct statement_reader *reader,
        const json_t *value, size_t number)
{
	const char *name = member_text(value, "name");
	const char *fault = name ? statement_name_fault(name) : "is missing, or no string";
	struct statement_subject subject = {.name = (char *)(uintptr_t)name};

	if (fault)
		return refuse(cutter, "subject %zu: its name %s", number, fault);
	if (!read_digest(value, &subject.digest))
		return refuse(cutter,
		        "subject %zu: digest: {\"sha256\": 64 lowercase hexadecimal digits} is "
		        "wanted",
		        number);
	return reader && reader->subject ? reader->subject(&subject, reader->userdata) : 0;
}

/* The next element of the array. */
static int next_subject(struct cutter *cutter, const struct statement_reader *reader, size_t number)
{
	struct span span;
	json_t *value = NULL;
	int r;

	if (number > STATEMENT_SUBJECTS_MAX)
		return refuse(cutter, "more than %u subjects", STATEMENT_SUBJECTS_MAX);
	r = cut(cutter, STATEMENT_DEPTH_MAX - 2, &span);
	if (r == 0)
		r = load(cutter, &span, &value);
	if (r != 0)
		return r;
	r = read_subject(cutter, reader, value, number);
	json_decref(value);
	return r;
}

static int read_subjects(
        struct cutter *cutter, const struct span *span, const struct statement_reader *reader)
{
	struct cutter array = *cutter;
	size_t number = 0;
	int r;

	array.at = span->at;
	array.size = span->at + span->size;
	if (!take(&array, '['))
		return refuse(&array, "subject: an array is wanted");
	if (next(&array) == ']') {
		(void)refuse(&array, "subject: the list is empty");
		return STATEMENT_E_EMPTY;
	}
	do {
		r = next_subject(&array, reader, ++number);
		if (r != 0)
			return r;
	} while (take(&array, ','));
	if (!take(&array, ']') || array.at != array.size)
		return refuse(&array, "subject: a ',' or ']' is missing");
	return 0;
}

static int cut_statement(struct cutter *cutter, struct span spans[_MEMBER_MAX])
{
	json_t *seen;
	int r;

	if (cutter->size > STATEMENT_SIZE_MAX)
		return refuse(cutter, "longer than %u bytes", STATEMENT_SIZE_MAX);
	seen = json_object();
	if (!seen)
		return -ENOMEM;
	r = cut_members(cutter, seen, spans);
	json_decref(seen);
	return r;
}

int statement_parse(const char *text, size_t size, const struct statement_reader *reader,
        struct statement *ret_statement, struct statement_error *reterr_error)
{
	_cleanup_(statement_done) struct statement statement = {0};
	struct cutter cutter = {.text = text, .size = size, .error = reterr_error};
	struct span spans[_MEMBER_MAX] = {0};
	int r = cut_statement(&cutter, spans);

	if (r == 0)
		r = expect(&cutter, &spans[MEMBER_TYPE], STATEMENT_TYPE);
	if (r == 0)
		r = expect(&cutter, &spans[MEMBER_PREDICATE_TYPE], STATEMENT_PREDICATE);
	if (r == 0)
		r = read_header(&cutter, &spans[MEMBER_PREDICATE], &statement);
	if (r == 0 && reader && reader->header)
		r = reader->header(&statement, reader->userdata);
	if (r == 0)
		r = read_subjects(&cutter, &spans[MEMBER_SUBJECT], reader);
	if (r == 0 && ret_statement)
		give(&statement, ret_statement);
	return r;
}
