/*
 * execward: a verb a file, one table. Results go to stdout, messages to stderr, exit codes follow
 * sysexits(3) (docs/formats.md).
 */
#include "base/cleanup.h"
#include "core/alert.h"
#include "tools/verbs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define DEFAULT_CONFIG "/etc/execward/execward.yaml"

static const struct verb verbs[] = {
	{"status", "what is guarded, in which mode, with what result",
		"status [--json] [--wait-ready SECONDS]", verb_status},
	{"events", "what was denied or reported",
		"events [--json] [--follow] [--since 10m|TIME] [--container NAME] [--path P] "
		"[--sha256 D] [--limit N]",
		verb_events},
	{"show", "one event in full", "show EVENT [--json]", verb_show},
	{"explain", "why a program did or would not run, and who dropped it",
		"explain PATH|SHA256|EVENT [--container NAME] [--image REF] [--json]", verb_explain},
	{"approve", "let a program run, from the next exec on",
		"approve SHA256|PATH [--image REF] [--container NAME] [--for 30d] --reason TEXT [--json]",
		verb_approve},
	{"revoke", "take an approval, a learned or a denied digest back",
		"revoke SHA256|PATH [--image REF] [--container NAME] [--deny] [--json]", verb_revoke},
	{"deny", "never let a program run, wherever it comes from",
		"deny SHA256|PATH [--container NAME] --reason TEXT [--json]", verb_deny},
	{"grants", "what was approved, learned and denied", "grants [--json]", verb_grants},
	{"mode", "show or change the mode; learn needs an end",
		"mode [report|enforce|learn|config] [--for 24h] [--json]", verb_mode},
	{"reload", "read the configuration again", "reload [--json]", verb_reload},
	{"report", "a summary: denials by container, program and writer",
		"report [--since 24h] [--json]", verb_report},
	{"doctor", "what this host has, what it lacks, and what that weakens", "doctor [--json]",
		verb_doctor},
	{"selftest", "attack a scratch overlay on the running daemon", "selftest [--json]",
		verb_selftest},
};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void print_usage(FILE *stream)
{
	fputs("usage: execward [--config FILE] VERB [OPTIONS]\n\nThe exec firewall for containers.\n\n",
		stream);
	for (size_t i = 0; i < N_VERBS; i++)
		fprintf(stream, "  %-9s %s\n", verbs[i].name, verbs[i].summary);
	fputs("\n`execward VERB --help` shows a verb's options. Exit codes: 0 fine, 1 rejected or "
	      "findings,\n64 and above: operational errors (sysexits).\n",
		stream);
}

/* How many letters two words share at their starts. */
static size_t common(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

static int unknown_verb(const char *name)
{
	_cleanup_free_ char *printable = text_for_terminal(name);
	const char *near = NULL;
	size_t best = 1;

	for (size_t i = 0; i < N_VERBS; i++) {
		if (common(name, verbs[i].name) > best) {
			best = common(name, verbs[i].name);
			near = verbs[i].name;
		}
	}
	fprintf(stderr, "execward: unknown verb \"%s\"%s%s%s; see execward --help\n",
		printable ?: "", near ? "; did you mean \"" : "", near ?: "", near ? "\"?" : "");
	return EX_USAGE;
}

int parse_verb(int argc, char **argv, const struct option_row *rows, const char **ret_arguments,
	int max_arguments, int *ret_n)
{
	int n = 0;

	for (int i = 1; i < argc; i++) {
		const char *word = argv[i], *equals;
		const struct option_row *row = rows;
		size_t size;

		if (strncmp(word, "--", 2)) {
			if (n == max_arguments) {
				fprintf(stderr, "execward %s: one argument too many\n", argv[0]);
				return EX_USAGE;
			}
			ret_arguments[n++] = word;
			continue;
		}
		equals = strchr(word, '=');
		size = equals ? (size_t)(equals - word) - 2 : strlen(word) - 2;
		while (row->name && (strncmp(row->name, word + 2, size) || row->name[size]))
			row++;
		if (!row->name || (row->flag && equals) || (row->value && !equals && i + 1 == argc)) {
			fprintf(stderr, "execward %s: %s: %s\n", argv[0], word,
				row->name ? "needs a value, or takes none" : "unknown option");
			return EX_USAGE;
		}
		if (row->flag)
			*row->flag = true;
		else
			*row->value = equals ? equals + 1 : argv[++i];
	}
	*ret_n = n;
	return 0;
}

/* The options that all verbs share are taken out of @argv, wherever they stand. */
static int take_common(struct tool *tool, int *argc, char **argv, bool *ret_help)
{
	int n = 0;

	for (int i = 0; i < *argc; i++) {
		if (!strcmp(argv[i], "--json")) {
			tool->json = true;
		} else if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			*ret_help = true;
		} else if (!strcmp(argv[i], "--config")) {
			if (++i == *argc) {
				fputs("execward: --config: needs a file\n", stderr);
				return EX_USAGE;
			}
			tool->config_path = argv[i];
		} else {
			argv[n++] = argv[i];
		}
	}
	*argc = n;
	return 0;
}

static int load(struct tool *tool)
{
	_cleanup_(config_error_done) struct config_error error = {0};
	const char *path = tool->config_path;
	int r;

	if (!path && access(DEFAULT_CONFIG, F_OK) == 0)
		path = DEFAULT_CONFIG;
	r = config_load(path, &tool->config, &error);
	if (r == 0)
		return 0;
	if (error.line > 0)
		fprintf(stderr, "execward: %s:%u:%u: %s\n", error.file, error.line, error.column,
			error.message ?: "invalid");
	else
		fprintf(stderr, "execward: %s: %s\n", path ?: "defaults", error.message ?: strerror(-r));
	return EX_CONFIG;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < N_VERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

int main(int argc, char **argv)
{
	struct tool tool = {.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR")};
	const struct verb *verb;
	bool help = false;
	int r;

	signal(SIGPIPE, SIG_DFL);
	argc--;
	argv++;
	r = take_common(&tool, &argc, argv, &help);
	if (r != 0)
		return r;
	if (argc > 0 && !strcmp(argv[0], "--version")) {
		printf("execward %s\n", EXECWARD_VERSION);
		return EX_OK;
	}
	verb = argc > 0 ? find_verb(argv[0]) : NULL;
	if (argc > 0 && !verb)
		return unknown_verb(argv[0]);
	if (!verb) {
		print_usage(help ? stdout : stderr);
		return help ? EX_OK : EX_USAGE;
	}
	if (help) {
		printf("usage: execward [--config FILE] %s\n\n%s\n", verb->usage, verb->summary);
		return EX_OK;
	}
	r = load(&tool);
	if (r == 0)
		r = verb->run(&tool, argc, argv);
	config_free(tool.config);
	return r;
}
