/*
 * The configuration as tables. A new key is a row here, a field in config.h, a line in
 * config/execward.yaml and a paragraph in execward.yaml(5); tests hold the last two to this file.
 */
#include "config/keys.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/*
 * rules
 */
#define AT(field) .at = offsetof(struct policy_match, field)
static const struct key match_keys[] = {
        {"image", KEY_NAME_GLOB, AT(image)},
        {"container", KEY_NAME_GLOB, AT(container)},
        {"namespace", KEY_NAME_GLOB, AT(ns)},
        {"path", KEY_PATH_GLOB, AT(path)},
        {"parent", KEY_PATH_GLOB, AT(parent)},
        {"writer", KEY_PATH_GLOB, AT(writer)},
        {"user", KEY_USER, AT(uid)},
};
#undef AT

static const struct record match_record = {.keys = match_keys, .n_keys = COUNT(match_keys)};

#define AT(field) .at = offsetof(struct policy_rule, field)
static const struct key rule_keys[] = {
        {"match", KEY_SECTION, AT(match), .record = &match_record},
        {"action", KEY_ACTION, AT(action)},
        {"mode", KEY_MODE, AT(mode)},
        {"copies", KEY_ACTION, AT(copies)},
        {"reason", KEY_REASON, AT(reason)},
        {"expires", KEY_TIME, AT(expires_ns)},
};
#undef AT

static void begin_rule(void *entry, unsigned int line)
{
	struct policy_rule *rule = entry;

	rule->match.uid = -1;
	rule->line = line;
}

/* A rule without a pattern would except everything, one without a reason nobody dares to remove. */
static const char *check_rule(const void *object)
{
	const struct policy_rule *rule = object;
	const struct policy_match *m = &rule->match;

	if (!m->image && !m->container && !m->ns && !m->path && !m->parent && !m->writer &&
	        m->uid < 0)
		return "a rule needs a match with at least one pattern: image, container, "
		       "namespace, path, "
		       "parent, writer or user";
	if (rule->action == ACTION_UNSET && rule->mode == MODE_UNSET &&
	        rule->copies == ACTION_UNSET)
		return "a rule needs an action, a mode or copies: what shall it change?";
	if (!rule->reason)
		return "a rule needs a reason: say why the exception exists";
	return NULL;
}

static const struct record rule_record = {
        .keys = rule_keys,
        .n_keys = COUNT(rule_keys),
        .size = sizeof(struct policy_rule),
        .begin = begin_rule,
        .check = check_rule,
};

/*
 * outputs
 */
#define AT(field) .at = offsetof(struct config_output, field)
static const struct key output_keys[] = {
        {"type", KEY_OUTPUT, AT(type)},
        {"path", KEY_PATH, AT(path)},
        {"url", KEY_URL, AT(url)},
};
#undef AT

static const char *check_output(const void *object)
{
	const struct config_output *output = object;

	if (output->type == OUTPUT_UNSET)
		return "an output needs a type: stdout, file, journald, syslog or http";
	if (output->type == OUTPUT_FILE && !output->path)
		return "an output of type file needs a path";
	if (output->type != OUTPUT_FILE && output->path)
		return "only an output of type file has a path: remove it";
	if (output->type == OUTPUT_HTTP && !output->url)
		return "an output of type http needs a url";
	if (output->type != OUTPUT_HTTP && output->url)
		return "only an output of type http has a url: remove it";
	return NULL;
}

static const struct record output_record = {
        .keys = output_keys,
        .n_keys = COUNT(output_keys),
        .size = sizeof(struct config_output),
        .check = check_output,
};

/*
 * trust.fetch
 */
#define AT(field) .at = offsetof(struct config_fetch, field)
static const struct key fetch_keys[] = {
        {"url", KEY_HTTPS, AT(url)},
        {"series", KEY_SERIES, AT(series)},
};
#undef AT

static const char *check_fetch(const void *object)
{
	const struct config_fetch *fetch = object;

	return fetch->url ? NULL : "an entry needs a url";
}

static const struct record fetch_record = {
        .keys = fetch_keys,
        .n_keys = COUNT(fetch_keys),
        .size = sizeof(struct config_fetch),
        .shorthand = &fetch_keys[0],
        .check = check_fetch,
};

/*
 * guard.paths, and plain lists of paths
 */
#define AT(field) .at = offsetof(struct config_path, field)
static const struct key guarded_keys[] = {
        {"path", KEY_PATH, AT(path)},
        {"mode", KEY_MODE, AT(mode)},
};
#undef AT

static const char *check_guarded(const void *object)
{
	const struct config_path *guarded = object;

	return guarded->path ? NULL : "an entry needs a path";
}

static const struct record guarded_record = {
        .keys = guarded_keys,
        .n_keys = COUNT(guarded_keys),
        .size = sizeof(struct config_path),
        .shorthand = &guarded_keys[0],
        .check = check_guarded,
};

static const struct key path_entry = {"", KEY_PATH, .at = 0};

static const struct key label_entry = {"", KEY_LABEL, .at = 0};

static const struct record label_record = {.size = sizeof(char *), .shorthand = &label_entry};

static const struct record path_record = {.size = sizeof(char *), .shorthand = &path_entry};

/*
 * Sections, which fill struct config like the top.
 */
#define AT(field)   .at = offsetof(struct config, field)
#define LIST(field) AT(field), .count_at = offsetof(struct config, n_##field)
#define SECTION(table)                                                                             \
	{                                                                                          \
		.keys = table, .n_keys = COUNT(table)                                              \
	}
#define RANGE(low, high) .min = (low), .max = (high)
#define PATHS            .max = CONFIG_LIST_MAX, .record = &path_record

/* bytes of runtime_dir: unix(7) has 108 for "/control.sock" and the NUL too */
#define RUNTIME_DIR_MAX (108 - 13 - 1)

static const struct key guard_keys[] = {
        {"marks", KEY_MARKS, AT(marks), .fallback = "auto"},
        {"storage", KEY_LIST, LIST(storage), PATHS},
        {"containers", KEY_BOOL, AT(guard_containers), .fallback = "true"},
        {"volumes", KEY_BOOL, AT(guard_volumes), .fallback = "true"},
        {"loaders", KEY_BOOL, AT(guard_loaders), .fallback = "false"},
        {"libraries", KEY_BOOL, AT(guard_libraries), .fallback = "false"},
        {"paths", KEY_LIST, LIST(paths), .max = CONFIG_LIST_MAX, .record = &guarded_record},
};

static const struct key trust_keys[] = {
        {"keys_dir", KEY_PATH, AT(keys_dir), .fallback = "/etc/execward/keys.d"},
        {"allowlists_dir", KEY_PATH, AT(allowlists_dir), .fallback = "/etc/execward/allowlists.d"},
        {"threshold", KEY_COUNT, AT(threshold), RANGE(1, 32), .fallback = "1"},
        {"skew", KEY_SECONDS, AT(skew_s), RANGE(0, 86400), .fallback = "5m"},
        {"max_validity", KEY_SECONDS, AT(max_validity_s), RANGE(3600, 3650 * 86400),
                .fallback = "400d"},
        {"grace", KEY_SECONDS, AT(grace_s), RANGE(0, 365 * 86400), .fallback = "0s"},
        {"labels", KEY_LIST, LIST(labels), .max = CONFIG_LIST_MAX, .record = &label_record},
        {"ima", KEY_BOOL, AT(ima), .fallback = "false"},
        {"writers", KEY_LIST, LIST(writers), PATHS},
        {"fetch", KEY_LIST, LIST(fetch), .max = CONFIG_FETCH_MAX, .record = &fetch_record},
        {"keep", KEY_DURATION, AT(writers_keep_ms), RANGE(3600000, 3600000000), .fallback = "30d"},
};

static const struct key limits_keys[] = {
        {"hash_threads", KEY_COUNT, AT(hash_threads), RANGE(0, 64), .fallback = "0"},
        {"pending", KEY_COUNT, AT(pending_max), RANGE(16, 1000000), .fallback = "4096"},
        {"leases", KEY_COUNT, AT(leases_max), RANGE(0, 65536), .fallback = "1024"},
        {"alert_window", KEY_DURATION, AT(alert_window_ms), RANGE(1000, 3600000),
                .fallback = "60s"},
};

static const struct key retention_keys[] = {
        {"events", KEY_COUNT, AT(events_max), RANGE(100, 10000000), .fallback = "100000"},
        {"drops", KEY_COUNT, AT(drops_max), RANGE(100, 10000000), .fallback = "200000"},
        {"days", KEY_COUNT, AT(retention_days), RANGE(1, 3650), .fallback = "30"},
};

static const struct key runtimes_keys[] = {
        {"docker", KEY_PATH, AT(docker_dir), .fallback = "/var/lib/docker"},
        {"podman", KEY_PATH, AT(podman_dir), .fallback = "/var/lib/containers/storage"},
        {"podman_run", KEY_PATH, AT(podman_run_dir), .fallback = "/run/containers/storage"},
        {"containerd", KEY_PATH, AT(containerd_dir), .fallback = "/var/lib/containerd"},
        {"containerd_run", KEY_LIST, LIST(containerd_run_dirs), PATHS,
                .fallback = "[/run/containerd, /run/k3s/containerd]"},
};

static const struct record guard_record = SECTION(guard_keys);
static const struct record trust_record = SECTION(trust_keys);
static const struct record limits_record = SECTION(limits_keys);
static const struct record retention_record = SECTION(retention_keys);
static const struct record runtimes_record = SECTION(runtimes_keys);

static const struct key top_keys[] = {
        {"mode", KEY_MODE, AT(policy.mode), .fallback = "report"},
        {"copies", KEY_ACTION, AT(policy.copies), .fallback = "deny"},
        {"on_failure", KEY_ACTION, AT(policy.on_failure), .fallback = "allow"},
        {"deadline", KEY_DURATION, AT(deadline_ms),
                RANGE(CONFIG_DEADLINE_MIN_MS, CONFIG_DEADLINE_MAX_MS), .fallback = "5s"},
        {"state_dir", KEY_PATH, AT(state_dir), .fallback = "/var/lib/execward"},
        {"runtime_dir", KEY_PATH, AT(runtime_dir), .max = RUNTIME_DIR_MAX,
                .fallback = "/run/execward"},
        {"guard", KEY_SECTION, .record = &guard_record},
        {"rules", KEY_LIST, AT(policy.rules), .count_at = offsetof(struct config, policy.n_rules),
                .max = POLICY_RULES_MAX, .record = &rule_record},
        {"trust", KEY_SECTION, .record = &trust_record},
        {"outputs", KEY_LIST, LIST(outputs), .max = CONFIG_LIST_MAX, .record = &output_record,
                .fallback = "[{type: journald}]"},
        {"limits", KEY_SECTION, .record = &limits_record},
        {"retention", KEY_SECTION, .record = &retention_record},
        {"runtimes", KEY_SECTION, .record = &runtimes_record},
};

const struct record config_record = SECTION(top_keys);
