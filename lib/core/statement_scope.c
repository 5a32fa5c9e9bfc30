/*
 * Where a list vouches. Patterns are kept sorted, so that one scope has one spelling. What cannot
 * be read for certain is no scope: an empty object or array could be meant as "nowhere" as well as
 * "everywhere".
 */
#include "core/statement_scope.h"

#include "base/cleanup.h"
#include "base/strtab.h"
#include "core/glob.h"
#include "core/image.h"

#include <errno.h>
#include <string.h>

static const char *const kind_names[_STATEMENT_SCOPE_MAX] = {
        [STATEMENT_SCOPE_IMAGES] = "images",
        [STATEMENT_SCOPE_NAMESPACES] = "namespaces",
        [STATEMENT_SCOPE_HOSTS] = "hosts",
};

const char *statement_scope_kind_name(enum statement_scope_kind kind)
{
	return strtab_name(kind_names, _STATEMENT_SCOPE_MAX, (int)kind);
}

enum statement_scope_kind statement_scope_kind_from_name(const char *name)
{
	int value = strtab_value(kind_names, _STATEMENT_SCOPE_MAX, name);

	return value > 0 ? (enum statement_scope_kind)value : STATEMENT_SCOPE_UNSET;
}

void statement_scope_done(struct statement_scope *scope)
{
	for (size_t kind = 0; kind < _STATEMENT_SCOPE_MAX; kind++) {
		struct statement_patterns *patterns = &scope->of[kind];

		for (size_t i = 0; i < patterns->n; i++)
			free(patterns->items[i]);
		free(patterns->items);
	}
	memset(scope, 0, sizeof(*scope));
}

bool statement_scope_is_everywhere(const struct statement_scope *scope)
{
	for (size_t kind = 0; kind < _STATEMENT_SCOPE_MAX; kind++)
		if (scope->of[kind].n > 0)
			return false;
	return true;
}

const char *statement_pattern_fault(const char *pattern)
{
	const char *fault = statement_series_fault(pattern); /* text like any other */
	size_t at;

	if (!fault && glob_check(pattern, &at) < 0)
		fault = "is no pattern: a '[' that is not closed, or a '\\' at its end";
	return fault;
}

/* Makes room at its place in the order; -EEXIST when it is there. */
static int place(const struct statement_patterns *patterns, const char *pattern, size_t *ret_at)
{
	size_t at = 0;

	for (; at < patterns->n; at++) {
		int r = strcmp(patterns->items[at], pattern);

		if (r == 0)
			return -EEXIST;
		if (r > 0)
			break;
	}
	*ret_at = at;
	return 0;
}

int statement_scope_add(
        struct statement_scope *scope, enum statement_scope_kind kind, const char *pattern)
{
	struct statement_patterns *patterns;
	char **grown, *copy;
	size_t at = 0;
	int r;

	if (kind <= STATEMENT_SCOPE_UNSET || kind >= _STATEMENT_SCOPE_MAX ||
	        statement_pattern_fault(pattern))
		return -EINVAL;
	patterns = &scope->of[kind];
	r = place(patterns, pattern, &at);
	if (r < 0)
		return r;
	if (patterns->n == STATEMENT_PATTERNS_MAX)
		return -E2BIG;
	grown = reallocarray(patterns->items, patterns->n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	patterns->items = grown;
	copy = strdup(pattern);
	if (!copy)
		return -ENOMEM;
	memmove(grown + at + 1, grown + at, (patterns->n - at) * sizeof(*grown));
	grown[at] = copy;
	patterns->n++;
	return 0;
}

int statement_copy(const struct statement *statement, struct statement *ret_statement)
{
	_cleanup_(statement_done) struct statement copy = *statement;

	memset(&copy.scope, 0, sizeof(copy.scope));
	copy.series = statement->series ? strdup(statement->series) : NULL;
	if (statement->series && !copy.series)
		return -ENOMEM;
	for (int kind = 1; kind < _STATEMENT_SCOPE_MAX; kind++) {
		const struct statement_patterns *patterns = &statement->scope.of[kind];

		for (size_t i = 0; i < patterns->n; i++) {
			int r = statement_scope_add(
			        &copy.scope, (enum statement_scope_kind)kind, patterns->items[i]);

			if (r < 0)
				return r;
		}
	}
	*ret_statement = copy;
	memset(&copy, 0, sizeof(copy));
	return 0;
}

/*
 * Reading.
 */
static int refuse(const char *what, const char **reterr_fault)
{
	*reterr_fault = what;
	return STATEMENT_E_INVALID;
}

static int read_pattern(const json_t *value, enum statement_scope_kind kind,
        struct statement_scope *scope, const char **reterr_fault)
{
	const char *text = json_string_value(value), *fault;
	int r;

	if (!text)
		return refuse("a pattern is no string", reterr_fault);
	fault = statement_pattern_fault(text);
	if (fault)
		return refuse("a pattern is empty, too long, not printable, or cannot be matched",
		        reterr_fault);
	r = statement_scope_add(scope, kind, text);
	if (r == -EEXIST)
		return refuse("a pattern stands twice", reterr_fault);
	return r == -E2BIG ? refuse("too many patterns of a kind", reterr_fault) : r;
}

static int read_kind(const char *name, const json_t *list, struct statement_scope *scope,
        const char **reterr_fault)
{
	enum statement_scope_kind kind = statement_scope_kind_from_name(name);
	const json_t *value;
	size_t i;

	if (kind == STATEMENT_SCOPE_UNSET) {
		*reterr_fault = "restricts to a kind of place that is not known here: a newer list";
		return STATEMENT_E_UNKNOWN_CRITICAL;
	}
	if (json_array_size(list) == 0)
		return refuse("an array of patterns is wanted, and not an empty one", reterr_fault);
	json_array_foreach(list, i, value)
	{
		int r = read_pattern(value, kind, scope, reterr_fault);

		if (r != 0)
			return r;
	}
	return 0;
}

int statement_scope_read(
        const json_t *object, struct statement_scope *ret_scope, const char **reterr_fault)
{
	_cleanup_(statement_scope_done) struct statement_scope scope = {0};
	const char *name;
	json_t *list;

	if (json_object_size(object) == 0)
		return refuse("an object with patterns is wanted; for everywhere leave it out",
		        reterr_fault);
	json_object_foreach((json_t *)(uintptr_t)object, name, list)
	{
		int r = read_kind(name, list, &scope, reterr_fault);

		if (r != 0)
			return r;
	}
	*ret_scope = scope;
	memset(&scope, 0, sizeof(scope));
	return 0;
}

/*
 * Asking.
 */
static bool any_matches(const struct statement_patterns *patterns, const char *text)
{
	for (size_t i = 0; text && i < patterns->n; i++)
		if (glob_match(patterns->items[i], GLOB_TEXT, text))
			return true;
	return false;
}

static bool images_hold(const struct statement_patterns *patterns, const char *image)
{
	_cleanup_free_ char *full = NULL;

	if (any_matches(patterns, image))
		return true;
	/* Short of memory it is not known to match, and the list does not vouch. */
	full = image ? image_ref_qualify(image) : NULL;
	return any_matches(patterns, full);
}

static bool hosts_hold(
        const struct statement_patterns *patterns, char *const *labels, size_t n_labels)
{
	for (size_t i = 0; i < n_labels; i++)
		if (any_matches(patterns, labels[i]))
			return true;
	return false;
}

bool statement_scope_holds(const struct statement_scope *scope, const char *image,
        const char *namespace, char *const *labels, size_t n_labels)
{
	const struct statement_patterns *images = &scope->of[STATEMENT_SCOPE_IMAGES];
	const struct statement_patterns *namespaces = &scope->of[STATEMENT_SCOPE_NAMESPACES];
	const struct statement_patterns *hosts = &scope->of[STATEMENT_SCOPE_HOSTS];

	return (images->n == 0 || images_hold(images, image)) &&
	       (namespaces->n == 0 || any_matches(namespaces, namespace)) &&
	       (hosts->n == 0 || hosts_hold(hosts, labels, n_labels));
}
