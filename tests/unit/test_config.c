/*
 * Good configurations: defaults, the default file, every key set, and the shapes that people use.
 * tests/unit/test_config_faults.c has the bad ones.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct config *load(const char *path)
{
	_cleanup_(config_error_done) struct config_error error = {0};
	struct config *c = NULL;
	int r = config_load(path, &c, &error);

	if (r != 0)
		fail_msg("%s:%u:%u: %s (%d)", error.file, error.line, error.column, error.message,
		        r);
	assert_null(error.message);
	return c;
}

static struct config *parse(const char *text)
{
	_cleanup_(config_error_done) struct config_error error = {0};
	struct config *c = NULL;

	if (config_parse(text, strlen(text), "t.yaml", &c, &error) != 0)
		fail_msg("%s\n%u:%u: %s", text, error.line, error.column, error.message);
	return c;
}

static void assert_defaults(const struct config *c)
{
	assert_int_equal(c->policy.mode, MODE_REPORT);
	assert_int_equal(c->policy.copies, ACTION_DENY);
	assert_int_equal(c->policy.on_failure, ACTION_ALLOW);
	assert_int_equal(c->policy.n_rules, 0);
	assert_int_equal(c->deadline_ms, 5000);
	assert_string_equal(c->state_dir, "/var/lib/execward");
	assert_string_equal(c->runtime_dir, "/run/execward");
	assert_int_equal(c->marks, MARK_KIND_AUTO);
	assert_int_equal(c->n_storage, 0);
	assert_true(c->guard_containers);
	assert_true(c->guard_volumes);
	assert_false(c->guard_libraries);
	assert_int_equal(c->n_paths, 0);
	assert_string_equal(c->keys_dir, "/etc/execward/keys.d");
	assert_string_equal(c->allowlists_dir, "/etc/execward/allowlists.d");
	assert_int_equal(c->threshold, 1);
	assert_int_equal(c->skew_s, 300);
	assert_int_equal(c->max_validity_s, 400 * 86400);
	assert_int_equal(c->grace_s, 0);
	assert_int_equal(c->n_labels, 0);
	assert_false(c->ima);
	assert_int_equal(c->n_writers, 0);
	assert_int_equal(c->writers_keep_ms, INT64_C(30) * 24 * 3600 * 1000);
	assert_int_equal(c->n_fetch, 0);
	assert_int_equal(c->n_outputs, 1);
	assert_int_equal(c->outputs[0].type, OUTPUT_JOURNALD);
	assert_null(c->outputs[0].path);
	assert_null(c->outputs[0].url);
}

static void assert_default_bounds(const struct config *c)
{
	assert_int_equal(c->hash_threads, 0);
	assert_int_equal(c->pending_max, 4096);
	assert_int_equal(c->alert_window_ms, 60000);
	assert_int_equal(c->events_max, 100000);
	assert_int_equal(c->drops_max, 200000);
	assert_int_equal(c->retention_days, 30);
	assert_string_equal(c->docker_dir, "/var/lib/docker");
	assert_string_equal(c->podman_dir, "/var/lib/containers/storage");
	assert_string_equal(c->podman_run_dir, "/run/containers/storage");
	assert_string_equal(c->containerd_dir, "/var/lib/containerd");
	assert_int_equal(c->n_containerd_run_dirs, 2);
	assert_string_equal(c->containerd_run_dirs[0], "/run/containerd");
	assert_string_equal(c->containerd_run_dirs[1], "/run/k3s/containerd");
}

static void assert_all_defaults(struct config *c)
{
	assert_defaults(c);
	assert_default_bounds(c);
	config_free(c);
}

static void test_defaults(void **state)
{
	(void)state;
	assert_all_defaults(load(NULL));
}

/* What an operator starts from says what the program does without it. */
static void test_default_file(void **state)
{
	(void)state;
	assert_all_defaults(load(TEST_SOURCE_DIR "/config/execward.yaml"));
}

static void test_nothing_is_defaults(void **state)
{
	static const char *const texts[] = {
	        "",
	        "\n\n",
	        "# nothing\n  # here\n",
	        "---\n",
	        "--- # one document\n...\n",
	        "\xef\xbb\xbf# a byte order mark\n",
	        "null\n",
	        "~",
	        "{}",
	        "guard:\ntrust:\n  # ima: true\nlimits: {}\nretention: ~\nruntimes: null\n",
	        "%YAML 1.1\n---\nmode: report\n",
	        "mode: report\r\nguard:\r\n  marks: auto\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_all_defaults(parse(texts[i]));
}

/*
 * Every key.
 */
static void assert_golden_rules(const struct policy_settings *policy)
{
	const struct policy_rule *rule = policy->rules;

	assert_int_equal(policy->n_rules, 3);
	assert_string_equal(rule->match.image, "docker.io/library/gcc:*");
	assert_string_equal(rule->match.container, "build-[0-9]*");
	assert_string_equal(rule->match.ns, "ci-?");
	assert_string_equal(rule->match.path, "/work/**");
	assert_string_equal(rule->match.parent, "/usr/bin/make");
	assert_string_equal(rule->match.writer, "**/ld");
	assert_int_equal(rule->match.uid, 1000);
	assert_int_equal(rule->action, ACTION_ALLOW);
	assert_int_equal(rule->mode, MODE_REPORT);
	assert_int_equal(rule->copies, ACTION_DENY);
	assert_string_equal(rule->reason, "build hosts run what they compile\n");
	assert_int_equal(rule->expires_ns, 1798761600 * NS_PER_SEC + NS_PER_SEC / 2);
	assert_int_equal(rule->line, 19);
	rule++;
	assert_int_equal(rule->match.uid, 0);
	assert_null(rule->match.image);
	assert_int_equal(rule->copies, ACTION_ALLOW);
	assert_string_equal(rule->reason, "gr\xc3\xb6\xc3\x9f"
	                                  "er");
	assert_int_equal(rule->expires_ns, 1835395200 * NS_PER_SEC);
	rule++;
	assert_int_equal(rule->match.uid, -1);
	assert_int_equal(rule->mode, MODE_ENFORCE);
	assert_int_equal(rule->action, ACTION_UNSET);
	assert_int_equal(rule->expires_ns, 0);
	assert_int_equal(rule->line, 35);
}

static void assert_golden_guard(const struct config *c)
{
	assert_int_equal(c->marks, MARK_KIND_OVERLAY);
	assert_int_equal(c->n_storage, 2);
	assert_string_equal(c->storage[0], "/srv/layers");
	assert_string_equal(c->storage[1], "/srv/more layers");
	assert_false(c->guard_containers);
	assert_false(c->guard_volumes);
	assert_true(c->guard_libraries);
	assert_int_equal(c->n_paths, 3);
	assert_string_equal(c->paths[0].path, "/srv/data");
	assert_int_equal(c->paths[0].mode, MODE_UNSET);
	assert_string_equal(c->paths[1].path, "/home");
	assert_int_equal(c->paths[1].mode, MODE_ENFORCE);
	assert_string_equal(c->paths[2].path, "/opt");
}

static void assert_golden_trust(const struct config *c)
{
	assert_string_equal(c->keys_dir, "/srv/keys");
	assert_string_equal(c->allowlists_dir, "/srv/allowlists");
	assert_int_equal(c->threshold, 3);
	assert_int_equal(c->skew_s, 90);
	assert_int_equal(c->max_validity_s, 3650 * 86400);
	assert_int_equal(c->grace_s, 48 * 3600);
	assert_int_equal(c->n_labels, 2);
	assert_string_equal(c->labels[0], "web");
	assert_string_equal(c->labels[1], "eu-west/1");
	assert_true(c->ima);
	assert_int_equal(c->n_writers, 2);
	assert_string_equal(c->writers[0], "/usr/bin/dpkg");
	assert_string_equal(c->writers[1], "/usr/bin/rpm");
	assert_int_equal(c->writers_keep_ms, 12 * 3600 * 1000);
	assert_int_equal(c->n_fetch, 2);
	assert_string_equal(c->fetch[0].url, "https://example.org/lists/web.dsse");
	assert_null(c->fetch[0].series);
	assert_string_equal(c->fetch[1].url, "https://example.org:8443/db.dsse?x=1");
	assert_string_equal(c->fetch[1].series, "example.org/db");
	assert_int_equal(c->n_outputs, 4);
	assert_int_equal(c->outputs[0].type, OUTPUT_STDOUT);
	assert_int_equal(c->outputs[1].type, OUTPUT_FILE);
	assert_string_equal(c->outputs[1].path, "/var/log/execward.json");
	assert_int_equal(c->outputs[2].type, OUTPUT_SYSLOG);
	assert_int_equal(c->outputs[3].type, OUTPUT_HTTP);
	assert_string_equal(c->outputs[3].url, "https://example.org:8080/alerts?x=1");
}

static void test_all_keys(void **state)
{
	struct config *c = load(TEST_SOURCE_DIR "/tests/golden/config/all-keys.yaml");

	(void)state;
	assert_int_equal(c->policy.mode, MODE_ENFORCE);
	assert_int_equal(c->policy.copies, ACTION_ALLOW);
	assert_int_equal(c->policy.on_failure, ACTION_DENY);
	assert_int_equal(c->deadline_ms, 250);
	assert_string_equal(c->state_dir, "/srv/state");
	assert_string_equal(c->runtime_dir, "/srv/run");
	assert_golden_guard(c);
	assert_golden_rules(&c->policy);
	assert_golden_trust(c);
	assert_int_equal(c->hash_threads, 64);
	assert_int_equal(c->pending_max, 16);
	assert_int_equal(c->alert_window_ms, 3600000);
	assert_int_equal(c->events_max, 100);
	assert_int_equal(c->drops_max, 10000000);
	assert_int_equal(c->retention_days, 3650);
	assert_string_equal(c->docker_dir, "/d");
	assert_string_equal(c->podman_dir, "/p");
	assert_string_equal(c->podman_run_dir, "/pr");
	assert_string_equal(c->containerd_dir, "/c");
	assert_int_equal(c->n_containerd_run_dirs, 1);
	assert_string_equal(c->containerd_run_dirs[0], "/cr");
	config_free(c);
}

/* A list in the file takes the place of the default one, also when it is empty. */
static void test_lists_replace(void **state)
{
	struct config *c = parse("outputs: []\nruntimes: {containerd_run: []}\n");

	(void)state;
	assert_int_equal(c->n_outputs, 0);
	assert_int_equal(c->n_containerd_run_dirs, 0);
	config_free(c);
}

static void test_longest_lists(void **state)
{
	_cleanup_free_ char *text = calloc(1, 64 * (POLICY_RULES_MAX + CONFIG_LIST_MAX));
	char *end = stpcpy(text, "trust: {writers: [");
	struct config *c;

	(void)state;
	for (size_t i = 0; i < CONFIG_LIST_MAX; i++)
		end = stpcpy(end, i ? ", /a" : "/a");
	end = stpcpy(end, "]}\nrules:\n");
	for (size_t i = 0; i < POLICY_RULES_MAX; i++)
		end = stpcpy(end, "- {match: {user: 1}, mode: report, reason: r}\n");
	c = parse(text);
	assert_int_equal(c->n_writers, CONFIG_LIST_MAX);
	assert_int_equal(c->policy.n_rules, POLICY_RULES_MAX);
	assert_int_equal(c->policy.rules[POLICY_RULES_MAX - 1].line, POLICY_RULES_MAX + 2);
	config_free(c);
}

/*
 * Files.
 */
struct file_case {
	const char *path;
	int r;
	const char *message;
};

static void assert_unreadable(const struct file_case *expected)
{
	struct config_error error = {0};
	struct config *c = NULL;

	assert_int_equal(config_load(expected->path, &c, &error), expected->r);
	assert_null(c);
	assert_string_equal(error.file, expected->path);
	assert_int_equal(error.line, 0);
	assert_non_null(strstr(error.message, expected->message));
	config_error_done(&error);
	assert_null(error.file);
}

static void write_file(const char *path, size_t size)
{
	_cleanup_close_ int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
}

static void test_files(void **state)
{
	char dir[] = "/tmp/execward-config-XXXXXX", large[64], link_path[64], fifo[64];
	const struct file_case cases[] = {
	        {"/nonexistent/execward.yaml", -ENOENT, "No such file"},
	        {dir, -EINVAL, "not a regular file"},
	        {fifo, -EINVAL, "not a regular file"},
	        {large, -EFBIG, "larger than 1 MiB"},
	};

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(large, sizeof(large), "%s/large", dir);
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	snprintf(link_path, sizeof(link_path), "%s/link", dir);
	write_file(large, CONFIG_SIZE_MAX + 1);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_unreadable(&cases[i]);
	/* A Kubernetes ConfigMap is mounted as links. */
	assert_int_equal(symlink(TEST_SOURCE_DIR "/config/execward.yaml", link_path), 0);
	assert_all_defaults(load(link_path));
	unlink(large);
	unlink(fifo);
	unlink(link_path);
	rmdir(dir);
}

static void test_nothing_to_free(void **state)
{
	struct config_error error = {0};

	(void)state;
	config_free(NULL);
	config_error_done(&error);
	assert_string_equal(output_type_name(OUTPUT_HTTP), "http");
	assert_string_equal(output_type_name(OUTPUT_UNSET), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_defaults),
	        cmocka_unit_test(test_default_file),
	        cmocka_unit_test(test_nothing_is_defaults),
	        cmocka_unit_test(test_all_keys),
	        cmocka_unit_test(test_lists_replace),
	        cmocka_unit_test(test_longest_lists),
	        cmocka_unit_test(test_files),
	        cmocka_unit_test(test_nothing_to_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
