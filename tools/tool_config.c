#include "tools/tool_config.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/execward/execward.yaml"

int tool_config_load(const char *path, struct config **ret_config)
{
	_cleanup_(config_error_done) struct config_error error = {0};
	int r;

	if (!path && access(DEFAULT_CONFIG, F_OK) == 0)
		path = DEFAULT_CONFIG;
	r = config_load(path, ret_config, &error);
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
