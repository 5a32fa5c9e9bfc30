/* What a list says of itself, out of options. Issued now, or when SOURCE_DATE_EPOCH says. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "config/config.h"
#include "tools/list_build.h"
#include "tools/print.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static int usage(const struct call *call, const char *text)
{
	fprintf(stderr, "execward %s: %s\n", call->verb->name, text);
	return EX_USAGE;
}

/* Seconds of the environment, for builds that are to be repeated; else now. */
static int issued(const struct call *call, int64_t *ret_ns)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	size_t digits = text ? strspn(text, "0123456789") : 0;

	*ret_ns = clock_realtime_ns() / NS_PER_SEC * NS_PER_SEC;
	if (!text || !*text)
		return 0;
	if (text[digits] || digits > 10)
		return usage(call, "SOURCE_DATE_EPOCH is no number of seconds");
	*ret_ns = (int64_t)strtoll(text, NULL, 10) * NS_PER_SEC;
	return *ret_ns / NS_PER_SEC == strtoll(text, NULL, 10)
	               ? 0
	               : usage(call, "SOURCE_DATE_EPOCH is too late");
}

static int version(const struct call *call, uint64_t *ret_version)
{
	const char *text = call->values[OPTION_LIST_NUMBER] ?: call->values[OPTION_LIST_VERSION];
	size_t digits = text ? strspn(text, "0123456789") : 0;

	if (call_has(call, OPTION_LIST_NUMBER) && call_has(call, OPTION_LIST_VERSION))
		return usage(call, "--version and --list-version are the same: one of them");
	*ret_version = 1;
	if (!text)
		return 0;
	*ret_version = digits > 0 && digits <= 18 && !text[digits] ? strtoull(text, NULL, 10) : 0;
	return *ret_version > 0 ? 0 : usage(call, "--version: not a number of 1 or more");
}

/* "image=docker.io/library/web:*" */
static int add_scope(const struct call *call, const char *text, struct statement_scope *scope)
{
	static const struct {
		const char *word;
		enum statement_scope_kind kind;
	} kinds[] = {{"image=", STATEMENT_SCOPE_IMAGES}, {"namespace=", STATEMENT_SCOPE_NAMESPACES},
	        {"host=", STATEMENT_SCOPE_HOSTS}};
	_cleanup_free_ char *safe = text_safe(text);
	const char *fault = "image=GLOB, namespace=GLOB or host=LABEL is wanted";
	int r = -EINVAL;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t n = strlen(kinds[i].word);

		if (strncmp(text, kinds[i].word, n) != 0)
			continue;
		fault = statement_pattern_fault(text + n);
		r = statement_scope_add(scope, kinds[i].kind, text + n);
	}
	if (r == 0 || r == -EEXIST)
		return 0;
	if (r == -E2BIG)
		fault = "too many of that kind; use patterns (* and ?)";
	fprintf(stderr, "execward %s: --scope %s: %s\n", call->verb->name, safe,
	        r == -ENOMEM ? strerror(ENOMEM) : fault);
	return r == -ENOMEM ? EX_SOFTWARE : EX_USAGE;
}

static int expiry(const struct call *call, struct statement *statement)
{
	char text[STATEMENT_TIME_SIZE];
	int64_t valid_ns;

	if (duration_parse(call->values[OPTION_VALID_FOR], &valid_ns) < 0 || valid_ns < NS_PER_SEC)
		return usage(call, "--valid-for: a duration such as 24h, 180d");
	if (valid_ns > INT64_MAX - statement->issued_ns)
		return usage(call, "--valid-for: too long");
	statement->expires_ns = statement->issued_ns + valid_ns;
	if (statement_time_print(statement->expires_ns, text) < 0)
		return usage(call, "--valid-for: too long");
	return 0;
}

static int read_call(const struct call *call, struct statement *statement)
{
	const char *series = call->values[OPTION_SERIES];
	int r = issued(call, &statement->issued_ns);

	statement->bind = statement_bind_from_name(call->values[OPTION_BIND] ?: "digest");
	if (r == 0)
		r = version(call, &statement->version);
	if (r == 0 && statement_series_fault(series))
		r = usage(call, "--series: not printable UTF-8");
	if (r == 0 && statement->bind == STATEMENT_BIND_UNSET)
		r = usage(call, "--bind: digest or path");
	if (r == 0)
		r = expiry(call, statement);
	for (size_t i = 0; i < call->n_given && r == 0; i++)
		if (call->given[i].option == OPTION_LIST_SCOPE)
			r = add_scope(call, call->given[i].value, &statement->scope);
	if (r != 0)
		return r;
	statement->series = strdup(series);
	return statement->series ? 0 : EX_SOFTWARE;
}

int list_head(const struct call *call, struct statement *ret_statement)
{
	_cleanup_(statement_done) struct statement statement = {0};
	int r = read_call(call, &statement);

	if (r != 0)
		return r;
	*ret_statement = statement;
	memset(&statement, 0, sizeof(statement));
	return 0;
}
