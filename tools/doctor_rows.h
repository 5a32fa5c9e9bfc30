/* What the doctor knows: a row for each setting, feature and fault. */
#pragma once

#include <stdbool.h>

struct doctor_row {
	const char *name; /* NULL ends a table */
	const char *good; /* sysctls: the value that closes it */
	bool grave;       /* programs can get past, or records are lost */
	const char *weakens;
	const char *fix; /* features: NULL means a newer kernel */
};

/* By path, by the daemon's name of the feature, by its name of the fault. */
extern const struct doctor_row doctor_sysctls[], doctor_features[], doctor_faults[];

/* NULL when @table has no such row. */
const struct doctor_row *doctor_find(const struct doctor_row *table, const char *name);
