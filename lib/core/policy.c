/*
 * Each step of "who vouches" is a function that either speaks or passes on; policy_decide() holds
 * their order. Enums out of range, and what was never filled in, count as the strictest value: only
 * the exact word that permits does.
 */
#include "core/policy.h"

#include "core/glob.h"

#include <stdlib.h>
#include <string.h>

void policy_rule_done(struct policy_rule *rule)
{
	free(rule->match.image);
	free(rule->match.container);
	free(rule->match.ns);
	free(rule->match.path);
	free(rule->match.parent);
	free(rule->match.writer);
	free(rule->reason);
	memset(rule, 0, sizeof(*rule));
}

void policy_settings_done(struct policy_settings *settings)
{
	for (size_t i = 0; i < settings->n_rules; i++)
		policy_rule_done(&settings->rules[i]);
	free(settings->rules);
	memset(settings, 0, sizeof(*settings));
}

static bool pattern_matches(const char *pattern, enum glob_kind kind, const char *text)
{
	if (!pattern)
		return true;
	return text && glob_match(pattern, kind, text);
}

bool policy_match_matches(const struct policy_match *match, const struct policy_input *input)
{
	const struct exec_facts *f = input->facts;
	const struct container_info *c = f->has_container ? &f->container : NULL;

	if (match->uid >= 0 && match->uid != f->process.uid)
		return false;
	return pattern_matches(match->image, GLOB_TEXT, c ? c->image : NULL) &&
	       pattern_matches(match->container, GLOB_TEXT, c ? c->name : "host") &&
	       pattern_matches(match->ns, GLOB_TEXT, c ? c->ns : NULL) &&
	       pattern_matches(match->path, GLOB_PATH, f->path) &&
	       pattern_matches(match->parent, GLOB_PATH, f->process.parent_exepath) &&
	       pattern_matches(match->writer, GLOB_PATH, input->writer_exepath);
}

static bool rule_applies(const struct policy_rule *rule, const struct policy_input *input)
{
	if (rule->expires_ns != 0 && input->now_ns >= rule->expires_ns)
		return false;
	return policy_match_matches(&rule->match, input);
}

static enum mode known_mode(enum mode mode)
{
	return mode == MODE_REPORT || mode == MODE_LEARN ? mode : MODE_ENFORCE;
}

/* The mode of the first rule that sets one, else that of the guarded path, else the global one. */
static enum mode effective_mode(
        const struct policy_settings *policy, const struct policy_input *input)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].mode != MODE_UNSET && rule_applies(&policy->rules[i], input))
			return known_mode(policy->rules[i].mode);
	return known_mode(
	        input->facts->guard_mode != MODE_UNSET ? input->facts->guard_mode : policy->mode);
}

static enum action effective_copies(
        const struct policy_settings *policy, const struct policy_input *input)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].copies != ACTION_UNSET &&
		        rule_applies(&policy->rules[i], input))
			return policy->rules[i].copies;
	return policy->copies;
}

static void allow(struct policy_decision *d, enum reason reason)
{
	d->verdict = VERDICT_ALLOW;
	d->reason = reason;
}

static void refuse(struct policy_decision *d, enum reason reason)
{
	d->verdict = d->mode == MODE_REPORT ? VERDICT_WOULD_DENY : VERDICT_DENY;
	d->reason = reason;
}

/* Nobody may vouch for what can still change, or for what cannot be told. */
static bool may_be_vouched(const struct exec_facts *facts)
{
	switch (facts->origin) {
	case ORIGIN_IMAGE:
	case ORIGIN_COPIED:
	case ORIGIN_MODIFIED:
	case ORIGIN_DROPPED:
	case ORIGIN_VOLUME:
	case ORIGIN_HOST:
		return true;
	default:
		return false;
	}
}

/* The image's own loader, but not for the image's own programs: it runs, and is reported. */
static bool by_form(const struct policy_input *input, struct policy_decision *d)
{
	if (input->facts->form == EXEC_FORM_LOADER)
		allow(d, REASON_LOADER);
	else if (input->facts->form == EXEC_FORM_MEMFD)
		allow(d, REASON_MEMFD);
	return d->verdict != VERDICT_UNSET;
}

static bool by_origin(const struct policy_input *input, struct policy_decision *d)
{
	if (input->facts->origin == ORIGIN_IMAGE && by_form(input, d))
		return true;
	if (input->facts->origin == ORIGIN_IMAGE)
		allow(d, REASON_IMAGE);
	else if (input->facts->origin == ORIGIN_COPIED)
		allow(d, REASON_COPIED);
	return d->verdict != VERDICT_UNSET;
}

/* A copy's digest stands in the image's baseline like its original's; that says nothing new. */
static unsigned int effective_vouches(
        const struct policy_settings *policy, const struct policy_input *input)
{
	if (input->facts->copy_of && effective_copies(policy, input) != ACTION_ALLOW)
		return input->vouches & ~(unsigned int)VOUCH_BASELINE;
	return input->vouches;
}

static bool by_digest(const struct policy_settings *policy, const struct policy_input *input,
        struct policy_decision *d)
{
	const unsigned int vouches = effective_vouches(policy, input);
	static const struct {
		enum vouch vouch;
		enum reason reason;
	} sources[] = {
	        {VOUCH_APPROVED, REASON_APPROVED},
	        {VOUCH_LEARNED, REASON_LEARNED},
	        {VOUCH_BASELINE, REASON_BASELINE},
	        {VOUCH_ALLOWLISTED, REASON_ALLOWLISTED},
	        {VOUCH_SIGNED, REASON_SIGNED},
	        {VOUCH_TRUSTED_WRITER, REASON_TRUSTED_WRITER},
	};

	if (!input->facts->has_digest)
		return false;
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		if (vouches & (unsigned int)sources[i].vouch) {
			allow(d, sources[i].reason);
			return true;
		}
	}
	return false;
}

static bool by_rule(const struct policy_settings *policy, const struct policy_input *input,
        struct policy_decision *d)
{
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->action == ACTION_UNSET || !rule_applies(rule, input))
			continue;
		d->rule = rule;
		if (rule->action == ACTION_ALLOW)
			allow(d, REASON_RULE);
		else
			refuse(d, REASON_RULE);
		return true;
	}
	return false;
}

static bool by_copy(const struct policy_settings *policy, const struct policy_input *input,
        struct policy_decision *d)
{
	if (input->facts->origin != ORIGIN_DROPPED || !input->facts->copy_of ||
	        effective_copies(policy, input) != ACTION_ALLOW)
		return false;
	allow(d, REASON_COPY_ALLOWED);
	return true;
}

static enum reason nobody(const struct exec_facts *facts)
{
	switch (facts->origin) {
	case ORIGIN_DROPPED:
		return facts->copy_of ? REASON_DROPPED_COPY : REASON_DROPPED;
	case ORIGIN_MODIFIED:
		return REASON_MODIFIED;
	case ORIGIN_VOLUME:
		return facts->other_image ? REASON_OTHER_IMAGE : REASON_VOLUME;
	case ORIGIN_HOST:
		return REASON_HOST;
	case ORIGIN_MUTABLE:
		return REASON_MUTABLE;
	default:
		return REASON_UNKNOWN;
	}
}

static void by_default(const struct policy_input *input, struct policy_decision *d)
{
	if (d->mode != MODE_LEARN) {
		refuse(d, nobody(input->facts));
		return;
	}
	if (may_be_vouched(input->facts) && input->facts->has_digest) {
		allow(d, REASON_LEARNING);
		d->learn = true;
		return;
	}
	/* Learning lets things run; what has no digest it cannot learn, and says so. */
	d->verdict = VERDICT_WOULD_DENY;
	d->reason = nobody(input->facts);
}

void policy_decide(const struct policy_settings *policy, const struct policy_input *input,
        struct policy_decision *ret_decision)
{
	struct policy_decision d = {.mode = effective_mode(policy, input)};

	if (input->facts->origin == ORIGIN_UNGUARDED)
		allow(&d, REASON_UNGUARDED);
	else if (input->vouches & VOUCH_DENYLISTED)
		refuse(&d, REASON_DENYLISTED);
	else if (may_be_vouched(input->facts) &&
	         (by_origin(input, &d) || by_digest(policy, input, &d)))
		;
	else if (by_rule(policy, input, &d) || by_copy(policy, input, &d))
		;
	else
		by_default(input, &d);
	*ret_decision = d;
}

bool policy_is_settled_without_digest(const struct exec_facts *facts, bool denylist_empty)
{
	return facts->origin == ORIGIN_UNGUARDED ||
	       (facts->origin == ORIGIN_IMAGE && denylist_empty);
}

void policy_decide_fault(const struct policy_settings *policy, struct policy_decision *ret_decision)
{
	struct policy_decision d = {.mode = known_mode(policy->mode), .reason = REASON_FAULT};

	/* Only enforce stops programs; learning is there to see what runs. */
	if (policy->on_failure == ACTION_ALLOW)
		d.verdict = VERDICT_ALLOW;
	else
		d.verdict = d.mode == MODE_ENFORCE ? VERDICT_DENY : VERDICT_WOULD_DENY;
	*ret_decision = d;
}
