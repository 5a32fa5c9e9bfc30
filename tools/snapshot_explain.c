/*
 * execward snapshot explain: which snapshots know a path or a digest, and where they vouch; and
 * what the daemon would do, when there is one to ask.
 */
#include "base/cleanup.h"
#include "crypto/digest.h"
#include "tools/client.h"
#include "tools/print.h"
#include "tools/snapshot_find.h"
#include "tools/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define WHERE_MAX 1000u /* places of one digest that are shown */

struct explain {
	struct store *store;
	const char *path;     /* NULL: a digest was asked for */
	struct digest digest; /* asked for, or of the file of this host at that path */
	bool has_digest;
	json_t *known; /* snapshots */
};

static json_t *place_json(const struct snapshot_info *info, const struct entry *entry, bool same)
{
	_cleanup_free_ char *scope = snapshot_scope_words(info);
	json_t *object = json_object();

	json_object_set_new(object, "snapshot", snapshot_json(info));
	json_object_set_new(object, "vouches", text_json(scope));
	set_path(object, "path", entry->path);
	json_object_set_new(object, "type", json_string(entry_type_name(entry->type)));
	json_object_set_new(object, "sha256",
	        entry->content == CONTENT_KNOWN ? digest_json(&entry->digest) : json_null());
	json_object_set_new(object, "executable", json_boolean(entry->flags & ENTRY_EXECUTABLE));
	json_object_set_new(object, "package", text_json(entry->package));
	json_object_set_new(object, "same_content", json_boolean(same));
	json_object_set_new(object, "acceptances", json_array());
	return object;
}

static int on_acceptance(const struct acceptance *a, void *userdata)
{
	json_t *object = json_object();

	json_object_set_new(object, "reason", text_json(a->reason));
	json_object_set_new(object, "change", text_json(a->change));
	json_object_set_new(object, "by_uid", json_integer(a->by_uid));
	json_object_set_new(object, "time_ns", json_integer(a->time_ns));
	return json_array_append_new(userdata, object) < 0 ? -ENOMEM : 0;
}

/* Both have it, or neither has. */
static bool is_same(const json_t *a, const json_t *b, const char *key)
{
	const char *x = raw_of(a, key), *y = raw_of(b, key);

	return x == y || (x && y && !strcmp(x, y));
}

/* The same place by its path and by its digest is one. */
static bool is_noted(const json_t *known, const struct snapshot_info *info, const json_t *place)
{
	const json_t *item;
	size_t i;

	json_array_foreach(known, i, item)
	{
		if (number_of(json_object_get(item, "snapshot"), "id") == info->id &&
		        is_same(item, place, "path") && is_same(item, place, "path_hex"))
			return true;
	}
	return false;
}

static int note(struct explain *x, const struct snapshot_info *info, const struct entry *entry)
{
	bool same = x->has_digest && entry->content == CONTENT_KNOWN &&
	            digest_equal(&entry->digest, &x->digest);
	json_t *place = place_json(info, entry, same);

	if (is_noted(x->known, info, place)) {
		json_decref(place);
		return 0;
	}
	json_array_append_new(x->known, place);
	return store_acceptances(x->store, info->id, entry->path, on_acceptance,
	        json_object_get(place, "acceptances"));
}

static int on_where(const struct snapshot_info *info, const struct entry *entry, void *userdata)
{
	return note(userdata, info, entry);
}

static int on_snapshot(const struct snapshot_info *info, void *userdata)
{
	struct explain *x = userdata;
	struct entry entry = {0};
	int r;

	if (info->state != SNAPSHOT_CURRENT)
		return 0;
	r = store_entry_find(x->store, info->id, x->path, &entry, NULL);
	if (r == STORE_E_NOTFOUND || r == -EINVAL)
		return 0;
	if (r == 0)
		r = note(x, info, &entry);
	entry_done(&entry);
	return r;
}

static int look_up(const struct call *call, struct explain *x)
{
	int r = x->path ? store_snapshots(x->store, on_snapshot, x) : 0;

	if (r == 0 && x->has_digest)
		r = store_digest_where(x->store, &x->digest, WHERE_MAX, on_where, x);
	return r == 0 ? 0 : snapshot_fail(call, x->store, call->argument, r);
}

/* A file of this host at that path tells more: its digest may be known elsewhere. */
static void hash_file(struct explain *x)
{
	_cleanup_close_ int fd =
	        open(x->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);

	x->has_digest = fd >= 0 && digest_file(fd, &x->digest) == 0;
}

static int set_target(const struct call *call, struct explain *x)
{
	switch (target_kind_of(call->argument)) {
	case TARGET_DIGEST:
		x->has_digest = digest_from_hex(call->argument, &x->digest) == 0;
		return 0;
	case TARGET_PATH:
		x->path = call->argument;
		break;
	case TARGET_EVENT:
	case TARGET_UNSET:
	default:
		break;
	}
	if (!x->path || x->path[0] != '/') {
		fprintf(stderr,
		        "execward %s: an absolute path, or a digest of 64 hexadecimal digits\n",
		        call->verb->name);
		return EX_USAGE;
	}
	hash_file(x);
	return 0;
}

/* NULL when no daemon answers, or it knows nothing. */
static json_t *ask_daemon(const struct tool *tool, const struct explain *x)
{
	json_t *request, *answer = NULL;
	char hex[DIGEST_HEX_SIZE];

	if (!snapshot_has_daemon(tool))
		return NULL;
	request = request_new("explain");
	digest_to_hex(&x->digest, hex);
	if (request_set(request, "sha256", x->has_digest ? hex : NULL) != 0 ||
	        request_set(request, "path", x->path) != 0) {
		json_decref(request);
		return NULL;
	}
	(void)client_ask_for(tool, request, "not_found", &answer);
	return answer;
}

/*
 * Text.
 */
static void print_acceptances(const json_t *acceptances)
{
	const json_t *a;
	size_t i;

	json_array_foreach(acceptances, i, a)
	{
		_cleanup_free_ char *reason = text_of(a, "reason"), *uid = text_of(a, "by_uid"),
		                    *change = text_of(a, "change");
		char time[LOCAL_TIME_SIZE];

		local_time(number_of(a, "time_ns"), time);
		printf("    accepted    %s by uid %s (%s): %s\n", time, uid, change, reason);
	}
}

static void print_place(const struct tool *tool, const struct explain *x, const json_t *place)
{
	bool equal = json_is_true(json_object_get(place, "same_content"));
	const char *same = !x->path || !x->has_digest ? ""
	                   : equal                    ? ", the one on this host"
	                                              : ", not the one on this host";
	const json_t *info = json_object_get(place, "snapshot");
	_cleanup_free_ char *name = text_of(info, "name"), *id = text_of(info, "id"),
	                    *path = text_of(place, "path"), *sha256 = text_of(place, "sha256"),
	                    *vouches = text_of(place, "vouches"),
	                    *package = text_of(place, "package");
	bool program = json_is_true(json_object_get(place, "executable"));

	printf("\n  %s:%s (%s)\n", raw_of(info, "kind") ?: "-", name, id);
	printf("    path        %s\n    sha256      %s%s\n    vouches     ", path, sha256, same);
	print_word(tool, program ? COLOUR_NONE : COLOUR_DIM,
	        program ? vouches : "nowhere: it is no executable there");
	putchar('\n');
	if (raw_of(place, "package"))
		printf("    package     %s\n", package);
	print_acceptances(json_object_get(place, "acceptances"));
}

static void print_daemon(const struct tool *tool, const json_t *answer)
{
	const json_t *would = json_object_get(json_object_get(answer, "explain"), "would");
	_cleanup_free_ char *verdict = text_of(would, "verdict"),
	                    *reason = text_of(would, "reason");

	printf("\n%-16s", "next exec");
	if (!answer) {
		puts("not known: no daemon answers, or it has nothing on record");
		return;
	}
	print_word(tool, colour_of_verdict(raw_of(would, "verdict") ?: "-"), verdict);
	printf(" (%s); `execward explain` tells more\n", reason);
}

static void print_explain(const struct tool *tool, const struct call *call, const struct explain *x,
        const json_t *answer)
{
	_cleanup_free_ char *about = text_safe(call->argument);
	const json_t *place;
	char hex[DIGEST_HEX_SIZE];
	size_t i;

	digest_to_hex(&x->digest, hex);
	printf("%-16s%s\n", "about", about);
	if (x->path)
		printf("%-16s%s\n", "on this host",
		        x->has_digest ? hex : "no file there that can be read");
	printf("%-16s%zu\n", "snapshots", json_array_size(x->known));
	json_array_foreach(x->known, i, place)
	{
		print_place(tool, x, place);
	}
	print_daemon(tool, answer);
}

static void show(const struct tool *tool, const struct call *call, const struct explain *x)
{
	json_t *answer = ask_daemon(tool, x), *object;

	if (!tool->json) {
		print_explain(tool, call, x, answer);
		json_decref(answer);
		return;
	}
	object = json_object();
	set_path(object, "target", call->argument);
	json_object_set_new(
	        object, "sha256", x->has_digest ? digest_json(&x->digest) : json_null());
	json_object_set(object, "snapshots", x->known);
	json_object_set_new(object, "daemon",
	        answer ? json_incref(json_object_get(answer, "explain")) : json_null());
	print_json(object);
	json_decref(object);
	json_decref(answer);
}

/* Exits 1 when no snapshot knows it. */
int verb_snapshot_explain(const struct tool *tool, const struct call *call)
{
	struct explain x = {.known = json_array()};
	int r = set_target(call, &x);

	if (r == 0)
		r = snapshot_open(tool, call, STORE_READ_ONLY, &x.store);
	if (r == 0)
		r = look_up(call, &x);
	if (r == 0) {
		show(tool, call, &x);
		r = json_array_size(x.known) > 0 ? 0 : 1;
	}
	json_decref(x.known);
	store_free(x.store);
	return r;
}
