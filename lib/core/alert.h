/*
 * One alert as Falco's JSON line (docs/formats.md): what falcosidekick and its outputs accept,
 * with our own keys under `execward.`. Pure: the host's name, the time zone's offset and the ids
 * come from the caller.
 */
#pragma once

#include "core/facts.h"
#include "core/policy.h"

#include <jansson.h>

#define ALERT_RULE_DROP "Drop and execute new binary in container" /* Falco's own rule name */

struct alert_input {
	const struct exec_facts *facts;           /* borrowed */
	const struct policy_decision *decision;   /* borrowed */
	const struct drop_info *drop;             /* borrowed; NULL or !known when none */
	const char *hostname;                     /* borrowed */
	const char *user_name;                    /* borrowed; NULL when unknown */
	const char *event_id;                     /* borrowed; stable, unique */
	const char *fault;                        /* borrowed; name of the fault, NULL when none */
	uint64_t count;                           /* how often in this window, 1 or more */
	int32_t utc_offset_s;                     /* local time, for the `output` text */
};

/* The whole object; NULL when memory is short. The caller's reference (json_decref). */
json_t *alert_to_json(const struct alert_input *input);

/*
 * One compact line with sorted keys, without the newline: valid UTF-8 and valid JSON whatever the
 * facts held. NULL when memory is short; the caller frees with free().
 */
char *alert_to_line(const json_t *alert);

/* Replaces what is not UTF-8 by U+FFFD. The caller frees; NULL when memory is short or @text is. */
char *text_to_utf8(const char *text);

/*
 * For a terminal: like text_to_utf8(), then every control character (C0, DEL, C1), bidirectional
 * control and line separator as \xNN or \u{NNNN}, and a backslash doubled.
 */
char *text_for_terminal(const char *text);

/* `2026-09-21T14:14:02.123456789Z`. @ret_text has room for 31 bytes. */
#define TIME_TEXT_SIZE 31u
void time_to_rfc3339(int64_t time_ns, char ret_text[TIME_TEXT_SIZE]);
