/* The word that somebody may have meant. */
#pragma once

#include "config/schema.h"

/* The key of @record that is spelt most like @word, or NULL when none is near. */
const struct key *nearest_key(const struct record *record, const char *word);

/*
 * The section of @root below which @word is a key, for a key that was written one level too high,
 * bare ("marks") or dotted ("guard.marks"). NULL when there is none.
 */
const struct key *nearest_section(const struct record *root, const char *word);
