/*
 * Two passes of libyaml. The first looks at events only and refuses what a configuration has no
 * use for, before any memory is spent on it: aliases make a small text very large, tags and
 * anchors would be passed over without a word. The second builds the tree.
 *
 * Places are libyaml's: lines and columns in characters, not bytes. Its reader gives only a byte
 * offset, from which the place is counted here.
 */
#include "config/yaml_tree.h"

#include "base/cleanup.h"
#include "core/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int yaml_tree_fault(struct yaml_tree *tree, const yaml_mark_t *mark, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	struct config_error *error = tree->error;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&message, format, args);
	va_end(args);
	if (n < 0) {
		message = NULL; /* vasprintf(3) leaves it undefined */
		return -ENOMEM;
	}
	config_error_done(error);
	error->file = strdup(tree->name);
	error->message = text_for_terminal(message);
	if (!error->file || !error->message)
		return -ENOMEM;
	/* libyaml adds a line to a text that does not end with one, and puts faults there. */
	if (mark && mark->index >= tree->end.index && mark->line > tree->end.line)
		mark = &tree->end;
	error->line = mark ? (unsigned int)mark->line + 1 : 0;
	error->column = mark ? (unsigned int)mark->column + 1 : 0;
	return CONFIG_E_INVALID;
}

/*
 * Syntax.
 */

struct cure {
	const char *words; /* libyaml's */
	const char *cure;
	bool whole; /* the fault is where libyaml's context began: before the sign, not behind it */
};

/* What operators get wrong. */
static const struct cure *cure_of(const char *problem, const char *context)
{
	static const struct cure cures[] = {
	        {"scanning an alias", "quote a pattern that begins with '*'", true},
	        {"scanning an anchor", "quote a text that begins with '&'", true},
	        {"scanning a tag", "quote a text that begins with '!'", true},
	        {"mapping values are not allowed",
	                "quote a text that holds ': ', check the indentation", false},
	        {"cannot start any token",
	                "indent with spaces, quote a text that begins with a sign", false},
	        {"did not find expected key", "check the indentation and the quotes", false},
	        {"could not find expected ':'", "write a key as \"key: value\"", false},
	        {"UTF-8", "save the file as UTF-8", false},
	        {"control characters", "remove the control character", false},
	        {"", "see execward.yaml(5) for the shape of the file", false},
	};
	const struct cure *c = cures;

	while (!strstr(problem, c->words) && !strstr(context, c->words))
		c++; /* the last row's words are in every text */
	return c;
}

/* The place of a byte, as libyaml counts: index and column in characters. */
static yaml_mark_t mark_at(const char *text, size_t size, size_t offset)
{
	yaml_mark_t mark = {0};

	for (size_t i = 0; i < offset && i < size; i++) {
		if (((unsigned char)text[i] & 0xc0) == 0x80)
			continue; /* inside a character */
		mark.index++;
		mark.column++;
		if (text[i] == '\n') {
			mark.line++;
			mark.column = 0;
		}
	}
	return mark;
}

static int syntax_fault(
        struct yaml_tree *tree, const yaml_parser_t *parser, const char *text, size_t size)
{
	const char *problem = parser->problem ?: "cannot be parsed";
	const char *context = parser->context ?: "";
	const struct cure *cure = cure_of(problem, context);
	yaml_mark_t mark = cure->whole ? parser->context_mark : parser->problem_mark;

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (parser->error == YAML_READER_ERROR)
		mark = mark_at(text, size, parser->problem_offset);
	return yaml_tree_fault(tree, &mark, "not valid YAML: %s%s%s: %s", problem,
	        *context ? " " : "", context, cure->cure);
}

/*
 * The first pass.
 */
struct scan {
	unsigned int depth, documents;
};

static bool has_anchor(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor != NULL;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor != NULL;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor != NULL;
	default:
		return event->type == YAML_ALIAS_EVENT;
	}
}

static bool has_tag(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.tag != NULL;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.tag != NULL;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.tag != NULL;
	default:
		return false;
	}
}

static int check_event(struct yaml_tree *tree, const yaml_event_t *event, struct scan *scan)
{
	const yaml_mark_t *mark = &event->start_mark;

	if (has_anchor(event))
		return yaml_tree_fault(tree, mark,
		        "aliases and anchors are not accepted: quote a text that begins with '*' "
		        "or '&', "
		        "write a repeated value out");
	if (has_tag(event))
		return yaml_tree_fault(
		        tree, mark, "tags are not accepted: quote a text that begins with '!'");
	if (event->type == YAML_DOCUMENT_START_EVENT && ++scan->documents > 1)
		return yaml_tree_fault(tree, mark,
		        "a second document begins: a configuration is one document, remove the "
		        "\"---\"");
	if (event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT)
		scan->depth++;
	if (event->type == YAML_SEQUENCE_END_EVENT || event->type == YAML_MAPPING_END_EVENT)
		scan->depth--;
	if (scan->depth > YAML_TREE_DEPTH_MAX)
		return yaml_tree_fault(tree, mark,
		        "nested deeper than %u levels: check the indentation", YAML_TREE_DEPTH_MAX);
	return 0;
}

static void parser_input(yaml_parser_t *parser, const char *text, size_t size)
{
	/* Named, not guessed: a byte order mark of UTF-16 is a fault of its own then. */
	yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(parser, (const unsigned char *)text, size);
}

static int scan_events(struct yaml_tree *tree, const char *text, size_t size)
{
	_cleanup_(yaml_parser_delete) yaml_parser_t parser = {0};
	struct scan scan = {0};
	bool end = false;
	int r = 0;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	parser_input(&parser, text, size);
	while (!end && r == 0) {
		yaml_event_t event;

		if (!yaml_parser_parse(&parser, &event))
			return syntax_fault(tree, &parser, text, size);
		end = event.type == YAML_STREAM_END_EVENT;
		r = check_event(tree, &event, &scan);
		yaml_event_delete(&event);
	}
	return r;
}

/*
 * The second pass.
 */
int yaml_tree_load(const char *text, size_t size, struct yaml_tree *tree)
{
	_cleanup_(yaml_parser_delete) yaml_parser_t parser = {0};
	int r;

	if (size > CONFIG_SIZE_MAX)
		return yaml_tree_fault(
		        tree, NULL, "larger than %u bytes: make it shorter", CONFIG_SIZE_MAX);
	tree->end = mark_at(text, size, size);
	r = scan_events(tree, text, size);
	if (r != 0)
		return r;
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	parser_input(&parser, text, size);
	if (!yaml_parser_load(&parser, &tree->document))
		return syntax_fault(tree, &parser, text, size);
	tree->loaded = true;
	return 0;
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

	if (node->type != YAML_SCALAR_NODE)
		return NULL;
	text = (const char *)node->data.scalar.value;
	return strlen(text) == node->data.scalar.length ? text : NULL;
}

bool yaml_is_null(const yaml_node_t *node)
{
	const char *text = yaml_scalar(node);

	if (!text || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	return !*text || !strcmp(text, "~") || !strcasecmp(text, "null");
}
