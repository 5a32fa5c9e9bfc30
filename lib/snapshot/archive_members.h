/* What an image's archive holds, as far as it is needed once all of it has been seen. */
#pragma once

#include "core/types.h"

#include <stdint.h>
#include <sys/types.h>

#define MEMBERS_MAX      8192u                 /* of one archive */
#define MEMBER_PATH_MAX  512u                  /* bytes of a member's name */
#define MEMBER_JSON_MAX  (4u * 1024u * 1024u)  /* bytes of one text that is kept */
#define MEMBERS_JSON_MAX (64u * 1024u * 1024u) /* of all of them */
#define MEMBER_LINKS_MAX 8u                    /* from a name to the member it stands for */

enum member_kind {
	MEMBER_UNSET = 0,
	MEMBER_OTHER, /* its digest is all that is kept */
	MEMBER_JSON,
	MEMBER_LAYER,
	MEMBER_LINK, /* to another member; podman save has them for old readers */
};

struct member {
	char *path; /* "manifest.json": without "./" before it */
	uint64_t hash;
	enum member_kind kind;
	struct digest blob; /* of it as it is there */
	char *text;         /* JSON */
	size_t size;
	char *target; /* LINK: a member's path */

	/* LAYER */
	struct digest diff; /* of the tar, without its compression */
	int64_t snapshot;   /* staged, or found */
	bool shared;        /* it was found in the store: there was no need to look into it */
	bool published;
	uint64_t hashed, hashed_bytes, too_long;
	uint64_t entries, files, executables, bytes;
};

struct members {
	struct member *items;
	size_t n, json_bytes;
};

void members_done(struct members *members);
/* A new one, valid until the next. 0; -EEXIST; -E2BIG; -ENOMEM. */
int members_add(struct members *members, const char *path, struct member **ret_member);
/* By its name, through links; NULL when there is none. */
struct member *members_find(const struct members *members, const char *path);
