/*
 * The types of values as rows: what is expected, and how it is set. Nothing is guessed: numbers
 * have no sign, no leading zero (YAML 1.1 reads 010 as 8), no underscore; words are exact.
 */
#include "config/scalar.h"

#include "base/clock.h"
#include "base/strtab.h"
#include "config/timestamp.h"
#include "core/facts.h"
#include "core/glob.h"
#include "core/statement.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define URL_MAX   2048u       /* bytes; longer ones fail in proxies */
#define LABEL_MAX 255u        /* bytes, as a host's name */
#define UID_TOP   4294967294u /* (uid_t)-1 is no user; chown(2) */

static int fault(struct scalar_fault *reterr_fault, const char *why)
{
	reterr_fault->why = why;
	return -EINVAL;
}

static int set_enum(int value, void *field)
{
	if (value <= 0)
		return -EINVAL;
	memcpy(field, &value, sizeof(value)); /* every enum here has the size of an int */
	return 0;
}

static int set_text(const char *text, void *field)
{
	char **at = field, *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*at);
	*at = copy;
	return 0;
}

static int set_mode(
        const struct key *key, const char *text, void *field, struct scalar_fault *reterr_fault)
{
	enum mode mode = mode_from_name(text);

	(void)key;
	if (mode == MODE_LEARN)
		return fault(reterr_fault, "learn always has an end, so it cannot stand in the "
		                           "file: use `execward mode learn "
		                           "--for 24h`");
	return set_enum((int)mode, field);
}

static int set_action(
        const struct key *key, const char *text, void *field, struct scalar_fault *reterr_fault)
{
	(void)key;
	(void)reterr_fault;
	return set_enum((int)action_from_name(text), field);
}

static int set_marks(
        const struct key *key, const char *text, void *field, struct scalar_fault *reterr_fault)
{
	(void)key;
	(void)reterr_fault;
	return set_enum((int)mark_kind_from_name(text), field);
}

static int set_output(
        const struct key *key, const char *text, void *field, struct scalar_fault *reterr_fault)
{
	int type = 0;

	(void)key;
	(void)reterr_fault;
	for (int i = OUTPUT_UNSET + 1; i < _OUTPUT_MAX; i++)
		if (!strcmp(output_type_name((enum output_type)i), text))
			type = i;
	return set_enum(type, field);
}

/* Digits only. -ERANGE past 32 bits. */
static int parse_number(const char *text, int64_t *ret_value)
{
	int64_t value = 0;

	if (!*text || (text[0] == '0' && text[1]) || text[strspn(text, "0123456789")])
		return -EINVAL;
	for (const char *p = text; *p; p++) {
		value = value * 10 + (*p - '0');
		if (value > UINT32_MAX)
			return -ERANGE;
	}
	*ret_value = value;
	return 0;
}

static int set_within(const struct key *key, int64_t value, void *field)
{
	uint32_t number = (uint32_t)value;

	if (value < key->min || value > key->max)
		return -ERANGE;
	memcpy(field, &number, sizeof(number));
	return 0;
}

static int set_count(
        const struct key *key, const char *text, void *field, struct scalar_fault *reterr_fault)
{
	int64_t value;
	int r = parse_number(text, &value);

	(void)reterr_fault;
	return r < 0 ? r : set_within(key, value, field);
}

static int set_duration(
        const struct key *key, const char *text, void *field, struct scalar_fault *reterr_fault)
{
	int64_t ns;
	int r = duration_parse(text, &ns);

	(void)reterr_fault;
	return r < 0 ? r : set_within(key, ns / NS_PER_MSEC, field);
}

/* What lasts for days does not fit into milliseconds. */
static int set_seconds(
        const struct key *key, const char *text, void *field, struct scalar_fault *reterr_fault)
{
	int64_t ns;
	int r = duration_parse(text, &ns);

	if (r == 0 && ns % NS_PER_SEC != 0)
		return fault(reterr_fault, "must be whole seconds");
	return r < 0 ? r : set_within(key, ns / NS_PER_SEC, field);
}

static int set_bool(
        const struct key *key, const char *text, void *field, struct scalar_fault *reterr_fault)
{
	bool value = !strcmp(text, "true");

	(void)key;
	(void)reterr_fault;
	if (!value && strcmp(text, "false"))
		return -EINVAL;
	memcpy(field, &value, sizeof(value));
	return 0;
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

/* "", "." and ".." between slashes. One slash at the end is how people write directories. */
static bool has_odd_component(const char *path)
{
	for (const char *p = path; *p == '/' && p[1];) {
		size_t n = strcspn(p + 1, "/");

		if (n == 0 || (n == 1 && p[1] == '.') || (n == 2 && p[1] == '.' && p[2] == '.'))
			return true;
		p += n + 1;
	}
	return false;
}

/* Paths are compared by prefix later: one spelling each, so that no comparison is led astray. */
static int set_path(
        const struct key *key, const char *text, void *field, struct scalar_fault *reterr_fault)
{
	size_t n = strlen(text);
	char copy[PATH_MAX];

	if (text[0] != '/')
		return -EINVAL;
	if (n >= sizeof(copy))
		return fault(reterr_fault, "the path is longer than 4095 bytes: shorten it");
	if (key->max > 0 && n > (size_t)key->max)
		return fault(reterr_fault,
		        "too long for a socket below it (unix(7), 108 bytes): shorten it");
	if (has_control(text))
		return fault(reterr_fault, "a path with a control character: rename the directory");
	if (has_odd_component(text))
		return fault(reterr_fault, "write the path without \"//\", \"/./\" and \"/../\"");
	memcpy(copy, text, n + 1);
	if (n > 1 && copy[n - 1] == '/')
		copy[n - 1] = '\0';
	return set_text(copy, field);
}

static int set_url(
        const struct key *key, const char *text, void *field, struct scalar_fault *reterr_fault)
{
	const char *host = NULL;

	(void)key;
	if (!strncmp(text, "http://", 7))
		host = text + 7;
	else if (!strncmp(text, "https://", 8))
		host = text + 8;
	if (!host || !*host || strchr("/?#:@", *host))
		return -EINVAL;
	if (strlen(text) > URL_MAX)
		return fault(reterr_fault, "longer than 2048 bytes: shorten the URL");
	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p > '~')
			return fault(reterr_fault,
			        "only printable ASCII may stand in a URL: encode it (%20)");
	return set_text(text, field);
}

static int set_https(
        const struct key *key, const char *text, void *field, struct scalar_fault *reterr_fault)
{
	if (!strncmp(text, "http://", 7))
		return fault(reterr_fault,
		        "only https:// is fetched: who is on the way could hold lists back");
	return strncmp(text, "https://", 8) ? -EINVAL : set_url(key, text, field, reterr_fault);
}

static int set_series(
        const struct key *key, const char *text, void *field, struct scalar_fault *reterr_fault)
{
	const char *why = statement_series_fault(text);

	(void)key;
	return why ? fault(reterr_fault, why) : set_text(text, field);
}

static int set_name_glob(
        const struct key *key, const char *text, void *field, struct scalar_fault *reterr_fault)
{
	(void)key;
	if (!*text)
		return -EINVAL;
	if (glob_check(text, &reterr_fault->at) < 0) {
		switch (text[reterr_fault->at]) {
		case '[':
			return fault(reterr_fault, "bad pattern: '[' without ']'");
		case '\\':
			return fault(
			        reterr_fault, "bad pattern: nothing follows the last backslash");
		default:
			return fault(reterr_fault, "bad pattern: longer than 4096 bytes");
		}
	}
	return set_text(text, field);
}

/* A pattern that cannot match any absolute path is a rule that silently does nothing. */
static int set_path_glob(
        const struct key *key, const char *text, void *field, struct scalar_fault *reterr_fault)
{
	if (*text && *text != '/' && strncmp(text, "**", 2))
		return fault(reterr_fault, "a path pattern begins with / or with ** (\"*\" and "
		                           "\"?\" do not match a slash): it "
		                           "would never match");
	return set_name_glob(key, text, field, reterr_fault);
}

static int set_user(
        const struct key *key, const char *text, void *field, struct scalar_fault *reterr_fault)
{
	int64_t uid = 0;

	(void)key;
	(void)reterr_fault;
	if (strcmp(text, "root") && (parse_number(text, &uid) < 0 || uid > UID_TOP))
		return -EINVAL;
	memcpy(field, &uid, sizeof(uid));
	return 0;
}

static int set_reason(
        const struct key *key, const char *text, void *field, struct scalar_fault *reterr_fault)
{
	(void)key;
	if (!text[strspn(text, " \t\r\n")])
		return fault(reterr_fault, "must not be empty: say why the exception exists");
	if (strlen(text) >= TEXT_MAX)
		return fault(reterr_fault, "longer than 8191 bytes: shorten it");
	return set_text(text, field);
}

static int set_time(
        const struct key *key, const char *text, void *field, struct scalar_fault *reterr_fault)
{
	int64_t ns;
	int r = timestamp_parse(text, &ns);

	(void)key;
	if (r == -ERANGE)
		return fault(reterr_fault, "no such day or time (years 2000 to 2261)");
	if (r < 0)
		return r;
	memcpy(field, &ns, sizeof(ns));
	return 0;
}

/* Patterns of signed lists are matched with it: what cannot be seen in it would never match. */
static int set_label(
        const struct key *key, const char *text, void *field, struct scalar_fault *reterr_fault)
{
	(void)key;
	if (!*text)
		return -EINVAL;
	if (strlen(text) > LABEL_MAX)
		return fault(reterr_fault, "longer than 255 bytes: shorten it");
	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p > '~')
			return fault(reterr_fault,
			        "only printable ASCII without spaces may stand in a label");
	return set_text(text, field);
}

static const struct {
	const char *expected;
	int (*set)(const struct key *key, const char *text, void *field,
	        struct scalar_fault *reterr_fault);
} types[_KEY_MAX] = {
        [KEY_MODE] = {"report or enforce", set_mode},
        [KEY_ACTION] = {"allow or deny", set_action},
        [KEY_MARKS] = {"auto, backing or overlay", set_marks},
        [KEY_OUTPUT] = {"stdout, file, journald, syslog or http", set_output},
        [KEY_DURATION] = {"a duration such as 500ms, 5s, 10m, 24h or 180d", set_duration},
        [KEY_SECONDS] = {"a duration such as 5s, 10m, 24h or 180d", set_seconds},
        [KEY_COUNT] = {"a whole number", set_count},
        [KEY_BOOL] = {"true or false", set_bool},
        [KEY_PATH] = {"an absolute path", set_path},
        [KEY_URL] = {"a URL such as https://example.org/x", set_url},
        [KEY_HTTPS] = {"a URL such as https://example.org/web.dsse", set_https},
        [KEY_SERIES] = {"the name of a series", set_series},
        [KEY_NAME_GLOB] = {"a pattern in quotes", set_name_glob},
        [KEY_PATH_GLOB] = {"a pattern in quotes", set_path_glob},
        [KEY_USER] = {"a numeric uid, or root", set_user},
        [KEY_REASON] = {"a text that says why the exception exists", set_reason},
        [KEY_TIME] = {"a date (2027-01-01) or a time (2027-01-01T00:00:00Z)", set_time},
        [KEY_LABEL] = {"a label such as web", set_label},
};

int scalar_set(
        const struct key *key, const char *text, void *field, struct scalar_fault *reterr_fault)
{
	return types[key->type].set(key, text, field, reterr_fault);
}

const char *scalar_expected(enum key_type type)
{
	return types[type].expected;
}
