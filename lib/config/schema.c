/*
 * One walk over the tree for every table. The name of the key under way ("rules.match.path") is
 * kept in a buffer and stands before each message; its parts are names from the tables, so it is
 * short. The walk stops at the first fault.
 *
 * Duplicates are looked for among the keys before: these are known and distinct, so there are
 * never more of them than the table has rows, whatever the file holds.
 */
#include "config/schema.h"

#include "base/cleanup.h"
#include "config/nearest.h"
#include "config/scalar.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 64u  /* bytes; "runtimes.containerd_run" and shorter */
#define SHOWN_MAX 64   /* bytes of a foreign word in a message */
#define LIST_SIZE 512u /* bytes of an enumeration in a message */

struct walk {
	struct yaml_tree *tree;
	const struct record *root;
	char name[NAME_SIZE]; /* "" at the top */
};

static size_t name_push(struct walk *w, const char *name)
{
	size_t n = strlen(w->name);

	snprintf(w->name + n, sizeof(w->name) - n, "%s%s", n ? "." : "", name);
	return n;
}

static void name_pop(struct walk *w, size_t n)
{
	w->name[n] = '\0';
}

static void *field(void *object, size_t offset)
{
	return (char *)object + offset;
}

/*
 * Faults.
 */

/* What stands there instead: completes "must be x, not". */
static int wrong_type(struct walk *w, const yaml_node_t *node, const char *expected)
{
	const yaml_mark_t *mark = &node->start_mark;
	const char *text = yaml_scalar(node);

	if (node->type == YAML_SEQUENCE_NODE)
		return yaml_tree_fault(
		        w->tree, mark, "%s: must be %s, not a list", w->name, expected);
	if (node->type == YAML_MAPPING_NODE)
		return yaml_tree_fault(
		        w->tree, mark, "%s: must be %s, not a mapping", w->name, expected);
	if (!text)
		return yaml_tree_fault(
		        w->tree, mark, "%s: must be %s, without a NUL", w->name, expected);
	if (!*text)
		return yaml_tree_fault(
		        w->tree, mark, "%s: must be %s, not empty", w->name, expected);
	return yaml_tree_fault(
	        w->tree, mark, "%s: must be %s, not \"%.*s\"", w->name, expected, SHOWN_MAX, text);
}

static void format_ms(int64_t ms, char *text, size_t size)
{
	if (ms % 3600000 == 0)
		snprintf(text, size, "%lldh", (long long)(ms / 3600000));
	else if (ms % 60000 == 0)
		snprintf(text, size, "%lldm", (long long)(ms / 60000));
	else if (ms % 1000 == 0)
		snprintf(text, size, "%llds", (long long)(ms / 1000));
	else
		snprintf(text, size, "%lldms", (long long)ms);
}

static void format_seconds(int64_t seconds, char *text, size_t size)
{
	if (seconds == 0)
		snprintf(text, size, "0s");
	else if (seconds % 86400 == 0 && seconds > 86400)
		snprintf(text, size, "%lldd", (long long)(seconds / 86400));
	else
		format_ms(seconds * 1000, text, size);
}

static int out_of_range(struct walk *w, const yaml_node_t *node, const struct key *key)
{
	char min[32], max[32];

	snprintf(min, sizeof(min), "%lld", (long long)key->min);
	snprintf(max, sizeof(max), "%lld", (long long)key->max);
	if (key->type == KEY_DURATION) {
		format_ms(key->min, min, sizeof(min));
		format_ms(key->max, max, sizeof(max));
	} else if (key->type == KEY_SECONDS) {
		format_seconds(key->min, min, sizeof(min));
		format_seconds(key->max, max, sizeof(max));
	}
	return yaml_tree_fault(w->tree, &node->start_mark,
	        "%s: out of range: must be %s to %s, not %.*s", w->name, min, max, SHOWN_MAX,
	        yaml_scalar(node));
}

/*
 * The place of a byte inside a scalar. Only where the file holds the text as it is: a plain or
 * quoted scalar on one line and without escapes. Else the scalar's own place.
 */
static yaml_mark_t mark_inside(const yaml_node_t *node, size_t at)
{
	const char *text = (const char *)node->data.scalar.value;
	yaml_mark_t mark = node->start_mark;
	size_t quote = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? 0 : 1;
	size_t before = 0, all = 0;

	for (size_t i = 0; i < node->data.scalar.length; i++) {
		bool counts = ((unsigned char)text[i] & 0xc0) != 0x80; /* characters, not bytes */

		all += counts;
		before += counts && i < at;
	}
	if (node->end_mark.line == mark.line &&
	        node->end_mark.column - mark.column == all + 2 * quote)
		mark.column += quote + before;
	return mark;
}

static void list_keys(const struct record *record, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < record->n_keys && n < size; i++)
		n += (size_t)snprintf(
		        text + n, size - n, "%s%s", i ? ", " : "", record->keys[i].name);
}

static int unknown_key(struct walk *w, const struct record *record, const yaml_node_t *node)
{
	const yaml_mark_t *mark = &node->start_mark;
	const struct key *near = nearest_key(record, yaml_scalar(node));
	const struct key *section =
	        record == w->root ? nearest_section(record, yaml_scalar(node)) : NULL;
	const char *dot = *w->name ? "." : "";
	char names[LIST_SIZE];

	if (section)
		return yaml_tree_fault(w->tree, mark,
		        "unknown key \"%.*s\"; it is a key of \"%s\": write it indented below "
		        "\"%s:\"",
		        SHOWN_MAX, yaml_scalar(node), section->name, section->name);
	if (near)
		return yaml_tree_fault(w->tree, mark,
		        "unknown key \"%s%s%.*s\"; did you mean \"%s\"?", w->name, dot, SHOWN_MAX,
		        yaml_scalar(node), near->name);
	list_keys(record, names, sizeof(names));
	return yaml_tree_fault(w->tree, mark, "unknown key \"%s%s%.*s\"; keys here are %s", w->name,
	        dot, SHOWN_MAX, yaml_scalar(node), names);
}

/*
 * Values.
 */
static int load_scalar(struct walk *w, const yaml_node_t *node, const struct key *key, void *object)
{
	const char *text = yaml_is_null(node) ? "" : yaml_scalar(node);
	struct scalar_fault fault = {0};
	yaml_mark_t mark;
	int r;

	if (!text)
		return wrong_type(w, node, scalar_expected(key->type));
	r = scalar_set(key, text, field(object, key->at), &fault);
	if (r == -ERANGE)
		return out_of_range(w, node, key);
	if (r != -EINVAL)
		return r;
	if (!fault.why)
		return wrong_type(w, node, scalar_expected(key->type));
	mark = fault.at > 0 ? mark_inside(node, fault.at) : node->start_mark;
	return yaml_tree_fault(w->tree, &mark, "%s: %s", w->name, fault.why);
}

static int load_mapping(
        struct walk *w, const yaml_node_t *node, const struct record *record, void *object);

static int load_entry(
        struct walk *w, const yaml_node_t *node, const struct record *record, void *entry)
{
	int r;

	if (record->begin)
		record->begin(entry, (unsigned int)node->start_mark.line + 1);
	if (record->shorthand && (node->type == YAML_SCALAR_NODE || record->n_keys == 0))
		r = load_scalar(w, node, record->shorthand, entry);
	else
		r = load_mapping(w, node, record, entry);
	return r;
}

/* The array grows with its count, so that a half-loaded one can be freed by its owner. */
static int load_list(struct walk *w, const yaml_node_t *node, const struct key *key, void *object)
{
	size_t *count = field(object, key->count_at);
	char *items;
	ptrdiff_t n;
	int r = 0;

	if (node->type != YAML_SEQUENCE_NODE)
		return wrong_type(w, node, "a list, such as [] or lines that begin with \"- \"");
	n = node->data.sequence.items.top - node->data.sequence.items.start;
	if (n > key->max) {
		const yaml_node_t *past =
		        yaml_tree_node(w->tree, node->data.sequence.items.start[key->max]);

		return yaml_tree_fault(w->tree, &past->start_mark,
		        "%s: more than %lld entries: remove some", w->name, (long long)key->max);
	}
	items = calloc(n ? (size_t)n : 1, key->record->size);
	if (!items)
		return -ENOMEM;
	memcpy(field(object, key->at), &items, sizeof(items));
	for (ptrdiff_t i = 0; i < n && r == 0; i++) {
		*count = (size_t)i + 1;
		r = load_entry(w, yaml_tree_node(w->tree, node->data.sequence.items.start[i]),
		        key->record, items + (size_t)i * key->record->size);
	}
	return r;
}

static int load_value(struct walk *w, const yaml_node_t *node, const struct key *key, void *object)
{
	if (key->type == KEY_LIST)
		return load_list(w, node, key, object);
	if (key->type == KEY_SECTION)
		return load_mapping(w, node, key->record, field(object, key->at));
	return load_scalar(w, node, key, object);
}

/*
 * Mappings.
 */
static const struct key *find_key(const struct record *record, const char *name)
{
	for (size_t i = 0; i < record->n_keys; i++)
		if (!strcmp(record->keys[i].name, name))
			return &record->keys[i];
	return NULL;
}

/* The earlier key of the same name, or NULL. */
static const yaml_node_t *find_twin(
        struct walk *w, const yaml_node_t *mapping, const yaml_node_pair_t *pair, const char *name)
{
	for (yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < pair; p++) {
		const yaml_node_t *earlier = yaml_tree_node(w->tree, p->key);

		if (!strcmp(yaml_scalar(earlier), name)) /* those before are known keys: scalars */
			return earlier;
	}
	return NULL;
}

static int load_pair(struct walk *w, const yaml_node_t *mapping, const yaml_node_pair_t *pair,
        const struct record *record, void *object)
{
	const yaml_node_t *name = yaml_tree_node(w->tree, pair->key), *twin;
	const struct key *key;
	size_t was;
	int r;

	if (!yaml_scalar(name))
		return yaml_tree_fault(w->tree, &name->start_mark, "%s%sa key must be a plain word",
		        w->name, *w->name ? ": " : "");
	key = find_key(record, yaml_scalar(name));
	if (!key)
		return unknown_key(w, record, name);
	twin = find_twin(w, mapping, pair, key->name);
	was = name_push(w, key->name);
	if (twin)
		return yaml_tree_fault(w->tree, &name->start_mark,
		        "%s: given twice, first at line %zu: remove one", w->name,
		        twin->start_mark.line + 1);
	r = load_value(w, yaml_tree_node(w->tree, pair->value), key, object);
	name_pop(w, was);
	return r;
}

static int load_mapping(
        struct walk *w, const yaml_node_t *node, const struct record *record, void *object)
{
	const char *wrong;

	if (node->type == YAML_MAPPING_NODE) {
		for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
		        pair < node->data.mapping.pairs.top; pair++) {
			int r = load_pair(w, node, pair, record, object);

			if (r != 0)
				return r;
		}
	} else if (!yaml_is_null(
	                   node)) { /* "guard:" with every line below it commented out is fine */
		if (!*w->name)
			return yaml_tree_fault(w->tree, &node->start_mark,
			        "the configuration must be lines of \"key: value\"");
		return wrong_type(w, node, "a mapping of keys");
	}
	wrong = record->check ? record->check(object) : NULL;
	return wrong ? yaml_tree_fault(w->tree, &node->start_mark, "%s: %s", w->name, wrong) : 0;
}

/*
 * Defaults. Scalars get theirs before the file is read, lists after it, so that an entry of the
 * file never meets one of the defaults.
 */
static int load_default_list(struct walk *w, const struct key *key, void *object)
{
	_cleanup_(yaml_tree_done) struct yaml_tree tree = {
	        .name = key->name, .error = w->tree->error};
	struct walk inner = {.tree = &tree, .root = w->root};
	void *items;
	int r;

	memcpy(&items, field(object, key->at), sizeof(items));
	if (items)
		return 0; /* given, if only as [] */
	r = yaml_tree_load(key->fallback, strlen(key->fallback), &tree);
	return r != 0 ? r : load_list(&inner, yaml_tree_root(&tree), key, object);
}

static int load_default(struct walk *w, const struct key *key, bool lists, void *object)
{
	struct scalar_fault fault;

	if (!key->fallback || (key->type == KEY_LIST) != lists)
		return 0;
	if (lists)
		return load_default_list(w, key, object);
	return scalar_set(key, key->fallback, field(object, key->at), &fault);
}

static int load_defaults(struct walk *w, const struct record *record, bool lists, void *object)
{
	int r = 0;

	for (size_t i = 0; i < record->n_keys && r == 0; i++) {
		const struct key *key = &record->keys[i];

		if (key->type == KEY_SECTION)
			r = load_defaults(w, key->record, lists, field(object, key->at));
		else
			r = load_default(w, key, lists, object);
	}
	return r;
}

int schema_load(
        struct yaml_tree *tree, const yaml_node_t *root, const struct record *record, void *object)
{
	struct walk walk = {.tree = tree, .root = record};
	int r = load_defaults(&walk, record, false, object);

	if (r == 0 && root)
		r = load_mapping(&walk, root, record, object);
	return r != 0 ? r : load_defaults(&walk, record, true, object);
}
