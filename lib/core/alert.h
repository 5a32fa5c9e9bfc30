/*
 * One alert as Falco's JSON line (docs/formats.md): what falcosidekick and its outputs accept,
 * with our own keys under `execward.`. Pure: the host's name, the time zone's offset and the ids
 * come from the caller.
 */
#pragma once

#include "core/facts.h"
#include "core/policy.h"
#include "core/text.h"

#include <jansson.h>

#define ALERT_RULE_DROP "Drop and execute new binary in container" /* Falco's own rule name */

struct alert_input {
	const struct exec_facts *facts;         /* borrowed */
	const struct policy_decision *decision; /* borrowed */
	const struct drop_info *drop;           /* borrowed; NULL or !known when none */
	const char *hostname;                   /* borrowed */
	const char *user_name;                  /* borrowed; hostile, NULL when unknown */
	const char *event_id;                   /* borrowed; stable, unique */
	const char *fault;                      /* borrowed; name of the fault, NULL when none */
	uint64_t count;                         /* how often in this window, 1 or more */
	int32_t utc_offset_s;                   /* local time, for the `output` text */
};

/* The whole object; NULL when memory is short. The caller's reference (json_decref). */
json_t *alert_to_json(const struct alert_input *input);

/*
 * One compact line with sorted keys, without the newline: valid UTF-8 and valid JSON whatever the
 * facts held. NULL when memory is short; the caller frees with free().
 */
char *alert_to_line(const json_t *alert);
