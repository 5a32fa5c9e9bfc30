/* Points in time and lengths as operators type them, in the shapes that the configuration has too.
 */
#include "tools/since.h"

#include "base/clock.h"
#include "config/config.h"
#include "config/timestamp.h"

#include <stdio.h>
#include <sysexits.h>

int parse_since(const char *verb, const char *text, int64_t *ret_ns)
{
	int64_t ns;

	if (duration_parse(text, &ns) == 0) {
		ns = clock_realtime_ns() - ns;
		*ret_ns = ns > 0 ? ns : 0;
		return 0;
	}
	if (timestamp_parse(text, ret_ns) == 0)
		return 0;
	fprintf(stderr,
	        "execward %s: --since: a duration (10m, 24h), a date (2026-11-24) or a time "
	        "(2026-11-24T10:00:00Z)\n",
	        verb);
	return EX_USAGE;
}

int parse_for(const char *verb, const char *text, int64_t *ret_ns)
{
	int64_t ns;

	if (duration_parse(text, &ns) == 0 && ns > 0) {
		*ret_ns = ns;
		return 0;
	}
	fprintf(stderr, "execward %s: --for: a duration such as 10m, 24h, 30d\n", verb);
	return EX_USAGE;
}
