/*
 * docs/formats.md, "Who is in that container". Accepted components: (docker | cri-containerd | crio |
 * libpod | libpod-payload | nerdctl)-<64 hex>, <64 hex>, and ...:cri-containerd:<64 hex>, each with
 * or without ".scope"; `conmon` scopes hold the monitor, not the container.
 */
#include "core/cgroup.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

struct text {
	const char *p;
	size_t n;
};

static const struct {
	const char *prefix;
	enum cgroup_runtime runtime;
} prefixes[] = {
	{"docker-", CGROUP_RUNTIME_DOCKER},
	{"cri-containerd-", CGROUP_RUNTIME_CONTAINERD},
	{"crio-", CGROUP_RUNTIME_CRIO},
	{"libpod-payload-", CGROUP_RUNTIME_PODMAN},
	{"libpod-", CGROUP_RUNTIME_PODMAN},
	{"nerdctl-", CGROUP_RUNTIME_NERDCTL},
};

const char *cgroup_runtime_name(enum cgroup_runtime runtime)
{
	static const char *const names[] = {
		[CGROUP_RUNTIME_UNKNOWN] = "unknown",
		[CGROUP_RUNTIME_DOCKER] = "docker",
		[CGROUP_RUNTIME_CONTAINERD] = "containerd",
		[CGROUP_RUNTIME_CRIO] = "cri-o",
		[CGROUP_RUNTIME_PODMAN] = "podman",
		[CGROUP_RUNTIME_NERDCTL] = "nerdctl",
	};

	return (size_t)runtime < sizeof(names) / sizeof(names[0]) ? names[runtime] : "unknown";
}

static bool starts_with(struct text t, const char *prefix)
{
	return t.n >= strlen(prefix) && !memcmp(t.p, prefix, strlen(prefix));
}

static bool contains(struct text t, const char *needle)
{
	return memmem(t.p, t.n, needle, strlen(needle)) != NULL;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool is_id(struct text t)
{
	if (t.n != CONTAINER_ID_LEN)
		return false;
	for (size_t i = 0; i < t.n; i++)
		if (!is_hex(t.p[i]))
			return false;
	return true;
}

static struct text strip_scope(struct text t)
{
	static const char scope[] = ".scope";
	size_t n = sizeof(scope) - 1;

	if (t.n >= n && !memcmp(t.p + t.n - n, scope, n))
		t.n -= n;
	return t;
}

/* One component of a path; false when it names no container. */
static bool component_id(struct text t, struct text *ret_id, enum cgroup_runtime *ret_runtime)
{
	static const char cri[] = ":cri-containerd:";
	const char *at;

	t = strip_scope(t);
	if (contains(t, "-conmon-"))
		return false;
	*ret_runtime = CGROUP_RUNTIME_UNKNOWN;
	*ret_id = t;
	if (is_id(t))
		return true;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t n = strlen(prefixes[i].prefix);

		if (!starts_with(t, prefixes[i].prefix))
			continue;
		*ret_id = (struct text){t.p + n, t.n - n};
		*ret_runtime = prefixes[i].runtime;
		if (is_id(*ret_id))
			return true;
	}
	at = memmem(t.p, t.n, cri, sizeof(cri) - 1);
	if (!at)
		return false;
	*ret_id = (struct text){at + sizeof(cri) - 1, (size_t)(t.p + t.n - at) - (sizeof(cri) - 1)};
	*ret_runtime = CGROUP_RUNTIME_CONTAINERD;
	return is_id(*ret_id);
}

static enum cgroup_runtime runtime_of_parent(struct text parent)
{
	if (parent.n == strlen("docker") && starts_with(parent, "docker"))
		return CGROUP_RUNTIME_DOCKER;
	if (starts_with(parent, "libpod_parent"))
		return CGROUP_RUNTIME_PODMAN;
	if (starts_with(parent, "pod"))
		return CGROUP_RUNTIME_CONTAINERD;
	return CGROUP_RUNTIME_UNKNOWN;
}

/* The last component of @path, and the path before it. */
static struct text last_component(struct text *path)
{
	struct text t;
	const char *slash;

	while (path->n > 0 && path->p[path->n - 1] == '/')
		path->n--;
	slash = path->n > 0 ? memrchr(path->p, '/', path->n) : NULL;
	t.p = slash ? slash + 1 : path->p;
	t.n = (size_t)(path->p + path->n - t.p);
	path->n -= t.n;
	return t;
}

/* `pod<8-4-4-4-12>` anywhere in the component, '_' read as '-'. */
static bool pod_uid(struct text t, char ret_uid[POD_UID_LEN + 1])
{
	const char *at = memmem(t.p, t.n, "pod", 3);

	while (at) {
		size_t left = (size_t)(t.p + t.n - at) - 3;
		size_t i;

		for (i = 0; i < POD_UID_LEN && i < left; i++) {
			char c = at[3 + i] == '_' ? '-' : at[3 + i];
			bool dash = i == 8 || i == 13 || i == 18 || i == 23;

			if (dash ? c != '-' : !is_hex(c))
				break;
			ret_uid[i] = c;
		}
		if (i == POD_UID_LEN) {
			ret_uid[i] = '\0';
			return true;
		}
		at = memmem(at + 3, left, "pod", 3);
	}
	ret_uid[0] = '\0';
	return false;
}

static bool path_container(struct text path, struct cgroup_container *ret)
{
	while (path.n > 0) {
		struct text component = last_component(&path), id, parents, parent;
		enum cgroup_runtime runtime;

		if (component.n == 0)
			break;
		if (!component_id(component, &id, &runtime))
			continue;
		memset(ret, 0, sizeof(*ret));
		memcpy(ret->id, id.p, CONTAINER_ID_LEN);
		parents = path;
		parent = last_component(&parents);
		ret->runtime = runtime != CGROUP_RUNTIME_UNKNOWN ? runtime : runtime_of_parent(parent);
		for (parents = path; parents.n > 0;) {
			parent = last_component(&parents);
			if (parent.n == 0 || pod_uid(parent, ret->pod_uid))
				break;
		}
		return true;
	}
	return false;
}

/* Which hierarchy a line is of, as its place in the order of trust; -1 for others. */
static int line_rank(struct text controllers, bool unified)
{
	if (unified)
		return 0;
	if (contains(controllers, "name=systemd"))
		return 1;
	if (contains(controllers, "memory"))
		return 2;
	return contains(controllers, "pids") ? 3 : -1;
}

/* "hierarchy:controllers:path" */
static bool parse_line(struct text line, int *ret_rank, struct text *ret_path)
{
	const char *first = memchr(line.p, ':', line.n), *second;
	struct text controllers;

	if (!first)
		return false;
	second = memchr(first + 1, ':', (size_t)(line.p + line.n - first) - 1);
	if (!second)
		return false;
	controllers = (struct text){first + 1, (size_t)(second - first) - 1};
	*ret_rank = line_rank(controllers, controllers.n == 0 && starts_with(line, "0:"));
	*ret_path = (struct text){second + 1, (size_t)(line.p + line.n - second) - 1};
	return ret_path->n > 0 && ret_path->p[0] == '/';
}

enum cgroup_result cgroup_parse(const char *text, size_t size, struct cgroup_container *ret)
{
	struct cgroup_container found = {0};
	int best = 4;
	bool any = false;

	while (size > 0) {
		const char *newline = memchr(text, '\n', size);
		struct text line = {text, newline ? (size_t)(newline - text) : size}, path;
		struct cgroup_container candidate;
		int rank;

		text += line.n + (newline ? 1 : 0);
		size -= line.n + (newline ? 1 : 0);
		if (!parse_line(line, &rank, &path))
			continue;
		any = true;
		if (rank >= 0 && rank < best && path_container(path, &candidate)) {
			found = candidate;
			best = rank;
		}
	}
	if (!any)
		return CGROUP_INVALID;
	if (best == 4)
		return CGROUP_HOST;
	*ret = found;
	return CGROUP_CONTAINER;
}
