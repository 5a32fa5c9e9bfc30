/*
 * strptime(3) would do more than is wanted: it takes blanks, short fields and the locale's words,
 * and turns 31 February into 3 March, so that an exception would outlive the day it names.
 * timegm(3) would read the time zone's file and the environment: the calendar is counted here.
 */
#include "config/timestamp.h"

#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define YEAR_MIN 2000 /* earlier is a slip; and 0 ns, in 1970, means "never expires" in a rule */
#define YEAR_MAX 2261 /* the last whole year that int64_t nanoseconds hold */

struct stamp {
	int year, month, day, hour, minute, second;
	int64_t fraction_ns;
	int offset_minutes; /* east of UTC */
};

/* Exactly @digits digits at *p, which moves behind them. */
static bool take_number(const char **p, unsigned int digits, int *ret_value)
{
	int value = 0;

	for (unsigned int i = 0; i < digits; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		value = value * 10 + (**p - '0');
	}
	*ret_value = value;
	return true;
}

static bool take_char(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static bool take_date(const char **p, struct stamp *s)
{
	return take_number(p, 4, &s->year) && take_char(p, '-') && take_number(p, 2, &s->month) &&
	       take_char(p, '-') && take_number(p, 2, &s->day);
}

static bool take_fraction(const char **p, struct stamp *s)
{
	int64_t unit = NS_PER_SEC;
	const char *first = *p;

	for (; **p >= '0' && **p <= '9' && unit > 1; (*p)++) {
		unit /= 10;
		s->fraction_ns += unit * (**p - '0');
	}
	return *p > first;
}

static bool take_offset(const char **p, struct stamp *s)
{
	int hours, minutes;
	char sign = **p;

	if (take_char(p, 'Z') || take_char(p, 'z'))
		return true;
	if ((sign != '+' && sign != '-') || !(*p)++)
		return false;
	if (!take_number(p, 2, &hours) || !take_char(p, ':') || !take_number(p, 2, &minutes))
		return false;
	if (hours > 23 || minutes > 59)
		return false;
	s->offset_minutes = (sign == '-' ? -1 : 1) * (hours * 60 + minutes);
	return true;
}

static bool take_time(const char **p, struct stamp *s)
{
	if (!take_number(p, 2, &s->hour) || !take_char(p, ':') || !take_number(p, 2, &s->minute) ||
	        !take_char(p, ':') || !take_number(p, 2, &s->second))
		return false;
	if (take_char(p, '.') && !take_fraction(p, s))
		return false;
	return take_offset(p, s);
}

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Months from 1. */
static int month_days(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year));
}

static bool exists(const struct stamp *s)
{
	return s->year >= YEAR_MIN && s->year <= YEAR_MAX && s->month >= 1 && s->month <= 12 &&
	       s->day >= 1 && s->day <= month_days(s->year, s->month) && s->hour <= 23 &&
	       s->minute <= 59 && s->second <= 59;
}

/* Days from 1970-01-01 to a day that exists. */
static int64_t days_since_epoch(const struct stamp *s)
{
	int64_t days = s->day - 1;

	for (int year = 1970; year < s->year; year++)
		days += is_leap(year) ? 366 : 365;
	for (int month = 1; month < s->month; month++)
		days += month_days(s->year, month);
	return days;
}

int timestamp_parse(const char *text, int64_t *ret_ns)
{
	struct stamp s = {0};
	const char *p = text;
	int64_t minutes;

	if (!take_date(&p, &s))
		return -EINVAL;
	if (*p && ((!take_char(&p, 'T') && !take_char(&p, 't')) || !take_time(&p, &s) || *p))
		return -EINVAL;
	if (!exists(&s))
		return -ERANGE;
	minutes = days_since_epoch(&s) * 24 * 60 + s.hour * 60 + s.minute - s.offset_minutes;
	*ret_ns = (minutes * 60 + s.second) * NS_PER_SEC + s.fraction_ns;
	return 0;
}
