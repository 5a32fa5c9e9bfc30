/*
 * `web` = `web:latest` = `localhost/web:latest` = `docker.io/library/web:latest`, but never
 * the `web` of another registry (one is only added where a runtime adds it, too) nor `web:1`.
 */
#include "core/image.h"

#include <stdio.h>
#include <string.h>

static bool has_registry(const char *ref)
{
	const char *slash = strchr(ref, '/');
	size_t n = slash ? (size_t)(slash - ref) : 0;

	if (!slash)
		return false;
	return memchr(ref, '.', n) || memchr(ref, ':', n) ||
	       (n == strlen("localhost") && !strncmp(ref, "localhost", n));
}

static bool has_tag(const char *ref)
{
	const char *slash = strrchr(ref, '/');

	return strpbrk(slash ? slash + 1 : ref, ":@") != NULL;
}

/* @name without the registry part that a runtime would add; @name itself when it has another. */
static const char *strip_default_registry(const char *name)
{
	static const char *const defaults[] = {"localhost/", "docker.io/library/", "docker.io/"};

	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		if (!strncmp(name, defaults[i], strlen(defaults[i])))
			return name + strlen(defaults[i]);
	return name;
}

static bool equal_with_tag(const char *scope, const char *ref)
{
	size_t n = strlen(scope);

	if (!strcmp(scope, ref))
		return true;
	if (has_tag(scope))
		return !has_tag(ref) && !strncmp(scope, ref, strlen(ref)) &&
		       !strcmp(scope + strlen(ref), ":latest");
	return !strncmp(scope, ref, n) && !strcmp(ref + n, ":latest");
}

bool image_ref_matches(const char *scope, const char *ref)
{
	if (!scope || !ref || !*scope || !*ref)
		return false;
	if (equal_with_tag(scope, ref))
		return true;
	return !has_registry(scope) && equal_with_tag(scope, strip_default_registry(ref));
}

/* What runtimes show for an image that was started by its id, or that lost its name. */
static bool is_id(const char *ref)
{
	size_t digits = strspn(ref, "0123456789abcdef");

	return !strncmp(ref, "sha256:", strlen("sha256:")) || (digits >= 12 && !ref[digits]);
}

char *image_ref_qualify(const char *ref)
{
	const char *registry = "", *tag = has_tag(ref) ? "" : ":latest";
	char *full = NULL;

	if (!*ref || is_id(ref))
		return NULL;
	if (!has_registry(ref))
		registry = strchr(ref, '/') ? "docker.io/" : "docker.io/library/";
	return asprintf(&full, "%s%s%s", registry, ref, tag) < 0 ? NULL : full;
}
