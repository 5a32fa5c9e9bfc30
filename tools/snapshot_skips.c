#include "tools/snapshot_skips.h"

#include "base/cleanup.h"

#include <limits.h>
#include <string.h>

static bool is_below(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	if (n == 1)
		return path[1] != '\0';
	return !strncmp(path, directory, n) && path[n] == '/';
}

static void add(struct skips *skips, const char *below, const char *path)
{
	_cleanup_free_ char *real = path ? realpath(path, NULL) : NULL;

	if (real && is_below(real, below) && skips->n < SKIPS_MAX)
		skips->paths[skips->n++] = TAKE_PTR(real);
}

void skips_find(const struct config *config, const char *below, struct skips *ret_skips)
{
	const char *const paths[] = {"/var/lib/docker", "/var/lib/containers",
	        "/var/lib/containerd", config->docker_dir, config->podman_dir,
	        config->podman_run_dir, config->containerd_dir, config->state_dir,
	        config->runtime_dir};

	memset(ret_skips, 0, sizeof(*ret_skips));
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		add(ret_skips, below, paths[i]);
	for (size_t i = 0; i < config->n_containerd_run_dirs; i++)
		add(ret_skips, below, config->containerd_run_dirs[i]);
	for (size_t i = 0; i < config->n_storage; i++)
		add(ret_skips, below, config->storage[i]);
}

void skips_done(struct skips *skips)
{
	for (size_t i = 0; i < skips->n; i++)
		free(skips->paths[i]);
	skips->n = 0;
}
