/*
 * A path may be a container's or the host's. The daemon's record speaks first, because that is what
 * alerts show; a file of the host is hashed here, and only its digest and name are sent: the daemon
 * opens nothing that it is told to. "./FILE" is never a container's.
 */
#include "tools/target.h"

#include "base/cleanup.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "crypto/ima.h"
#include "tools/client.h"
#include "tools/print.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum target_kind target_kind_of(const char *text)
{
	static const char digits[] = "0123456789abcdef";
	struct digest digest;
	size_t n = strspn(text, digits);

	if (digest_from_hex(text, &digest) == 0)
		return TARGET_DIGEST;
	/* <hex>-<hex>, as the daemon's recorder makes them */
	if (n > 0 && text[n] == '-' && text[n + 1] && !text[n + 1 + strspn(text + n + 1, digits)])
		return TARGET_EVENT;
	return TARGET_PATH;
}

/*
 * Files of the host.
 */
static int say_file(const char *path, int error, int code)
{
	_cleanup_free_ char *safe = text_safe(path);

	fprintf(stderr, "execward: %s: %s\n", safe,
	        error == EAGAIN   ? "changed while it was read"
	        : error == EINVAL ? "is no regular file"
	                          : strerror(error));
	return code;
}

/* For `explain`: what the daemon would read there. Without one, or one that is none, nothing. */
static int set_signature(json_t *request, int fd)
{
	char hex[2 * IMA_SIZE_MAX + 1];
	uint8_t xattr[IMA_SIZE_MAX];
	struct ima_signature signature;
	struct key_digest digest;
	size_t size;
	int r;

	if (ima_read(fd, xattr, &size) < 0 || ima_parse(xattr, size, &signature) != IMA_UNCHECKED)
		return 0;
	hex_encode(xattr, size, hex);
	r = request_set(request, "ima", hex);
	if (r != 0 || signature.hash == KEY_HASH_SHA256 ||
	        ima_digest(fd, signature.hash, UINT64_MAX, &digest) < 0)
		return r;
	hex_encode(digest.bytes, key_hash_size(digest.hash), hex);
	return request_set(request, "ima_digest", hex);
}

static int set_host_file(json_t *request, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *absolute = NULL;
	char hex[DIGEST_HEX_SIZE];
	struct digest digest;
	int r;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return say_file(path, errno, EX_NOINPUT);
	if (fd < 0)
		return say_file(path, errno, errno == EACCES ? EX_NOPERM : EX_IOERR);
	r = digest_file(fd, &digest);
	if (r < 0)
		return say_file(path, -r, r == -EINVAL ? EX_DATAERR : EX_IOERR);
	digest_to_hex(&digest, hex);
	r = request_set(request, "sha256", hex);
	if (r == 0 && !strcmp(raw_of(request, "request") ?: "", "explain"))
		r = set_signature(request, fd);
	absolute = realpath(path, NULL);
	/* The name is for people; one that JSON cannot carry is left out. */
	if (r == 0 && absolute) {
		json_t *name = json_string(absolute);

		if (name)
			json_object_set_new(request, "path", name);
	}
	return r;
}

/* Whether the daemon has this path of a container on record, under one digest or several. */
static int ask_known(const struct tool *tool, const char *path, bool *ret_known)
{
	json_t *request = request_new("explain"), *answer = NULL;
	int r = request_set(request, "path", path);

	if (r != 0) {
		json_decref(request);
		return r;
	}
	r = client_ask_for(tool, request, "not_found", &answer);
	*ret_known = answer != NULL;
	json_decref(answer);
	return r;
}

static int set_path(const struct tool *tool, const struct call *call, json_t *request)
{
	const char *path = call->argument;
	bool known = call_has(call, OPTION_CONTAINER) || call_has(call, OPTION_IMAGE);
	int r;

	if (path[0] != '/') {
		if (!call_has(call, OPTION_CONTAINER))
			return set_host_file(request, path);
		fputs("execward: a path inside a container begins with /\n", stderr);
		return EX_USAGE;
	}
	if (!known && access(path, F_OK) == 0) {
		r = ask_known(tool, path, &known);
		if (r != 0)
			return r;
		if (!known)
			return set_host_file(request, path);
	}
	return request_set(request, "path", path);
}

/*
 * Events.
 */
struct found {
	unsigned int n;
	char *sha256, *image, *path;
};

static void found_done(struct found *found)
{
	free(found->sha256);
	free(found->image);
	free(found->path);
}

static int note_event(const json_t *event, const char *text, size_t size, void *userdata)
{
	const json_t *f = json_object_get(event, "output_fields");
	const char *sha256 = raw_of(f, "execward.sha256"), *image = scope_of_event(f),
	           *path = raw_of(f, "proc.exepath");
	struct found *found = userdata;

	(void)text;
	(void)size;
	if (found->n++ > 0)
		return 0;
	found->sha256 = sha256 ? text_format("%s", sha256) : NULL;
	found->image = image ? text_format("%s", image) : NULL;
	found->path = path ? text_format("%s", path) : NULL;
	return 0;
}

static int set_event(
        const struct tool *tool, const struct call *call, json_t *request, char **ret_image)
{
	_cleanup_(found_done) struct found found = {0};
	json_t *ask = request_new("events");
	int r = request_set(ask, "event_id", call->argument);

	if (r == 0)
		r = client_events(tool, ask, note_event, &found);
	if (r != 0)
		return r;
	if (found.n == 0) {
		fprintf(stderr, "execward: %s: no such event (a file of that name: ./%s)\n",
		        call->argument, call->argument);
		return 1;
	}
	if (!found.sha256) {
		fprintf(stderr, "execward: %s: no digest was taken: nothing can vouch for it\n",
		        call->argument);
		return EX_DATAERR;
	}
	if (ret_image)
		*ret_image = TAKE_PTR(found.image);
	r = request_set(request, "path", found.path);
	return r == 0 ? request_set(request, "sha256", found.sha256) : r;
}

int target_set(const struct tool *tool, const struct call *call, json_t *request, char **ret_image)
{
	int r = request_set(request, "container", call->values[OPTION_CONTAINER]);

	if (r != 0)
		return r;
	switch (target_kind_of(call->argument)) {
	case TARGET_DIGEST:
		return request_set(request, "sha256", call->argument);
	case TARGET_EVENT:
		return set_event(tool, call, request, ret_image);
	default:
		return set_path(tool, call, request);
	}
}

int target_set_explained(const struct tool *tool, const struct call *call, json_t *request)
{
	int r;

	if (target_kind_of(call->argument) != TARGET_EVENT) {
		r = target_set(tool, call, request, NULL);
		/* Of a hashed file the digest is the question, its name on this host is not. */
		if (json_object_get(request, "sha256"))
			json_object_del(request, "path");
		return r;
	}
	r = request_set(request, "container", call->values[OPTION_CONTAINER]);
	return r == 0 ? request_set(request, "event_id", call->argument) : r;
}
