/*
 * Files of root, with names in them that users chose: parsed strictly, with a bound on nesting that
 * is checked before the parser recurses. A value that is no text, too long, or has a NUL byte is
 * as good as missing.
 *
 * What only a label says is not read. Docker, and cri-o among its annotations, list the labels of
 * the image there, so its author could choose the container's Kubernetes namespace; the name that
 * the runtime itself gave the container has the same parts.
 */
#include "daemon/metadata_json.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

bool metadata_is_id(const char *text)
{
	return strlen(text) == CONTAINER_ID_LEN &&
	       strspn(text, "0123456789abcdef") == CONTAINER_ID_LEN;
}

void metadata_fill(char **target, char **source)
{
	if (!*target)
		*target = TAKE_PTR(*source);
}

/* Brackets outside of strings, before jansson recurses into them (it allows 2048 levels). */
static bool is_shallow(const char *text, size_t size)
{
	unsigned int depth = 0;
	bool string = false;

	for (size_t i = 0; i < size; i++) {
		if (string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			string = !string;
		else if (!string && (text[i] == '{' || text[i] == '[') &&
		         ++depth > METADATA_DEPTH_MAX)
			return false;
		else if (!string && (text[i] == '}' || text[i] == ']') && depth > 0)
			depth--;
	}
	return true;
}

/*
 * Integers become reals: a limit of "unlimited" is 2^64 - 1 in an OCI bundle, which jansson's
 * integers cannot hold, and no number is used here. A NUL in one text is that text's fault alone.
 */
static json_t *load(const char *text, size_t size, size_t max)
{
	if (size > max || !is_shallow(text, size))
		return NULL;
	return json_loadb(text, size,
	        JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
}

static void decref(json_t **json)
{
	json_decref(*json);
}

/* The text of @value, or NULL when it is none of use. Borrowed. */
static const char *text_of(const json_t *value, size_t max)
{
	const char *text = json_string_value(value);

	if (!text || !*text || json_string_length(value) != strlen(text) || strlen(text) > max)
		return NULL;
	return text;
}

static const char *get(const json_t *object, const char *key)
{
	return text_of(json_object_get(object, key), METADATA_TEXT_MAX);
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static char *copy_id(const char *text)
{
	return text && metadata_is_id(text) ? strdup(text) : NULL;
}

static const char *skip_algorithm(const char *text)
{
	return text && !strncmp(text, "sha256:", 7) ? text + 7 : text;
}

/* An id, whole or shortened, that somebody gave instead of a name. */
static bool is_id_of(const char *image, const char *image_id)
{
	size_t n;

	image = skip_algorithm(image);
	n = strlen(image);
	return image_id && n > 0 && strspn(image, "0123456789abcdef") == n &&
	       !strncmp(image, image_id, n);
}

/* @image as a name; NULL when it is one that tells nothing new. */
static char *copy_image(const char *image, const char *image_id)
{
	return image && !is_id_of(image, image_id) ? strdup(image) : NULL;
}

/* "Z" or "+08:00" */
static bool parse_offset(const char *text, int64_t *ret_seconds)
{
	static const char digits[] = "0123456789";

	*ret_seconds = 0;
	if (!strcmp(text, "Z"))
		return true;
	if ((text[0] != '+' && text[0] != '-') || strspn(text + 1, digits) != 2 || text[3] != ':' ||
	        strspn(text + 4, digits) != 2 || text[6])
		return false;
	*ret_seconds = ((text[1] - '0') * 10 + text[2] - '0') * 3600 +
	               ((text[4] - '0') * 10 + text[5] - '0') * 60;
	if (text[0] == '-')
		*ret_seconds = -*ret_seconds;
	return true;
}

#define TIME_YEAR_MAX 2261 /* the last whole year that int64_t holds in nanoseconds */

/* RFC 3339 with fractions, as Go writes it; 0 when it is none or Go's zero time (year 1). */
static int64_t parse_time(const char *text)
{
	struct tm tm = {0};
	const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	int64_t fraction = 0, unit = NS_PER_SEC / 10, offset, seconds;

	if (!rest || tm.tm_year < 70 || tm.tm_year > TIME_YEAR_MAX - 1900)
		return 0;
	if (*rest == '.')
		for (rest++; *rest >= '0' && *rest <= '9' && unit > 0; rest++, unit /= 10)
			fraction += (*rest - '0') * unit;
	if (!parse_offset(rest, &offset))
		return 0;
	seconds = (int64_t)timegm(&tm) - offset;
	return seconds > 0 ? seconds * NS_PER_SEC + fraction : 0;
}

/*
 * "k8s_<container>_<pod>_<namespace>_<uid>_<attempt>" is how cri-dockerd and cri-o name containers.
 * No name in Kubernetes has a '_'.
 */
static bool take_kubernetes_name(const char *name, struct container_info *info)
{
	char **const targets[] = {&info->name, &info->pod, &info->ns};
	const char *ends[3], *p;

	if (!name || strncmp(name, "k8s_", 4))
		return false;
	p = name + 4;
	for (size_t i = 0; i < 3; i++) {
		ends[i] = strchr(p, '_');
		if (!ends[i] || ends[i] == p)
			return false;
		p = ends[i] + 1;
	}
	if (!strchr(p, '_'))
		return false;
	p = name + 4;
	for (size_t i = 0; i < 3; i++) {
		free(*targets[i]);
		*targets[i] = strndup(p, (size_t)(ends[i] - p));
		p = ends[i] + 1;
	}
	return true;
}

static enum metadata_result publish(struct container_info *info, struct container_info *ret_info)
{
	*ret_info = *info;
	memset(info, 0, sizeof(*info));
	return METADATA_NAMED;
}

enum metadata_result metadata_parse_docker(
        const char *text, size_t size, struct container_info *ret_info)
{
	_cleanup_(decref) json_t *root = load(text, size, METADATA_FILE_MAX);
	_cleanup_(container_info_done) struct container_info info = {0};
	const char *name = get(root, "Name");

	if (!json_is_object(root))
		return METADATA_BROKEN;
	info.runtime = strdup("docker");
	info.id = copy_id(get(root, "ID"));
	if (!info.id || !info.runtime)
		return METADATA_BROKEN;
	if (name && *name == '/')
		name++;
	if (!take_kubernetes_name(name, &info))
		info.name = copy(name && *name ? name : NULL);
	info.image_id = copy_id(skip_algorithm(get(root, "Image")));
	info.image = copy_image(get(json_object_get(root, "Config"), "Image"), info.image_id);
	info.start_ns = parse_time(get(json_object_get(root, "State"), "StartedAt"));
	if (info.start_ns == 0) /* its first program runs before Docker writes that down */
		info.start_ns = parse_time(get(root, "Created"));
	return publish(&info, ret_info);
}

char *metadata_docker_image(const char *text, size_t size, const char *id)
{
	_cleanup_(decref) json_t *root = load(text, size, METADATA_FILE_MAX);
	json_t *repository, *target;
	const char *key, *reference, *best = NULL;

	json_object_foreach(json_object_get(root, "Repositories"), key, repository)
	{
		json_object_foreach(repository, reference, target)
		{
			const char *of = skip_algorithm(text_of(target, METADATA_TEXT_MAX));

			if (!of || strcmp(of, id) || !*reference || strchr(reference, '@') ||
			        strlen(reference) > METADATA_TEXT_MAX)
				continue;
			if (!best || strcmp(reference, best) < 0)
				best = reference;
		}
	}
	return copy(best);
}

/*
 * What the creator of a container left in containers/storage. cri-o's has the pod's id, podman's
 * has not; the pod's namespace is told only for the pod's own container.
 */
static void take_storage_metadata(json_t *container, struct container_info *info)
{
	const char *text = text_of(json_object_get(container, "metadata"), METADATA_INNER_MAX);
	_cleanup_(decref) json_t *metadata =
	        text ? load(text, strlen(text), METADATA_INNER_MAX) : NULL;
	bool crio = get(metadata, "pod-id") != NULL;

	info->runtime = strdup(crio ? "cri-o" : "podman");
	if (!info->image_id)
		info->image_id = copy_id(skip_algorithm(get(metadata, "image-id")));
	info->image = copy_image(get(metadata, "image-name"), info->image_id);
	if (crio && !take_kubernetes_name(get(metadata, "name"), info)) {
		info->name = copy(get(metadata, "metadata-name"));
		info->pod = copy(get(metadata, "pod-name"));
	} else if (!crio) {
		info->name = copy(get(metadata, "name"));
	}
}

static enum metadata_result take_podman(json_t *container, struct container_info *ret_info)
{
	_cleanup_(container_info_done) struct container_info info = {0};
	const char *name =
	        text_of(json_array_get(json_object_get(container, "names"), 0), METADATA_TEXT_MAX);

	info.id = copy_id(get(container, "id"));
	info.image_id = copy_id(get(container, "image"));
	info.start_ns = parse_time(get(container, "created"));
	take_storage_metadata(container, &info);
	if (!info.id || !info.runtime)
		return METADATA_BROKEN;
	if (!info.name)
		info.name = copy(name);
	return publish(&info, ret_info);
}

enum metadata_result metadata_parse_podman(
        const char *text, size_t size, const char *layer, struct container_info *ret_info)
{
	_cleanup_(decref) json_t *root = load(text, size, METADATA_FILE_MAX);
	json_t *container;
	size_t i;

	if (!json_is_array(root))
		return METADATA_BROKEN;
	json_array_foreach(root, i, container)
	{
		const char *of = get(container, "layer");

		if (of && !strcmp(of, layer))
			return take_podman(container, ret_info);
	}
	return METADATA_NONE;
}

char *metadata_podman_image(const char *text, size_t size, const char *id)
{
	_cleanup_(decref) json_t *root = load(text, size, METADATA_FILE_MAX);
	json_t *image;
	size_t i;

	json_array_foreach(root, i, image)
	{
		const char *of = get(image, "id");

		if (of && !strcmp(of, id))
			return copy(text_of(json_array_get(json_object_get(image, "names"), 0),
			        METADATA_TEXT_MAX));
	}
	return NULL;
}

/*
 * cri-o. Podman writes some of the same annotations, but says that it is the manager.
 */
static bool take_crio(const json_t *annotations, struct container_info *info)
{
	const char *manager = get(annotations, "io.container.manager");

	if (!get(annotations, "io.kubernetes.cri-o.ContainerType") ||
	        (manager && strcmp(manager, "cri-o")))
		return false;
	info->runtime = strdup("cri-o");
	info->id = copy_id(get(annotations, "io.kubernetes.cri-o.ContainerID"));
	info->image = copy(get(annotations, "io.kubernetes.cri-o.ImageName"));
	info->start_ns = parse_time(get(annotations, "io.kubernetes.cri-o.Created"));
	(void)take_kubernetes_name(get(annotations, "io.kubernetes.cri-o.Name"), info);
	return true;
}

/* containerd's CRI plugin (k3s too). A pod's own container has neither name nor image. */
static bool take_cri(const json_t *annotations, struct container_info *info)
{
	if (!get(annotations, "io.kubernetes.cri.container-type") &&
	        !get(annotations, "io.kubernetes.cri.container-name"))
		return false;
	info->runtime = strdup("containerd");
	info->name = copy(get(annotations, "io.kubernetes.cri.container-name"));
	info->image = copy(get(annotations, "io.kubernetes.cri.image-name"));
	info->ns = copy(get(annotations, "io.kubernetes.cri.sandbox-namespace"));
	info->pod = copy(get(annotations, "io.kubernetes.cri.sandbox-name"));
	return true;
}

/* nerdctl keeps the image's name in containerd's database, which only containerd can open. */
static bool take_nerdctl(const json_t *annotations, struct container_info *info)
{
	if (!get(annotations, "nerdctl/namespace") && !get(annotations, "nerdctl/name"))
		return false;
	info->runtime = strdup("nerdctl");
	info->name = copy(get(annotations, "nerdctl/name"));
	return true;
}

enum metadata_result metadata_parse_oci(
        const char *text, size_t size, struct container_info *ret_info)
{
	_cleanup_(decref) json_t *root = load(text, size, METADATA_FILE_MAX);
	_cleanup_(container_info_done) struct container_info info = {0};
	const json_t *annotations = json_object_get(root, "annotations");

	if (!json_is_object(root))
		return METADATA_BROKEN;
	if (take_crio(annotations, &info) || take_cri(annotations, &info) ||
	        take_nerdctl(annotations, &info))
		return publish(&info, ret_info);
	return METADATA_NONE;
}
