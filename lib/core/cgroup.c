/*
 * docs/formats.md, "Who is in that container". Accepted components: (docker | cri-containerd | crio
 * | libpod | libpod-payload | nerdctl)-<64 hex>, <64 hex>, and ...:cri-containerd:<64 hex>, each
 * with or without ".scope"; `conmon` scopes hold the monitor, not the container.
 *
 * Limits: a bare id below a pod's cgroup is called containerd's, though Docker's and cri-o's look
 * the same with the cgroupfs driver; a static pod, whose uid is a hash, has no pod uid here.
 */
#include "core/cgroup.h"

#include <string.h>

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
		ret->runtime =
		        runtime != CGROUP_RUNTIME_UNKNOWN ? runtime : runtime_of_parent(parent);
		/* "<pod's slice>:cri-containerd:<id>" has it in the same component */
		for (parent = component, parents = path; !pod_uid(parent, ret->pod_uid);) {
			parent = last_component(&parents);
			if (parent.n == 0)
				break;
		}
		return true;
	}
	return false;
}

/* Whether @name is an element of the list "a,b,c". */
static bool lists(struct text list, const char *name)
{
	while (list.n > 0) {
		const char *comma = memchr(list.p, ',', list.n);
		size_t n = comma ? (size_t)(comma - list.p) : list.n;

		if (n == strlen(name) && !memcmp(list.p, name, n))
			return true;
		list.p += n + (comma ? 1 : 0);
		list.n -= n + (comma ? 1 : 0);
	}
	return false;
}

#define RANK_NONE 4 /* of no interest; lower is better */

/* Which hierarchy a line is of, as its place in the order of preference. */
static int line_rank(struct text id, struct text controllers)
{
	static const char *const preferred[] = {NULL, "name=systemd", "memory", "pids"};

	if (id.n == 1 && id.p[0] == '0' && controllers.n == 0)
		return 0; /* the unified hierarchy, cgroup v2 */
	for (int i = 1; i < RANK_NONE; i++)
		if (lists(controllers, preferred[i]))
			return i;
	return RANK_NONE;
}

static bool is_number(struct text t)
{
	for (size_t i = 0; i < t.n; i++)
		if (t.p[i] < '0' || t.p[i] > '9')
			return false;
	return t.n > 0;
}

/* The kernel adds this to the path of a cgroup that was removed under its last task. */
static struct text strip_deleted(struct text t)
{
	static const char deleted[] = " (deleted)";
	size_t n = sizeof(deleted) - 1;

	if (t.n >= n && !memcmp(t.p + t.n - n, deleted, n))
		t.n -= n;
	return t;
}

/* "hierarchy:controllers:path" */
static bool parse_line(struct text line, int *ret_rank, struct text *ret_path)
{
	const char *first = memchr(line.p, ':', line.n), *second;
	struct text id, controllers, path;

	if (!first)
		return false;
	second = memchr(first + 1, ':', (size_t)(line.p + line.n - first) - 1);
	if (!second)
		return false;
	id = (struct text){line.p, (size_t)(first - line.p)};
	controllers = (struct text){first + 1, (size_t)(second - first) - 1};
	path = (struct text){second + 1, (size_t)(line.p + line.n - second) - 1};
	if (!is_number(id) || path.n == 0 || path.p[0] != '/')
		return false;
	*ret_rank = line_rank(id, controllers);
	*ret_path = strip_deleted(path);
	return true;
}

enum cgroup_result cgroup_parse(const char *text, size_t size, struct cgroup_container *ret)
{
	struct cgroup_container found = {0};
	int best = RANK_NONE;
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
		if (rank < best && path_container(path, &candidate)) {
			found = candidate;
			best = rank;
		}
	}
	if (!any)
		return CGROUP_INVALID;
	if (best == RANK_NONE)
		return CGROUP_HOST;
	*ret = found;
	return CGROUP_CONTAINER;
}
