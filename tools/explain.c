/* execward explain: everything on record about one program. */
#include "base/cleanup.h"
#include "core/alert.h"
#include "tools/client.h"
#include "tools/print.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* An event id is <hex>-<hex>, a digest 64 digits; everything else is a path. */
static const char *kind_of(const char *target)
{
	struct digest digest;
	size_t n = strspn(target, "0123456789abcdef");

	if (digest_from_hex(target, &digest) == 0)
		return "sha256";
	if (n > 0 && target[n] == '-' && target[n + 1] &&
		!target[n + 1 + strspn(target + n + 1, "0123456789abcdef")])
		return "event_id";
	return "path";
}

static void print_list(const char *title, json_t *list)
{
	size_t i;
	json_t *item;

	printf("%s:", title);
	if (json_array_size(list) == 0)
		fputs(" nobody", stdout);
	json_array_foreach(list, i, item)
	{
		_cleanup_free_ char *text = text_for_terminal(json_string_value(item));

		printf(" %s", text ?: "");
	}
	putchar('\n');
}

static void print_drop(json_t *drop)
{
	json_t *writer = json_object_get(drop, "writer");
	_cleanup_free_ char *path = text_of(drop, "path"), *name = text_of(drop, "container_name"),
			    *exe = text_of(writer, "exe"), *cmdline = text_of(writer, "cmdline");
	char time[32];

	local_time(json_integer_value(json_object_get(drop, "time_ns")), time);
	printf("  %s  %s in %s by ", time, path, name);
	if (json_is_true(json_object_get(writer, "gone")))
		printf("pid %lld (writer gone)\n",
			(long long)json_integer_value(json_object_get(writer, "pid")));
	else
		printf("%s (%s), uid %lld\n", exe, cmdline,
			(long long)json_integer_value(json_object_get(writer, "uid")));
}

static void print_explain(const struct tool *tool, json_t *x)
{
	json_t *would = json_object_get(x, "would"), *item;
	_cleanup_free_ char *sha256 = text_of(x, "sha256"), *origin = text_of(x, "origin"),
			    *copy_of = text_of(x, "copy_of"), *verdict = text_of(would, "verdict"),
			    *reason = text_of(would, "reason"), *mode = text_of(would, "mode");
	size_t i;

	printf("sha256: %s\norigin: %s\n", sha256, origin);
	if (strcmp(copy_of, "-"))
		printf("copy of: %s\n", copy_of);
	print_list("seen at", json_object_get(x, "paths"));
	print_list("vouched for by", json_object_get(x, "vouchers"));
	fputs("next exec: ", stdout);
	print_word(tool, strcmp(verdict, "allow") ? COLOUR_BAD : COLOUR_GOOD, verdict);
	printf(" (%s, mode %s)\n", reason, mode);
	printf("dropped: %zu\n", json_array_size(json_object_get(x, "drops")));
	json_array_foreach(json_object_get(x, "drops"), i, item)
		print_drop(item);
	printf("verdicts on record: %zu\n", json_array_size(json_object_get(x, "events")));
}

int verb_explain(const struct tool *tool, int argc, char **argv)
{
	const char *target = NULL, *container = NULL, *image = NULL;
	const struct option_row rows[] = {
		{"container", &container, NULL}, {"image", &image, NULL}, {NULL, NULL, NULL}};
	json_t *request, *answer = NULL;
	int n, r = parse_verb(argc, argv, rows, &target, 1, &n);

	if (r == 0 && n != 1) {
		fputs("execward explain: name a path, a SHA-256 or an event\n", stderr);
		r = EX_USAGE;
	}
	if (r != 0)
		return r;
	request = json_pack("{s:s, s:s, s:s*, s:s*}", "request", "explain", kind_of(target), target,
		"container", container, "image", image);
	if (!request) {
		fputs("execward explain: the name is not UTF-8: give the SHA-256\n", stderr);
		return EX_USAGE;
	}
	r = client_ask(tool, request, &answer);
	if (r != 0)
		return r;
	if (tool->json)
		print_json(json_object_get(answer, "explain"));
	else
		print_explain(tool, json_object_get(answer, "explain"));
	json_decref(answer);
	return 0;
}
