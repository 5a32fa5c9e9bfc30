/*
 * EXECWARD_TEST_ROOT stands in front of /proc/cmdline only, for tests; who sets the daemon's
 * environment could as well edit its configuration.
 */
#include "daemon/disabled.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_DIR  "/etc/execward"
#define CMDLINE_MAX  65536u /* bytes; COMMAND_LINE_SIZE is 4096 at most on the machines we know */
#define REMOVE_FIRST "; remove it, then: execward reload"

static bool is_on_cmdline(void)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	char *word, *rest;
	size_t size;

	if (asprintf(&path, "%s/proc/cmdline", getenv("EXECWARD_TEST_ROOT") ?: "") < 0) {
		path = NULL;
		return false;
	}
	if (file_read_head_at(AT_FDCWD, path, CMDLINE_MAX, &text, &size) < 0)
		return false;
	for (word = strtok_r(text, " \t\n", &rest); word; word = strtok_r(NULL, " \t\n", &rest))
		if (!strcmp(word, DISABLED_WORD))
			return true;
	return false;
}

char *disabled_reason(const char *config_path)
{
	const char *slash = config_path ? strrchr(config_path, '/') : NULL;
	_cleanup_free_ char *file = NULL;
	char *reason = NULL;
	struct stat st;
	int n;

	if (is_on_cmdline())
		return strdup(DISABLED_WORD " stands on the kernel's command line" REMOVE_FIRST);
	if (slash)
		n = asprintf(&file, "%.*s/disabled", (int)(slash - config_path), config_path);
	else
		n = asprintf(&file, "%s/disabled", config_path ? "." : DEFAULT_DIR);
	if (n < 0) {
		file = NULL;
		return NULL;
	}
	if (lstat(file, &st) < 0)
		return NULL;
	if (asprintf(&reason, "%s exists" REMOVE_FIRST, file) < 0)
		return strdup("disabled");
	return reason;
}

void disabled_apply(struct config *config)
{
	config->policy.mode = MODE_REPORT;
	for (size_t i = 0; i < config->policy.n_rules; i++)
		config->policy.rules[i].mode = MODE_UNSET;
	for (size_t i = 0; i < config->n_paths; i++)
		config->paths[i].mode = MODE_UNSET;
}
