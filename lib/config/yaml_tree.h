/*
 * A YAML document as a tree with places: libyaml's own, with the bounds and refusals that a
 * configuration wants (UTF-8, one document, no aliases, anchors or tags, shallow).
 */
#pragma once

#include "config/config.h"

#include <stdbool.h>
#include <yaml.h>

#define YAML_TREE_DEPTH_MAX 8u /* lists and mappings in each other; a rule's match lies at 4 */

/* What is being loaded, and the first fault that was found. */
struct yaml_tree {
	const char *name; /* of the file; borrowed */
	yaml_document_t document;
	bool loaded;
	yaml_mark_t end;            /* of the text */
	struct config_error *error; /* borrowed */
};

/* 0, CONFIG_E_INVALID with the tree's error filled, or -ENOMEM. */
int yaml_tree_load(const char *text, size_t size, struct yaml_tree *tree);
void yaml_tree_done(struct yaml_tree *tree);

/* NULL when the document is empty. */
yaml_node_t *yaml_tree_root(struct yaml_tree *tree);
/* @index as libyaml's pairs and items hold it. */
yaml_node_t *yaml_tree_node(struct yaml_tree *tree, int index);

/*
 * Records a fault and returns CONFIG_E_INVALID, or -ENOMEM. @mark is 0-based as libyaml's are;
 * NULL: the fault has no place. Control characters in the message are escaped, so foreign words
 * may stand in it.
 */
int yaml_tree_fault(struct yaml_tree *tree, const yaml_mark_t *mark, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* The text of a scalar, or NULL for another kind of node and for text with a NUL byte in it. */
const char *yaml_scalar(const yaml_node_t *node);

/* What YAML calls null: nothing, ~ or null, not in quotes. */
bool yaml_is_null(const yaml_node_t *node);
