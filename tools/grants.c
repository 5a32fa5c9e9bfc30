/* execward approve, revoke, deny, grants: what operators say about a digest. */
#include "base/clock.h"
#include "base/cleanup.h"
#include "crypto/digest.h"
#include "tools/client.h"
#include "tools/print.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static bool is_digest(const char *text)
{
	struct digest digest;

	return digest_from_hex(text, &digest) == 0;
}

static int set_text(json_t *request, const char *key, const char *value)
{
	json_t *text = value ? json_string(value) : NULL;

	if (value && !text) {
		fprintf(stderr, "execward: %s: is not UTF-8\n", key);
		return EX_USAGE;
	}
	if (text)
		json_object_set_new(request, key, text);
	return 0;
}

/* A file of the host, hashed here: the daemon never opens what it is told to. */
static int hash_host_file(const char *path, char ret_hex[DIGEST_HEX_SIZE])
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct digest digest;
	int r = fd < 0 ? -errno : digest_file(fd, &digest);

	if (r < 0) {
		fprintf(stderr, "execward: %s: %s\n", path,
			r == -EAGAIN ? "changed while it was read" : strerror(-r));
		return r == -ENOENT ? EX_NOINPUT : EX_IOERR;
	}
	digest_to_hex(&digest, ret_hex);
	return 0;
}

/*
 * A path is the container's, as alerts show it, when the daemon has it on record; else it is a file
 * of the host. --image and --container always mean the container's.
 */
static bool known_to_daemon(const struct tool *tool, const char *path, const char *container)
{
	struct client *client;
	json_t *answer = NULL;
	bool known = false;

	if (client_try(tool, &client) < 0)
		return true; /* the request itself will say that nobody answers */
	if (client_send(client, json_pack("{s:s, s:s, s:s*}", "request", "explain", "path", path,
					"container", container)) == 0) {
		answer = client_receive(client, NULL);
		known = json_is_true(json_object_get(answer, "ok")) ||
			strcmp(json_string_value(json_object_get(answer, "error")) ?: "", "not_found");
	}
	json_decref(answer);
	client_close(client);
	return known;
}

static int set_target(const struct tool *tool, json_t *request, const char *target,
	const char *image, const char *container)
{
	char hex[DIGEST_HEX_SIZE];
	int r;

	if (is_digest(target))
		return set_text(request, "sha256", target);
	if (image || container || (target[0] == '/' && known_to_daemon(tool, target, container)))
		return set_text(request, "path", target);
	r = hash_host_file(target, hex);
	return r == 0 ? set_text(request, "sha256", hex) : r;
}

static int set_expiry(json_t *request, const char *duration)
{
	int64_t ns;

	if (!duration)
		return 0;
	if (duration_parse(duration, &ns) < 0 || ns == 0) {
		fputs("execward: --for: a duration such as 10m, 24h, 30d\n", stderr);
		return EX_USAGE;
	}
	json_object_set_new(request, "expires_ns", json_integer(clock_realtime_ns() + ns));
	return 0;
}

struct grant_options {
	const char *image, *container, *reason, *duration;
	bool deny;
};

static int build_request(const struct tool *tool, const char *verb, const char *target,
	const struct grant_options *o, json_t *request)
{
	int r = set_target(tool, request, target, o->image, o->container);

	json_object_set_new(request, "request", json_string(verb));
	if (r == 0)
		r = set_text(request, "image", o->image);
	if (r == 0)
		r = set_text(request, "container", o->container);
	if (r == 0)
		r = set_text(request, "reason", o->reason);
	if (r == 0)
		r = set_expiry(request, o->duration);
	if (o->deny)
		json_object_set_new(request, "deny", json_true());
	return r;
}

static int ask(const struct tool *tool, const char *verb, const char *target,
	const struct grant_options *o, json_t **ret_answer)
{
	json_t *request = json_object();
	int r = build_request(tool, verb, target, o, request);

	if (r != 0) {
		json_decref(request);
		return r;
	}
	return client_ask(tool, request, ret_answer);
}

static int change(const struct tool *tool, int argc, char **argv, const char *verb, bool deny)
{
	struct grant_options o = {.deny = deny};
	const struct option_row rows[] = {{"image", &o.image, NULL}, {"container", &o.container, NULL},
		{"reason", &o.reason, NULL}, {"for", &o.duration, NULL}, {"deny", NULL, &o.deny},
		{NULL, NULL, NULL}};
	const char *target = NULL;
	json_t *answer = NULL, *grant;
	int n, r = parse_verb(argc, argv, rows, &target, 1, &n);

	if (r != 0)
		return r;
	if (n != 1 || (strcmp(verb, "revoke") && !o.reason)) {
		fprintf(stderr, "execward %s: %s\n", argv[0],
			n != 1 ? "name a SHA-256 or a path" : "--reason TEXT: say why");
		return EX_USAGE;
	}
	r = ask(tool, verb, target, &o, &answer);
	if (r != 0)
		return r;
	grant = json_object_get(answer, "grant");
	if (tool->json) {
		print_json(answer);
	} else if (grant) {
		_cleanup_free_ char *sha256 = text_of(grant, "sha256"), *image = text_of(grant, "image");

		printf("%s %s in %s\n", o.deny ? "denied" : "approved", sha256,
			*image ? image : "every image");
	} else {
		printf("revoked: %lld\n",
			(long long)json_integer_value(json_object_get(answer, "removed")));
	}
	json_decref(answer);
	return 0;
}

int verb_approve(const struct tool *tool, int argc, char **argv)
{
	return change(tool, argc, argv, "approve", false);
}

int verb_deny(const struct tool *tool, int argc, char **argv)
{
	return change(tool, argc, argv, "approve", true);
}

int verb_revoke(const struct tool *tool, int argc, char **argv)
{
	return change(tool, argc, argv, "revoke", false);
}

static void print_grant(const struct tool *tool, json_t *grant)
{
	_cleanup_free_ char *kind = text_of(grant, "kind"), *sha256 = text_of(grant, "sha256"),
			    *image = text_of(grant, "image"), *path = text_of(grant, "path"),
			    *reason = text_of(grant, "reason");

	print_word(tool, strcmp(kind, "denied") ? COLOUR_GOOD : COLOUR_BAD, kind);
	printf(" %s %s %s (%s)\n", sha256, *image ? image : "*", path, reason);
}

int verb_grants(const struct tool *tool, int argc, char **argv)
{
	const struct option_row rows[] = {{NULL, NULL, NULL}};
	json_t *answer = NULL, *grant;
	size_t i;
	int n, r = parse_verb(argc, argv, rows, NULL, 0, &n);

	if (r == 0)
		r = client_ask(tool, json_pack("{s:s}", "request", "grants"), &answer);
	if (r != 0)
		return r;
	if (tool->json)
		print_json(json_object_get(answer, "grants"));
	else
		json_array_foreach(json_object_get(answer, "grants"), i, grant)
			print_grant(tool, grant);
	json_decref(answer);
	return 0;
}
