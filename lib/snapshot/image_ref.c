/*
 * The first part is a registry when it could be a host's name: with a dot or a port, or
 * "localhost". That is what Docker and podman go by.
 */
#include "snapshot/image_ref.h"

#include "base/cleanup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_REGISTRY "docker.io"

bool image_ref_valid(const char *ref)
{
	static const char allowed[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/:@+-";
	size_t n = strspn(ref, allowed);

	return n > 0 && n <= IMAGE_TEXT_MAX && ref[n] == '\0' && ref[0] != '/' &&
	       ref[n - 1] != '/' && !strstr(ref, "//");
}

static bool has_registry(const char *ref)
{
	size_t n = strcspn(ref, "/");

	if (ref[n] == '\0')
		return false;
	return memchr(ref, '.', n) || memchr(ref, ':', n) ||
	       (n == strlen("localhost") && !strncmp(ref, "localhost", n));
}

/* Bytes of @ref before its tag and digest. */
static size_t repository_size(const char *ref)
{
	size_t n = strcspn(ref, "@");
	const char *slash = memrchr(ref, '/', n);
	const char *from = slash ? slash : ref;
	const char *colon = memchr(from, ':', (size_t)(ref + n - from));

	return colon ? (size_t)(colon - ref) : n;
}

const char *image_ref_digest(const char *ref)
{
	const char *at = strchr(ref, '@');
	struct digest digest;

	return at && image_json_digest(at + 1, &digest) == 0 ? at + 1 : NULL;
}

char *image_ref_complete(const char *ref, const char *registry)
{
	const char *digest = image_ref_digest(ref), *tag, *library = "";
	size_t n = repository_size(ref);
	char *whole;
	bool own;

	if (!image_ref_valid(ref) || n == 0 || (strchr(ref, '@') && !digest))
		return NULL;
	own = has_registry(ref);
	if (!own)
		library = !strcmp(registry, DEFAULT_REGISTRY) && !memchr(ref, '/', n) ? "library/"
		                                                                      : "";
	else if (!strncmp(ref, DEFAULT_REGISTRY "/", strlen(DEFAULT_REGISTRY) + 1) &&
	         !memchr(ref + strlen(DEFAULT_REGISTRY) + 1, '/',
	                 n - strlen(DEFAULT_REGISTRY) - 1)) {
		library = "library/";
		registry = DEFAULT_REGISTRY;
		ref += strlen(DEFAULT_REGISTRY) + 1;
		n -= strlen(DEFAULT_REGISTRY) + 1;
		own = false;
	}
	tag = ref[n] == ':' ? ref + n : ":latest";
	if (asprintf(&whole, "%s%s%s%.*s%s%s", own ? "" : registry, own ? "" : "/", library, (int)n,
	            ref, digest ? "@" : tag, digest ? digest : "") < 0)
		return NULL;
	return whole;
}

char *image_ref_normalize(const char *ref)
{
	return image_ref_complete(ref, DEFAULT_REGISTRY);
}

bool image_id_matches(const char *text, const char *id)
{
	size_t n;

	if (!strncmp(text, "sha256:", 7))
		text += 7;
	n = strlen(text);
	return n >= IMAGE_ID_MIN && n <= 2 * DIGEST_SIZE && strspn(text, "0123456789abcdef") == n &&
	       !strncmp(text, id, n);
}

bool image_ref_same_repository(const char *a, const char *b)
{
	size_t n = repository_size(a);

	return n == repository_size(b) && !strncmp(a, b, n);
}
