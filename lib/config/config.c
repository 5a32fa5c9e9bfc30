/*
 * One table of keys makes the parser, the defaults and the ranges: a key is a row. Sections are
 * what stands before a dot in a key's name. Every fault is reported where it stands in the file.
 *
 * libyaml directly, not libcyaml: see docs/adr/0001-libyaml.md.
 */
#include "config/config.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/clock.h"
#include "base/strtab.h"
#include "config/config_rules.h"
#include "config/yaml_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char *const output_names[_OUTPUT_MAX] = {
	[OUTPUT_STDOUT] = "stdout",
	[OUTPUT_FILE] = "file",
	[OUTPUT_JOURNALD] = "journald",
	[OUTPUT_SYSLOG] = "syslog",
	[OUTPUT_HTTP] = "http",
};

const char *output_type_name(enum output_type type)
{
	return strtab_name(output_names, _OUTPUT_MAX, (int)type);
}

void config_error_done(struct config_error *error)
{
	free(error->file);
	free(error->message);
	memset(error, 0, sizeof(*error));
}

static void free_list(char **items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(items[i]);
	free(items);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	policy_settings_done(&c->policy);
	free(c->state_dir);
	free(c->runtime_dir);
	free_list(c->storage, c->n_storage);
	for (size_t i = 0; i < c->n_paths; i++)
		free(c->paths[i].path);
	free(c->paths);
	free(c->keys_dir);
	free(c->allowlists_dir);
	free_list(c->writers, c->n_writers);
	for (size_t i = 0; i < c->n_outputs; i++) {
		free(c->outputs[i].path);
		free(c->outputs[i].url);
	}
	free(c->outputs);
	free(c->docker_dir);
	free(c->podman_dir);
	free(c->podman_run_dir);
	free(c->containerd_dir);
	free_list(c->containerd_run_dirs, c->n_containerd_run_dirs);
	free(c);
}

static void config_freep(struct config **c)
{
	config_free(*c);
}

/*
 * Types.
 */
enum key_type {
	KEY_MODE,
	KEY_ACTION,
	KEY_MARKS,
	KEY_DURATION, /* uint32_t milliseconds */
	KEY_COUNT,    /* uint32_t */
	KEY_BOOL,
	KEY_PATH,
	KEY_PATHS,    /* list of absolute paths; the count's offset in .count */
	KEY_GUARDED,
	KEY_RULES,
	KEY_OUTPUTS,
};

struct key {
	const char *name;
	enum key_type type;
	size_t offset, count;
	int64_t min, max;     /* KEY_DURATION (ms) and KEY_COUNT */
	const char *fallback; /* the default as it would stand in the file; lists: NULL is empty */
};

#define AT(field) offsetof(struct config, field)

static const struct key keys[] = {
	{"mode", KEY_MODE, AT(policy.mode), 0, 0, 0, "report"},
	{"copies", KEY_ACTION, AT(policy.copies), 0, 0, 0, "deny"},
	{"on_failure", KEY_ACTION, AT(policy.on_failure), 0, 0, 0, "allow"},
	{"deadline", KEY_DURATION, AT(deadline_ms), 0, CONFIG_DEADLINE_MIN_MS, CONFIG_DEADLINE_MAX_MS,
		"5s"},
	{"state_dir", KEY_PATH, AT(state_dir), 0, 0, 0, "/var/lib/execward"},
	{"runtime_dir", KEY_PATH, AT(runtime_dir), 0, 0, 0, "/run/execward"},
	{"guard.marks", KEY_MARKS, AT(marks), 0, 0, 0, "auto"},
	{"guard.storage", KEY_PATHS, AT(storage), AT(n_storage), 0, 0, NULL},
	{"guard.containers", KEY_BOOL, AT(guard_containers), 0, 0, 0, "true"},
	{"guard.volumes", KEY_BOOL, AT(guard_volumes), 0, 0, 0, "true"},
	{"guard.libraries", KEY_BOOL, AT(guard_libraries), 0, 0, 0, "false"},
	{"guard.paths", KEY_GUARDED, AT(paths), AT(n_paths), 0, 0, NULL},
	{"rules", KEY_RULES, AT(policy.rules), AT(policy.n_rules), 0, 0, NULL},
	{"trust.keys_dir", KEY_PATH, AT(keys_dir), 0, 0, 0, "/etc/execward/keys.d"},
	{"trust.allowlists_dir", KEY_PATH, AT(allowlists_dir), 0, 0, 0, "/etc/execward/allowlists.d"},
	{"trust.threshold", KEY_COUNT, AT(threshold), 0, 1, 32, "1"},
	{"trust.ima", KEY_BOOL, AT(ima), 0, 0, 0, "false"},
	{"trust.writers", KEY_PATHS, AT(writers), AT(n_writers), 0, 0, NULL},
	{"outputs", KEY_OUTPUTS, AT(outputs), AT(n_outputs), 0, 0, NULL},
	{"limits.hash_threads", KEY_COUNT, AT(hash_threads), 0, 0, 64, "0"},
	{"limits.pending", KEY_COUNT, AT(pending_max), 0, 16, 1000000, "4096"},
	{"limits.alert_window", KEY_DURATION, AT(alert_window_ms), 0, 1000, 3600000, "60s"},
	{"retention.events", KEY_COUNT, AT(events_max), 0, 100, 10000000, "100000"},
	{"retention.drops", KEY_COUNT, AT(drops_max), 0, 100, 10000000, "200000"},
	{"retention.days", KEY_COUNT, AT(retention_days), 0, 1, 3650, "30"},
	{"runtimes.docker", KEY_PATH, AT(docker_dir), 0, 0, 0, "/var/lib/docker"},
	{"runtimes.podman", KEY_PATH, AT(podman_dir), 0, 0, 0, "/var/lib/containers/storage"},
	{"runtimes.podman_run", KEY_PATH, AT(podman_run_dir), 0, 0, 0, "/run/containers/storage"},
	{"runtimes.containerd", KEY_PATH, AT(containerd_dir), 0, 0, 0, "/var/lib/containerd"},
	{"runtimes.containerd_run", KEY_PATHS, AT(containerd_run_dirs), AT(n_containerd_run_dirs), 0, 0,
		NULL},
};

#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static void *field(struct config *c, size_t offset)
{
	return (char *)c + offset;
}

static int set_enum(const char *text, int (*from_name)(const char *), void *at)
{
	int value = from_name(text);

	if (value == 0)
		return -EINVAL;
	memcpy(at, &value, sizeof(value));
	return 0;
}

static int mode_of(const char *text)
{
	return (int)mode_from_name(text);
}

static int action_of(const char *text)
{
	return (int)action_from_name(text);
}

static int marks_of(const char *text)
{
	return (int)mark_kind_from_name(text);
}

static int set_count(const struct key *key, const char *text, uint32_t *at)
{
	int64_t value = 0;

	if (!*text)
		return -EINVAL;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9' || value > UINT32_MAX)
			return -EINVAL;
		value = value * 10 + (*p - '0');
	}
	if (value < key->min || value > key->max)
		return -ERANGE;
	*at = (uint32_t)value;
	return 0;
}

static int set_duration(const struct key *key, const char *text, uint32_t *at)
{
	int64_t ns;
	int r = duration_parse(text, &ns);

	if (r < 0)
		return r;
	if (ns % NS_PER_MSEC || ns / NS_PER_MSEC < key->min || ns / NS_PER_MSEC > key->max)
		return -ERANGE;
	*at = (uint32_t)(ns / NS_PER_MSEC);
	return 0;
}

static int set_bool(const char *text, bool *at)
{
	if (strcmp(text, "true") && strcmp(text, "false"))
		return -EINVAL;
	*at = !strcmp(text, "true");
	return 0;
}

static int set_text(const char *text, char **at)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*at);
	*at = copy;
	return 0;
}

/* Absolute, and nothing that a later check by prefix could be led astray by. */
static bool is_plain_path(const char *text)
{
	return text[0] == '/' && strlen(text) < TEXT_MAX && !strstr(text, "/../") &&
	       (strlen(text) < 3 || strcmp(text + strlen(text) - 3, "/.."));
}

static int set_scalar(struct config *c, const struct key *key, const char *text)
{
	void *at = field(c, key->offset);

	switch (key->type) {
	case KEY_MODE:
		return set_enum(text, mode_of, at);
	case KEY_ACTION:
		return set_enum(text, action_of, at);
	case KEY_MARKS:
		return set_enum(text, marks_of, at);
	case KEY_DURATION:
		return set_duration(key, text, at);
	case KEY_COUNT:
		return set_count(key, text, at);
	case KEY_BOOL:
		return set_bool(text, at);
	case KEY_PATH:
		return is_plain_path(text) ? set_text(text, at) : -EINVAL;
	default:
		return -EINVAL;
	}
}

/* What an operator is told to write. */
static int fault_of(struct yaml_tree *tree, const yaml_node_t *node, const struct key *key, int r)
{
	static const char *const expected[] = {
		[KEY_MODE] = "report or enforce",
		[KEY_ACTION] = "allow or deny",
		[KEY_MARKS] = "auto, backing or overlay",
		[KEY_DURATION] = "a duration such as 500ms, 5s, 10m, 24h, 180d",
		[KEY_COUNT] = "a number",
		[KEY_BOOL] = "true or false",
		[KEY_PATH] = "an absolute path",
		[KEY_PATHS] = "a list of absolute paths",
		[KEY_GUARDED] = "a list of paths, or of {path: ..., mode: ...}",
		[KEY_RULES] = "a list of rules",
		[KEY_OUTPUTS] = "a list of outputs, such as - {type: journald}",
	};

	if (r == -ENOMEM)
		return yaml_tree_fault(tree, node, "out of memory");
	if (r == -ERANGE && key->type == KEY_COUNT)
		return yaml_tree_fault(tree, node, "%s: out of range, %lld to %lld", key->name,
			(long long)key->min, (long long)key->max);
	if (r == -ERANGE)
		return yaml_tree_fault(tree, node, "%s: out of range, %lldms to %lldms", key->name,
			(long long)key->min, (long long)key->max);
	return yaml_tree_fault(tree, node, "%s: must be %s", key->name, expected[key->type]);
}

/*
 * Lists.
 */
static int check_list(struct yaml_tree *tree, const yaml_node_t *node, const struct key *key, size_t *ret_n)
{
	ptrdiff_t n;

	if (node->type != YAML_SEQUENCE_NODE)
		return fault_of(tree, node, key, -EINVAL);
	n = node->data.sequence.items.top - node->data.sequence.items.start;
	if (n > (ptrdiff_t)(key->type == KEY_RULES ? POLICY_RULES_MAX : CONFIG_LIST_MAX))
		return yaml_tree_fault(tree, node, "%s: too many entries (%td)", key->name, n);
	*ret_n = (size_t)n;
	return 0;
}

static yaml_node_t *list_item(struct yaml_tree *tree, const yaml_node_t *node, size_t i)
{
	return yaml_tree_node(tree, node->data.sequence.items.start[i]);
}

static int load_paths(
	struct yaml_tree *tree, const yaml_node_t *node, const struct key *key, struct config *c)
{
	char ***list = field(c, key->offset);
	size_t *count = field(c, key->count), n;
	int r = check_list(tree, node, key, &n);

	if (r != 0)
		return r;
	free_list(*list, *count);
	*count = 0;
	*list = calloc(n ?: 1, sizeof(char *));
	if (!*list)
		return fault_of(tree, node, key, -ENOMEM);
	for (size_t i = 0; i < n; i++) {
		const yaml_node_t *item = list_item(tree, node, i);
		const char *text = yaml_scalar(item);

		if (!text || !is_plain_path(text))
			return fault_of(tree, item, key, -EINVAL);
		(*list)[i] = strdup(text);
		if (!(*list)[i])
			return fault_of(tree, item, key, -ENOMEM);
		*count = i + 1;
	}
	return 0;
}

static int load_guarded_item(struct yaml_tree *tree, const yaml_node_t *node, const struct key *key,
	struct config_path *path)
{
	const char *text = yaml_scalar(node);

	if (text)
		return is_plain_path(text) && set_text(text, &path->path) == 0
			       ? 0
			       : fault_of(tree, node, key, -EINVAL);
	if (node->type != YAML_MAPPING_NODE)
		return fault_of(tree, node, key, -EINVAL);
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
		pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *name = yaml_tree_node(tree, pair->key);
		const yaml_node_t *value = yaml_tree_node(tree, pair->value);

		text = yaml_scalar(value) ?: "";
		if (!strcmp(yaml_scalar(name), "path") && is_plain_path(text)) {
			if (set_text(text, &path->path) < 0)
				return fault_of(tree, value, key, -ENOMEM);
		} else if (!strcmp(yaml_scalar(name), "mode") && mode_from_name(text) != MODE_UNSET &&
			   mode_from_name(text) != MODE_LEARN) {
			path->mode = mode_from_name(text);
		} else {
			return yaml_tree_fault(tree, name,
				"guard.paths: an entry has an absolute path and a mode, report or enforce");
		}
	}
	return path->path ? 0 : yaml_tree_fault(tree, node, "guard.paths: an entry needs a path");
}

static int load_guarded(
	struct yaml_tree *tree, const yaml_node_t *node, const struct key *key, struct config *c)
{
	size_t n;
	int r = check_list(tree, node, key, &n);

	if (r != 0)
		return r;
	c->paths = calloc(n ?: 1, sizeof(c->paths[0]));
	if (!c->paths)
		return fault_of(tree, node, key, -ENOMEM);
	for (size_t i = 0; i < n && r == 0; i++) {
		c->n_paths = i + 1;
		r = load_guarded_item(tree, list_item(tree, node, i), key, &c->paths[i]);
	}
	return r;
}

static int load_output(struct yaml_tree *tree, const yaml_node_t *node, struct config_output *output)
{
	if (node->type != YAML_MAPPING_NODE)
		return yaml_tree_fault(tree, node, "outputs: an entry is {type: ...}");
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
		pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *name = yaml_tree_node(tree, pair->key);
		const yaml_node_t *value = yaml_tree_node(tree, pair->value);
		const char *text = yaml_scalar(value) ?: "";
		int type = strtab_value(output_names, _OUTPUT_MAX, text);

		if (!strcmp(yaml_scalar(name), "type") && type > 0)
			output->type = (enum output_type)type;
		else if (!strcmp(yaml_scalar(name), "type"))
			return yaml_tree_fault(tree, value,
				"outputs: type must be stdout, file, journald, syslog or http");
		else if (!strcmp(yaml_scalar(name), "path") && is_plain_path(text))
			(void)set_text(text, &output->path);
		else if (!strcmp(yaml_scalar(name), "url") &&
			 (!strncmp(text, "http://", 7) || !strncmp(text, "https://", 8)))
			(void)set_text(text, &output->url);
		else
			return yaml_tree_fault(tree, name,
				"outputs: keys are type, path (absolute) and url (http or https)");
	}
	if (output->type == OUTPUT_UNSET)
		return yaml_tree_fault(tree, node, "outputs: an entry needs a type");
	if ((output->type == OUTPUT_FILE) != (output->path != NULL))
		return yaml_tree_fault(tree, node, "outputs: path belongs to type file, which needs it");
	if ((output->type == OUTPUT_HTTP) != (output->url != NULL))
		return yaml_tree_fault(tree, node, "outputs: url belongs to type http, which needs it");
	return 0;
}

static int load_outputs(
	struct yaml_tree *tree, const yaml_node_t *node, const struct key *key, struct config *c)
{
	size_t n;
	int r = check_list(tree, node, key, &n);

	if (r != 0)
		return r;
	free(c->outputs);
	c->n_outputs = 0;
	c->outputs = calloc(n ?: 1, sizeof(c->outputs[0]));
	if (!c->outputs)
		return fault_of(tree, node, key, -ENOMEM);
	for (size_t i = 0; i < n && r == 0; i++) {
		c->n_outputs = i + 1;
		r = load_output(tree, list_item(tree, node, i), &c->outputs[i]);
	}
	return r;
}

static int load_rules(
	struct yaml_tree *tree, const yaml_node_t *node, const struct key *key, struct config *c)
{
	size_t n;
	int r = check_list(tree, node, key, &n);

	if (r != 0)
		return r;
	c->policy.rules = calloc(n ?: 1, sizeof(c->policy.rules[0]));
	if (!c->policy.rules)
		return fault_of(tree, node, key, -ENOMEM);
	for (size_t i = 0; i < n && r == 0; i++) {
		c->policy.n_rules = i + 1;
		r = config_load_rule(tree, list_item(tree, node, i), &c->policy.rules[i]);
	}
	return r;
}

static int load_key(
	struct yaml_tree *tree, const yaml_node_t *node, const struct key *key, struct config *c)
{
	const char *text = yaml_scalar(node);
	int r;

	switch (key->type) {
	case KEY_PATHS:
		return load_paths(tree, node, key, c);
	case KEY_GUARDED:
		return load_guarded(tree, node, key, c);
	case KEY_RULES:
		return load_rules(tree, node, key, c);
	case KEY_OUTPUTS:
		return load_outputs(tree, node, key, c);
	default:
		break;
	}
	if (text && key->type == KEY_MODE && !strcmp(text, "learn"))
		return yaml_tree_fault(tree, node,
			"mode: learn always has an end; use `execward mode learn --for 24h`");
	r = text ? set_scalar(c, key, text) : -EINVAL;
	return r < 0 ? fault_of(tree, node, key, r) : 0;
}

/*
 * Names.
 */
static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < N_KEYS; i++)
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

static bool is_section(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < N_KEYS; i++)
		if (!strncmp(keys[i].name, name, n) && keys[i].name[n] == '.')
			return true;
	return false;
}

/* Edits between two short words, at most 15 bytes of each: enough to name the nearest key. */
static size_t distance(const char *a, const char *b)
{
	size_t row[16], n = strnlen(b, 15), m = strnlen(a, 15);

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

/* The last word of the nearest key in the same section; NULL when none is near. */
static const char *suggestion(const char *section, const char *word, char *buffer, size_t size)
{
	size_t best = 4, n = strlen(section); /* more than three edits is another word */

	buffer[0] = '\0';
	for (size_t i = 0; i < N_KEYS; i++) {
		const char *rest = keys[i].name + n;
		char candidate[32];

		if (strncmp(keys[i].name, section, n))
			continue;
		snprintf(candidate, sizeof(candidate), "%.*s", (int)strcspn(rest, "."), rest);
		if (distance(word, candidate) < best) {
			best = distance(word, candidate);
			snprintf(buffer, size, "%s", candidate);
		}
	}
	return buffer[0] ? buffer : NULL;
}

static int load_mapping(struct yaml_tree *tree, const yaml_node_t *node, const char *section,
	struct config *c);

static int load_pair(struct yaml_tree *tree, const yaml_node_pair_t *pair, const char *section,
	struct config *c)
{
	const yaml_node_t *name = yaml_tree_node(tree, pair->key);
	const yaml_node_t *value = yaml_tree_node(tree, pair->value);
	char full[64], buffer[32];
	const struct key *key;
	const char *near;
	int n = snprintf(full, sizeof(full), "%s%s", section, yaml_scalar(name));

	if (n > 0 && (size_t)n < sizeof(full) - 1) {
		key = find_key(full);
		if (key)
			return load_key(tree, value, key, c);
		if (is_section(full) && !*section) {
			strcat(full, ".");
			return load_mapping(tree, value, full, c);
		}
	}
	near = suggestion(section, yaml_scalar(name), buffer, sizeof(buffer));
	if (near)
		return yaml_tree_fault(tree, name, "unknown key \"%s%.64s\"; did you mean \"%s\"?",
			section, yaml_scalar(name), near);
	return yaml_tree_fault(tree, name, "unknown key \"%s%.64s\"; see execward.yaml(5)", section,
		yaml_scalar(name));
}

static int load_mapping(struct yaml_tree *tree, const yaml_node_t *node, const char *section,
	struct config *c)
{
	int r = 0;

	if (node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0)
		return 0; /* "guard:" with nothing below it */
	if (node->type != YAML_MAPPING_NODE)
		return yaml_tree_fault(tree, node, "%s must be a mapping of keys", *section ? section : "the configuration");
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
		pair < node->data.mapping.pairs.top && r == 0; pair++)
		r = load_pair(tree, pair, section, c);
	return r;
}

/*
 * Defaults.
 */
static int set_default_lists(struct config *c)
{
	static const char *const containerd_run[] = {"/run/containerd", "/run/k3s/containerd"};

	c->outputs = calloc(1, sizeof(c->outputs[0]));
	c->containerd_run_dirs = calloc(2, sizeof(char *));
	if (!c->outputs || !c->containerd_run_dirs)
		return -ENOMEM;
	c->outputs[0].type = OUTPUT_JOURNALD;
	c->n_outputs = 1;
	for (size_t i = 0; i < 2; i++) {
		c->containerd_run_dirs[i] = strdup(containerd_run[i]);
		if (!c->containerd_run_dirs[i])
			return -ENOMEM;
		c->n_containerd_run_dirs = i + 1;
	}
	return 0;
}

static int config_new(struct config **ret_config)
{
	_cleanup_(config_freep) struct config *c = calloc(1, sizeof(*c));
	int r = c ? set_default_lists(c) : -ENOMEM;

	for (size_t i = 0; i < N_KEYS && r == 0; i++)
		if (keys[i].fallback)
			r = set_scalar(c, &keys[i], keys[i].fallback);
	if (r < 0)
		return r;
	*ret_config = TAKE_PTR(c);
	return 0;
}

int config_parse(const char *text, size_t size, const char *name, struct config **ret_config,
	struct config_error *reterr_error)
{
	_cleanup_(yaml_tree_done) struct yaml_tree tree = {.name = name, .error = reterr_error};
	_cleanup_(config_freep) struct config *c = NULL;
	yaml_node_t *root;
	int r = config_new(&c);

	if (r < 0)
		return r;
	r = yaml_tree_load(text, size, &tree);
	root = r == 0 ? yaml_tree_root(&tree) : NULL;
	if (root)
		r = load_mapping(&tree, root, "", c);
	if (r != 0)
		return r;
	*ret_config = TAKE_PTR(c);
	return 0;
}

int config_load(const char *path, struct config **ret_config, struct config_error *reterr_error)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r;

	if (!path)
		return config_new(ret_config);
	r = file_read_at(AT_FDCWD, path, CONFIG_SIZE_MAX, &text, &size);
	if (r < 0) {
		config_error_done(reterr_error);
		reterr_error->file = strdup(path);
		if (asprintf(&reterr_error->message, "cannot be read: %s", strerror(-r)) < 0)
			reterr_error->message = NULL;
		return r;
	}
	return config_parse(text, size, path, ret_config, reterr_error);
}
