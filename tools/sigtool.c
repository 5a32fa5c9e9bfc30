/*
 * The command line is read from its begin, and whatever follows -v is a file: a name that begins
 * with a dash must not become an option that exits 0. Nor is a file taken for an envelope here,
 * whatever is in it: JSON with a payload may be a shell script as well.
 */
#include "tools/sigtool.h"

#include "base/cleanup.h"
#include "core/text.h"
#include "tools/print.h"
#include "tools/tool_config.h"
#include "tools/verify.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define NAME "sigtool"

static const char usage[] =
        "usage: sigtool -v FILE...\n"
        "       sigtool --verify FILE...\n\n"
        "This is execward's sigtool: it exits 0 only when a trusted signature vouches for every\n"
        "FILE, which is a signed allowlist that is in force on this host, FILE.sig or the\n"
        "security.ima of the file; else 1, and 64 or above when that could not be told. It has\n"
        "nothing of ClamAV's program of that name. See execward(1), `execward verify --help`.\n";

static const struct verb verify = {.name = "verify"};

bool sigtool_is_called(const char *program)
{
	const char *slash = program ? strrchr(program, '/') : NULL;

	return program && !strcmp(slash ? slash + 1 : program, NAME);
}

static int refuse(const char *word)
{
	_cleanup_free_ char *safe = text_safe(word);

	fprintf(stderr,
	        NAME ": %s: not an option of execward's sigtool, which only verifies; "
	             "ClamAV's program of that name is another one\n%s",
	        safe, usage);
	return EX_USAGE;
}

static int verify_all(struct verify_run *run, char *const *files, int n)
{
	int result = 0, r = verify_run_init(run);

	if (r != 0)
		return r;
	for (int i = 0; i < n; i++) {
		r = *files[i] ? verify_file(run, files[i])
		              : verify_refuse(run, "", EX_USAGE, "an empty name");
		if (r > 1 && result <= 1)
			result = r;
		else if (r == 1 && result == 0)
			result = 1;
	}
	return result;
}

int sigtool_main(int argc, char **argv)
{
	static const char verify_equals[] = "--verify=";
	struct tool tool = {0};
	struct call call = {.verb = &verify};
	_cleanup_(verify_run_done) struct verify_run run = {
	        .tool = &tool, .call = &call, .name = NAME, .quiet = true};
	const char *word = argc > 1 ? argv[1] : NULL;
	int first = 2, r;

	if (!word) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	if (argc == 2 && (!strcmp(word, "--help") || !strcmp(word, "-h"))) {
		fputs(usage, stdout);
		return EX_OK;
	}
	if (argc == 2 && (!strcmp(word, "--version") || !strcmp(word, "-V"))) {
		printf("execward %s, as " NAME "\n", EXECWARD_VERSION);
		return EX_OK;
	}
	if (!strncmp(word, verify_equals, strlen(verify_equals))) {
		argv[1] += strlen(verify_equals);
		first = 1;
	} else if (strcmp(word, "-v") != 0 && strcmp(word, "--verify") != 0) {
		return refuse(word);
	}
	if (argc <= first) {
		fprintf(stderr, NAME ": %s: needs a FILE\n%s", word, usage);
		return EX_USAGE;
	}
	r = tool_config_load(NULL, &tool.config);
	if (r == 0)
		r = verify_all(&run, argv + first, argc - first);
	config_free(tool.config);
	return r;
}
