/*
 * Tables that turn YAML into structs: a key is a row, a record is the table of what may stand in
 * one mapping. Parser, types, ranges, defaults and suggestions all come from the rows.
 */
#pragma once

#include "config/yaml_tree.h"

#include <stddef.h>
#include <stdint.h>

enum key_type {
	KEY_UNSET = 0,
	/* scalars, and what they fill */
	KEY_MODE,      /* enum mode */
	KEY_ACTION,    /* enum action */
	KEY_MARKS,     /* enum mark_kind */
	KEY_OUTPUT,    /* enum output_type */
	KEY_DURATION,  /* uint32_t milliseconds, min to max */
	KEY_SECONDS,   /* a duration too: uint32_t seconds, min to max */
	KEY_COUNT,     /* uint32_t, min to max */
	KEY_BOOL,      /* bool */
	KEY_PATH,      /* char *, absolute; at most max bytes */
	KEY_URL,       /* char * */
	KEY_HTTPS,     /* char *, a URL; https:// only */
	KEY_SERIES,    /* char *, of allowlists */
	KEY_NAME_GLOB, /* char * */
	KEY_PATH_GLOB, /* char * */
	KEY_USER,      /* int64_t uid */
	KEY_REASON,    /* char * */
	KEY_TIME,      /* int64_t ns, CLOCK_REALTIME */
	KEY_LABEL,     /* char *, a name without white space */
	/* others, with a record */
	KEY_SECTION, /* the record's struct begins at .at */
	KEY_LIST,    /* pointer to an array at .at, size_t count at .count_at; max entries */
	_KEY_MAX,
};

struct key {
	const char *name;
	enum key_type type;
	size_t at, count_at; /* offsets in the struct that the record fills */
	int64_t min, max;
	const char *fallback; /* the default, as it would stand in the file; NULL: none, empty */
	const struct record *record;
};

struct record {
	const struct key *keys;
	size_t n_keys;
	size_t size;                 /* bytes of the struct, for lists */
	const struct key *shorthand; /* what an entry that is a plain text sets; NULL: refused */
	void (*begin)(void *entry, unsigned int line); /* of a list's entry; may be NULL */
	const char *(*check)(const void *object);      /* NULL, or what is wrong; may be NULL */
};

/*
 * Fills the zeroed struct @object by @record: defaults, then what @root says (NULL: nothing).
 * Memory that was given to @object is its owner's to free, after a fault too. 0, CONFIG_E_INVALID
 * with the error of @tree filled, or -ENOMEM.
 */
int schema_load(
        struct yaml_tree *tree, const yaml_node_t *root, const struct record *record, void *object);
