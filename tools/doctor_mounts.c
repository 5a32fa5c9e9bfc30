/*
 * What the daemon guards, held against this host's mounts. A filesystem is told by its device
 * number: one mount of it is guarded when any is.
 */
#include "base/cleanup.h"
#include "core/overlay.h"
#include "tools/doctor.h"

#include <stdio.h>
#include <string.h>

/* As in daemon/sighting.c: where layers are looked for without guard.storage. */
static const char *const default_storage[] = {
        "/var/lib/containers/storage",
        "/var/lib/docker",
        "/var/lib/containerd",
        "/var/lib/rancher/k3s/agent/containerd",
        "/var/lib/rancher/rke2/agent/containerd",
};

static const char *const network_types[] = {"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "afs",
        "lustre", "gfs2", "ocfs2", "gpfs", "beegfs"};

struct guarded_path {
	const char *path; /* borrowed from the answer */
	const struct mountinfo_line *mount;
};

static int compare_paths(const void *a, const void *b)
{
	const struct guarded_path *left = a, *right = b;

	return strcmp(left->path, right->path);
}

static int compare_devs(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static uint64_t dev_of(const struct mountinfo_line *line)
{
	return (uint64_t)line->dev_major << 32 | line->dev_minor;
}

/* The mount on top at each path, found in one pass: there may be thousands of either. */
static void find_mounts(const struct host *host, struct guarded_path *paths, size_t n)
{
	qsort(paths, n, sizeof(paths[0]), compare_paths);
	for (size_t i = 0; i < host->n_mounts; i++) {
		struct guarded_path key = {.path = host->mounts[i].mountpoint};
		struct guarded_path *found =
		        bsearch(&key, paths, n, sizeof(paths[0]), compare_paths);

		if (found)
			found->mount = &host->mounts[i];
	}
}

static void fill_guarded(struct doctor *d)
{
	const json_t *rows = json_object_get(d->status, "guarded"), *row;
	_cleanup_free_ struct guarded_path *paths =
	        calloc(json_array_size(rows) + 1, sizeof(paths[0]));
	size_t i, n = 0;

	d->guarded = calloc(json_array_size(rows) + 1, sizeof(d->guarded[0]));
	if (!paths || !d->guarded)
		return;
	json_array_foreach(rows, i, row)
	{
		paths[n].path = raw_of(row, "path");
		n += paths[n].path != NULL;
	}
	find_mounts(&d->host, paths, n);
	for (i = 0; i < n; i++)
		if (paths[i].mount)
			d->guarded[d->n_guarded++] = dev_of(paths[i].mount);
	qsort(d->guarded, d->n_guarded, sizeof(d->guarded[0]), compare_devs);
}

static bool is_guarded(const struct doctor *d, const struct mountinfo_line *line)
{
	uint64_t dev = dev_of(line);

	return d->n_guarded > 0 &&
	       bsearch(&dev, d->guarded, d->n_guarded, sizeof(d->guarded[0]), compare_devs) != NULL;
}

static bool marks_are_backing(const struct doctor *d)
{
	const char *marks = raw_of(d->status, "marks");

	return marks && !strcmp(marks, "backing");
}

/*
 * A directory with layers.
 */
static bool is_fuse(const struct mountinfo_line *line)
{
	return line && (!strncmp(line->fstype, "fuse", strlen("fuse")) ||
	                       !strcmp(line->fstype, "virtiofs"));
}

static bool is_network(const struct mountinfo_line *line)
{
	for (size_t i = 0; i < sizeof(network_types) / sizeof(network_types[0]); i++)
		if (line && !strcmp(line->fstype, network_types[i]))
			return true;
	return false;
}

static void cover_foreign(const struct mountinfo_line *line, struct doctor_cover *ret)
{
	static const struct advice fuse = {LEVEL_WEAK, {9, 10, 16},
	        "a FUSE server gives what content it likes: no lease holds it",
	        "keep the runtime's storage on a local filesystem (ext4, xfs, btrfs)"};
	static const struct advice network = {LEVEL_WEAK, {9, 10},
	        "other hosts write without this kernel: no lease holds them",
	        "keep the runtime's storage on a local filesystem (ext4, xfs, btrfs)"};

	ret->state = text_format("%s at %s", line->fstype, line->mountpoint);
	ret->advice = is_fuse(line) ? fuse : network;
	ret->untouchable = is_fuse(line);
}

static void cover_local(const struct doctor *d, const char *storage,
        const struct mountinfo_line *line, struct doctor_cover *ret)
{
	static const struct advice no_daemon = {LEVEL_NOTE, {0},
	        "nothing guards it while no daemon runs", "systemctl start execwardd"};
	static const struct advice unguarded = {LEVEL_WEAK, {1, 2, 5, 7, 25},
	        "its filesystem has no mark: execs of a container there may come before its own",
	        NULL};
	const char *word = "guarded";

	if (!d->status) {
		word = "nobody to ask";
		ret->advice = no_daemon;
	} else if (!line || (marks_are_backing(d) && !is_guarded(d, line))) {
		word = "not guarded";
		ret->fix = text_format("add %s to guard.storage in %s, then systemctl restart "
		                       "execwardd",
		        storage, raw_of(d->status, "config") ?: "execward.yaml");
		ret->advice = unguarded;
		ret->advice.fix = ret->fix;
	} else {
		if (!marks_are_backing(d))
			word = "overlays are marked as they appear";
		ret->advice = (struct advice){.level = LEVEL_OK};
	}
	ret->state = text_format("%s at %s, %s", line ? line->fstype : "-",
	        line ? line->mountpoint : "no known mount", word);
}

void doctor_cover(const struct doctor *d, const char *storage, struct doctor_cover *ret)
{
	const struct mountinfo_line *line = host_mount_of(&d->host, storage);
	_cleanup_free_ char *canonical = NULL;

	*ret = (struct doctor_cover){0};
	/* A server that stalls would take this tool with it: nothing behind it is touched. */
	if (is_fuse(line) && strcmp(line->mountpoint, "/")) {
		cover_foreign(line, ret);
		return;
	}
	canonical = host_canonical(&d->host, storage);
	if (!canonical)
		return;
	line = host_mount_of(&d->host, canonical);
	if (is_fuse(line) || is_network(line))
		cover_foreign(line, ret);
	else
		cover_local(d, storage, line, ret);
}

void doctor_cover_done(struct doctor_cover *cover)
{
	free(cover->state);
	free(cover->fix);
}

static void add_storage(struct doctor *d)
{
	static const struct advice missing = {LEVEL_NOTE, {1, 2, 5, 25},
	        "what is mounted there later is guarded by overlay marks, placed as it appears",
	        "make it before the daemon starts, or take it out of guard.storage"};
	const struct config *config = d->tool->config;
	const char *const *paths = (const char *const *)config->storage;
	size_t n = config->n_storage;

	if (n == 0) {
		paths = default_storage;
		n = sizeof(default_storage) / sizeof(default_storage[0]);
	}
	for (size_t i = 0; i < n; i++) {
		_cleanup_(doctor_cover_done) struct doctor_cover cover;

		doctor_cover(d, paths[i], &cover);
		if (cover.advice.level != LEVEL_UNSET)
			findings_add(&d->findings, paths[i], cover.state, &cover.advice);
		else if (config->n_storage > 0)
			findings_add(&d->findings, paths[i], "does not exist", &missing);
	}
}

/*
 * Overlays.
 */
static bool is_overlay(const struct mountinfo_line *line)
{
	return !strcmp(line->fstype, "overlay");
}

/* An overlay is guarded by its own mark, or by that on the filesystem of its upper layer. */
static bool is_covered(const struct doctor *d, const struct mountinfo_line *line)
{
	_cleanup_(overlay_options_done) struct overlay_options options = {0};
	_cleanup_free_ char *upper = NULL;
	const struct mountinfo_line *below = NULL;

	if (is_guarded(d, line))
		return true;
	if (!marks_are_backing(d) || overlay_options_parse(line->options, true, &options) < 0)
		return false;
	if (!options.upper)
		return true; /* read-only: nothing can be dropped into it */
	if (options.upper[0] == '/')
		upper = host_canonical(&d->host, options.upper);
	if (upper)
		below = host_mount_of(&d->host, upper);
	return below && is_guarded(d, below);
}

static void add_overlays(struct doctor *d)
{
	static const struct advice unmarked = {LEVEL_WEAK, {1, 2, 3, 5, 6, 25},
	        "what is dropped there runs",
	        "execward status --wait-ready 30; where it stays, the daemon's log says why"};
	const char *first = NULL;
	size_t n = 0, open = 0;
	_cleanup_free_ char *state = NULL;

	for (size_t i = 0; i < d->host.n_mounts; i++) {
		const struct mountinfo_line *line = &d->host.mounts[i];

		if (!is_overlay(line))
			continue;
		n++;
		if (is_covered(d, line))
			continue;
		open++;
		first = first ?: line->mountpoint;
	}
	if (open == 0) {
		state = text_format("%zu mounted here, all guarded", n);
		findings_ok(&d->findings, "overlays", n > 0 ? state : "none mounted here");
	} else {
		state = text_format("%zu of %zu not guarded: %s", open, n, first);
		findings_add(&d->findings, "overlays", state, &unmarked);
	}
}

/* The layers of rootless podman without native overlays: no overlay, so no mark. */
static void add_fuse_overlays(struct doctor *d)
{
	static const struct advice unseen = {LEVEL_WEAK, {1, 2, 3, 5, 16},
	        "its containers are on FUSE, which carries no mark: what is dropped there runs",
	        "take mount_program out of storage.conf: native overlays, from Linux 5.11 on"};
	_cleanup_free_ char *state = NULL;
	size_t n = 0;

	for (size_t i = 0; i < d->host.n_mounts; i++)
		n += !strcmp(d->host.mounts[i].fstype, "fuse.fuse-overlayfs");
	state = text_format("%zu mounted here", n);
	if (n > 0)
		findings_add(&d->findings, "fuse-overlayfs", state, &unseen);
}

static void add_guarded(struct doctor *d)
{
	static const struct advice nothing = {LEVEL_WEAK, {1, 2, 3, 5, 6, 7},
	        "no container is guarded",
	        "guard.storage: name the directories that hold the runtimes' layers"};
	const json_t *rows = json_object_get(d->status, "guarded"), *row;
	size_t i, n_backing = 0, n = json_array_size(rows);
	_cleanup_free_ char *state = NULL;

	json_array_foreach(rows, i, row) n_backing += !strcmp(raw_of(row, "kind") ?: "", "backing");
	state = text_format("%zu that hold layers, %zu others", n_backing, n - n_backing);
	/* With overlay marks there is nothing to mark on a host without containers. */
	if (n == 0 && (marks_are_backing(d) || !d->tool->config->guard_containers))
		findings_add(&d->findings, "guarded filesystems", "0", &nothing);
	else
		findings_ok(&d->findings, "guarded filesystems", n > 0 ? state : "no overlay yet");
}

void doctor_mounts(struct doctor *d)
{
	static const struct advice unread = {LEVEL_NOTE, {0},
	        "nothing can be said about mounts and storage", "mount -t proc proc /proc"};

	fill_guarded(d);
	if (d->host.n_mounts == 0)
		findings_add(&d->findings, "mount table", "cannot be read", &unread);
	if (d->status)
		add_guarded(d);
	add_storage(d);
	if (d->status)
		add_overlays(d);
	add_fuse_overlays(d);
}
