/*
 * Two tables with open addressing. What is new goes into the young one; when that is full it
 * becomes the old one, and the old one goes. Keys are digests, evenly spread, so that their first
 * bytes are the place to look.
 */
#include "daemon/trusted_digests.h"

#include "base/cleanup.h"
#include "crypto/digest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PLACES_MIN 256u

struct table {
	struct trusted_entry *places;
	size_t n_places; /* a power of two, or 0 */
	size_t used;
};

struct trusted_digests {
	size_t half;
	struct table young, old;
};

int trusted_digests_new(size_t half, struct trusted_digests **ret_set)
{
	struct trusted_digests *set = calloc(1, sizeof(*set));

	if (!set)
		return -ENOMEM;
	set->half = half;
	*ret_set = set;
	return 0;
}

void trusted_digests_free(struct trusted_digests *set)
{
	if (!set)
		return;
	free(set->young.places);
	free(set->old.places);
	free(set);
}

static void stream_freep(struct digest_stream **stream)
{
	digest_stream_free(*stream);
}

int trusted_digests_key(
        const struct digest *digest, const struct trusted_scope *scope, struct digest *ret_key)
{
	_cleanup_(stream_freep) struct digest_stream *stream = NULL;
	uint8_t kind = (uint8_t)scope->kind;
	int r = digest_stream_new(&stream);

	if (r == 0)
		r = digest_stream_update(stream, digest->bytes, sizeof(digest->bytes));
	if (r == 0)
		r = digest_stream_update(stream, &kind, sizeof(kind));
	if (r == 0)
		r = digest_stream_update(stream, scope->value, strlen(scope->value));
	return r == 0 ? digest_stream_final(stream, ret_key) : r;
}

/* The place of @key, or the empty one where it would go. The table has empty ones. */
static struct trusted_entry *place_of(const struct table *table, const struct digest *key)
{
	size_t at;

	memcpy(&at, key->bytes, sizeof(at));
	for (;; at++) {
		struct trusted_entry *place = &table->places[at & (table->n_places - 1)];

		if (place->expires_ns == 0 || digest_equal(&place->key, key))
			return place;
	}
}

static const struct trusted_entry *find_in(const struct table *table, const struct digest *key)
{
	const struct trusted_entry *place = table->n_places ? place_of(table, key) : NULL;

	return place && place->expires_ns != 0 ? place : NULL;
}

static int grow(struct table *table)
{
	struct table next = {.n_places = table->n_places ? table->n_places * 2 : PLACES_MIN,
	        .used = table->used};

	next.places = calloc(next.n_places, sizeof(next.places[0]));
	if (!next.places)
		return -ENOMEM;
	for (size_t i = 0; i < table->n_places; i++)
		if (table->places[i].expires_ns != 0)
			*place_of(&next, &table->places[i].key) = table->places[i];
	free(table->places);
	*table = next;
	return 0;
}

static int make_room(struct trusted_digests *set)
{
	if (set->young.used >= set->half) {
		free(set->old.places);
		set->old = set->young;
		set->young = (struct table){0};
	}
	if (set->young.used + 1 > set->young.n_places / 4 * 3)
		return grow(&set->young);
	return 0;
}

int trusted_digests_add(struct trusted_digests *set, const struct trusted_entry *entry)
{
	struct trusted_entry *place;
	int r = make_room(set);

	if (r < 0)
		return r;
	place = place_of(&set->young, &entry->key);
	if (place->expires_ns == 0)
		set->young.used++;
	*place = *entry;
	return 0;
}

const struct trusted_entry *trusted_digests_find(
        const struct trusted_digests *set, const struct digest *key)
{
	const struct trusted_entry *found = find_in(&set->young, key);

	return found ?: find_in(&set->old, key);
}

size_t trusted_digests_count(const struct trusted_digests *set)
{
	return set->young.used + set->old.used;
}
