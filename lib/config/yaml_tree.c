#include "config/yaml_tree.h"

#include "base/cleanup.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int fault_at(
	struct yaml_tree *tree, unsigned int line, unsigned int column, char *message)
{
	config_error_done(tree->error);
	tree->error->file = strdup(tree->name);
	tree->error->line = line;
	tree->error->column = column;
	tree->error->message = message;
	return CONFIG_E_INVALID;
}

int yaml_tree_fault(struct yaml_tree *tree, const yaml_node_t *node, const char *format, ...)
{
	char *message = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&message, format, args) < 0)
		message = NULL;
	va_end(args);
	return fault_at(tree, node ? (unsigned int)node->start_mark.line + 1 : 0,
		node ? (unsigned int)node->start_mark.column + 1 : 0, message);
}

static int parser_fault(struct yaml_tree *tree, const yaml_parser_t *parser)
{
	char *message = NULL;
	const yaml_mark_t *mark = &parser->problem_mark;

	if (asprintf(&message, "not valid YAML: %s%s%s", parser->problem ?: "cannot be parsed",
		    parser->context ? " " : "", parser->context ?: "") < 0)
		message = NULL;
	return fault_at(tree, (unsigned int)mark->line + 1, (unsigned int)mark->column + 1, message);
}

static void delete_parser(yaml_parser_t *parser)
{
	yaml_parser_delete(parser);
}

/* Aliases are refused before a tree is built: they can make a small text very large. */
static int refuse_aliases(const char *text, size_t size, struct yaml_tree *tree)
{
	_cleanup_(delete_parser) yaml_parser_t parser;
	bool end = false;

	if (!yaml_parser_initialize(&parser))
		return yaml_tree_fault(tree, NULL, "out of memory");
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	while (!end) {
		yaml_event_t event;
		yaml_mark_t mark;
		bool alias;

		if (!yaml_parser_parse(&parser, &event))
			return parser_fault(tree, &parser);
		mark = event.start_mark;
		alias = event.type == YAML_ALIAS_EVENT;
		end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
		if (alias)
			return fault_at(tree, (unsigned int)mark.line + 1,
				(unsigned int)mark.column + 1,
				strdup("aliases (*name) are not accepted: write the value out"));
	}
	return 0;
}

static int refuse_second_document(yaml_parser_t *parser, struct yaml_tree *tree)
{
	yaml_document_t second;
	yaml_node_t *root;
	int r = 0;

	if (!yaml_parser_load(parser, &second))
		return parser_fault(tree, parser);
	root = yaml_document_get_root_node(&second);
	if (root)
		r = yaml_tree_fault(
			tree, root, "a second document: the configuration is one document");
	yaml_document_delete(&second);
	return r;
}

static int refuse_duplicates(struct yaml_tree *tree)
{
	for (yaml_node_t *node = tree->document.nodes.start; node < tree->document.nodes.top; node++) {
		if (node->type != YAML_MAPPING_NODE)
			continue;
		for (yaml_node_pair_t *a = node->data.mapping.pairs.start;
			a < node->data.mapping.pairs.top; a++) {
			yaml_node_t *key = yaml_tree_node(tree, a->key);
			const char *name = yaml_scalar(key);

			if (!name)
				return yaml_tree_fault(tree, key, "a key must be a plain word");
			for (yaml_node_pair_t *b = node->data.mapping.pairs.start; b < a; b++)
				if (!strcmp(yaml_scalar(yaml_tree_node(tree, b->key)) ?: "", name))
					return yaml_tree_fault(
						tree, key, "\"%s\" is given twice: remove one", name);
		}
	}
	return 0;
}

int yaml_tree_load(const char *text, size_t size, struct yaml_tree *tree)
{
	_cleanup_(delete_parser) yaml_parser_t parser;
	int r;

	memset(&parser, 0, sizeof(parser));
	if (size > CONFIG_SIZE_MAX)
		return yaml_tree_fault(tree, NULL, "larger than %u bytes", CONFIG_SIZE_MAX);
	r = refuse_aliases(text, size, tree);
	if (r != 0)
		return r;
	if (!yaml_parser_initialize(&parser))
		return yaml_tree_fault(tree, NULL, "out of memory");
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	if (!yaml_parser_load(&parser, &tree->document))
		return parser_fault(tree, &parser);
	tree->loaded = true;
	r = refuse_duplicates(tree);
	if (r == 0 && yaml_tree_root(tree))
		r = refuse_second_document(&parser, tree);
	return r;
}

void yaml_tree_done(struct yaml_tree *tree)
{
	if (tree->loaded)
		yaml_document_delete(&tree->document);
	tree->loaded = false;
}

yaml_node_t *yaml_tree_root(struct yaml_tree *tree)
{
	return yaml_document_get_root_node(&tree->document);
}

yaml_node_t *yaml_tree_node(struct yaml_tree *tree, int index)
{
	return yaml_document_get_node(&tree->document, index);
}

const char *yaml_scalar(const yaml_node_t *node)
{
	const char *text;

	if (!node || node->type != YAML_SCALAR_NODE)
		return NULL;
	text = (const char *)node->data.scalar.value;
	return strlen(text) == node->data.scalar.length ? text : NULL;
}
