/* What names, series and times of a statement look like. */
#include "core/statement.h"

#include "base/clock.h"
#include "base/strtab.h"
#include "core/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define YEAR_MIN   1970
#define YEAR_MAX   2261 /* the last whole year that int64_t nanoseconds hold */
#define DAY_S      86400
#define TIME_SHAPE "0000-00-00T00:00:00Z" /* a digit where a 0 stands */

static const char *const bind_names[_STATEMENT_BIND_MAX] = {
        [STATEMENT_BIND_DIGEST] = "digest",
        [STATEMENT_BIND_PATH] = "path",
};

const char *statement_bind_name(enum statement_bind bind)
{
	return strtab_name(bind_names, _STATEMENT_BIND_MAX, (int)bind);
}

enum statement_bind statement_bind_from_name(const char *name)
{
	int value = strtab_value(bind_names, _STATEMENT_BIND_MAX, name);

	return value > 0 ? (enum statement_bind)value : STATEMENT_BIND_UNSET;
}

/* NULL for printable UTF-8 of a bounded length that is not empty. */
static const char *text_fault(const char *text)
{
	char *utf8;
	bool same;

	if (!*text)
		return "is empty";
	if (strlen(text) > STATEMENT_TEXT_MAX)
		return "is too long";
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
			return "has a control character";
	utf8 = text_to_utf8(text);
	same = utf8 && !strcmp(utf8, text);
	free(utf8);
	return same ? NULL : "is not UTF-8";
}

/* A component of @size bytes that a path which is compared must not have. */
static bool is_indirect(const char *component, size_t size)
{
	return size == 0 || (size == 1 && component[0] == '.') ||
	       (size == 2 && component[0] == '.' && component[1] == '.');
}

const char *statement_name_fault(const char *name)
{
	const char *fault = text_fault(name);

	if (fault)
		return fault;
	if (name[0] != '/')
		return "is no absolute path";
	while (*name == '/') {
		size_t size = strcspn(name + 1, "/");

		if (is_indirect(name + 1, size))
			return "has an empty, '.' or '..' component";
		name += 1 + size;
	}
	return NULL;
}

const char *statement_series_fault(const char *series)
{
	return text_fault(series);
}

/*
 * Times. The calendar is counted here: strptime(3) takes blanks and days that do not exist,
 * timegm(3) would read the environment.
 */
static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int year_days(int year)
{
	return is_leap(year) ? 366 : 365;
}

/* Months from 1. */
static int month_days(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year));
}

static int number(const char *text, int digits)
{
	int value = 0;

	for (int i = 0; i < digits; i++)
		value = value * 10 + (text[i] - '0');
	return value;
}

static bool has_shape(const char *text)
{
	size_t i = 0;

	for (; TIME_SHAPE[i]; i++)
		if (TIME_SHAPE[i] == '0' ? text[i] < '0' || text[i] > '9'
		                         : text[i] != TIME_SHAPE[i])
			return false;
	return !text[i];
}

int statement_time_parse(const char *text, int64_t *ret_ns)
{
	int year, month, day, hour, minute, second;
	int64_t days;

	if (!has_shape(text))
		return -EINVAL;
	year = number(text, 4);
	month = number(text + 5, 2);
	day = number(text + 8, 2);
	hour = number(text + 11, 2);
	minute = number(text + 14, 2);
	second = number(text + 17, 2);
	if (year < YEAR_MIN || year > YEAR_MAX || month < 1 || month > 12 || day < 1 ||
	        day > month_days(year, month) || hour > 23 || minute > 59 || second > 59)
		return -EINVAL;
	days = day - 1;
	for (int y = YEAR_MIN; y < year; y++)
		days += year_days(y);
	for (int m = 1; m < month; m++)
		days += month_days(year, m);
	*ret_ns = (days * DAY_S + hour * 3600 + minute * 60 + second) * NS_PER_SEC;
	return 0;
}

int statement_time_print(int64_t time_ns, char ret_text[STATEMENT_TIME_SIZE])
{
	int64_t s = time_ns / NS_PER_SEC, days = s / DAY_S;
	int year = YEAR_MIN, month = 1, rest = (int)(s % DAY_S), n;

	if (time_ns < 0)
		return -EINVAL;
	for (; days >= year_days(year); year++)
		days -= year_days(year);
	if (year > YEAR_MAX)
		return -EINVAL;
	for (; days >= month_days(year, month); month++)
		days -= month_days(year, month);
	n = snprintf(ret_text, STATEMENT_TIME_SIZE, "%04d-%02d-%02dT%02d:%02d:%02dZ", year, month,
	        (int)days + 1, rest / 3600, rest / 60 % 60, rest % 60);
	return n == STATEMENT_TIME_SIZE - 1 ? 0 : -EINVAL;
}
