#include "tools/snapshot_find.h"

#include "base/cleanup.h"
#include "base/hex.h"
#include "core/text.h"
#include "tools/client.h"
#include "tools/print.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

static int exit_code(int r)
{
	switch (r) {
	case STORE_E_NOTFOUND:
	case -ENOENT:
	case -ENOTDIR:
		return EX_NOINPUT;
	case STORE_E_NEWER:
	case STORE_E_UNSAFE:
		return EX_CONFIG;
	case STORE_E_CORRUPT:
	case -EEXIST:
	case -EINVAL:
	case -EMSGSIZE:
	case -EFBIG:
		return EX_DATAERR;
	case STORE_E_BUSY:
	case -ECANCELED:
		return EX_UNAVAILABLE;
	case -EACCES:
	case -EPERM:
		return EX_NOPERM;
	case -ENOTUNIQ:
		return EX_USAGE;
	case -ENOMEM:
		return EX_SOFTWARE;
	default:
		return EX_IOERR;
	}
}

static const char *words(int r)
{
	switch (r) {
	case STORE_E_NEWER:
		return "the database was written by a later release";
	case STORE_E_CORRUPT:
		return "the database is damaged, or has a row that cannot be";
	case STORE_E_UNSAFE:
		return "the directory or the database is not ours alone: owner or mode";
	case STORE_E_NOTFOUND:
		return "there is no such snapshot; see execward snapshot list";
	case STORE_E_FULL:
		return "no space left for the database";
	case STORE_E_BUSY:
		return "another program writes to the database for too long";
	case -ENOTUNIQ:
		return "several kinds of snapshots have that name: KIND:NAME, or the id";
	default:
		return strerror(r < 0 ? -r : EIO);
	}
}

int snapshot_fail(const struct call *call, const struct store *store, const char *what, int r)
{
	_cleanup_free_ char *safe = text_safe(what);
	bool database = store && (r == STORE_E_CORRUPT || r == -EIO);
	_cleanup_free_ char *detail = database ? text_safe(store_error(store)) : NULL;

	fprintf(stderr, "execward %s: %s: %s%s%s\n", call->verb->name, safe, words(r),
	        detail ? ": " : "", detail ?: "");
	return exit_code(r);
}

int snapshot_open(const struct tool *tool, const struct call *call, enum store_access access,
        struct store **ret_store)
{
	int r = store_open(tool->config->state_dir, access, ret_store);

	if (r == -ENOENT) {
		_cleanup_free_ char *dir = text_safe(tool->config->state_dir);

		fprintf(stderr,
		        "execward %s: no database in %s: no snapshot was made yet (execward "
		        "snapshot create)\n",
		        call->verb->name, dir);
		return EX_NOINPUT;
	}
	return r == 0 ? 0 : snapshot_fail(call, NULL, tool->config->state_dir, r);
}

int snapshot_find(const struct call *call, struct store *store, const char *text,
        struct snapshot_info *ret_info)
{
	int r = store_snapshot_find(store, text, ret_info);

	return r == 0 ? 0 : snapshot_fail(call, store, text, r);
}

bool snapshot_has_daemon(const struct tool *tool)
{
	_cleanup_(client_freep) struct client *client = NULL;

	return client_connect(tool->config->runtime_dir, &client) == 0;
}

int snapshot_tell_daemon(const struct tool *tool)
{
	json_t *answer = NULL;
	int r;

	if (!snapshot_has_daemon(tool))
		return 0;
	r = client_ask(tool, request_new("baselines"), &answer);
	json_decref(answer);
	return r;
}

json_t *text_json(const char *text)
{
	_cleanup_free_ char *utf8 = text_to_utf8(text);

	return utf8 ? json_string(utf8) : json_null();
}

void set_path(json_t *object, const char *key, const char *path)
{
	json_t *text = text_json(path);
	bool same = path && json_is_string(text) && !strcmp(json_string_value(text), path);

	json_object_set_new(object, key, text);
	if (path && !same) {
		size_t size = strlen(path);
		_cleanup_free_ char *hex = malloc(2 * size + 1);
		_cleanup_free_ char *name = text_format("%s_hex", key);

		if (!hex)
			return;
		hex_encode((const uint8_t *)path, size, hex);
		json_object_set_new(object, name, json_string(hex));
	}
}

json_t *digest_json(const struct digest *digest)
{
	char hex[DIGEST_HEX_SIZE];

	digest_to_hex(digest, hex);
	return json_string(hex);
}

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)(value > INT64_MAX ? INT64_MAX : value));
}

static void set_counts(json_t *object, const struct snapshot_info *info)
{
	json_object_set_new(object, "entries", number(info->entries));
	json_object_set_new(object, "files", number(info->files));
	json_object_set_new(object, "executables", number(info->executables));
	json_object_set_new(object, "bytes", number(info->bytes));
	json_object_set_new(object, "hashed", number(info->hashed));
	json_object_set_new(object, "hashed_bytes", number(info->hashed_bytes));
	json_object_set_new(object, "unreadable", number(info->unreadable));
	json_object_set_new(object, "mutable", number(info->mutable_files));
}

json_t *snapshot_json(const struct snapshot_info *info)
{
	json_t *object = json_object();
	char created[TIME_TEXT_SIZE];

	time_to_rfc3339(info->created_ns, created);
	json_object_set_new(object, "id", json_integer(info->id));
	json_object_set_new(object, "kind", json_string(snapshot_kind_name(info->kind)));
	set_path(object, "name", info->name);
	json_object_set_new(object, "scope", json_string(snapshot_scope_name(info->scope)));
	json_object_set_new(object, "scope_value", text_json(info->scope_value));
	json_object_set_new(object, "image_id", text_json(info->image_id));
	set_path(object, "root", info->root);
	json_object_set_new(object, "all_files", json_boolean(info->all_files));
	json_object_set_new(object, "state", json_string(snapshot_state_name(info->state)));
	json_object_set_new(object, "created", json_string(created));
	json_object_set_new(object, "created_ns", json_integer(info->created_ns));
	json_object_set_new(object, "by_uid", json_integer(info->by_uid));
	json_object_set_new(
	        object, "sha256", info->has_digest ? digest_json(&info->digest) : json_null());
	set_counts(object, info);
	return object;
}

char *snapshot_label(const struct snapshot_info *info)
{
	_cleanup_free_ char *name = text_safe(info->name);

	return text_format("%s:%s (%" PRId64 ")", snapshot_kind_name(info->kind), name, info->id);
}

char *snapshot_scope_words(const struct snapshot_info *info)
{
	_cleanup_free_ char *value = text_safe(info->scope_value);

	if (info->state != SNAPSHOT_CURRENT)
		return text_format("nowhere: a newer one stands");
	switch (info->scope) {
	case SCOPE_IMAGE:
		return text_format("in containers of the image %s", value);
	case SCOPE_CONTAINER:
		return text_format("in the container %s", value);
	case SCOPE_FILESYSTEM:
		return text_format("on the filesystem %s, when it is guarded", value);
	case SCOPE_NONE:
	case _SNAPSHOT_SCOPE_MAX:
	default:
		return text_format("nowhere: for comparison only");
	}
}
