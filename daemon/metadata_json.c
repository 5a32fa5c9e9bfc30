/*
 * Files of root, with names in them that users chose: parsed strictly, with a bound on nesting that
 * is checked before the parser recurses. A value that is no text, too long, or has a NUL byte is
 * as good as missing.
 */
#include "daemon/metadata_json.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <jansson.h>
#include <stdio.h>
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

/* Brackets outside of strings, before jansson recurses into them. */
static bool is_shallow(const char *text, size_t size)
{
	unsigned int depth = 0;
	bool string = false;

	for (size_t i = 0; i < size; i++) {
		if (string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			string = !string;
		else if (!string && (text[i] == '{' || text[i] == '[') && ++depth > METADATA_DEPTH_MAX)
			return false;
		else if (!string && (text[i] == '}' || text[i] == ']') && depth > 0)
			depth--;
	}
	return true;
}

static json_t *load(const char *text, size_t size)
{
	if (size > METADATA_FILE_MAX || !is_shallow(text, size))
		return NULL;
	return json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
}

static void decref(json_t **json)
{
	json_decref(*json);
}

/* A text of @object, or NULL. Borrowed. */
static const char *get(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);
	const char *text = json_string_value(value);

	if (!text || !*text || json_string_length(value) != strlen(text) ||
		strlen(text) > METADATA_TEXT_MAX)
		return NULL;
	return text;
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static char *copy_id(const char *text)
{
	return text && metadata_is_id(text) ? strdup(text) : NULL;
}

static char *copy_image_id(const char *text)
{
	if (text && !strncmp(text, "sha256:", 7))
		text += 7;
	return copy_id(text);
}

/* RFC 3339 with fractions, as Go writes it; 0 when it is none or the zero time. */
static int64_t parse_time(const char *text)
{
	struct tm tm = {0};
	const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	int64_t fraction = 0, unit = NS_PER_SEC / 10;

	if (!rest || tm.tm_year < 70)
		return 0;
	if (*rest == '.')
		for (rest++; *rest >= '0' && *rest <= '9' && unit > 0; rest++, unit /= 10)
			fraction += (*rest - '0') * unit;
	return *rest == 'Z' ? (int64_t)timegm(&tm) * NS_PER_SEC + fraction : 0;
}

static enum metadata_result result_of(const struct container_info *info)
{
	return info->id && info->runtime ? METADATA_NAMED : METADATA_NONE;
}

static void take_kubernetes(json_t *labels, struct container_info *info)
{
	const char *name = get(labels, "io.kubernetes.container.name");

	info->ns = copy(get(labels, "io.kubernetes.pod.namespace"));
	info->pod = copy(get(labels, "io.kubernetes.pod.name"));
	if (name) {
		free(info->name);
		info->name = strdup(name);
	}
}

enum metadata_result metadata_parse_docker(
	const char *text, size_t size, struct container_info *ret_info)
{
	_cleanup_(decref) json_t *root = load(text, size);
	json_t *config = json_object_get(root, "Config");
	const char *name = get(root, "Name");

	if (!json_is_object(root))
		return METADATA_BROKEN;
	ret_info->runtime = strdup("docker");
	ret_info->id = copy_id(get(root, "ID"));
	ret_info->name = copy(name && *name == '/' ? name + 1 : name);
	ret_info->image = copy(get(config, "Image"));
	ret_info->image_id = copy_image_id(get(root, "Image"));
	ret_info->start_ns = parse_time(get(json_object_get(root, "State"), "StartedAt"));
	take_kubernetes(json_object_get(config, "Labels"), ret_info);
	return result_of(ret_info);
}

static void take_podman_metadata(json_t *container, struct container_info *info)
{
	const char *text = json_string_value(json_object_get(container, "metadata"));
	_cleanup_(decref) json_t *metadata = text ? load(text, strlen(text)) : NULL;

	if (!info->name)
		info->name = copy(get(metadata, "name"));
	info->image = copy(get(metadata, "image-name"));
	if (!info->image_id)
		info->image_id = copy_image_id(get(metadata, "image-id"));
}

static void take_podman(json_t *container, struct container_info *info)
{
	json_t *names = json_object_get(container, "names");
	const char *name = json_string_value(json_array_get(names, 0));

	info->runtime = strdup("podman");
	info->id = copy_id(get(container, "id"));
	info->name = name && strlen(name) <= METADATA_TEXT_MAX ? strdup(name) : NULL;
	info->image_id = copy_image_id(get(container, "image"));
	info->start_ns = parse_time(get(container, "created"));
	take_podman_metadata(container, info);
}

enum metadata_result metadata_parse_podman(
	const char *text, size_t size, const char *layer, struct container_info *ret_info)
{
	_cleanup_(decref) json_t *root = load(text, size);
	json_t *container;
	size_t i;

	if (!json_is_array(root))
		return METADATA_BROKEN;
	json_array_foreach(root, i, container)
	{
		const char *of = get(container, "layer");

		if (!of || strcmp(of, layer))
			continue;
		take_podman(container, ret_info);
		return result_of(ret_info);
	}
	return METADATA_NONE;
}

char *metadata_image_name(const char *text, size_t size, const char *id)
{
	_cleanup_(decref) json_t *root = load(text, size);
	json_t *image;
	size_t i;

	if (!json_is_array(root))
		return NULL;
	json_array_foreach(root, i, image)
	{
		json_t *name = json_array_get(json_object_get(image, "names"), 0);
		const char *of = get(image, "id");

		if (of && !strcmp(of, id) && json_is_string(name) &&
			json_string_length(name) <= METADATA_TEXT_MAX)
			return strdup(json_string_value(name));
	}
	return NULL;
}

/*
 * Annotations of an OCI bundle. Each runtime has its own names for the same things.
 */
struct annotations {
	const char *runtime, *name, *image, *ns, *pod, *id;
};

static const struct annotations dialects[] = {
	{"cri-o", "io.kubernetes.cri-o.ContainerName", "io.kubernetes.cri-o.ImageName",
		"io.kubernetes.pod.namespace", "io.kubernetes.pod.name",
		"io.kubernetes.cri-o.ContainerID"},
	{"containerd", "io.kubernetes.cri.container-name", "io.kubernetes.cri.image-name",
		"io.kubernetes.cri.sandbox-namespace", "io.kubernetes.cri.sandbox-name", ""},
	{"nerdctl", "nerdctl/name", "nerdctl/image-name", "", "", ""},
};

enum metadata_result metadata_parse_oci(
	const char *text, size_t size, struct container_info *ret_info)
{
	_cleanup_(decref) json_t *root = load(text, size);
	json_t *annotations = json_object_get(root, "annotations");

	if (!json_is_object(root))
		return METADATA_BROKEN;
	for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++) {
		const struct annotations *d = &dialects[i];

		if (!get(annotations, d->name) && !get(annotations, d->image))
			continue;
		ret_info->runtime = strdup(d->runtime);
		ret_info->name = copy(get(annotations, d->name));
		ret_info->image = copy(get(annotations, d->image));
		ret_info->ns = copy(get(annotations, d->ns));
		ret_info->pod = copy(get(annotations, d->pod));
		ret_info->id = copy_id(get(annotations, d->id));
		if (!ret_info->pod)
			ret_info->pod = copy(get(annotations, "io.kubernetes.pod.name"));
		return METADATA_NAMED;
	}
	return METADATA_NONE;
}
