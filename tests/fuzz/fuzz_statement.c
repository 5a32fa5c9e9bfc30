/*
 * The body of an allowlist. What is accepted keeps its promises, and what is written from it is
 * accepted again and says the same.
 */
#include "core/statement.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SUBJECTS_MAX 256u

struct list {
	struct statement_subject subjects[SUBJECTS_MAX];
	size_t n, all;
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

static int keep(const struct statement_subject *subject, void *userdata)
{
	struct list *list = userdata;

	require(!statement_name_fault(subject->name));
	list->all++;
	if (list->n == SUBJECTS_MAX)
		return 0;
	list->subjects[list->n] = *subject;
	list->subjects[list->n].name = strdup(subject->name);
	require(list->subjects[list->n++].name != NULL);
	return 0;
}

static void write_again(const struct statement *s, struct list *list)
{
	_cleanup_(statement_done) struct statement again = {0};
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r;

	statement_sort(list->subjects, list->n);
	r = statement_print(s, list->subjects, list->n, &text, &size);
	if (r == -EFBIG) /* escapes make a scope that is read from less longer than the bound */
		return;
	require(r == 0);
	require(statement_parse(text, size, NULL, &again, NULL) == 0);
	require(!strcmp(again.series, s->series) && again.version == s->version);
	require(again.issued_ns == s->issued_ns && again.expires_ns == s->expires_ns);
	require(again.bind == s->bind);
	for (size_t kind = 0; kind < _STATEMENT_SCOPE_MAX; kind++) {
		require(again.scope.of[kind].n == s->scope.of[kind].n);
		for (size_t i = 0; i < s->scope.of[kind].n; i++)
			require(!strcmp(again.scope.of[kind].items[i], s->scope.of[kind].items[i]));
	}
}

/* With what a place may be called: only that it ends, and that nothing is not everything. */
static void ask_scope(const struct statement_scope *scope)
{
	char *labels[] = {(char *)(uintptr_t) "web", (char *)(uintptr_t) ""};

	require(statement_scope_holds(scope, NULL, NULL, NULL, 0) ==
	        statement_scope_is_everywhere(scope));
	(void)statement_scope_holds(scope, "docker.io/library/web:1", "prod", labels, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct list list;
	_cleanup_(statement_done) struct statement s = {0};
	struct statement_error error = {0};
	struct statement_reader reader = {.subject = keep, .userdata = &list};
	int r;

	memset(&list, 0, sizeof(list));
	r = statement_parse((const char *)data, size, &reader, &s, &error);
	require(r == 0 || r == STATEMENT_E_INVALID || r == STATEMENT_E_UNKNOWN_CRITICAL ||
	        r == STATEMENT_E_EMPTY);
	if (r == 0) {
		require(list.all > 0 && s.version >= 1 && s.expires_ns > s.issued_ns);
		write_again(&s, &list);
		ask_scope(&s.scope);
	} else {
		require(!s.series && error.message[0] && error.at <= size);
	}
	for (size_t i = 0; i < list.n; i++)
		free(list.subjects[i].name);
	return 0;
}
