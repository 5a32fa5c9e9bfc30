/*
 * execward approve, deny, revoke: what operators say about a digest. An approval of an event holds
 * for the image of that event, unless another is named: what one image needs is no business of the
 * others.
 */
#include "base/clock.h"
#include "base/cleanup.h"
#include "tools/client.h"
#include "tools/print.h"
#include "tools/since.h"
#include "tools/target.h"

#include <stdio.h>
#include <sysexits.h>

static int set_expiry(const struct call *call, json_t *request)
{
	int64_t ns, now_ns = clock_realtime_ns();
	int r;

	if (!call_has(call, OPTION_FOR))
		return 0;
	r = parse_for(call->verb->name, call->values[OPTION_FOR], &ns);
	if (r == 0)
		json_object_set_new(request, "expires_ns",
		        json_integer(ns < INT64_MAX - now_ns ? now_ns + ns : INT64_MAX));
	return r;
}

static int build(const struct tool *tool, const struct call *call, bool for_image, json_t *request)
{
	_cleanup_free_ char *event_image = NULL;
	const char *image = call->values[OPTION_IMAGE];
	int r = set_expiry(call, request);

	if (r == 0)
		r = target_set(tool, call, request, for_image ? &event_image : NULL);
	if (r == 0)
		r = request_set(request, "image", image ?: event_image);
	return r == 0 ? request_set(request, "reason", call->values[OPTION_REASON]) : r;
}

static int send_change(const struct tool *tool, const struct call *call, const char *name,
        bool deny, json_t **ret_answer)
{
	json_t *request = request_new(name);
	bool approve = !deny && call->verb->needs & TAKES(REASON);
	int r = build(tool, call, approve, request);

	if (r != 0) {
		json_decref(request);
		return r;
	}
	if (deny)
		json_object_set_new(request, "deny", json_true());
	return client_ask(tool, request, ret_answer);
}

static void print_grant(const struct tool *tool, const json_t *grant, bool deny)
{
	_cleanup_free_ char *sha256 = text_of(grant, "sha256"), *path = text_of(grant, "path"),
	                    *image = text_of(grant, "image");
	json_int_t expires_ns = number_of(grant, "expires_ns");
	char until[LOCAL_TIME_SIZE];

	print_word(tool, deny ? COLOUR_BAD : COLOUR_GOOD, deny ? "denied" : "approved");
	printf(" %s", sha256);
	if (raw_of(grant, "path"))
		printf(" (%s)", path);
	printf(" in %s", raw_of(grant, "image") ? image : "every image");
	if (expires_ns > 0) {
		local_time(expires_ns, until);
		printf(" until %s", until);
	}
	putchar('\n');
}

static int grant(const struct tool *tool, const struct call *call, bool deny)
{
	json_t *answer = NULL;
	int r = send_change(tool, call, "approve", deny, &answer);

	if (r != 0)
		return r;
	if (tool->json)
		print_json(answer);
	else
		print_grant(tool, json_object_get(answer, "grant"), deny);
	json_decref(answer);
	return 0;
}

int verb_approve(const struct tool *tool, const struct call *call)
{
	return grant(tool, call, false);
}

int verb_deny(const struct tool *tool, const struct call *call)
{
	return grant(tool, call, true);
}

int verb_revoke(const struct tool *tool, const struct call *call)
{
	json_t *answer = NULL;
	int r = send_change(tool, call, "revoke", call_has(call, OPTION_DENY), &answer);

	if (r != 0)
		return r;
	if (tool->json)
		print_json(answer);
	else
		printf("revoked: %lld\n", number_of(answer, "removed"));
	json_decref(answer);
	return 0;
}
