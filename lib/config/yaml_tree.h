/*
 * A YAML document as a tree with places, for config.c: libyaml's own, with the bounds and refusals
 * that a configuration wants (one document, no aliases, no duplicate keys).
 */
#pragma once

#include "config/config.h"

#include <yaml.h>

/* What is being loaded, and the first fault that was found. */
struct yaml_tree {
	const char *name; /* of the file */
	yaml_document_t document;
	bool loaded;
	struct config_error *error;
};

/* 0 or CONFIG_E_INVALID. An empty document has a NULL root. */
int yaml_tree_load(const char *text, size_t size, struct yaml_tree *tree);
void yaml_tree_done(struct yaml_tree *tree);

yaml_node_t *yaml_tree_root(struct yaml_tree *tree);
yaml_node_t *yaml_tree_node(struct yaml_tree *tree, int index);

/* Records a fault at @node (NULL: no place) and returns CONFIG_E_INVALID. */
int yaml_tree_fault(struct yaml_tree *tree, const yaml_node_t *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The text of a scalar, or NULL for another kind of node or one with a NUL byte. */
const char *yaml_scalar(const yaml_node_t *node);
