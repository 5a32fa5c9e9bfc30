/*
 * Loading, and the owner of what was loaded. What may stand in the file is keys.c's, how a file
 * becomes a tree yaml_tree.c's. The file is read whole before anything of it is believed.
 *
 * libyaml directly, not libcyaml: that one logs the place of a fault instead of returning it.
 */
#include "config/config.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/strtab.h"
#include "config/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static const char *const output_names[_OUTPUT_MAX] = {
        [OUTPUT_STDOUT] = "stdout",
        [OUTPUT_FILE] = "file",
        [OUTPUT_JOURNALD] = "journald",
        [OUTPUT_SYSLOG] = "syslog",
        [OUTPUT_HTTP] = "http",
};

const char *output_type_name(enum output_type type)
{
	return strtab_name(output_names, _OUTPUT_MAX, (int)type);
}

void config_error_done(struct config_error *error)
{
	free(error->file);
	free(error->message);
	memset(error, 0, sizeof(*error));
}

static void free_list(char **items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(items[i]);
	free(items);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	policy_settings_done(&c->policy);
	free(c->state_dir);
	free(c->runtime_dir);
	free_list(c->storage, c->n_storage);
	for (size_t i = 0; i < c->n_paths; i++)
		free(c->paths[i].path);
	free(c->paths);
	free(c->keys_dir);
	free(c->allowlists_dir);
	free_list(c->writers, c->n_writers);
	for (size_t i = 0; i < c->n_fetch; i++) {
		free(c->fetch[i].url);
		free(c->fetch[i].series);
	}
	free(c->fetch);
	free_list(c->labels, c->n_labels);
	for (size_t i = 0; i < c->n_outputs; i++) {
		free(c->outputs[i].path);
		free(c->outputs[i].url);
	}
	free(c->outputs);
	free(c->docker_dir);
	free(c->podman_dir);
	free(c->podman_run_dir);
	free(c->containerd_dir);
	free_list(c->containerd_run_dirs, c->n_containerd_run_dirs);
	free(c);
}

static void config_freep(struct config **c)
{
	config_free(*c);
}

/* A fault of the file or of this machine, without a place. Passes @r on. */
static int file_fault(
        int r, const char *name, const char *message, struct config_error *reterr_error)
{
	config_error_done(reterr_error);
	reterr_error->file = strdup(name);
	reterr_error->message = strdup(message);
	return r;
}

int config_parse(const char *text, size_t size, const char *name, struct config **ret_config,
        struct config_error *reterr_error)
{
	_cleanup_(yaml_tree_done) struct yaml_tree tree = {.name = name, .error = reterr_error};
	_cleanup_(config_freep) struct config *c = calloc(1, sizeof(*c));
	int r = c ? yaml_tree_load(text, size, &tree) : -ENOMEM;

	if (r == 0)
		r = schema_load(&tree, yaml_tree_root(&tree), &config_record, c);
	if (r < 0)
		return file_fault(r, name, "out of memory", reterr_error);
	if (r > 0)
		return r;
	*ret_config = TAKE_PTR(c);
	return 0;
}

int config_load(const char *path, struct config **ret_config, struct config_error *reterr_error)
{
	_cleanup_free_ char *text = NULL, *real = NULL;
	size_t size = 0;
	int r = 0;

	if (!path)
		return config_parse("", 0, "defaults", ret_config, reterr_error);
	/* A link is followed: a Kubernetes ConfigMap mounts its files as links. */
	real = realpath(path, NULL);
	r = real ? file_read_at(AT_FDCWD, real, CONFIG_SIZE_MAX, &text, &size) : -errno;
	if (r == -EFBIG)
		return file_fault(r, path, "larger than 1 MiB: make it shorter", reterr_error);
	if (r == -EINVAL)
		return file_fault(r, path, "is not a regular file", reterr_error);
	if (r < 0)
		return file_fault(r, path, strerror(-r), reterr_error);
	return config_parse(text, size, path, ret_config, reterr_error);
}
