/* execward mode: shows it, or puts an operator's over the configuration's. */
#include "core/types.h"
#include "tools/client.h"
#include "tools/guard_paths.h"
#include "tools/print.h"
#include "tools/since.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static void print_mode(const struct tool *tool, const json_t *answer)
{
	_cleanup_free_ char *mode = text_of(answer, "mode"), *source = text_of(answer, "source"),
	                    *fallback = text_of(answer, "fallback");
	json_int_t until_ns = number_of(answer, "until_ns");
	char until[LOCAL_TIME_SIZE];

	print_word(tool, colour_of_mode(mode), mode);
	printf(", by %s", strcmp(source, "config") ? "an operator" : "the configuration");
	if (until_ns > 0) {
		local_time(until_ns, until);
		printf(", until %s, then %s", until, fallback);
	}
	putchar('\n');
}

/* What can be told without the daemon. */
static int check(const struct call *call)
{
	const char *mode = call->argument;

	if (!mode && call_has(call, OPTION_FOR)) {
		fputs("execward mode: --for: name the mode, too\n", stderr);
		return EX_USAGE;
	}
	if (mode && strcmp(mode, "config") && mode_from_name(mode) == MODE_UNSET) {
		fputs("execward mode: one of report, enforce, learn, config\n", stderr);
		return EX_USAGE;
	}
	if (mode && mode_from_name(mode) == MODE_LEARN && !call_has(call, OPTION_FOR)) {
		fputs("execward mode: learn always has an end: execward mode learn --for 24h\n",
		        stderr);
		return EX_USAGE;
	}
	return 0;
}

int verb_mode(const struct tool *tool, const struct call *call)
{
	json_t *request, *answer = NULL;
	int64_t for_ns = 0;
	int r = check(call);

	if (r == 0 && call_has(call, OPTION_FOR))
		r = parse_for("mode", call->values[OPTION_FOR], &for_ns);
	if (r != 0)
		return r;
	request = request_new("mode");
	(void)request_set(request, "mode", call->argument);
	if (for_ns > 0)
		json_object_set_new(request, "for_ns", json_integer(for_ns));
	r = client_ask(tool, request, &answer);
	if (r != 0)
		return r;
	if (tool->json)
		print_json(answer);
	else
		print_mode(tool, answer);
	/* Of the mode that was asked for, or is asked about, some of it is not in force. */
	if (guard_paths_complain(json_object_get(answer, "not_enforced")) > 0)
		r = 1;
	json_decref(answer);
	return r;
}
