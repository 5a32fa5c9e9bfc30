/*
 * The JSON of a keys' directory. A table of members for each file: what is in none of the rows is
 * refused.
 */
#include "base/hex.h"
#include "core/glob.h"
#include "core/statement.h"
#include "core/text.h"
#include "crypto/trust_internal.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Reads one member. NULL, or what it must be. */
struct member {
	const char *name;
	const char *(*read)(const json_t *value, void *target);
};

static const char *read_scheme(const json_t *value, void *target)
{
	const struct trust_key *key = target;
	const char *name = json_string_value(value);

	if (!name || key_scheme_from_name(name) == KEY_SCHEME_UNSET)
		return "ed25519, ecdsa-sha256, ecdsa-sha384 or rsa-pkcs1-sha256";
	return key_scheme_from_name(name) == key_scheme(key->key)
	               ? NULL
	               : "the scheme of the key beside it, which is another one";
}

static const char *read_expires(const json_t *value, void *target)
{
	struct trust_key *key = target;
	const char *text = json_string_value(value);

	return text && statement_time_parse(text, &key->expires_ns) == 0
	               ? NULL
	               : "a time as in \"2027-01-01T00:00:00Z\"";
}

static const char *read_uses(const json_t *value, void *target)
{
	static const char what[] = "[\"manifest\"] or [\"ima\"]: a key may not serve both";
	struct trust_key *key = target;
	const char *name = json_string_value(json_array_get(value, 0));

	if (json_array_size(value) != 1 || !name)
		return what;
	key->use = trust_use_from_name(name);
	if (key->use == TRUST_USE_UNSET)
		return what;
	return key->use == TRUST_USE_IMA && key_scheme(key->key) == KEY_ED25519
	               ? "[\"manifest\"] for an ed25519 key: security.ima has RSA and ECDSA only"
	               : NULL;
}

static const char *read_series(const json_t *value, void *target)
{
	static const char what[] = "an array of 1 to 64 patterns such as \"example.org/web\"";
	struct trust_key *key = target;
	size_t n = json_array_size(value), at;

	/* An empty list would read as "none", and mean "all". */
	if (n == 0 || n > TRUST_SERIES_MAX)
		return what;
	key->series = calloc(n, sizeof(*key->series));
	if (!key->series)
		return "smaller: memory is short";
	for (size_t i = 0; i < n; i++) {
		const char *pattern = json_string_value(json_array_get(value, i));

		if (!pattern || !*pattern || glob_check(pattern, &at) < 0)
			return what;
		key->series[i] = strdup(pattern);
		if (!key->series[i])
			return "smaller: memory is short";
		key->n_series++;
	}
	return NULL;
}

static const char *read_ima_ids(const json_t *value, void *target)
{
	static const char what[] = "an array of 1 to 4 ids of 8 hexadecimal digits";
	struct trust_key *key = target;
	size_t n = json_array_size(value);

	if (n == 0 || n > TRUST_IMA_IDS_MAX)
		return what;
	for (size_t i = 0; i < n; i++) {
		const json_t *id = json_array_get(value, i);

		if (!json_is_string(id) || hex_decode(json_string_value(id), json_string_length(id),
		                                   key->ima_ids[i], KEY_IMA_ID_SIZE) < 0)
			return what;
	}
	key->n_ima_ids = n;
	return NULL;
}

static const char *read_digests(const json_t *value, struct digest **ret_digests, size_t *ret_n)
{
	static const char what[] = "an array of at most 65536 SHA-256 digests in hexadecimal";
	size_t n = json_array_size(value);
	struct digest *digests;

	if (!json_is_array(value) || n > TRUST_REVOKED_MAX)
		return what;
	digests = calloc(n + 1, sizeof(*digests));
	if (!digests)
		return "smaller: memory is short";
	*ret_digests = digests;
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(value, i));

		if (!text || digest_from_hex(text, &digests[i]) < 0)
			return what;
	}
	qsort(digests, n, sizeof(*digests), trust_compare_digests);
	*ret_n = n;
	return NULL;
}

static const char *read_revoked_keys(const json_t *value, void *target)
{
	struct trust *trust = target;

	return read_digests(value, &trust->revoked_keys, &trust->n_revoked_keys);
}

static const char *read_revoked_digests(const json_t *value, void *target)
{
	struct trust *trust = target;

	return read_digests(value, &trust->revoked_digests, &trust->n_revoked_digests);
}

static int compare_floors(const void *a, const void *b)
{
	const struct trust_floor *first = a, *second = b;

	return strcmp(first->series, second->series);
}

static const char *read_floors(const json_t *value, void *target)
{
	static const char what[] =
	        "an object of at most 4096 series, each with a version of 1 or more";
	struct trust *trust = target;
	const char *series;
	json_t *version;

	if (!json_is_object(value) || json_object_size(value) > TRUST_FLOORS_MAX)
		return what;
	trust->floors = calloc(json_object_size(value) + 1, sizeof(*trust->floors));
	if (!trust->floors)
		return "smaller: memory is short";
	/* The macro's arguments are not const; nothing is changed. */
	json_object_foreach((json_t *)(uintptr_t)value, series, version)
	{
		struct trust_floor *floor = &trust->floors[trust->n_floors];

		if (statement_series_fault(series) || !json_is_integer(version) ||
		        json_integer_value(version) < 1)
			return what;
		floor->series = strdup(series);
		if (!floor->series)
			return "smaller: memory is short";
		floor->version = (uint64_t)json_integer_value(version);
		trust->n_floors++;
	}
	qsort(trust->floors, trust->n_floors, sizeof(*trust->floors), compare_floors);
	return NULL;
}

static const struct member key_members[] = {
        {"scheme", read_scheme},
        {"expires", read_expires},
        {"uses", read_uses},
        {"series", read_series},
        {"ima_key_ids", read_ima_ids},
        {0},
};

static const struct member settings_members[] = {
        {"revoked_keys", read_revoked_keys},
        {"revoked_digests", read_revoked_digests},
        {"floors", read_floors},
        {0},
};

static int fault(char **reterr_message, const char *name, const char *what)
{
	_cleanup_free_ char *printable = text_for_terminal(name);

	if (asprintf(reterr_message, "\"%s\" must be %s", printable ?: "?", what) < 0)
		*reterr_message = NULL;
	return TRUST_E_FORMAT;
}

static int unknown(char **reterr_message, const char *name)
{
	_cleanup_free_ char *printable = text_for_terminal(name);

	if (asprintf(reterr_message, "\"%s\" is no member that is known here", printable ?: "?") <
	        0)
		*reterr_message = NULL;
	return TRUST_E_FORMAT;
}

static int read_members(
        const json_t *root, const struct member *members, void *target, char **reterr_message)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)root, name, value)
	{
		const struct member *member = members;
		const char *what;

		while (member->name && strcmp(member->name, name) != 0)
			member++;
		if (!member->name)
			return unknown(reterr_message, name);
		what = member->read(value, target);
		if (what)
			return fault(reterr_message, name, what);
	}
	return 0;
}

static int parse(const char *text, size_t size, const struct member *members, void *target,
        char **reterr_message)
{
	json_error_t error;
	json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	int r;

	if (!json_is_object(root)) {
		if (asprintf(reterr_message, "is not one JSON object without a key twice (line %d)",
		            root ? 1 : error.line) < 0)
			*reterr_message = NULL;
		r = TRUST_E_FORMAT;
	} else {
		r = read_members(root, members, target, reterr_message);
	}
	json_decref(root);
	return r;
}

int trust_parse_key(const char *text, size_t size, struct trust_key *key, char **reterr_message)
{
	int r = parse(text, size, key_members, key, reterr_message);

	if (r == 0 && key->n_ima_ids > 0 && key->use != TRUST_USE_IMA)
		return fault(reterr_message, "ima_key_ids", "left out, or \"uses\" be [\"ima\"]");
	if (r == 0 && key->n_series > 0 && key->use != TRUST_USE_MANIFEST)
		return fault(reterr_message, "series", "left out for a key of use ima");
	return r;
}

int trust_parse_settings(const char *text, size_t size, struct trust *trust, char **reterr_message)
{
	return parse(text, size, settings_members, trust, reterr_message);
}
