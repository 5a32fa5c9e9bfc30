/* Some thousands at most: a list that is searched by hash, then by name. */
#include "snapshot/archive_members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void members_done(struct members *members)
{
	for (size_t i = 0; i < members->n; i++) {
		free(members->items[i].path);
		free(members->items[i].text);
		free(members->items[i].target);
	}
	free(members->items);
	*members = (struct members){0};
}

static uint64_t hash_of(const char *path)
{
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * UINT64_C(1099511628211);
	return hash;
}

static struct member *find_one(const struct members *members, const char *path)
{
	uint64_t hash = hash_of(path);

	for (size_t i = 0; i < members->n; i++)
		if (members->items[i].hash == hash && !strcmp(members->items[i].path, path))
			return &members->items[i];
	return NULL;
}

int members_add(struct members *members, const char *path, struct member **ret_member)
{
	struct member *items, member = {.hash = hash_of(path)};

	if (members->n == MEMBERS_MAX)
		return -E2BIG;
	if (find_one(members, path))
		return -EEXIST;
	/* Doubled each time that it is full. */
	if ((members->n & (members->n - 1)) == 0) {
		items = reallocarray(
		        members->items, members->n ? 2 * members->n : 1, sizeof(*items));
		if (!items)
			return -ENOMEM;
		members->items = items;
	}
	member.path = strdup(path);
	if (!member.path)
		return -ENOMEM;
	members->items[members->n] = member;
	*ret_member = &members->items[members->n++];
	return 0;
}

struct member *members_find(const struct members *members, const char *path)
{
	struct member *member = find_one(members, path);

	for (unsigned int i = 0; member && member->kind == MEMBER_LINK; i++)
		member = i < MEMBER_LINKS_MAX ? find_one(members, member->target) : NULL;
	return member;
}
