/*
 * The whole table of "who vouches": every origin, mode, set of vouches and `copies` against an
 * oracle written from the architecture's list, then rules, then properties on random input.
 */
#include "core/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1790000000000000000)

static struct policy_decision decide(
        const struct policy_settings *policy, const struct exec_facts *facts, unsigned int vouches)
{
	struct policy_input input = {.facts = facts, .vouches = vouches, .now_ns = NOW};
	struct policy_decision d;

	memset(&d, 0xff, sizeof(d));
	policy_decide(policy, &input, &d);
	return d;
}

static struct policy_settings settings(enum mode mode)
{
	return (struct policy_settings){
	        .mode = mode, .copies = ACTION_DENY, .on_failure = ACTION_DENY};
}

/* Literals become fields without a copy: nothing here is freed. */
static char *text(const char *literal)
{
	return (char *)(uintptr_t)literal;
}

static struct exec_facts dropped(void)
{
	return (struct exec_facts){
	        .origin = ORIGIN_DROPPED,
	        .upper = true,
	        .has_digest = true,
	        .path = text("/tmp/x"),
	        .has_container = true,
	        .container = {.image = text("docker.io/library/debian:12"),
	                .name = text("web"),
	                .ns = text("prod")},
	        .process = {.uid = 1000, .parent_exepath = text("/usr/bin/bash")},
	};
}

/*
 * The oracle: the list of the architecture in its own words.
 */
static bool is_told(enum origin origin)
{
	return origin != ORIGIN_UNKNOWN && origin != ORIGIN_MUTABLE && origin < _ORIGIN_MAX;
}

static enum reason expect_nobody(const struct exec_facts *f)
{
	static const enum reason reasons[_ORIGIN_MAX] = {
	        [ORIGIN_UNKNOWN] = REASON_UNKNOWN,
	        [ORIGIN_MODIFIED] = REASON_MODIFIED,
	        [ORIGIN_DROPPED] = REASON_DROPPED,
	        [ORIGIN_VOLUME] = REASON_VOLUME,
	        [ORIGIN_HOST] = REASON_HOST,
	        [ORIGIN_MUTABLE] = REASON_MUTABLE,
	};

	if (f->origin == ORIGIN_DROPPED && f->copy_of)
		return REASON_DROPPED_COPY;
	if (f->origin == ORIGIN_VOLUME && f->other_image)
		return REASON_OTHER_IMAGE;
	return reasons[f->origin];
}

static enum reason expect_voucher(
        const struct exec_facts *f, unsigned int vouches, enum action copies)
{
	if (f->origin == ORIGIN_UNGUARDED)
		return REASON_UNGUARDED;
	if (f->origin == ORIGIN_IMAGE)
		return REASON_IMAGE;
	if (f->origin == ORIGIN_COPIED)
		return REASON_COPIED;
	if (is_told(f->origin) && f->has_digest) {
		if (vouches & VOUCH_APPROVED)
			return REASON_APPROVED;
		if (vouches & VOUCH_LEARNED)
			return REASON_LEARNED;
		if (vouches & VOUCH_BASELINE && (!f->copy_of || copies == ACTION_ALLOW))
			return REASON_BASELINE;
		if (vouches & VOUCH_ALLOWLISTED)
			return REASON_ALLOWLISTED;
		if (vouches & VOUCH_SIGNED)
			return REASON_SIGNED;
		if (vouches & VOUCH_TRUSTED_WRITER)
			return REASON_TRUSTED_WRITER;
	}
	if (f->origin == ORIGIN_DROPPED && f->copy_of && copies == ACTION_ALLOW)
		return REASON_COPY_ALLOWED;
	return REASON_UNSET;
}

static struct policy_decision expect(
        const struct policy_settings *policy, const struct exec_facts *f, unsigned int vouches)
{
	struct policy_decision d = {.mode = policy->mode};
	enum verdict refusal = policy->mode == MODE_REPORT ? VERDICT_WOULD_DENY : VERDICT_DENY;

	if (d.mode == MODE_UNSET)
		d.mode = MODE_ENFORCE;
	if (f->origin != ORIGIN_UNGUARDED && vouches & VOUCH_DENYLISTED) {
		d.verdict = refusal;
		d.reason = REASON_DENYLISTED;
		return d;
	}
	d.reason = expect_voucher(f, vouches, policy->copies);
	if (d.reason != REASON_UNSET) {
		d.verdict = VERDICT_ALLOW;
		return d;
	}
	d.reason = expect_nobody(f);
	d.verdict = refusal;
	if (policy->mode == MODE_LEARN && is_told(f->origin) && f->has_digest) {
		d.verdict = VERDICT_ALLOW;
		d.reason = REASON_LEARNING;
		d.learn = true;
	} else if (policy->mode == MODE_LEARN) {
		d.verdict = VERDICT_WOULD_DENY;
	}
	return d;
}

static void check_same(struct policy_decision got, struct policy_decision want, const char *what)
{
	if (got.verdict == want.verdict && got.reason == want.reason && got.mode == want.mode &&
	        got.learn == want.learn && got.rule == want.rule)
		return;
	fail_msg("%s: %s %s %s learn %d, expected %s %s %s learn %d", what,
	        verdict_name(got.verdict), reason_name(got.reason), mode_name(got.mode), got.learn,
	        verdict_name(want.verdict), reason_name(want.reason), mode_name(want.mode),
	        want.learn);
}

/* One combination: the bits of @n say what is known beside origin, mode and vouches. */
static void check_combination(
        enum origin origin, enum mode mode, unsigned int vouches, unsigned int n)
{
	struct exec_facts f = dropped();
	struct policy_settings policy = settings(mode);
	char what[128];

	f.origin = origin;
	f.has_digest = n & 1;
	f.copy_of = n & 2 ? text("/bin/ls") : NULL;
	f.other_image = n & 4;
	policy.copies = n & 8 ? ACTION_ALLOW : ACTION_DENY;
	snprintf(what, sizeof(what), "origin %s, mode %s, vouches %#x, %#x", origin_name(origin),
	        mode_name(mode), vouches, n);
	check_same(decide(&policy, &f, vouches), expect(&policy, &f, vouches), what);
}

static void test_every_combination(void **state)
{
	unsigned int tried = 0;

	(void)state;
	for (int origin = 0; origin < _ORIGIN_MAX; origin++)
		for (int mode = 0; mode < _MODE_MAX; mode++)
			for (unsigned int vouches = 0; vouches < 2 * VOUCH_UNREADABLE; vouches++)
				for (unsigned int n = 0; n < 16; n++, tried++)
					check_combination(
					        (enum origin)origin, (enum mode)mode, vouches, n);
	assert_int_equal(tried, 9 * 4 * 256 * 16);
}

/*
 * Rules.
 */
static const struct policy_match any = {.uid = -1};

static void test_rule_order_and_expiry(void **state)
{
	struct exec_facts f = dropped();
	struct policy_rule rules[] = {
	        {.match = any, .action = ACTION_ALLOW, .expires_ns = NOW}, /* expired just now */
	        {.match = any,
	                .action = ACTION_UNSET,
	                .mode = MODE_ENFORCE}, /* speaks of mode only */
	        {.match = any, .action = ACTION_ALLOW, .expires_ns = NOW + 1}, /* still good */
	        {.match = any, .action = ACTION_DENY},
	};
	struct policy_settings policy = settings(MODE_REPORT);
	struct policy_decision d;

	(void)state;
	policy.rules = rules;
	policy.n_rules = 4;
	d = decide(&policy, &f, 0);
	assert_int_equal(d.verdict, VERDICT_ALLOW);
	assert_int_equal(d.reason, REASON_RULE);
	assert_int_equal(d.mode, MODE_ENFORCE);
	assert_ptr_equal(d.rule, &rules[2]);
	rules[2].expires_ns = NOW - 1;
	d = decide(&policy, &f, 0);
	assert_int_equal(d.verdict, VERDICT_DENY);
	assert_ptr_equal(d.rule, &rules[3]);
	rules[1].mode = MODE_REPORT;
	assert_int_equal(decide(&policy, &f, 0).verdict, VERDICT_WOULD_DENY);
	/* A digest that is vouched for, and an image program, are decided before rules. */
	assert_int_equal(decide(&policy, &f, VOUCH_SIGNED).reason, REASON_SIGNED);
	f.origin = ORIGIN_IMAGE;
	assert_int_equal(decide(&policy, &f, 0).reason, REASON_IMAGE);
}

static void test_rule_cannot_lift_denylist(void **state)
{
	struct exec_facts f = dropped();
	struct policy_rule rule = {.match = any, .action = ACTION_ALLOW, .copies = ACTION_ALLOW};
	struct policy_settings policy = settings(MODE_ENFORCE);

	(void)state;
	policy.rules = &rule;
	policy.n_rules = 1;
	assert_int_equal(decide(&policy, &f, VOUCH_DENYLISTED).verdict, VERDICT_DENY);
	/* ... but it may let a file run that nobody else may vouch for. */
	f.origin = ORIGIN_MUTABLE;
	assert_int_equal(decide(&policy, &f, 0).reason, REASON_RULE);
	assert_int_equal(decide(&policy, &f, VOUCH_DENYLISTED).verdict, VERDICT_DENY);
	f.origin = ORIGIN_UNKNOWN;
	f.has_digest = false;
	assert_int_equal(decide(&policy, &f, 0).reason, REASON_RULE);
}

static void test_rule_copies(void **state)
{
	struct exec_facts f = dropped();
	struct policy_rule rules[] = {
	        {.match = {.uid = 7}, .copies = ACTION_DENY},
	        {.match = any, .copies = ACTION_ALLOW},
	};
	struct policy_settings policy = settings(MODE_ENFORCE);

	(void)state;
	policy.rules = rules;
	policy.n_rules = 2;
	assert_int_equal(decide(&policy, &f, 0).reason, REASON_DROPPED);
	f.copy_of = text("/bin/ls");
	assert_int_equal(decide(&policy, &f, 0).reason, REASON_COPY_ALLOWED);
	f.process.uid = 7;
	assert_int_equal(decide(&policy, &f, 0).reason, REASON_DROPPED_COPY);
	f.process.uid = 8;
	f.origin = ORIGIN_MODIFIED;
	assert_int_equal(decide(&policy, &f, 0).reason, REASON_MODIFIED);
}

/* Its original's digest is in the image's baseline: the copy's digest says nothing new. */
static void test_a_baseline_does_not_speak_for_a_copy(void **state)
{
	static const enum origin origins[] = {ORIGIN_DROPPED, ORIGIN_MODIFIED, ORIGIN_VOLUME};
	static const enum reason reasons[] = {REASON_DROPPED_COPY, REASON_MODIFIED, REASON_VOLUME};
	struct exec_facts f = dropped();
	struct policy_rule rule = {.match = any, .copies = ACTION_ALLOW};
	struct policy_settings policy = settings(MODE_ENFORCE);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		f.origin = origins[i];
		f.copy_of = NULL;
		assert_int_equal(decide(&policy, &f, VOUCH_BASELINE).reason, REASON_BASELINE);
		f.copy_of = text("/bin/ls");
		assert_int_equal(decide(&policy, &f, VOUCH_BASELINE).reason, reasons[i]);
		assert_int_equal(decide(&policy, &f, VOUCH_BASELINE).verdict, VERDICT_DENY);
		/* What somebody said of this very digest counts, also beside a baseline. */
		assert_int_equal(decide(&policy, &f, VOUCH_BASELINE | VOUCH_APPROVED).reason,
		        REASON_APPROVED);
		assert_int_equal(
		        decide(&policy, &f, VOUCH_BASELINE | VOUCH_LEARNED).reason, REASON_LEARNED);
		policy.rules = &rule;
		policy.n_rules = 1;
		assert_int_equal(decide(&policy, &f, VOUCH_BASELINE).reason, REASON_BASELINE);
		policy.n_rules = 0;
	}
	f.copy_of = NULL;
	assert_int_equal(decide(&policy, &f, VOUCH_UNREADABLE).reason, REASON_VOLUME);
	f.origin = ORIGIN_MUTABLE;
	assert_int_equal(decide(&policy, &f, VOUCH_BASELINE).reason, REASON_MUTABLE);
}

static void test_match_fields(void **state)
{
	struct exec_facts f = dropped();
	struct policy_input input = {.facts = &f, .writer_exepath = "/usr/bin/curl", .now_ns = NOW};
	const struct {
		struct policy_match match;
		bool matches;
	} rows[] = {
	        {{.uid = -1}, true},
	        {{.uid = 1000}, true},
	        {{.uid = 0}, false},
	        {{.uid = -1, .image = text("*/debian:*")}, true},
	        {{.uid = -1, .image = text("*/ubuntu:*")}, false},
	        {{.uid = -1, .container = text("w?b")}, true},
	        {{.uid = -1, .container = text("host")}, false},
	        {{.uid = -1, .ns = text("prod")}, true},
	        {{.uid = -1, .ns = text("dev")}, false},
	        {{.uid = -1, .path = text("/tmp/*")}, true},
	        {{.uid = -1, .path = text("/*")}, false},
	        {{.uid = -1, .parent = text("/usr/bin/bash")}, true},
	        {{.uid = -1, .parent = text("/bin/bash")}, false},
	        {{.uid = -1, .writer = text("/usr/bin/curl")}, true},
	        {{.uid = -1, .writer = text("/usr/bin/wget")}, false},
	        {{.uid = -1, .writer = text("/usr/bin/curl"), .path = text("/opt/**")}, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (policy_match_matches(&rows[i].match, &input) != rows[i].matches)
			fail_msg("row %zu", i);
}

/* What is not known matches no pattern, not even `*`; the host has a name of its own. */
static void test_match_unknown(void **state)
{
	struct exec_facts f = {.process = {.uid = -1}};
	struct policy_input input = {.facts = &f};
	struct policy_match match[] = {
	        {.uid = -1, .image = text("*")},
	        {.uid = -1, .ns = text("*")},
	        {.uid = -1, .path = text("**")},
	        {.uid = -1, .parent = text("**")},
	        {.uid = -1, .writer = text("**")},
	        {.uid = 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(match) / sizeof(match[0]); i++)
		assert_false(policy_match_matches(&match[i], &input));
	match[0] = (struct policy_match){.uid = -1, .container = text("host")};
	assert_true(policy_match_matches(&match[0], &input));
	f.has_container = true;
	assert_false(policy_match_matches(&match[0], &input));
}

/*
 * What can never be, whatever comes in.
 */
static uint32_t next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u; /* Numerical Recipes' generator */
	return *seed >> 8;
}

static void random_rule(struct policy_rule *rule, uint32_t *seed)
{
	static const char *const paths[] = {NULL, "/tmp/*", "/opt/**", "**", "[", "/tmp/x"};

	*rule = (struct policy_rule){
	        .match = {.uid = (int64_t)(next(seed) % 3) - 1,
	                .path = text(paths[next(seed) % 6])},
	        .action = (enum action)(next(seed) % 5), /* past the end, too */
	        .mode = (enum mode)(next(seed) % 6),
	        .copies = (enum action)(next(seed) % 5),
	        .expires_ns = next(seed) % 2 ? 0 : NOW - 2 + next(seed) % 4,
	};
}

static struct exec_facts random_facts(uint32_t *seed)
{
	struct exec_facts f = dropped();

	f.origin = (enum origin)(next(seed) % (_ORIGIN_MAX + 2));
	f.has_digest = next(seed) % 4;
	f.copy_of = next(seed) % 2 ? text("/bin/ls") : NULL;
	f.has_container = next(seed) % 4;
	f.process.uid = next(seed) % 2;
	f.path = next(seed) % 4 ? text("/tmp/x") : NULL;
	return f;
}

static bool some_rule_allows(const struct policy_settings *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].action == ACTION_ALLOW ||
		        policy->rules[i].copies == ACTION_ALLOW)
			return true;
	return policy->copies == ACTION_ALLOW;
}

static void check_invariants(const struct policy_settings *policy, const struct exec_facts *f,
        unsigned int vouches, struct policy_decision d)
{
	bool ours = f->origin != ORIGIN_UNGUARDED;
	bool image = f->origin == ORIGIN_IMAGE || f->origin == ORIGIN_COPIED;

	assert_true(d.verdict > VERDICT_UNSET && d.verdict < _VERDICT_MAX);
	assert_true(d.reason > REASON_UNSET && d.reason < _REASON_MAX);
	assert_true(d.mode > MODE_UNSET && d.mode < _MODE_MAX);
	assert_true(!d.rule == (d.reason != REASON_RULE));
	if (ours && vouches & VOUCH_DENYLISTED)
		assert_int_not_equal(d.verdict, VERDICT_ALLOW);
	if (ours && !image && d.mode == MODE_ENFORCE && !vouches && !some_rule_allows(policy))
		assert_int_equal(d.verdict, VERDICT_DENY);
	if (!is_told(f->origin) && !some_rule_allows(policy))
		assert_int_not_equal(d.verdict, VERDICT_ALLOW);
	if (d.verdict == VERDICT_WOULD_DENY)
		assert_int_not_equal(d.mode, MODE_ENFORCE);
	if (d.mode == MODE_REPORT)
		assert_int_not_equal(d.verdict, VERDICT_DENY);
	if (d.learn)
		assert_true(d.mode == MODE_LEARN && f->has_digest && d.verdict == VERDICT_ALLOW);
	if (d.rule && d.rule->expires_ns)
		assert_true(d.rule->expires_ns > NOW);
}

static void test_invariants(void **state)
{
	uint32_t seed = 1790000000;

	(void)state;
	for (unsigned int i = 0; i < 300000; i++) {
		struct policy_rule rules[4];
		struct policy_settings policy = {
		        .mode = (enum mode)(next(&seed) % 6),
		        .copies = (enum action)(next(&seed) % 5),
		        .rules = rules,
		        .n_rules = next(&seed) % 5,
		};
		struct exec_facts f = random_facts(&seed);
		unsigned int vouches = next(&seed) % 3 ? 1u << next(&seed) % 8 : 0;

		for (size_t k = 0; k < policy.n_rules; k++)
			random_rule(&rules[k], &seed);
		check_invariants(&policy, &f, vouches, decide(&policy, &f, vouches));
	}
}

static void test_nothing_told_is_denied(void **state)
{
	struct exec_facts f = {0};
	struct policy_settings policy = {0};
	struct policy_decision d;

	(void)state;
	for (unsigned int vouches = 0; vouches < 2 * VOUCH_UNREADABLE; vouches++)
		assert_int_equal(decide(&policy, &f, vouches).verdict, VERDICT_DENY);
	f = dropped();
	assert_int_equal(decide(&policy, &f, 0).verdict, VERDICT_DENY);
	policy.mode = (enum mode)99;
	policy.copies = policy.on_failure = (enum action)99;
	assert_int_equal(decide(&policy, &f, 0).verdict, VERDICT_DENY);
	policy_decide_fault(&policy, &d);
	assert_int_equal(d.verdict, VERDICT_DENY);
	assert_int_equal(d.mode, MODE_ENFORCE);
}

/* What a loader was opened for is news about the image's own loader, and about no other file. */
static void test_form(void **state)
{
	static const struct {
		enum origin origin;
		enum exec_form form;
		unsigned int vouches;
		enum verdict verdict;
		enum reason reason;
	} rows[] = {
	        {ORIGIN_IMAGE, EXEC_FORM_UNKNOWN, 0, VERDICT_ALLOW, REASON_IMAGE},
	        {ORIGIN_IMAGE, EXEC_FORM_PROGRAM, 0, VERDICT_ALLOW, REASON_IMAGE},
	        {ORIGIN_IMAGE, EXEC_FORM_LOADER, 0, VERDICT_ALLOW, REASON_LOADER},
	        {ORIGIN_IMAGE, EXEC_FORM_MEMFD, 0, VERDICT_ALLOW, REASON_MEMFD},
	        {ORIGIN_IMAGE, EXEC_FORM_MEMFD, VOUCH_DENYLISTED, VERDICT_DENY, REASON_DENYLISTED},
	        {ORIGIN_DROPPED, EXEC_FORM_LOADER, 0, VERDICT_DENY, REASON_DROPPED},
	        {ORIGIN_MODIFIED, EXEC_FORM_MEMFD, 0, VERDICT_DENY, REASON_MODIFIED},
	        {ORIGIN_MUTABLE, EXEC_FORM_LOADER, 0, VERDICT_DENY, REASON_MUTABLE},
	        {ORIGIN_UNKNOWN, EXEC_FORM_MEMFD, 0, VERDICT_DENY, REASON_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_settings policy = {.mode = MODE_ENFORCE};
		struct exec_facts f = dropped();
		struct policy_decision d;

		f.origin = rows[i].origin;
		f.form = rows[i].form;
		d = decide(&policy, &f, rows[i].vouches);
		assert_int_equal(d.verdict, rows[i].verdict);
		assert_int_equal(d.reason, rows[i].reason);
	}
}

static void test_fault(void **state)
{
	static const struct {
		enum mode mode;
		enum action on_failure;
		enum verdict verdict;
	} rows[] = {
	        {MODE_ENFORCE, ACTION_ALLOW, VERDICT_ALLOW},
	        {MODE_ENFORCE, ACTION_DENY, VERDICT_DENY},
	        {MODE_ENFORCE, ACTION_UNSET, VERDICT_DENY},
	        {MODE_REPORT, ACTION_ALLOW, VERDICT_ALLOW},
	        {MODE_REPORT, ACTION_DENY, VERDICT_WOULD_DENY},
	        {MODE_REPORT, ACTION_UNSET, VERDICT_WOULD_DENY},
	        {MODE_LEARN, ACTION_ALLOW, VERDICT_ALLOW},
	        {MODE_LEARN, ACTION_DENY, VERDICT_WOULD_DENY},
	        {MODE_UNSET, ACTION_UNSET, VERDICT_DENY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_settings policy = {
		        .mode = rows[i].mode, .on_failure = rows[i].on_failure};
		struct policy_decision d;

		memset(&d, 0xff, sizeof(d));
		policy_decide_fault(&policy, &d);
		assert_int_equal(d.verdict, rows[i].verdict);
		assert_int_equal(d.reason, REASON_FAULT);
		assert_false(d.learn);
		assert_null(d.rule);
	}
}

/* Where a digest is said not to matter, no digest and no denylist bit of it may change a verdict.
 */
static void test_settled_without_digest(void **state)
{
	(void)state;
	for (int origin = 0; origin < _ORIGIN_MAX; origin++) {
		struct exec_facts f = dropped();

		f.origin = (enum origin)origin;
		assert_int_equal(policy_is_settled_without_digest(&f, true),
		        origin == ORIGIN_UNGUARDED || origin == ORIGIN_IMAGE);
		assert_int_equal(
		        policy_is_settled_without_digest(&f, false), origin == ORIGIN_UNGUARDED);
		for (int mode = 0; mode < _MODE_MAX; mode++) {
			struct policy_settings policy = settings((enum mode)mode);

			if (policy_is_settled_without_digest(&f, false))
				assert_int_equal(decide(&policy, &f, VOUCH_DENYLISTED).verdict,
				        decide(&policy, &f, 0).verdict);
			if (policy_is_settled_without_digest(&f, true))
				assert_int_equal(decide(&policy, &f, VOUCH_APPROVED).verdict,
				        decide(&policy, &f, 0).verdict);
		}
	}
}

static void test_done(void **state)
{
	struct policy_settings policy = {.n_rules = 1};

	(void)state;
	policy_settings_done(&(struct policy_settings){0});
	policy.rules = calloc(1, sizeof(*policy.rules));
	assert_non_null(policy.rules);
	policy.rules[0] = (struct policy_rule){
	        .match = {.image = strdup("a"),
	                .container = strdup("b"),
	                .ns = strdup("c"),
	                .path = strdup("d"),
	                .parent = strdup("e"),
	                .writer = strdup("f")},
	        .reason = strdup("g"),
	};
	policy_settings_done(&policy);
	assert_null(policy.rules);
	policy_settings_done(&policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_every_combination),
	        cmocka_unit_test(test_rule_order_and_expiry),
	        cmocka_unit_test(test_rule_cannot_lift_denylist),
	        cmocka_unit_test(test_rule_copies),
	        cmocka_unit_test(test_a_baseline_does_not_speak_for_a_copy),
	        cmocka_unit_test(test_match_fields),
	        cmocka_unit_test(test_match_unknown),
	        cmocka_unit_test(test_invariants),
	        cmocka_unit_test(test_nothing_told_is_denied),
	        cmocka_unit_test(test_form),
	        cmocka_unit_test(test_fault),
	        cmocka_unit_test(test_settled_without_digest),
	        cmocka_unit_test(test_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
