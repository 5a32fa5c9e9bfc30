/*
 * execward: a verb a file, one table. Results go to stdout, messages to stderr, exit codes follow
 * sysexits(3) (docs/formats.md).
 */
#include "base/cleanup.h"
#include "tools/verbs.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define DEFAULT_CONFIG "/etc/execward/execward.yaml"

static const char which[] = "PATH is a path inside containers when the daemon has it on record, or "
                            "when --container or\n"
                            "--image is given; else a file of this host, which is hashed here "
                            "(./FILE always is). EVENT is\n"
                            "an id as `execward events` shows it.";

static const struct verb verbs[] = {
        {"status", "What is guarded, in which mode, with what result", NULL, TAKES(WAIT_READY), 0,
                NULL, verb_status},
        {"events", "What was denied or reported, oldest first", NULL,
                TAKES(SINCE) | TAKES(FOLLOW) | TAKES(CONTAINER) | TAKES(PATH) | TAKES(SHA256) |
                        TAKES(LIMIT),
                0, "With --json each line is one alert, as the outputs of the daemon carry it.",
                verb_events},
        {"show", "One event in full, and what to do next", "EVENT", 0, 0, NULL, verb_show},
        {"explain", "Why a program did or would not run, who dropped it, what would let it",
                "PATH|SHA256|EVENT", TAKES(CONTAINER) | TAKES(IMAGE), 0, which, verb_explain},
        {"approve", "Lets a program run, from the next exec on", "SHA256|PATH|EVENT",
                TAKES(REASON) | TAKES(IMAGE) | TAKES(CONTAINER) | TAKES(FOR), TAKES(REASON), which,
                verb_approve},
        {"revoke", "Takes back what was approved, learned or denied", "SHA256|PATH|EVENT",
                TAKES(IMAGE) | TAKES(CONTAINER) | TAKES(DENY), 0, which, verb_revoke},
        {"deny", "Never lets a program run, wherever it comes from", "SHA256|PATH|EVENT",
                TAKES(REASON) | TAKES(CONTAINER) | TAKES(FOR), TAKES(REASON), which, verb_deny},
        {"grants", "What was approved, learned and denied", NULL, 0, 0, NULL, verb_grants},
        {"mode", "Shows or changes the mode", "[report|enforce|learn|config]", TAKES(FOR), 0,
                "learn always has an end (--for). config gives the mode back to the configuration.",
                verb_mode},
        {"reload", "Reads the configuration again", NULL, 0, 0,
                "A configuration with a fault is refused with its place, and the old one stays in "
                "force.",
                verb_reload},
        {"report", "A summary: denials by container, program and writer", NULL, TAKES(SINCE), 0,
                "Of the last 24 hours, or as --since says.", verb_report},
        {"doctor", "What this host has, what it lacks, what that weakens and how to mend it", NULL,
                0, 0, "Exits 1 when something is weak.", verb_doctor},
        {"selftest", "Attacks a scratch overlay under the running daemon", NULL, 0, 0,
                "Tries the techniques of the threat matrix that are safe to try, and compares what "
                "the\n"
                "daemon did with what it should have done. Needs root; takes 30 seconds at most.",
                verb_selftest},
};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static int load(const char *path, struct tool *tool)
{
	_cleanup_(config_error_done) struct config_error error = {0};
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
		fprintf(stderr, "execward: %s: %s\n", path ?: "defaults",
		        error.message ?: strerror(r < 0 ? -r : EINVAL));
	/* Only root reads a configuration: who may not is told so, not that it is wrong. */
	return r == -EACCES ? EX_NOPERM : EX_CONFIG;
}

static int run(const struct call *call)
{
	const char *no_color = getenv("NO_COLOR");
	struct tool tool = {
	        .json = call_has(call, OPTION_JSON),
	        .colour = isatty(STDOUT_FILENO) && !(no_color && *no_color),
	};
	int r;

	if (call_has(call, OPTION_VERSION)) {
		printf("execward %s\n", EXECWARD_VERSION);
		return EX_OK;
	}
	if (call_has(call, OPTION_HELP)) {
		if (call->verb)
			arguments_print_verb(stdout, call->verb);
		else if (call->group)
			arguments_print_group(stdout, call->group, verbs, N_VERBS);
		else
			arguments_print_tool(stdout, verbs, N_VERBS);
		return EX_OK;
	}
	if (!call->verb && call->group) {
		arguments_print_group(stderr, call->group, verbs, N_VERBS);
		return EX_USAGE;
	}
	if (!call->verb) {
		arguments_print_tool(stderr, verbs, N_VERBS);
		return EX_USAGE;
	}
	r = load(call->values[OPTION_CONFIG], &tool);
	if (r == 0)
		r = call->verb->run(&tool, call);
	config_free(tool.config);
	return r;
}

/* What could not be written is an error, except to a reader that has seen enough (head). */
static int flush(int r)
{
	struct pollfd reader = {.fd = STDOUT_FILENO};

	if (fflush(stdout) == 0 && !ferror(stdout))
		return r;
	if (poll(&reader, 1, 0) == 1 && reader.revents & POLLERR)
		return r == EX_IOERR ? EX_OK : r;
	fputs("execward: stdout could not be written\n", stderr);
	return r > 1 ? r : EX_IOERR;
}

int main(int argc, char **argv)
{
	struct call call;
	int r;

	signal(SIGPIPE, SIG_IGN); /* seen as EPIPE instead */
	r = arguments_parse(argc, argv, verbs, N_VERBS, &call);
	return r != 0 ? r : flush(run(&call));
}
