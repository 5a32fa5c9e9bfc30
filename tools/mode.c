/* execward mode, reload. */
#include "base/cleanup.h"
#include "tools/client.h"
#include "tools/print.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static void print_mode(const struct tool *tool, json_t *answer)
{
	_cleanup_free_ char *mode = text_of(answer, "mode"), *source = text_of(answer, "source"),
			    *fallback = text_of(answer, "fallback");
	int64_t until_ns = json_integer_value(json_object_get(answer, "until_ns"));
	char until[32];

	print_word(tool, strcmp(mode, "enforce") ? COLOUR_WARN : COLOUR_GOOD, mode);
	printf(" (by %s)", source);
	if (until_ns > 0) {
		local_time(until_ns, until);
		printf(", until %s, then %s", until, fallback);
	}
	putchar('\n');
}

int verb_mode(const struct tool *tool, int argc, char **argv)
{
	const char *duration = NULL, *mode = NULL;
	const struct option_row rows[] = {{"for", &duration, NULL}, {NULL, NULL, NULL}};
	json_t *request, *answer = NULL;
	int64_t for_ns = 0;
	int n, r = parse_verb(argc, argv, rows, &mode, 1, &n);

	if (r != 0)
		return r;
	if (duration && (duration_parse(duration, &for_ns) < 0 || for_ns == 0)) {
		fputs("execward mode: --for: a duration such as 10m, 24h, 30d\n", stderr);
		return EX_USAGE;
	}
	if (n == 1 && !strcmp(mode, "learn") && !duration) {
		fputs("execward mode: learn always has an end: execward mode learn --for 24h\n", stderr);
		return EX_USAGE;
	}
	request = json_pack("{s:s}", "request", "mode");
	if (n == 1)
		json_object_set_new(request, "mode", json_string(mode));
	if (duration)
		json_object_set_new(request, "for_ns", json_integer(for_ns));
	r = client_ask(tool, request, &answer);
	if (r != 0)
		return r;
	if (tool->json)
		print_json(answer);
	else
		print_mode(tool, answer);
	json_decref(answer);
	return 0;
}

int verb_reload(const struct tool *tool, int argc, char **argv)
{
	const struct option_row rows[] = {{NULL, NULL, NULL}};
	json_t *answer = NULL;
	int n, r = parse_verb(argc, argv, rows, NULL, 0, &n);

	if (r == 0)
		r = client_ask(tool, json_pack("{s:s}", "request", "reload"), &answer);
	if (r != 0)
		return r;
	if (tool->json)
		print_json(answer);
	else
		puts("reloaded");
	json_decref(answer);
	return 0;
}
