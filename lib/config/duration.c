/* Durations as operators write them: 500ms, 5s, 10m, 24h, 180d. */
#include "config/config.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

#define DURATION_MAX_NS (INT64_C(100) * 365 * 86400 * NS_PER_SEC) /* 100 years: fits int64_t */

int duration_parse(const char *text, int64_t *ret_ns)
{
	static const struct {
		const char *unit;
		int64_t ns;
	} units[] = {
		{"ms", NS_PER_MSEC},
		{"s", NS_PER_SEC},
		{"m", 60 * NS_PER_SEC},
		{"h", 3600 * NS_PER_SEC},
		{"d", 86400 * NS_PER_SEC},
	};
	int64_t value = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		value = value * 10 + (*p - '0');
		if (value > DURATION_MAX_NS)
			return -ERANGE;
	}
	if (p == text)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(p, units[i].unit))
			continue;
		if (value > DURATION_MAX_NS / units[i].ns)
			return -ERANGE;
		*ret_ns = value * units[i].ns;
		return 0;
	}
	return -EINVAL;
}
