/*
 * Any bytes are a configuration or an error with a place: what is accepted keeps every promise of
 * config.h, what is refused has a printable message and a line that the text has.
 */
#include "config/config.h"
#include "core/glob.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void require_path(const char *path)
{
	require(path && path[0] == '/' && !strstr(path, "/../") && !strstr(path, "//"));
}

static void require_pattern(const char *pattern)
{
	size_t at;

	require(!pattern || (*pattern && glob_check(pattern, &at) == 0));
}

static void require_rule(const struct policy_rule *rule)
{
	const struct policy_match *m = &rule->match;

	require_pattern(m->image);
	require_pattern(m->container);
	require_pattern(m->ns);
	require_pattern(m->path);
	require_pattern(m->parent);
	require_pattern(m->writer);
	require(m->image || m->container || m->ns || m->path || m->parent || m->writer ||
	        m->uid >= 0);
	require(m->uid >= -1 && m->uid < UINT32_MAX);
	require(rule->action != ACTION_UNSET || rule->mode != MODE_UNSET ||
	        rule->copies != ACTION_UNSET);
	require(rule->mode != MODE_LEARN && rule->reason && *rule->reason && rule->line > 0);
}

static void require_output(const struct config_output *output)
{
	require(output->type > OUTPUT_UNSET && output->type < _OUTPUT_MAX);
	require((output->type == OUTPUT_FILE) == (output->path != NULL));
	require((output->type == OUTPUT_HTTP) == (output->url != NULL));
}

static void require_lists(const struct config *c)
{
	for (size_t i = 0; i < c->policy.n_rules; i++)
		require_rule(&c->policy.rules[i]);
	for (size_t i = 0; i < c->n_outputs; i++)
		require_output(&c->outputs[i]);
	for (size_t i = 0; i < c->n_storage; i++)
		require_path(c->storage[i]);
	for (size_t i = 0; i < c->n_paths; i++)
		require_path(c->paths[i].path);
	for (size_t i = 0; i < c->n_writers; i++)
		require_path(c->writers[i]);
	for (size_t i = 0; i < c->n_containerd_run_dirs; i++)
		require_path(c->containerd_run_dirs[i]);
}

static void require_config(const struct config *c)
{
	require(c->policy.mode == MODE_REPORT || c->policy.mode == MODE_ENFORCE);
	require(c->policy.copies != ACTION_UNSET && c->policy.on_failure != ACTION_UNSET);
	require(c->deadline_ms >= CONFIG_DEADLINE_MIN_MS &&
	        c->deadline_ms <= CONFIG_DEADLINE_MAX_MS);
	require(c->marks != MARK_KIND_UNSET && c->threshold > 0 && c->pending_max >= 16);
	require_path(c->state_dir);
	require_path(c->runtime_dir);
	require_path(c->keys_dir);
	require_path(c->allowlists_dir);
	require_path(c->docker_dir);
	require_path(c->podman_dir);
	require_path(c->podman_run_dir);
	require_path(c->containerd_dir);
	require_lists(c);
}

static void require_error(const struct config_error *error, const uint8_t *data, size_t size)
{
	size_t lines = 1;

	require(error->file && error->message && *error->message);
	for (const char *p = error->message; *p; p++)
		require((unsigned char)*p >= ' ' && *p != 0x7f);
	for (size_t i = 0; i < size;
	        i++) /* YAML's other line breaks hold one of these bytes, too */
		lines += data[i] == '\n' || data[i] == '\r' || data[i] == 0x85 || data[i] == 0xa8 ||
		         data[i] == 0xa9;
	require(error->line <= lines && (error->line == 0) == (error->column == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_error error = {0};
	struct config *config = NULL;
	int r = config_parse((const char *)data, size, "fuzz.yaml", &config, &error);

	require(r == 0 || r == CONFIG_E_INVALID);
	if (r == 0)
		require_config(config);
	else
		require_error(&error, data, size);
	config_free(config);
	config_error_done(&error);
	return 0;
}
