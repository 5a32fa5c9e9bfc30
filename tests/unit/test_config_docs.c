/*
 * What an operator reads is held to the table of keys: the default file has every key, and
 * execward.yaml(5) a paragraph for each, with its default and range.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "config/keys.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DOC_MAX (1024u * 1024u) /* bytes */

static char *read_doc(const char *path)
{
	char *text = NULL;
	size_t size;

	assert_int_equal(file_read_at(AT_FDCWD, path, DOC_MAX, &text, &size), 0);
	return text;
}

/*
 * The default file.
 */
static const yaml_node_t *find(struct yaml_tree *tree, const yaml_node_t *mapping, const char *name)
{
	assert_int_equal(mapping->type, YAML_MAPPING_NODE);
	for (yaml_node_pair_t *p = mapping->data.mapping.pairs.start;
	        p < mapping->data.mapping.pairs.top; p++)
		if (!strcmp(yaml_scalar(yaml_tree_node(tree, p->key)), name))
			return yaml_tree_node(tree, p->value);
	return NULL;
}

static void assert_keys_in_file(
        struct yaml_tree *tree, const yaml_node_t *node, const struct record *record)
{
	for (size_t i = 0; i < record->n_keys; i++) {
		const struct key *key = &record->keys[i];
		const yaml_node_t *value = find(tree, node, key->name);

		if (!value)
			fail_msg("config/execward.yaml has no key \"%s\"", key->name);
		else if (key->type == KEY_SECTION)
			assert_keys_in_file(tree, value, key->record);
		else if (key->fallback && yaml_scalar(value))
			assert_string_equal(yaml_scalar(value), key->fallback);
	}
}

static void test_default_file_has_every_key(void **state)
{
	_cleanup_free_ char *text = read_doc(TEST_SOURCE_DIR "/config/execward.yaml");
	_cleanup_(config_error_done) struct config_error error = {0};
	_cleanup_(yaml_tree_done) struct yaml_tree tree = {.name = "t", .error = &error};

	(void)state;
	assert_int_equal(yaml_tree_load(text, strlen(text), &tree), 0);
	assert_keys_in_file(&tree, yaml_tree_root(&tree), &config_record);
}

/* Configurations in comments are copied by operators: those under "rules:" must load. */
static void test_commented_rules_load(void **state)
{
	_cleanup_free_ char *text = read_doc(TEST_SOURCE_DIR "/config/execward.yaml");
	_cleanup_free_ char *example = calloc(1, strlen(text) + 1);
	_cleanup_(config_error_done) struct config_error error = {0};
	struct config *c = NULL;
	char *out = example, *line = strstr(text, "#   rules:\n");

	(void)state;
	assert_non_null(line);
	for (; !strncmp(line, "#   ", 4); line = strchr(line, '\n') + 1)
		out = mempcpy(out, line + 4, strcspn(line + 4, "\n") + 1);
	if (config_parse(example, strlen(example), "example", &c, &error) != 0)
		fail_msg("%s\n%u:%u: %s", example, error.line, error.column, error.message);
	assert_int_equal(c->policy.n_rules, 3);
	config_free(c);
}

/*
 * The man page.
 */

/* Underlines are escaped in scdoc text, but not in the names of keys and values here. */
static void assert_paragraph(const char *page, const char *name, const struct key *key)
{
	char head[128], text[128];
	const char *at;
	_cleanup_free_ char *line = NULL;

	snprintf(head, sizeof(head), "\n*%s*: ", name);
	at = strstr(page, head);
	if (!at)
		fail_msg("execward.yaml(5) has no paragraph of \"%s\"", name);
	line = strndup(at + 1, strcspn(at + 1, "\n"));
	snprintf(text, sizeof(text), "default _%s_", key->fallback ?: "[]");
	if (key->fallback && !strstr(line, text))
		fail_msg("execward.yaml(5): \"%s\" lacks \"%s\"", line, text);
	snprintf(text, sizeof(text), "%lld to %lld", (long long)key->min, (long long)key->max);
	if (key->type == KEY_COUNT && !strstr(line, text))
		fail_msg("execward.yaml(5): \"%s\" lacks \"%s\"", line, text);
}

static void assert_keys_in_page(const char *page, const char *prefix, const struct record *record)
{
	for (size_t i = 0; i < record->n_keys; i++) {
		const struct key *key = &record->keys[i];
		char name[96];

		snprintf(name, sizeof(name), "%s%s", prefix, key->name);
		if (key->type != KEY_SECTION)
			assert_paragraph(page, name, key);
		if (!key->record || !strcmp(name, "guard.paths"))
			continue; /* an entry of guard.paths is told in one paragraph */
		strcat(name, ".");
		assert_keys_in_page(page, name, key->record);
	}
}

static void test_man_page_has_every_key(void **state)
{
	_cleanup_free_ char *page = read_doc(TEST_SOURCE_DIR "/docs/man/execward.yaml.5.scd");

	(void)state;
	assert_keys_in_page(page, "", &config_record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_default_file_has_every_key),
	        cmocka_unit_test(test_commented_rules_load),
	        cmocka_unit_test(test_man_page_has_every_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
