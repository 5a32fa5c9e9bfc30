/*
 * Bad configurations: each fault is told at its line and column, in words that name the key and the
 * cure, and nothing is returned. An operator meets these messages at two in the morning.
 */
#include "base/cleanup.h"
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fault {
	const char *text;
	unsigned int line, column;
	const char *message; /* part of it */
};

#define RULE "rules:\n- match: {user: 0}\n  mode: report\n  reason: r\n"

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

/* Says what differs, so that one run shows every fault of a table. */
static bool has_fault(const char *text, size_t size, const struct fault *expected)
{
	_cleanup_(config_error_done) struct config_error error = {0};
	struct config *c = NULL;
	int r = config_parse(text, size, "t.yaml", &c, &error);

	if (r != CONFIG_E_INVALID) {
		print_error("accepted (%d): %.200s\n", r, text);
		config_free(c);
		return false;
	}
	if (!c && !strcmp(error.file, "t.yaml") && error.line == expected->line &&
	        error.column == expected->column && strstr(error.message, expected->message) &&
	        is_printable(error.message))
		return true;
	print_error("%.200s\nis     %u:%u: %s\nwanted %u:%u: %s\n", text, error.line, error.column,
	        error.message, expected->line, expected->column, expected->message);
	return false;
}

static void assert_fault(const char *text, size_t size, const struct fault *expected)
{
	assert_true(has_fault(text, size, expected));
}

static void assert_faults(const struct fault *faults, size_t n)
{
	size_t wrong = 0;

	for (size_t i = 0; i < n; i++)
		wrong += !has_fault(faults[i].text, strlen(faults[i].text), &faults[i]);
	assert_int_equal(wrong, 0);
}

#define FAULTS(table) assert_faults(table, sizeof(table) / sizeof((table)[0]))

static void test_names(void **state)
{
	static const struct fault faults[] = {
	        {"mods: report\n", 1, 1, "unknown key \"mods\"; did you mean \"mode\"?"},
	        {"mode: report\ndeadlin: 5s\n", 2, 1, "did you mean \"deadline\"?"},
	        {"guard:\n  mraks: auto\n", 2, 3,
	                "unknown key \"guard.mraks\"; did you mean \"marks\"?"},
	        {"{guard: {volume: true}}", 1, 10, "did you mean \"volumes\"?"},
	        {"marks: auto\n", 1, 1,
	                "it is a key of \"guard\": write it indented below \"guard:\""},
	        {"guard.marks: auto\n", 1, 1, "it is a key of \"guard\""},
	        {"x: 1\n", 1, 1, "unknown key \"x\"; keys here are mode, copies, on_failure"},
	        {"Mode: report\n", 1, 1, "did you mean \"mode\"?"},
	        {"<<: {}\n", 1, 1, "unknown key \"<<\""},
	        {"\"\": 1\n", 1, 1, "unknown key \"\""},
	        {"\"a\\e[31m\\u202e\": 1\n", 1, 1, "unknown key \"a\\x1b[31m\\u{202e}\""},
	        {"\"mode\\0\": report\n", 1, 1, "a key must be a plain word"},
	        {"? [mode]\n: report\n", 1, 3, "a key must be a plain word"},
	        {"outputs:\n- {type: stdout, pth: /x}\n", 2, 18,
	                "unknown key \"outputs.pth\"; did you mean \"path\"?"},
	        {RULE "  raeson: x\n", 5, 3,
	                "unknown key \"rules.raeson\"; did you mean \"reason\"?"},
	        {"rules:\n- match:\n    imag: x\n", 3, 5,
	                "unknown key \"rules.match.imag\"; did you mean \"image\"?"},
	        {"guard:\n  paths:\n  - {path: /a, mod: report}\n", 3, 16,
	                "did you mean \"mode\"?"},
	};

	(void)state;
	FAULTS(faults);
}

static void test_duplicates(void **state)
{
	static const struct fault faults[] = {
	        {"mode: report\nmode: enforce\n", 2, 1,
	                "mode: given twice, first at line 1: remove one"},
	        {"guard: {}\nmode: report\nguard: {}\n", 3, 1, "guard: given twice"},
	        {"guard:\n  marks: auto\n  volumes: true\n  marks: auto\n", 4, 3,
	                "guard.marks: given twice"},
	        {RULE "  reason: s\n", 5, 3, "rules.reason: given twice, first at line 4"},
	        {"outputs:\n- {type: file, path: /a, path: /b}\n", 2, 26,
	                "outputs.path: given twice"},
	        {"outputs: [{type: stdout}]\noutputs: []\n", 2, 1, "outputs: given twice"},
	};

	(void)state;
	FAULTS(faults);
}

static void test_words(void **state)
{
	static const struct fault faults[] = {
	        {"mode: reprot\n", 1, 7, "mode: must be report or enforce, not \"reprot\""},
	        {"mode: learn\n", 1, 7, "use `execward mode learn --for 24h`"},
	        {"mode: Report\n", 1, 7, "must be report or enforce"},
	        {"mode: unknown\n", 1, 7, "must be report or enforce"},
	        {"mode:\n", 1, 6, "mode: must be report or enforce, not empty"},
	        {"mode: ~\n", 1, 7, "mode: must be report or enforce"},
	        {"mode: [report]\n", 1, 7, "mode: must be report or enforce, not a list"},
	        {"mode: {report: 1}\n", 1, 7, "mode: must be report or enforce, not a mapping"},
	        {"mode: \"report\\0\"\n", 1, 7, "without a NUL"},
	        {"copies: no\n", 1, 9, "copies: must be allow or deny, not \"no\""},
	        {"on_failure: true\n", 1, 13, "on_failure: must be allow or deny"},
	        {"guard: {marks: all}\n", 1, 16,
	                "guard.marks: must be auto, backing or overlay, not \"all\""},
	        {"guard:\n  containers: yes\n", 2, 15,
	                "guard.containers: must be true or false, not \"yes\""},
	        {"guard: {volumes: 1}\n", 1, 18, "must be true or false"},
	        {"guard: {libraries: True}\n", 1, 20, "must be true or false"},
	        {"trust: {ima: null}\n", 1, 14, "trust.ima: must be true or false"},
	        {"outputs: [{type: kafka}]\n", 1, 18,
	                "outputs.type: must be stdout, file, journald, syslog or http"},
	        {"outputs: [{type: unknown}]\n", 1, 18, "outputs.type: must be"},
	};

	(void)state;
	FAULTS(faults);
}

static void test_numbers(void **state)
{
	static const struct fault faults[] = {
	        {"deadline: 5\n", 1, 11,
	                "deadline: must be a duration such as 500ms, 5s, 10m, 24h or 180d, not "
	                "\"5\""},
	        {"deadline: -5s\n", 1, 11, "must be a duration"},
	        {"deadline: 9ms\n", 1, 11, "deadline: out of range: must be 10ms to 1m, not 9ms"},
	        {"deadline: 61s\n", 1, 11, "out of range"},
	        {"deadline: 99999999999999999999d\n", 1, 11, "out of range"},
	        {"trust: {keep: 59m}\n", 1, 15, "trust.keep: out of range: must be 1h to 1000h"},
	        {"trust: {keep: 42d}\n", 1, 15, "trust.keep: out of range: must be 1h to 1000h"},
	        {"trust: {skew: 25h}\n", 1, 15, "trust.skew: out of range: must be 0s to 24h"},
	        {"trust: {grace: 366d}\n", 1, 16, "trust.grace: out of range: must be 0s to 365d"},
	        {"trust: {grace: 1500ms}\n", 1, 16, "trust.grace: must be whole seconds"},
	        {"trust: {max_validity: 59m}\n", 1, 23,
	                "trust.max_validity: out of range: must be 1h to 3650d"},
	        {"trust: {labels: [\"a b\"]}\n", 1, 18,
	                "trust.labels: only printable ASCII without spaces"},
	        {"trust: {labels: [\"\"]}\n", 1, 18, "trust.labels: must be a label such as web"},
	        {"limits: {alert_window: 999ms}\n", 1, 24,
	                "limits.alert_window: out of range: must be 1s to 1h"},
	        {"limits: {hash_threads: 65}\n", 1, 24,
	                "limits.hash_threads: out of range: must be 0 to 64, not 65"},
	        {"limits:\n  pending: 15\n", 2, 12,
	                "limits.pending: out of range: must be 16 to 1000000"},
	        {"limits: {pending: 99999999999999999999}\n", 1, 19, "out of range"},
	        {"limits: {pending: 4294967312}\n", 1, 19, "out of range"}, /* 2^32 + 16 */
	        {"limits: {pending: -16}\n", 1, 19, "must be a whole number, not \"-16\""},
	        {"limits: {pending: 16.0}\n", 1, 19, "must be a whole number"},
	        {"limits: {pending: 0x10}\n", 1, 19, "must be a whole number"},
	        {"limits: {pending: 010}\n", 1, 19, "must be a whole number"},
	        {"limits: {pending: 1_000}\n", 1, 19, "must be a whole number"},
	        {"limits: {pending: many}\n", 1, 19, "must be a whole number"},
	        {"trust: {threshold: 0}\n", 1, 20,
	                "trust.threshold: out of range: must be 1 to 32"},
	        {"retention: {events: 99}\n", 1, 21, "retention.events: out of range"},
	        {"retention: {drops: 10000001}\n", 1, 20, "retention.drops: out of range"},
	        {"retention: {days: 0}\n", 1, 19,
	                "retention.days: out of range: must be 1 to 3650"},
	};

	(void)state;
	FAULTS(faults);
}

static void test_paths(void **state)
{
	static const struct fault faults[] = {
	        {"state_dir: var/lib\n", 1, 12,
	                "state_dir: must be an absolute path, not \"var/lib\""},
	        {"state_dir: \"\"\n", 1, 12, "state_dir: must be an absolute path, not empty"},
	        {"state_dir: null\n", 1, 12, "state_dir: must be an absolute path"},
	        {"state_dir: /var/../etc\n", 1, 12, "without \"//\", \"/./\" and \"/../\""},
	        {"state_dir: /..\n", 1, 12, "without"},
	        {"state_dir: /a/.\n", 1, 12, "without"},
	        {"state_dir: /a//b\n", 1, 12, "without"},
	        {"state_dir: \"/a\\nb\"\n", 1, 12, "control character"},
	        {"state_dir: \"/a\\0b\"\n", 1, 12, "without a NUL"},
	        {"guard: {storage: /var/lib/docker}\n", 1, 18, "guard.storage: must be a list"},
	        {"guard:\n  storage:\n  - /a\n  - b\n", 4, 5,
	                "guard.storage: must be an absolute path, not \"b\""},
	        {"guard: {storage: [{path: /a}]}\n", 1, 19,
	                "must be an absolute path, not a mapping"},
	        {"guard: {storage: [[/a]]}\n", 1, 19, "must be an absolute path, not a list"},
	        {"guard: {paths: [a]}\n", 1, 17, "guard.paths: must be an absolute path"},
	        {"guard: {paths: [{path: a}]}\n", 1, 24,
	                "guard.paths.path: must be an absolute path"},
	        {"guard: {paths: [{mode: report}]}\n", 1, 17, "guard.paths: an entry needs a path"},
	        {"guard: {paths: [{path: /a, mode: learn}]}\n", 1, 34, "learn always has an end"},
	        {"guard: {paths: [[/a]]}\n", 1, 17,
	                "guard.paths: must be a mapping of keys, not a list"},
	        {"trust: {writers: [dpkg]}\n", 1, 19, "trust.writers: must be an absolute path"},
	        {"trust:\n  fetch: [\"http://example.org/x\"]\n", 2, 11,
	                "trust.fetch: only https:// is fetched"},
	        {"trust: {fetch: [{url: \"http://example.org/x\"}]}\n", 1, 23,
	                "trust.fetch.url: only https:// is fetched"},
	        {"trust: {fetch: [{url: \"HTTPS://example.org/x\"}]}\n", 1, 23, "must be a URL"},
	        {"trust: {fetch: [{url: \"https:///x\"}]}\n", 1, 23, "must be a URL"},
	        {"trust: {fetch: [{series: x}]}\n", 1, 17, "an entry needs a url"},
	        {"trust: {fetch: [{url: \"https://example.org/x\", series: \"a\\eb\"}]}\n", 1, 56,
	                "trust.fetch.series: "},
	        {"runtimes: {containerd_run: /run}\n", 1, 28,
	                "runtimes.containerd_run: must be a list"},
	        {"runtimes: {docker: .}\n", 1, 20, "runtimes.docker: must be an absolute path"},
	};

	(void)state;
	FAULTS(faults);
}

static void test_outputs(void **state)
{
	static const struct fault faults[] = {
	        {"outputs:\n", 1, 9, "outputs: must be a list"},
	        {"outputs: journald\n", 1, 10, "outputs: must be a list"},
	        {"outputs: [journald]\n", 1, 11,
	                "outputs: must be a mapping of keys, not \"journald\""},
	        {"outputs:\n- path: /a\n", 2, 3, "outputs: an output needs a type"},
	        {"outputs: [{}]\n", 1, 11, "an output needs a type"},
	        {"outputs: [{type: file}]\n", 1, 11, "an output of type file needs a path"},
	        {"outputs: [{type: file, path: alerts}]\n", 1, 30,
	                "outputs.path: must be an absolute path"},
	        {"outputs: [{type: journald, path: /a}]\n", 1, 11,
	                "only an output of type file has a path"},
	        {"outputs: [{type: http}]\n", 1, 11, "an output of type http needs a url"},
	        {"outputs: [{type: journald, url: \"http://example.org\"}]\n", 1, 11,
	                "only an output of type http has a url"},
	        {"outputs: [{type: http, url: x}]\n", 1, 29, "outputs.url: must be a URL"},
	        {"outputs: [{type: http, url: \"ftp://example.org\"}]\n", 1, 29, "must be a URL"},
	        {"outputs: [{type: http, url: \"https://\"}]\n", 1, 29, "must be a URL"},
	        {"outputs: [{type: http, url: \"http://example.org/a b\"}]\n", 1, 29,
	                "only printable ASCII"},
	        {"outputs: [{type: http, url: \"http://example.org\\n\"}]\n", 1, 29,
	                "only printable ASCII"},
	};

	(void)state;
	FAULTS(faults);
}

static void test_rules(void **state)
{
	static const struct fault faults[] = {
	        {"rules: {}\n", 1, 8, "rules: must be a list"},
	        {"rules: [allow]\n", 1, 9, "rules: must be a mapping of keys, not \"allow\""},
	        {"rules:\n- {}\n", 2, 3, "a rule needs a match with at least one pattern"},
	        {"rules:\n- {action: allow, reason: r}\n", 2, 3, "a rule needs a match"},
	        {"rules:\n- {match: {}, action: allow, reason: r}\n", 2, 3, "a rule needs a match"},
	        {"rules:\n- match:\n  action: allow\n  reason: r\n", 2, 3, "a rule needs a match"},
	        {"rules:\n- {match: \"*\", action: allow, reason: r}\n", 2, 11,
	                "rules.match: must be a mapping"},
	        {"rules:\n- {match: {user: 0}, reason: r}\n", 2, 3,
	                "a rule needs an action, a mode or copies"},
	        {"rules:\n- {match: {user: 0}, action: allow}\n", 2, 3, "a rule needs a reason"},
	        {"rules:\n- {match: {user: 0}, action: allow, reason: \"\"}\n", 2, 45,
	                "rules.reason: must not be empty"},
	        {"rules:\n- {match: {user: 0}, action: allow, reason: \" \\t\"}\n", 2, 45,
	                "must not be empty"},
	        {"rules:\n- {match: {user: 0}, action: allow, reason: ~}\n", 2, 45,
	                "must not be empty"},
	        {"rules:\n- {match: {user: 0}, action: allow, reason: [r]}\n", 2, 45, "not a list"},
	        {"rules:\n- {match: {user: 0}, action: report, reason: r}\n", 2, 30,
	                "rules.action: must be allow or deny"},
	        {"rules:\n- {match: {user: 0}, mode: learn, reason: r}\n", 2, 28,
	                "rules.mode: learn always has an end"},
	        {"rules:\n- {match: {user: 0}, copies: true, reason: r}\n", 2, 30,
	                "rules.copies: must be allow or deny"},
	        {RULE "  expires: tomorrow\n", 5, 12,
	                "rules.expires: must be a date (2027-01-01) or a time"},
	        {RULE "  expires: 2027-02-30\n", 5, 12, "rules.expires: no such day or time"},
	        {RULE "  expires: 2027-01-01T00:00:00\n", 5, 12, "rules.expires: must be a date"},
	        {RULE "  expires:\n", 5, 11, "rules.expires: must be a date"},
	        {"rules:\n- match: {user: www-data}\n", 2, 17,
	                "rules.match.user: must be a numeric uid, or root"},
	        {"rules:\n- match: {user: -1}\n", 2, 17, "must be a numeric uid"},
	        {"rules:\n- match: {user: 4294967295}\n", 2, 17, "must be a numeric uid"},
	        {"rules:\n- match: {user: 99999999999999999999}\n", 2, 17, "must be a numeric uid"},
	};

	(void)state;
	FAULTS(faults);
}

static void test_patterns(void **state)
{
	static const struct fault faults[] = {
	        {"rules:\n- match: {image: \"gcc[0-\"}\n", 2, 22,
	                "rules.match.image: bad pattern: '[' without ']'"},
	        {"rules:\n- match: {container: 'ab\\'}\n", 2, 25,
	                "nothing follows the last backslash"},
	        {"rules:\n- match:\n    container: ab[c\n", 3, 18, "'[' without ']'"},
	        {"rules:\n- match: {container: \"\xc3\xa4[\"}\n", 2, 24,
	                "'[' without ']'"}, /* characters, not bytes */
	        {"rules:\n- match: {container: \"\\x41[\"}\n", 2, 22,
	                "'[' without ']'"}, /* escaped: its start */
	        {"rules:\n- match: {image: \"\"}\n", 2, 18,
	                "rules.match.image: must be a pattern in quotes, not empty"},
	        {"rules:\n- match: {image: null}\n", 2, 18, "must be a pattern"},
	        {"rules:\n- match: {namespace: [a]}\n", 2, 22,
	                "must be a pattern in quotes, not a list"},
	        {"rules:\n- match: {path: \"usr/bin/x\"}\n", 2, 17,
	                "rules.match.path: a path pattern begins with /"},
	        {"rules:\n- match: {parent: \"*.sh\"}\n", 2, 19, "it would never match"},
	        {"rules:\n- match: {writer: \"?\"}\n", 2, 19, "it would never match"},
	        {"rules:\n- match: {path: *.sh}\n", 2, 17, "quote a pattern that begins with '*'"},
	        {"rules:\n- match:\n    path: **/x\n", 3, 11,
	                "quote a pattern that begins with '*'"},
	        {"rules:\n- match: {image: *gcc}\n", 2, 18, "aliases and anchors are not accepted"},
	};

	(void)state;
	FAULTS(faults);
}

static void test_yaml(void **state)
{
	static const struct fault faults[] = {
	        {"mode report\n", 1, 1, "the configuration must be lines of \"key: value\""},
	        {"- mode\n", 1, 1, "the configuration must be lines of \"key: value\""},
	        {"\"\"\n", 1, 1, "the configuration must be lines of \"key: value\""},
	        {"guard: true\n", 1, 8, "guard: must be a mapping of keys, not \"true\""},
	        {"guard: []\n", 1, 8, "guard: must be a mapping of keys, not a list"},
	        {"mode: report\n---\nmode: enforce\n", 2, 1, "a second document begins"},
	        {"---\n---\nmode: enforce\n", 2, 1, "a second document begins"},
	        {"mode: report\n...\n---\nx\n", 3, 1, "a second document begins"},
	        {"guard:\n\tmarks: auto\n", 2, 1, "indent with spaces"},
	        {"mode: report\n bad: x\n", 2, 5, "check the indentation"},
	        {"mode: a: b\n", 1, 8, "quote a text that holds ': '"},
	        {"mode: [report\n", 2, 1, "not valid YAML"},
	        {"mode: \"report\n", 2, 1, "not valid YAML"},
	        {"mode: [\xc3\xa4", 1, 9, "not valid YAML"}, /* no line end: the last line */
	        {"? outputs", 1, 10, "outputs: must be a list"},
	        {"mode: report\nstate_dir: /a\xff\n", 2, 14, "save the file as UTF-8"},
	        {"mode: \"\xc3\xa4\x01\"\n", 1, 9, "remove the control character"},
	        {"a: &x b\n", 1, 4, "aliases and anchors are not accepted"},
	        {"a: &x [*x]\n", 1, 4, "aliases and anchors are not accepted"},
	        {"guard: &g\n  marks: auto\n", 1, 8, "aliases and anchors are not accepted"},
	        {"mode: !!str report\n", 1, 7, "tags are not accepted"},
	        {"mode: ! report\n", 1, 7, "tags are not accepted"},
	        {"outputs: !!seq []\n", 1, 10, "tags are not accepted"},
	        {"guard: !m {}\n", 1, 8, "tags are not accepted"},
	        {"[[[[[[[[[1]]]]]]]]]", 1, 9, "nested deeper than 8 levels"},
	        {"a: {b: {c: {d: {e: {f: {g: {h: {}}}}}}}}", 1, 32, "nested deeper than 8 levels"},
	};

	(void)state;
	FAULTS(faults);
}

static void test_nul_bytes(void **state)
{
	static const char text[] = "mode: report\0\n";
	static const struct fault expected = {text, 1, 13, "remove the control character"};

	(void)state;
	assert_fault(text, sizeof(text) - 1, &expected);
}

/* UTF-16 is not guessed at, whatever its mark says. */
static void test_utf16(void **state)
{
	static const char text[] = "\xff\xfem\0o\0d\0e\0:\0 \0x\0";
	static const struct fault expected = {text, 1, 1, "save the file as UTF-8"};

	(void)state;
	assert_fault(text, sizeof(text) - 1, &expected);
}

/*
 * Sizes.
 */
static char *repeat(const char *head, const char *body, size_t n, const char *tail)
{
	char *text = malloc(strlen(head) + strlen(body) * n + strlen(tail) + 1);
	char *end = stpcpy(text, head);

	for (size_t i = 0; i < n; i++)
		end = stpcpy(end, body);
	strcpy(end, tail);
	return text;
}

static void test_sizes(void **state)
{
	const struct {
		const char *head, *body;
		size_t n;
		const char *tail;
		struct fault fault;
	} cases[] = {
	        {"trust:\n  fetch:\n", "  - https://example.org\n", CONFIG_FETCH_MAX + 1, "",
	                {.line = 3 + CONFIG_FETCH_MAX,
	                        .column = 5,
	                        .message = "trust.fetch: more than 64 entries"}},
	        {"trust:\n  writers:\n", "  - /a\n", CONFIG_LIST_MAX + 1, "",
	                {.line = CONFIG_LIST_MAX + 3,
	                        .column = 5,
	                        .message = "trust.writers: more than 1024 entries"}},
	        {"outputs:\n", "- {type: stdout}\n", CONFIG_LIST_MAX + 1, "",
	                {.line = CONFIG_LIST_MAX + 2,
	                        .column = 3,
	                        .message = "outputs: more than 1024"}},
	        {"rules:\n", "- {match: {user: 0}, mode: report, reason: r}\n",
	                POLICY_RULES_MAX + 1, "",
	                {.line = POLICY_RULES_MAX + 2,
	                        .column = 3,
	                        .message = "rules: more than 4096"}},
	        {"state_dir: ", "/abcdefg", 512, "\n",
	                {.line = 1, .column = 12, .message = "longer than 4095 bytes"}},
	        {"runtime_dir: /", "0123456789", 10, "\n",
	                {.line = 1, .column = 14, .message = "too long for a socket"}},
	        {"rules:\n- match: {image: ", "abcdefgh", 513, "}\n",
	                {.line = 2, .column = 4114, .message = "longer than 4096 bytes"}},
	        {"rules:\n- {match: {user: 0}, mode: report, reason: ", "abcdefgh", 1024, "}\n",
	                {.line = 2,
	                        .column = 44,
	                        .message = "rules.reason: longer than 8191 bytes"}},
	        {"outputs: [{type: http, url: \"http://example.org/", "abcdefgh", 256, "\"}]\n",
	                {.line = 1,
	                        .column = 29,
	                        .message = "outputs.url: longer than 2048 bytes"}},
	        {"# ", "abcdefgh", CONFIG_SIZE_MAX / 8, "",
	                {.line = 0, .column = 0, .message = "larger than 1048576 bytes"}},
	        {"\"", "abcdefgh", 64, "\": 1\n",
	                {.line = 1, .column = 1, .message = "unknown key \"abcdefghabcdefgh"}},
	};
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *text =
		        repeat(cases[i].head, cases[i].body, cases[i].n, cases[i].tail);

		wrong += !has_fault(text, strlen(text), &cases[i].fault);
	}
	assert_int_equal(wrong, 0);
}

/* Texts of a megabyte that cost a careless reader minutes or gigabytes. */
static void test_bombs(void **state)
{
	static const struct {
		const char *body;
		unsigned int line, column;
		const char *message;
	} bombs[] = {
	        {"[", 1, 9, "nested deeper"},
	        {"{", 1, 9, "nested deeper"},
	        {"- ", 1, 17, "nested deeper"},
	        {"a\n", 1, 1, "key: value"},
	        {"a: 1\n", 1, 1, "unknown key"},
	        {"mode: report\n", 2, 1, "given twice"},
	        {"? ", 1, 17, "nested deeper"},
	};
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++) {
		size_t n = CONFIG_SIZE_MAX / strlen(bombs[i].body);
		_cleanup_free_ char *text = repeat("", bombs[i].body, n, "");
		struct fault fault = {text, bombs[i].line, bombs[i].column, bombs[i].message};

		wrong += !has_fault(text, strlen(text), &fault);
	}
	assert_int_equal(wrong, 0);
}

/* The billion laughs: refused at the first anchor. */
static void test_alias_bomb(void **state)
{
	static const struct fault expected = {
	        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nmode: *c\n", 1, 4,
	        "aliases and anchors"};

	(void)state;
	assert_fault(expected.text, strlen(expected.text), &expected);
}

/* An error is replaced by the next, and a good load leaves it alone. */
static void test_error_reuse(void **state)
{
	struct config_error error = {0};
	struct config *c = NULL;

	(void)state;
	assert_int_equal(config_parse("a: 1", 4, "a.yaml", &c, &error), CONFIG_E_INVALID);
	assert_int_equal(config_parse("\nb: 1", 5, "b.yaml", &c, &error), CONFIG_E_INVALID);
	assert_string_equal(error.file, "b.yaml");
	assert_int_equal(error.line, 2);
	assert_int_equal(config_parse("", 0, "c.yaml", &c, &error), 0);
	assert_string_equal(error.file, "b.yaml");
	config_free(c);
	config_error_done(&error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_names),
	        cmocka_unit_test(test_duplicates),
	        cmocka_unit_test(test_words),
	        cmocka_unit_test(test_numbers),
	        cmocka_unit_test(test_paths),
	        cmocka_unit_test(test_outputs),
	        cmocka_unit_test(test_rules),
	        cmocka_unit_test(test_patterns),
	        cmocka_unit_test(test_yaml),
	        cmocka_unit_test(test_nul_bytes),
	        cmocka_unit_test(test_utf16),
	        cmocka_unit_test(test_sizes),
	        cmocka_unit_test(test_bombs),
	        cmocka_unit_test(test_alias_bomb),
	        cmocka_unit_test(test_error_reuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
