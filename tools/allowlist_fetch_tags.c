#include "tools/allowlist_fetch_tags.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "crypto/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static int path_of(const char *state_dir, char **ret_path)
{
	return asprintf(ret_path, "%s/%s", state_dir, FETCH_TAGS_FILE) < 0 ? -ENOMEM : 0;
}

/* {"HEX OF THE URL'S SHA-256": {"etag": TEXT, "payload": HEX, "fetched_ns": N}} */
json_t *fetch_tags_read(const char *state_dir)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	json_t *tags = NULL;
	size_t size;

	if (path_of(state_dir, &path) == 0 &&
	        file_read_at(AT_FDCWD, path, FETCH_TAGS_SIZE_MAX, &text, &size) == 0)
		tags = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(tags) && json_object_size(tags) <= FETCH_TAGS_MAX)
		return tags;
	json_decref(tags);
	return json_object();
}

static int key_of(const char *url, char ret_key[DIGEST_HEX_SIZE])
{
	struct digest digest;
	int r = digest_data(url, strlen(url), &digest);

	if (r == 0)
		digest_to_hex(&digest, ret_key);
	return r;
}

const char *fetch_tags_find(const json_t *tags, const char *url, struct digest *ret_payload)
{
	const char *etag, *payload;
	const json_t *entry;
	char key[DIGEST_HEX_SIZE];

	if (key_of(url, key) < 0)
		return NULL;
	entry = json_object_get(tags, key);
	etag = json_string_value(json_object_get(entry, "etag"));
	payload = json_string_value(json_object_get(entry, "payload"));
	return etag && payload && digest_from_hex(payload, ret_payload) == 0 ? etag : NULL;
}

static void drop_oldest(json_t *tags)
{
	const char *key, *oldest = NULL;
	json_int_t since = 0;
	json_t *entry;

	json_object_foreach(tags, key, entry)
	{
		json_int_t at = json_integer_value(json_object_get(entry, "fetched_ns"));

		if (!oldest || at < since) {
			oldest = key;
			since = at;
		}
	}
	if (oldest)
		json_object_del(tags, oldest);
}

int fetch_tags_set(json_t *tags, const char *url, const char *etag, const struct digest *payload,
        int64_t now_ns)
{
	char key[DIGEST_HEX_SIZE], hex[DIGEST_HEX_SIZE];
	json_t *entry;
	int r = key_of(url, key);

	if (r < 0)
		return r;
	json_object_del(tags, key);
	if (!etag)
		return 0;
	if (json_object_size(tags) >= FETCH_TAGS_MAX)
		drop_oldest(tags);
	digest_to_hex(payload, hex);
	entry = json_pack(
	        "{s:s, s:s, s:I}", "etag", etag, "payload", hex, "fetched_ns", (json_int_t)now_ns);
	return entry && json_object_set_new(tags, key, entry) == 0 ? 0 : -ENOMEM;
}

int fetch_tags_write(const json_t *tags, const char *state_dir)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *text = json_dumps(tags, JSON_COMPACT | JSON_SORT_KEYS);
	int r = text ? path_of(state_dir, &path) : -ENOMEM;

	return r < 0 ? r : file_write_atomic(path, text, strlen(text), 0600);
}
