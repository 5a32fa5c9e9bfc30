/*
 * `- {match: {image: "...", path: "..."}, action: allow, reason: "...", expires: 2027-01-01}`.
 * A rule without a reason is refused: the next operator must know why it is there.
 */
#include "config/config_rules.h"

#include "base/clock.h"
#include "core/glob.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char **pattern_of(struct policy_match *match, const char *name)
{
	const struct {
		const char *name;
		char **at;
	} patterns[] = {
		{"image", &match->image},
		{"container", &match->container},
		{"namespace", &match->ns},
		{"path", &match->path},
		{"parent", &match->parent},
		{"writer", &match->writer},
	};

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		if (!strcmp(patterns[i].name, name))
			return patterns[i].at;
	return NULL;
}

static int load_user(struct yaml_tree *tree, const yaml_node_t *node, struct policy_match *match)
{
	const char *text = yaml_scalar(node);
	char *end;

	if (text && !strcmp(text, "root")) {
		match->uid = 0;
		return 0;
	}
	if (!text || *text < '0' || *text > '9')
		return yaml_tree_fault(tree, node, "rules: user must be a numeric uid, or root");
	match->uid = strtoll(text, &end, 10);
	if (*end || match->uid > UINT32_MAX)
		return yaml_tree_fault(tree, node, "rules: user must be a numeric uid, or root");
	return 0;
}

static int load_pattern(struct yaml_tree *tree, const yaml_node_t *name, const yaml_node_t *value,
	struct policy_match *match)
{
	char **pattern = pattern_of(match, yaml_scalar(name));
	const char *text = yaml_scalar(value);
	size_t at;

	if (!strcmp(yaml_scalar(name), "user"))
		return load_user(tree, value, match);
	if (!pattern)
		return yaml_tree_fault(tree, name,
			"unknown key \"rules.match.%.64s\": one of image, container, namespace, path, "
			"parent, writer, user",
			yaml_scalar(name));
	if (!text || !*text)
		return yaml_tree_fault(tree, value, "rules: %s must be a pattern", yaml_scalar(name));
	if (glob_check(text, &at) < 0) {
		yaml_node_t place = *value;

		/* A quoted pattern starts one column further right. */
		place.start_mark.column +=
			at + (value->data.scalar.style != YAML_PLAIN_SCALAR_STYLE ? 1 : 0);
		return yaml_tree_fault(tree, &place,
			"rules: %s: bad glob: '[' without ']', or '\\' at the end", yaml_scalar(name));
	}
	*pattern = strdup(text);
	return *pattern ? 0 : yaml_tree_fault(tree, value, "out of memory");
}

static int load_match(struct yaml_tree *tree, const yaml_node_t *node, struct policy_match *match)
{
	int r = 0;

	if (node->type != YAML_MAPPING_NODE ||
		node->data.mapping.pairs.start == node->data.mapping.pairs.top)
		return yaml_tree_fault(
			tree, node, "rules: match must name at least one of image, container, ...");
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
		pair < node->data.mapping.pairs.top && r == 0; pair++)
		r = load_pattern(tree, yaml_tree_node(tree, pair->key),
			yaml_tree_node(tree, pair->value), match);
	return r;
}

/* RFC 3339 in UTC, or a date: its first moment. */
static int parse_time(const char *text, int64_t *ret_ns)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

	if (!end || *end) {
		memset(&tm, 0, sizeof(tm));
		end = strptime(text, "%Y-%m-%d", &tm);
	}
	if (!end || *end || tm.tm_year < 70 || tm.tm_year > 200)
		return -EINVAL;
	*ret_ns = (int64_t)timegm(&tm) * NS_PER_SEC;
	return 0;
}

static int load_word(struct yaml_tree *tree, const yaml_node_t *name, const yaml_node_t *value,
	struct policy_rule *rule)
{
	const char *key = yaml_scalar(name), *text = yaml_scalar(value) ?: "";

	if (!strcmp(key, "action"))
		rule->action = action_from_name(text);
	else if (!strcmp(key, "copies"))
		rule->copies = action_from_name(text);
	else if (!strcmp(key, "mode"))
		rule->mode = mode_from_name(text);
	if ((!strcmp(key, "action") && rule->action == ACTION_UNSET) ||
		(!strcmp(key, "copies") && rule->copies == ACTION_UNSET))
		return yaml_tree_fault(tree, value, "rules: %s must be allow or deny", key);
	if (!strcmp(key, "mode") && (rule->mode == MODE_UNSET || rule->mode == MODE_LEARN))
		return yaml_tree_fault(tree, value, "rules: mode must be report or enforce");
	if (!strcmp(key, "expires") && parse_time(text, &rule->expires_ns) < 0)
		return yaml_tree_fault(tree, value,
			"rules: expires must be a date (2027-01-01) or a UTC time (2027-01-01T00:00:00Z)");
	if (!strcmp(key, "reason") && *text && strlen(text) <= TEXT_MAX)
		rule->reason = strdup(text);
	return 0;
}

static int load_rule_pair(struct yaml_tree *tree, const yaml_node_pair_t *pair, struct policy_rule *rule)
{
	static const char *const words[] = {"action", "mode", "copies", "reason", "expires"};
	const yaml_node_t *name = yaml_tree_node(tree, pair->key);
	const yaml_node_t *value = yaml_tree_node(tree, pair->value);

	if (!strcmp(yaml_scalar(name), "match"))
		return load_match(tree, value, &rule->match);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(words[i], yaml_scalar(name)))
			return load_word(tree, name, value, rule);
	return yaml_tree_fault(tree, name,
		"unknown key \"rules.%.64s\": one of match, action, mode, copies, reason, expires",
		yaml_scalar(name));
}

static bool matches_everything(const struct policy_match *m)
{
	return !m->image && !m->container && !m->ns && !m->path && !m->parent && !m->writer &&
	       m->uid < 0;
}

int config_load_rule(
	struct yaml_tree *tree, const yaml_node_t *node, struct policy_rule *ret_rule)
{
	int r = 0;

	ret_rule->match.uid = -1;
	ret_rule->line = (unsigned int)node->start_mark.line + 1;
	if (node->type != YAML_MAPPING_NODE)
		return yaml_tree_fault(
			tree, node, "rules: a rule is {match: {...}, action: ..., reason: ...}");
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
		pair < node->data.mapping.pairs.top && r == 0; pair++)
		r = load_rule_pair(tree, pair, ret_rule);
	if (r != 0)
		return r;
	if (matches_everything(&ret_rule->match))
		return yaml_tree_fault(
			tree, node, "rules: a rule needs a match with at least one pattern");
	if (ret_rule->action == ACTION_UNSET && ret_rule->mode == MODE_UNSET &&
		ret_rule->copies == ACTION_UNSET)
		return yaml_tree_fault(tree, node, "rules: a rule needs an action, a mode or copies");
	if (!ret_rule->reason)
		return yaml_tree_fault(tree, node, "rules: a rule needs a reason");
	return 0;
}
