/* Durations as operators write them: 500ms, 5s, 10m, 24h, 180d. One number, one unit. */
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
	const char *unit = text + strspn(text, "0123456789");
	int64_t value = 0, ns = 0;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(unit, units[i].unit))
			ns = units[i].ns;
	if (unit == text || ns == 0)
		return -EINVAL;
	for (const char *p = text; p < unit; p++) {
		value = value * 10 + (*p - '0');
		if (value > DURATION_MAX_NS / ns)
			return -ERANGE; /* before the next step could overflow */
	}
	*ret_ns = value * ns;
	return 0;
}
