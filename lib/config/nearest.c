/*
 * Edit distance over short words. A suggestion must share most of its letters with the word:
 * naming any key at all would send the operator the wrong way.
 */
#include "config/nearest.h"

#include <string.h>

#define WORD_MAX 31u /* bytes compared; no key is longer */

/* Edits (insert, remove, replace) between two words, at most WORD_MAX bytes of each. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1], n = strnlen(b, WORD_MAX), m = strnlen(a, WORD_MAX);

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; i <= m; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

const struct key *nearest_key(const struct record *record, const char *word)
{
	size_t best = 2 + strnlen(word, WORD_MAX) / 3; /* first distance that is too far */
	const struct key *nearest = NULL;

	for (size_t i = 0; i < record->n_keys; i++) {
		size_t d = distance(word, record->keys[i].name);

		if (d >= best || d >= strlen(record->keys[i].name))
			continue;
		best = d;
		nearest = &record->keys[i];
	}
	return nearest;
}

static bool is_key_of(const struct key *section, const char *word)
{
	size_t n = strlen(section->name);

	if (!strncmp(word, section->name, n) && word[n] == '.')
		word += n + 1;
	for (size_t i = 0; i < section->record->n_keys; i++)
		if (!strcmp(section->record->keys[i].name, word))
			return true;
	return false;
}

const struct key *nearest_section(const struct record *root, const char *word)
{
	for (size_t i = 0; i < root->n_keys; i++)
		if (root->keys[i].type == KEY_SECTION && is_key_of(&root->keys[i], word))
			return &root->keys[i];
	return NULL;
}
