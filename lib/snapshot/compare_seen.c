/*
 * The rows of a snapshot were written together, so their ids lie together: a million of them are
 * some 31 pages. Pages are sorted; new ones come rarely.
 */
#include "snapshot/compare_seen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BITS  32768
#define PAGE_BYTES (PAGE_BITS / 8)

struct compare_seen_page {
	int64_t number; /* id / PAGE_BITS */
	uint8_t *bits;
};

void compare_seen_done(struct compare_seen *seen)
{
	for (size_t i = 0; i < seen->n; i++)
		free(seen->pages[i].bits);
	free(seen->pages);
	memset(seen, 0, sizeof(*seen));
}

/* Where the page is, or would be. */
static size_t place(const struct compare_seen *seen, int64_t number)
{
	size_t low = 0, high = seen->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (seen->pages[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct compare_seen *seen, size_t at, int64_t number)
{
	return at < seen->n && seen->pages[at].number == number;
}

static int insert(struct compare_seen *seen, size_t at, int64_t number)
{
	uint8_t *bits;

	if (seen->n == seen->room) {
		size_t room = seen->room * 2 + 16;
		struct compare_seen_page *grown = reallocarray(seen->pages, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		seen->pages = grown;
		seen->room = room;
	}
	bits = calloc(1, PAGE_BYTES);
	if (!bits)
		return -ENOMEM;
	memmove(&seen->pages[at + 1], &seen->pages[at], (seen->n - at) * sizeof(*seen->pages));
	seen->pages[at] = (struct compare_seen_page){number, bits};
	seen->n++;
	return 0;
}

int compare_seen_set(struct compare_seen *seen, int64_t id)
{
	int64_t number = id / PAGE_BITS, bit = id % PAGE_BITS;
	size_t at;
	int r = 0;

	if (id < 0)
		return -EINVAL;
	at = place(seen, number);
	if (!is_at(seen, at, number))
		r = insert(seen, at, number);
	if (r == 0)
		seen->pages[at].bits[bit / 8] |= (uint8_t)(1 << bit % 8);
	return r;
}

bool compare_seen_has(const struct compare_seen *seen, int64_t id)
{
	int64_t number = id / PAGE_BITS, bit = id % PAGE_BITS;
	size_t at = place(seen, number);

	return id >= 0 && is_at(seen, at, number) && seen->pages[at].bits[bit / 8] & 1 << bit % 8;
}
