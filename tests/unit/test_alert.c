/*
 * Alerts against golden files (tests/golden/alerts; EXECWARD_UPDATE_GOLDEN=1 writes them anew), and
 * what every alert must be whatever the facts hold: one line, valid UTF-8, valid JSON, sorted keys,
 * and the types that falcosidekick insists on.
 */
#include "core/alert.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T0         INT64_C(1790000042123456789) /* 2026-09-21T14:14:02Z */
#define GOLDEN_MAX 65536u                       /* bytes of one golden file */

/* Literals become fields without a copy: nothing here is freed. */
static char *text(const char *literal)
{
	return (char *)(uintptr_t)literal;
}

struct scenario {
	struct exec_facts facts;
	struct policy_decision decision;
	struct drop_info drop;
	struct alert_input input;
};

static void tie(struct scenario *s)
{
	s->input.facts = &s->facts;
	s->input.decision = &s->decision;
	s->input.drop = &s->drop;
}

#define DROPPED_PATH "/bin/falco-event-generator-syscall-DropAndExecuteNewBinaryInContainer-6OeIOw"

/* Falco's event generator in a container: it copies /bin/ls under a new name, and executes that. */
static struct scenario event_generator(void)
{
	struct scenario s = {
	        .facts =
	                {
	                        .time_ns = T0,
	                        .origin = ORIGIN_DROPPED,
	                        .upper = true,
	                        .executable = true,
	                        .kind = EXEC_KIND_ELF,
	                        .path = text(DROPPED_PATH),
	                        .host_path =
	                                text("/var/lib/docker/overlay2/5f2a/diff" DROPPED_PATH),
	                        .identity = {.dev = 0x801,
	                                .ino = 421,
	                                .btime_ns = T0 - 5000000,
	                                .ctime_ns = T0 - 4000000,
	                                .mtime_ns = T0 - 4500000,
	                                .size = 147176},
	                        .has_digest = true,
	                        .copy_of = text("/bin/ls"),
	                        .has_container = true,
	                        .container =
	                                {
	                                        .key = text("/var/lib/docker/overlay2/5f2a/diff"),
	                                        .runtime = text("docker"),
	                                        .id = text("7b8f2a1c9d3e4f5061728394a5b6c7d8e9f0011"
	                                                   "2233445566778899aabbccdde"),
	                                        .name = text("peaceful_mestorf"),
	                                        .image = text("docker.io/falcosecurity/"
	                                                      "event-generator:latest"),
	                                        .start_ns = T0 - 3 * NS_PER_SEC,
	                                },
	                        .process =
	                                {
	                                        .pid = 4243,
	                                        .ppid = 4242,
	                                        .comm = text("event-generator"),
	                                        .exe = text("/bin/event-generator"),
	                                        .exepath = text("/bin/event-generator"),
	                                        .cmdline =
	                                                text("/bin/event-generator run "
	                                                     "syscall."
	                                                     "DropAndExecuteNewBinaryInContainer"),
	                                        .cwd = text("/"),
	                                        .parents = {text("event-generator"),
	                                                text("containerd-shim"), text("systemd")},
	                                        .session_leader = text("event-generator"),
	                                        .parent_exepath = text("/bin/event-generator"),
	                                        .uid = 0,
	                                        .login_uid = -1,
	                                        .tty = 0,
	                                        .start_ns = T0 - 3000000,
	                                },
	                        .exec_argv0 = text(DROPPED_PATH),
	                        .exec_argv = text(DROPPED_PATH),
	                },
	        .decision = {.verdict = VERDICT_DENY,
	                .reason = REASON_DROPPED_COPY,
	                .mode = MODE_ENFORCE},
	        .drop = {.id = 9,
	                .known = true,
	                .pid = 4242,
	                .uid = 0,
	                .exe = text("/bin/event-generator"),
	                .cmdline = text("/bin/event-generator run "
	                                "syscall.DropAndExecuteNewBinaryInContainer"),
	                .time_ns = T0 - 4500000},
	        .input = {.hostname = "node-1",
	                .user_name = "root",
	                .event_id = "01a0c4f5e2b-000001",
	                .count = 1,
	                .utc_offset_s = 7200},
	};

	for (unsigned int i = 0; i < DIGEST_SIZE; i++)
		s.facts.digest.bytes[i] = (uint8_t)(i * 7 + 1);
	return s;
}

static struct scenario hostile(void)
{
	struct scenario s = event_generator();

	s.facts.path = text("/tmp/\x1b[2J\n\"a\\b\xff\xc3\xa9 container_id=host\xe2\x80\xae"
	                    "exe");
	s.facts.copy_of = NULL;
	s.facts.exec_argv0 = text("\xf0\x9f");
	s.facts.exec_argv = text("\xf0\x9f\t%s%n \xed\xa0\x80 \xef\xbf\xbf\x01");
	s.facts.container.name = text("we\nb\x7f");
	s.facts.container.image = text("reg:5000/a/\xc0\xaf:t\n@sha256:00");
	s.facts.process.comm = text("\xff\xfe");
	s.facts.process.cwd = text("/\xc2");
	s.facts.identity.ctime_ns = INT64_MIN;
	s.facts.identity.size = UINT64_MAX;
	s.drop.exe = text("\x80");
	s.drop.cmdline = text("sh -c 'echo \r\n\x07'");
	s.drop.time_ns = INT64_MIN;
	s.decision.reason = REASON_DROPPED;
	return s;
}

static struct scenario host(void)
{
	struct scenario s = event_generator();

	s.facts.origin = ORIGIN_HOST;
	s.facts.upper = false;
	s.facts.path = text("/srv/data/tool");
	s.facts.host_path = text("/srv/data/tool");
	s.facts.filesystem = text("2f3c9a04-5d1e-4c7b-9f0a-8f6b1f0c2d3e");
	s.facts.copy_of = NULL;
	s.facts.has_container = false;
	s.facts.container = (struct container_info){0};
	s.facts.exec_argv0 = text("./tool");
	s.facts.exec_argv = text("./tool --all");
	s.facts.process.uid = s.facts.process.login_uid = 1000;
	s.facts.process.tty = 34816;
	s.drop = (struct drop_info){0};
	s.decision = (struct policy_decision){
	        .verdict = VERDICT_WOULD_DENY, .reason = REASON_HOST, .mode = MODE_REPORT};
	s.input.user_name = NULL;
	s.input.utc_offset_s = -16200; /* and over midnight */
	s.facts.time_ns = T0 - 12 * 3600 * NS_PER_SEC;
	return s;
}

/* Nothing could be read in time: what is unknown is null, and the alert is still one. */
static struct scenario fault(void)
{
	return (struct scenario){
	        .facts = {.time_ns = T0,
	                .has_container = true,
	                .container = {.key = text("/u")},
	                .process = {.pid = 77, .ppid = -1, .uid = -1, .login_uid = -1}},
	        .decision = {.verdict = VERDICT_ALLOW,
	                .reason = REASON_FAULT,
	                .mode = MODE_ENFORCE},
	        .input = {.hostname = "node-1",
	                .event_id = "01a0c4f5e2b-000002",
	                .fault = "deadline",
	                .count = 1},
	};
}

static struct scenario kubernetes(void)
{
	static const struct policy_rule rule = {
	        .action = ACTION_ALLOW, .reason = (char *)(uintptr_t) "build hosts"};
	struct scenario s = event_generator();

	s.facts.origin = ORIGIN_VOLUME;
	s.facts.upper = false;
	s.facts.path = text("/data/a-name-longer-than-fifteen-bytes.sh");
	s.facts.kind = EXEC_KIND_SCRIPT;
	s.facts.copy_of = NULL;
	s.facts.container.runtime = text("containerd");
	s.facts.container.image = text("localhost:5000/team/builder@sha256:abcdef");
	s.facts.container.name = text("builder");
	s.facts.container.ns = text("ci");
	s.facts.container.pod = text("builder-7c9d");
	s.facts.exec_argv0 = s.facts.exec_argv = NULL;
	s.drop.writer_gone = true;
	s.drop.exe = s.drop.cmdline = NULL;
	s.drop.pid = 0;
	s.drop.uid = -1;
	s.decision = (struct policy_decision){.verdict = VERDICT_ALLOW,
	        .reason = REASON_RULE,
	        .mode = MODE_ENFORCE,
	        .rule = &rule};
	return s;
}

/*
 * Golden files.
 */
static void golden_path(const char *name, char ret_path[512])
{
	snprintf(ret_path, 512, "%s/tests/golden/alerts/%s.json", TEST_SOURCE_DIR, name);
}

static void write_golden(const char *path, const char *text_now)
{
	_cleanup_fclose_ FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fprintf(f, "%s\n", text_now) > 0);
}

static void check_golden(const char *name, const char *text_now)
{
	static char golden[GOLDEN_MAX];
	_cleanup_fclose_ FILE *f = NULL;
	char path[512];
	size_t n;

	golden_path(name, path);
	if (getenv("EXECWARD_UPDATE_GOLDEN")) {
		write_golden(path, text_now);
		return;
	}
	f = fopen(path, "re");
	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	n = fread(golden, 1, sizeof(golden) - 1, f);
	golden[n] = '\0';
	if (n > 0 && golden[n - 1] == '\n')
		golden[n - 1] = '\0';
	assert_string_equal(text_now, golden);
}

static void test_golden(void **state)
{
	static const struct {
		const char *name;
		struct scenario (*make)(void);
	} rows[] = {
	        {"event-generator", event_generator},
	        {"hostile", hostile},
	        {"host", host},
	        {"fault", fault},
	        {"kubernetes", kubernetes},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scenario s = rows[i].make();
		_cleanup_free_ char *pretty = NULL;
		json_t *alert;

		tie(&s);
		alert = alert_to_json(&s.input);
		assert_non_null(alert);
		pretty = json_dumps(alert, JSON_INDENT(2) | JSON_SORT_KEYS);
		assert_non_null(pretty);
		check_golden(rows[i].name, pretty);
		json_decref(alert);
	}
}

/*
 * What holds for every alert.
 */
static bool string_or_null(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_string(value) || json_is_null(value);
}

static void check_types(const json_t *alert)
{
	static const char *const strings[] = {"container.id", "container.name",
	        "container.image.repository", "container.image.tag", "k8s.ns.name", "k8s.pod.name",
	        "proc.name", "proc.exe", "proc.exepath", "proc.cmdline", "user.name", "evt.res",
	        "execward.verdict", "execward.reason", "execward.origin", "execward.sha256",
	        "execward.rule_reason", "execward.fault", "execward.event_id"};
	static const char *const always[] = {
	        "hostname", "time", "rule", "priority", "source", "output"};
	const json_t *fields = json_object_get(alert, "output_fields");

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		assert_true(json_is_string(json_object_get(alert, always[i])));
	assert_int_equal(json_object_size(alert), 8);
	assert_true(json_array_size(json_object_get(alert, "tags")) > 0);
	assert_true(json_object_size(fields) > 0);
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		assert_true(string_or_null(fields, strings[i]));
	assert_true(json_is_integer(json_object_get(fields, "evt.time")));
}

static void check_sorted(json_t *tags)
{
	for (size_t i = 1; i < json_array_size(tags); i++)
		assert_true(strcmp(json_string_value(json_array_get(tags, i - 1)),
		                    json_string_value(json_array_get(tags, i))) < 0);
}

/* The line of a scenario, parsed again: the caller's reference. */
static json_t *through_line(struct scenario *s)
{
	_cleanup_free_ char *line = NULL, *again = NULL;
	json_t *alert, *parsed;
	json_error_t error;

	tie(s);
	alert = alert_to_json(&s->input);
	assert_non_null(alert);
	line = alert_to_line(alert);
	assert_non_null(line);
	for (const char *p = line; *p; p++)
		assert_true((unsigned char)*p >= 0x20);
	parsed = json_loads(line, JSON_REJECT_DUPLICATES, &error);
	if (!parsed)
		fail_msg("%s: %s", error.text, line);
	assert_true(json_equal(parsed, alert));
	again = json_dumps(parsed, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(again, line);
	check_types(parsed);
	check_sorted(json_object_get(parsed, "tags"));
	json_decref(alert);
	return parsed;
}

static void test_lines(void **state)
{
	struct scenario all[] = {
	        event_generator(), hostile(), host(), fault(), kubernetes(), {.decision = {0}}};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		json_decref(through_line(&all[i]));
}

/* The text can be shown on a terminal whatever it names. */
static void test_output_is_printable(void **state)
{
	struct scenario s = hostile();
	json_t *alert = through_line(&s);
	const char *output = json_string_value(json_object_get(alert, "output"));

	(void)state;
	for (const char *p = output; *p; p++)
		assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
	assert_null(strstr(output, "\xe2\x80\xae"));
	assert_non_null(strstr(output, "\\x1b[2J\\x0a"));
	json_decref(alert);
}

static void check_field(struct scenario *s, const char *key, const char *expected)
{
	json_t *alert = through_line(s);
	json_t *value = json_object_get(json_object_get(alert, "output_fields"), key);

	if (expected)
		assert_string_equal(json_string_value(value), expected);
	else
		assert_true(json_is_null(value));
	json_decref(alert);
}

static void test_images(void **state)
{
	static const struct {
		const char *image, *repository, *tag;
	} rows[] = {
	        {NULL, NULL, NULL},
	        {"debian", "debian", NULL},
	        {"docker.io/library/debian:12", "docker.io/library/debian", "12"},
	        {"localhost:5000/a/b", "localhost:5000/a/b", NULL},
	        {"localhost:5000/a/b:1.2", "localhost:5000/a/b", "1.2"},
	        {"docker.io/a/b@sha256:00ff", "docker.io/a/b", NULL},
	        {"docker.io/a/b:1@sha256:00ff", "docker.io/a/b", "1"},
	        {"localhost:5000/a@sha256:00", "localhost:5000/a", NULL},
	        {"sha256:00ff", NULL, NULL},
	        {"debian:", "debian", NULL},
	        {"", "", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scenario s = event_generator();

		s.facts.container.image = text(rows[i].image);
		check_field(&s, "container.image.repository", rows[i].repository);
		check_field(&s, "container.image.tag", rows[i].tag);
	}
}

static void test_container_id(void **state)
{
	struct scenario s = event_generator();

	(void)state;
	check_field(&s, "container.id", "7b8f2a1c9d3e");
	s.facts.container.id = text("");
	check_field(&s, "container.id", "unknown");
	s.facts.container.id = NULL;
	check_field(&s, "container.id", "unknown");
	check_field(&s, "execward.container_key", "/var/lib/docker/overlay2/5f2a/diff");
	s.facts.has_container = false;
	check_field(&s, "container.id", "host");
}

static void test_flags_and_result(void **state)
{
	struct scenario s = event_generator();

	(void)state;
	check_field(&s, "evt.arg.flags", "EXE_WRITABLE|EXE_UPPER_LAYER");
	check_field(&s, "evt.res", "EPERM");
	s.decision.verdict = VERDICT_WOULD_DENY;
	check_field(&s, "evt.res", "SUCCESS");
	s.facts.upper = false;
	check_field(&s, "evt.arg.flags", NULL);
	s.facts.origin = ORIGIN_IMAGE;
	check_field(&s, "evt.arg.flags", "EXE_LOWER_LAYER");
}

/* Rule names and priorities are what people route by. */
static void test_rules_and_priorities(void **state)
{
	static const struct {
		enum origin origin;
		enum reason reason;
		enum verdict verdict;
		bool other_image;
		const char *rule, *priority;
	} rows[] = {
	        {ORIGIN_DROPPED, REASON_DROPPED, VERDICT_DENY, false, ALERT_RULE_DROP, "Critical"},
	        {ORIGIN_DROPPED, REASON_DROPPED_COPY, VERDICT_WOULD_DENY, false, ALERT_RULE_DROP,
	                "Critical"},
	        {ORIGIN_DROPPED, REASON_LEARNING, VERDICT_ALLOW, false, ALERT_RULE_DROP, "Notice"},
	        {ORIGIN_MODIFIED, REASON_MODIFIED, VERDICT_DENY, false, ALERT_RULE_DROP,
	                "Critical"},
	        {ORIGIN_VOLUME, REASON_VOLUME, VERDICT_DENY, false,
	                "Execute from volume in container", "Critical"},
	        {ORIGIN_VOLUME, REASON_OTHER_IMAGE, VERDICT_DENY, true,
	                "Execute program of another image in container", "Critical"},
	        {ORIGIN_MUTABLE, REASON_MUTABLE, VERDICT_DENY, false,
	                "Execute mutable file in container", "Critical"},
	        {ORIGIN_UNKNOWN, REASON_UNKNOWN, VERDICT_DENY, false,
	                "Execute program of unknown origin in container", "Critical"},
	        {(enum origin)99, REASON_UNKNOWN, VERDICT_DENY, false,
	                "Execute program of unknown origin in container", "Critical"},
	        {ORIGIN_HOST, REASON_HOST, VERDICT_DENY, false, "Unknown program on guarded host",
	                "Critical"},
	        {ORIGIN_IMAGE, REASON_IMAGE, VERDICT_ALLOW, false, "Execute known program",
	                "Notice"},
	        {ORIGIN_IMAGE, REASON_DENYLISTED, VERDICT_DENY, false, "Execute denylisted program",
	                "Critical"},
	        {ORIGIN_UNKNOWN, REASON_FAULT, VERDICT_DENY, false, "Verdict could not be reached",
	                "Error"},
	        {ORIGIN_DROPPED, REASON_FAULT, VERDICT_ALLOW, false, "Verdict could not be reached",
	                "Error"},
	        {ORIGIN_IMAGE, REASON_MEMFD, VERDICT_ALLOW, false,
	                "Fileless execution via memfd_create", "Critical"},
	        {ORIGIN_IMAGE, REASON_LOADER, VERDICT_ALLOW, false,
	                "Execute program through dynamic loader in container", "Warning"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scenario s = event_generator();
		json_t *alert;

		s.facts.origin = rows[i].origin;
		s.facts.other_image = rows[i].other_image;
		s.decision.verdict = rows[i].verdict;
		s.decision.reason = rows[i].reason;
		alert = through_line(&s);
		assert_string_equal(
		        json_string_value(json_object_get(alert, "rule")), rows[i].rule);
		assert_string_equal(
		        json_string_value(json_object_get(alert, "priority")), rows[i].priority);
		json_decref(alert);
	}
}

static json_int_t field_int(struct scenario *s, const char *key)
{
	json_t *alert = through_line(s);
	json_t *value = json_object_get(json_object_get(alert, "output_fields"), key);
	json_int_t number = json_is_integer(value) ? json_integer_value(value) : -77;

	json_decref(alert);
	return number;
}

/* Times that a clock, or a filesystem of the attacker's, has made absurd. */
static void test_absurd_times(void **state)
{
	struct scenario s = event_generator();

	(void)state;
	assert_int_equal(field_int(&s, "execward.age_ms"), 4);
	s.drop.time_ns = T0 + 10 * NS_PER_SEC;
	assert_int_equal(field_int(&s, "execward.age_ms"), 0);
	s.drop.time_ns = 0;
	check_field(&s, "execward.age_ms", NULL);
	assert_int_equal(field_int(&s, "proc.exe_ino.ctime_duration_proc_start"), 1000000);
	s.facts.identity.ctime_ns = INT64_MIN;
	check_field(&s, "proc.exe_ino.ctime_duration_proc_start", NULL);
	s.facts.identity.ctime_ns = 0;
	check_field(&s, "proc.exe_ino.ctime", NULL);
	s.facts.time_ns = INT64_MIN;
	json_decref(through_line(&s));
	s.facts.time_ns = INT64_MAX;
	s.input.utc_offset_s = INT32_MAX;
	json_decref(through_line(&s));
}

/* The longest texts that the probe reads, all of them of the worst kind. */
static void test_longest_texts(void **state)
{
	struct scenario s = event_generator();
	char *longest = malloc(TEXT_MAX + 1);

	(void)state;
	assert_non_null(longest);
	memset(longest, 0xff, TEXT_MAX);
	longest[TEXT_MAX] = '\0';
	s.facts.path = s.facts.exec_argv = s.facts.exec_argv0 = s.facts.container.name = longest;
	s.facts.process.cmdline = s.facts.process.cwd = s.drop.cmdline = longest;
	json_decref(through_line(&s));
	free(longest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_golden),
	        cmocka_unit_test(test_lines),
	        cmocka_unit_test(test_output_is_printable),
	        cmocka_unit_test(test_images),
	        cmocka_unit_test(test_container_id),
	        cmocka_unit_test(test_flags_and_result),
	        cmocka_unit_test(test_rules_and_priorities),
	        cmocka_unit_test(test_absurd_times),
	        cmocka_unit_test(test_longest_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
