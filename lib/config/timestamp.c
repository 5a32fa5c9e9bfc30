/*
 * strptime(3) would do more than is wanted: it takes blanks, short fields and the locale's words,
 * and turns 31 February into 3 March, so that an exception would outlive the day it names.
 */
#include "config/timestamp.h"

#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

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

static bool exists(const struct stamp *s)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = s->year % 4 == 0 && (s->year % 100 != 0 || s->year % 400 == 0);

	if (s->year < YEAR_MIN || s->year > YEAR_MAX || s->month < 1 || s->month > 12)
		return false;
	return s->day >= 1 && s->day <= days[s->month - 1] + (leap && s->month == 2) &&
	       s->hour <= 23 && s->minute <= 59 && s->second <= 59;
}

int timestamp_parse(const char *text, int64_t *ret_ns)
{
	struct stamp s = {0};
	const char *p = text;
	struct tm tm;

	if (!take_date(&p, &s))
		return -EINVAL;
	if (*p && ((!take_char(&p, 'T') && !take_char(&p, 't')) || !take_time(&p, &s) || *p))
		return -EINVAL;
	if (!exists(&s))
		return -ERANGE;
	tm = (struct tm){
	        .tm_year = s.year - 1900,
	        .tm_mon = s.month - 1,
	        .tm_mday = s.day,
	        .tm_hour = s.hour,
	        .tm_min = s.minute - s.offset_minutes, /* timegm(3) carries what is out of range */
	        .tm_sec = s.second,
	};
	*ret_ns = (int64_t)timegm(&tm) * NS_PER_SEC + s.fraction_ns;
	return 0;
}
