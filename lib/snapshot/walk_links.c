/*
 * A file with several names is read once, as far as a small table reaches: a slot for each hash of
 * an inode number. What falls out of it is read again, so that hostile trees cost time, not memory.
 * What was read holds for another name only while both looks told the same inode in the same state.
 */
#include "snapshot/walk_internal.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS 4096u /* power of two */

struct link {
	struct job *reader; /* under way, and standing for the inode; borrowed */
	struct file_identity identity;
	bool known; /* the fields below hold */
	struct digest digest;
	enum exec_kind kind;
	enum entry_content content;
	uint8_t caps[ENTRY_CAPS_MAX];
	uint32_t caps_size;
	unsigned int flags;
	bool settled;
};

struct links {
	struct link slots[SLOTS];
};

void links_free(struct links *links)
{
	free(links);
}

static struct link *slot_of(struct links *links, const struct file_identity *identity)
{
	uint64_t hash = (identity->ino ^ identity->dev << 40) * UINT64_C(0x9e3779b97f4a7c15);

	return &links->slots[hash >> 32 & (SLOTS - 1)];
}

static void fill(const struct link *link, struct entry *entry)
{
	entry->digest = link->digest;
	entry->kind = link->kind;
	entry->content = link->content;
	memcpy(entry->caps, link->caps, sizeof(entry->caps));
	entry->caps_size = link->caps_size;
	entry->flags = link->flags;
	entry->settled = link->settled;
}

static void keep(struct link *link, const struct entry *entry)
{
	link->known = true;
	link->identity = entry->identity;
	link->digest = entry->digest;
	link->kind = entry->kind;
	link->content = entry->content;
	memcpy(link->caps, entry->caps, sizeof(link->caps));
	link->caps_size = entry->caps_size;
	link->flags = entry->flags;
	link->settled = entry->settled;
}

enum links_answer links_ask(struct links **links, struct job *job)
{
	struct link *link;

	if (!*links)
		*links = calloc(1, sizeof(**links));
	if (!*links)
		return LINKS_READ;
	link = slot_of(*links, &job->entry.identity);
	if (link->reader) {
		if (!file_identity_equal(&link->identity, &job->entry.identity))
			return LINKS_READ;
		job->siblings = link->reader->siblings;
		link->reader->siblings = job;
		return LINKS_WAIT;
	}
	if (link->known && file_identity_equal(&link->identity, &job->entry.identity)) {
		fill(link, &job->entry);
		return LINKS_ANSWERED;
	}
	link->known = false;
	link->identity = job->entry.identity;
	link->reader = job;
	job->link = link;
	return LINKS_READ;
}

void links_settle(struct job *job, struct jobs *ret_answered, struct jobs *ret_read)
{
	struct link *link = job->link;

	if (!link)
		return;
	job->link = NULL;
	link->reader = NULL;
	link->known = false;
	if (job->problem == WALK_PROBLEM_UNSET && job->entry.type == ENTRY_FILE)
		keep(link, &job->entry);
	while (job->siblings) {
		struct job *sibling = job->siblings;

		job->siblings = sibling->siblings;
		sibling->siblings = NULL;
		if (link->known && file_identity_equal(&link->identity, &sibling->entry.identity)) {
			fill(link, &sibling->entry);
			jobs_push(ret_answered, sibling);
		} else {
			jobs_push(ret_read, sibling);
		}
	}
}
