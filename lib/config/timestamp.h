/* Points in time as operators write them. */
#pragma once

#include <stdint.h>

/*
 * A time of RFC 3339 (`2027-01-01T00:00:00Z`, `2027-01-01T00:00:00.5+02:00`) or a date, which means
 * its first moment in UTC. Nanoseconds since the epoch. 0; -EINVAL for another shape; -ERANGE for a
 * day or time that does not exist (no leap seconds), or a year outside 2000 to 2261.
 */
int timestamp_parse(const char *text, int64_t *ret_ns);
