#include "daemon/record.h"

#include <stdlib.h>

struct record *record_new(enum record_type type)
{
	struct record *record = calloc(1, sizeof(*record));

	if (record)
		record->type = type;
	return record;
}

void record_free(struct record *record)
{
	if (!record)
		return;
	exec_facts_done(&record->facts);
	process_info_done(&record->writer);
	ruling_unref(record->ruling);
	free(record->scope_value);
	free(record);
}
