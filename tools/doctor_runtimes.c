/*
 * The container runtimes, told by what lies on disk: a socket, a program, a storage directory.
 * Nothing of theirs is executed or asked.
 */
#include "base/cleanup.h"
#include "tools/doctor.h"

#include <stdio.h>
#include <string.h>

#define PATHS_MAX 6u

struct runtime {
	const char *name;
	const char *storage; /* where nothing says otherwise */
	const char *(*configured)(
	        const struct config *); /* where execward looks; NULL: ->storage */
	const char *key;                /* of our configuration, for that; or NULL */
	bool storage_is_own;            /* the directory alone shows that this runtime is in use */
	const char *settings;           /* its configuration, or NULL */
	const char *root_key;           /* of the storage directory in it */
	const char *signs[PATHS_MAX];
	const char *drivers[PATHS_MAX]; /* below the storage: layers that are no overlays */
	struct advice seccomp;
};

static const char *docker_dir(const struct config *config)
{
	return config->docker_dir;
}

static const char *podman_dir(const struct config *config)
{
	return config->podman_dir;
}

static const char *containerd_dir(const struct config *config)
{
	return config->containerd_dir;
}

#define CONTAINERD_DRIVERS                                                                         \
	{                                                                                          \
		"io.containerd.snapshotter.v1.native/snapshots",                                   \
		        "io.containerd.snapshotter.v1.btrfs/active",                               \
		        "io.containerd.snapshotter.v1.fuse-overlayfs/snapshots"                    \
	}
#define CONTAINERS_DRIVERS                                                                         \
	{                                                                                          \
		"vfs/dir", "btrfs/subvolumes", "zfs/graph"                                         \
	}

/* A pod's profile is Unconfined unless it or the kubelet says otherwise (Kubernetes, "Seccomp"). */
#define POD_SECCOMP                                                                                \
	{                                                                                          \
		LEVEL_NOTE, {3, 6, 8, 15},                                                         \
		        "a pod without seccompProfile: RuntimeDefault is confined by no profile: " \
		        "user namespaces, memfd_create and io_uring are open to it",               \
		        "seccompDefault: true in the kubelet's configuration"                      \
	}

static const struct runtime runtimes[] = {
        {.name = "podman",
                .storage = "/var/lib/containers/storage",
                .configured = podman_dir,
                .key = "runtimes.podman",
                .settings = "/etc/containers/storage.conf",
                .root_key = "graphroot",
                .signs = {"/run/podman/podman.sock", "/usr/bin/podman", "/usr/local/bin/podman"},
                .drivers = CONTAINERS_DRIVERS,
                .seccomp = {LEVEL_NOTE, {6, 8, 15},
                        "its default profile lets user namespaces and memfd_create pass",
                        "vm.memfd_noexec=2 and user.max_user_namespaces=0, or a stricter "
                        "seccomp_profile in containers.conf"}},
        {.name = "docker",
                .storage = "/var/lib/docker",
                .configured = docker_dir,
                .key = "runtimes.docker",
                .storage_is_own = true,
                .settings = "/etc/docker/daemon.json",
                .root_key = "data-root",
                .signs = {"/run/docker.sock", "/usr/bin/dockerd", "/usr/sbin/dockerd",
                        "/usr/local/bin/dockerd"},
                .drivers = {"vfs/dir", "btrfs/subvolumes", "zfs/graph", "fuse-overlayfs/l"},
                .seccomp = {LEVEL_NOTE, {3, 15},
                        "its default profile refuses user namespaces; it lets memfd_create "
                        "pass, and io_uring before Docker 25; --privileged and "
                        "seccomp=unconfined refuse nothing",
                        "vm.memfd_noexec=2; no container with seccomp=unconfined"}},
        {.name = "containerd",
                .storage = "/var/lib/containerd",
                .configured = containerd_dir,
                .key = "runtimes.containerd",
                .storage_is_own = true,
                .settings = "/etc/containerd/config.toml",
                .root_key = "root",
                .signs = {"/run/containerd/containerd.sock", "/usr/bin/containerd",
                        "/usr/local/bin/containerd"},
                .drivers = CONTAINERD_DRIVERS,
                .seccomp = POD_SECCOMP},
        {.name = "cri-o",
                .storage = "/var/lib/containers/storage",
                .configured = podman_dir,
                .key = "runtimes.podman",
                .settings = "/etc/crio/crio.conf",
                .root_key = "root",
                .signs = {"/run/crio/crio.sock", "/usr/bin/crio", "/usr/local/bin/crio"},
                .drivers = CONTAINERS_DRIVERS,
                .seccomp = POD_SECCOMP},
        {.name = "k3s",
                .storage = "/var/lib/rancher/k3s/agent/containerd",
                .storage_is_own = true,
                .signs = {"/run/k3s/containerd/containerd.sock", "/usr/local/bin/k3s",
                        "/usr/bin/k3s"},
                .drivers = CONTAINERD_DRIVERS,
                .seccomp = POD_SECCOMP},
        {.name = "rke2",
                .storage = "/var/lib/rancher/rke2/agent/containerd",
                .storage_is_own = true,
                .signs = {"/usr/local/bin/rke2", "/usr/bin/rke2"},
                .drivers = CONTAINERD_DRIVERS,
                .seccomp = POD_SECCOMP},
};

/* The quoted path behind @key where a line starts with it, in JSON or TOML. The caller frees. */
static char *quoted_value(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *line = text, *next; line; line = next) {
		const char *at = line + strspn(line, " \r\t{,\"");

		next = strchr(line, '\n');
		next = next ? next + 1 : NULL;
		if (strncmp(at, key, n))
			continue;
		at += n;
		at += strspn(at, "\" \t=:");
		if (at[0] == '/' && at[-1] == '"' && at[strcspn(at, "\"\n")] == '"')
			return text_format("%.*s", (int)strcspn(at, "\""), at);
	}
	return NULL;
}

/* Where the runtime itself says that its layers lie. The caller frees; NULL: it does not say. */
static char *own_root(const struct doctor *d, const struct runtime *runtime)
{
	_cleanup_free_ char *text = NULL, *path = NULL;

	if (runtime->settings)
		path = host_canonical(&d->host, runtime->settings);
	if (!path || host_read(&d->host, path, &text) < 0)
		return NULL;
	return quoted_value(text, runtime->root_key);
}

/* Its signs in one line, or NULL when there is none. The caller frees. */
static char *signs_of(const struct doctor *d, const struct runtime *runtime)
{
	char *text = NULL, *longer;

	for (size_t i = 0; i < PATHS_MAX && runtime->signs[i]; i++) {
		if (!host_has(&d->host, runtime->signs[i]))
			continue;
		longer = text_format("%s%s%s", text ?: "", text ? ", " : "", runtime->signs[i]);
		free(text);
		text = longer;
	}
	return text;
}

/* Containers there have no name, and no mark of their filesystem's before they appear. */
static void add_moved(struct doctor *d, const struct runtime *runtime, const char *root)
{
	_cleanup_free_ char *check = text_format("%s storage", runtime->name);
	_cleanup_free_ char *state = text_format("%s, by %s", root, runtime->settings);
	_cleanup_free_ char *fix = text_format(
	        "%s: %s in execward.yaml, systemctl restart execwardd", runtime->key, root);
	const struct advice advice = {LEVEL_NOTE, {0},
	        "execward looks elsewhere: its containers have no name and no image", fix};

	findings_add(&d->findings, check, state, &advice);
}

static void add_drivers(struct doctor *d, const struct runtime *runtime, const char *storage)
{
	static const struct advice no_overlay = {LEVEL_WEAK, {1, 2, 3, 5},
	        "these layers are no overlays: containers that use them are not guarded",
	        "the overlay driver (overlay2, overlayfs); remove what another has left"};
	_cleanup_free_ char *check = text_format("%s driver", runtime->name);

	for (size_t i = 0; i < PATHS_MAX && runtime->drivers[i]; i++) {
		_cleanup_free_ char *path = text_format("%s/%s", storage, runtime->drivers[i]);

		if (host_has_entries(&d->host, path))
			findings_add(&d->findings, check, path, &no_overlay);
	}
}

static void add_runtime(struct doctor *d, const struct runtime *runtime)
{
	_cleanup_free_ char *signs = signs_of(d, runtime), *root = own_root(d, runtime);
	_cleanup_free_ char *state = NULL, *check = NULL;
	_cleanup_(doctor_cover_done) struct doctor_cover cover = {0};
	const char *expected =
	        runtime->configured ? runtime->configured(d->tool->config) : runtime->storage;
	const char *storage = root ?: expected;
	static const struct advice fine = {.level = LEVEL_OK};
	bool exists;

	if (!signs && !runtime->storage_is_own)
		return;
	doctor_cover(d, storage, &cover);
	exists = cover.advice.level != LEVEL_UNSET;
	if (!signs && !exists)
		return;
	state = text_format("%s: %s%s%s", storage, exists ? cover.state : "no containers yet",
	        signs ? "; " : "", signs ?: "");
	findings_add(&d->findings, runtime->name, state, exists ? &cover.advice : &fine);
	if (root && strcmp(root, expected))
		add_moved(d, runtime, root);
	if (exists && !cover.untouchable)
		add_drivers(d, runtime, storage);
	check = text_format("%s seccomp", runtime->name);
	findings_add(&d->findings, check, "default profile", &runtime->seccomp);
}

void doctor_runtimes(struct doctor *d)
{
	size_t before = json_array_size(d->findings.list);

	for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]); i++)
		add_runtime(d, &runtimes[i]);
	if (json_array_size(d->findings.list) == before)
		findings_ok(&d->findings, "runtimes", "none found");
}
