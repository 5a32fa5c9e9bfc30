/*
 * The lists that may vouch for a single file, and the denylist: of this host's database, read once,
 * and of an envelope that was named by --allowlist, which is verified like any other.
 */
#include "tools/verify.h"

#include "allowlists/in_force.h"
#include "base/cleanup.h"
#include "base/strtab.h"
#include "store/allowlists.h"
#include "tools/print.h"
#include "tools/snapshot_find.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* Why a list that has the digest does not vouch, beside enum allowlist_reason. */
#define WORD_OTHER_PATH  "other_path"
#define WORD_OTHER_SCOPE "other_scope"

static int compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct digest));
}

static bool has_digest(const struct digest *digests, size_t n, const struct digest *digest)
{
	return n > 0 && bsearch(digest, digests, n, sizeof(*digest), compare_digests);
}

static int push_digest(struct digest **digests, size_t *n, const struct digest *digest)
{
	/* Powers of two from 64 on. */
	if (*n == 0 || (*n >= 64 && (*n & (*n - 1)) == 0)) {
		struct digest *grown =
		        reallocarray(*digests, *n == 0 ? 64 : *n * 2, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		*digests = grown;
	}
	(*digests)[(*n)++] = *digest;
	return 0;
}

static int push_list(struct verify_run *run, const struct verify_list *list)
{
	struct verify_list *grown =
	        reallocarray(run->lists, run->n_lists + 1, sizeof(run->lists[0]));

	if (!grown)
		return -ENOMEM;
	run->lists = grown;
	run->lists[run->n_lists] = *list;
	run->lists[run->n_lists].series = strdup(list->series);
	if (!run->lists[run->n_lists].series)
		return -ENOMEM;
	run->n_lists++;
	return 0;
}

/*
 * What is installed.
 */
struct reading {
	struct verify_run *run;
	struct allowlist_limits limits;
};

static int on_list(const struct allowlist_info *info, void *userdata)
{
	struct reading *reading = userdata;
	struct verify_run *run = reading->run;
	const struct config *config = run->tool->config;
	const struct exec_facts here = {.origin = ORIGIN_HOST};

	return push_list(run, &(struct verify_list){
	                              .id = info->id,
	                              .series = info->statement.series,
	                              .version = info->statement.version,
	                              .bind = info->statement.bind,
	                              .reason = allowlist_in_force(
	                                      info, run->trust, run->threshold, &reading->limits),
	                              .in_scope = allowlist_scope_holds(
	                                      info, &here, config->labels, config->n_labels),
	                      });
}

static int on_grant(const struct grant *grant, void *userdata)
{
	struct verify_run *run = userdata;

	if (grant->kind != GRANT_DENIED ||
	        (grant->expires_ns != 0 && grant->expires_ns <= run->now_ns))
		return 0;
	return push_digest(&run->denied, &run->n_denied, &grant->digest);
}

/* Without a database there is neither a list nor a denylist. */
static int open_host(struct verify_run *run)
{
	struct reading reading = {.run = run};
	const char *dir = run->tool->config->state_dir;
	int r = store_open(dir, STORE_READ_ONLY, &run->store);

	if (r == -ENOENT)
		return 0;
	if (r == -EACCES || r == -EPERM || (r == STORE_E_UNSAFE && geteuid() != 0))
		return verify_refuse(run, dir, EX_NOPERM,
		        "what this host has installed and denied is for root to read: run it as "
		        "root, or with --keys for signatures alone");
	verify_limits(run, &reading.limits);
	if (r == 0)
		r = store_trusted_now(run->store, &reading.limits.latest_now_ns);
	if (r == 0)
		r = store_grants(run->store, on_grant, run);
	if (r == 0)
		r = store_allowlists(run->store, on_list, &reading);
	if (run->n_denied > 1)
		qsort(run->denied, run->n_denied, sizeof(run->denied[0]), compare_digests);
	return r == 0 ? 0 : snapshot_fail(run->call, run->store, dir, r);
}

/*
 * --allowlist: the keys of a list that is accepted are held in memory, 32 MB for a million.
 */
static int on_subject(const struct statement_subject *subject, void *userdata)
{
	struct verify_list *list = userdata;
	struct digest key;
	int r = allowlist_key(list->bind, &subject->digest, subject->name, &key);

	return r == 0 ? push_digest(&list->keys, &list->n_keys, &key) : r;
}

static int add_envelope(
        struct verify_run *run, const struct dsse *dsse, const struct judgement *judgement)
{
	const struct statement *statement = &judgement->summary.statement;
	const struct config *config = run->tool->config;
	struct verify_list list = {
	        .series = statement->series,
	        .version = statement->version,
	        .bind = statement->bind,
	        .reason = judgement->reason,
	        .in_scope = statement_scope_holds(&statement->scope, NULL, NULL,
	                config ? config->labels : NULL, config ? config->n_labels : 0),
	};
	struct statement_reader reader = {.subject = on_subject, .userdata = &list};
	int r = statement_parse((const char *)dsse->body, dsse->body_size, &reader, NULL, NULL);

	if (list.n_keys > 1)
		qsort(list.keys, list.n_keys, sizeof(list.keys[0]), compare_digests);
	if (r == 0)
		r = push_list(run, &list);
	if (r != 0)
		free(list.keys);
	return r == 0 ? 0 : EX_SOFTWARE;
}

static int open_envelope(struct verify_run *run, const char *path)
{
	_cleanup_(judgement_done) struct judgement judgement = {0};
	_cleanup_(dsse_freep) struct dsse *dsse = NULL;
	_cleanup_free_ char *name = text_safe(path);
	int r = envelope_read(run->call, path, &dsse, NULL);

	if (r != 0)
		return r;
	verify_judge(run, dsse, &judgement);
	if (judgement.reason == ALLOWLIST_ACCEPTED)
		return add_envelope(run, dsse, &judgement);
	fprintf(stderr, "%s: --allowlist %s: refused (%s): %s\n", run->name, name,
	        allowlist_reason_name(judgement.reason), allowlist_reason_text(judgement.reason));
	return judgement.reason == ALLOWLIST_UNCHECKED ? EX_SOFTWARE : 1;
}

int verify_lists_open(struct verify_run *run)
{
	const char *envelope = run->call->values[OPTION_ALLOWLIST];
	int r = 0;

	if (run->opened)
		return 0;
	if (run->tool->config)
		r = open_host(run);
	if (r == 0 && envelope)
		r = open_envelope(run, envelope);
	run->opened = r == 0;
	return r;
}

void verify_lists_done(struct verify_run *run)
{
	for (size_t i = 0; i < run->n_lists; i++) {
		free(run->lists[i].series);
		free(run->lists[i].keys);
	}
	free(run->lists);
	free(run->denied);
	store_free(run->store);
}

/*
 * Questions.
 */
bool verify_is_denied(const struct verify_run *run, const struct digest *digest)
{
	return has_digest(run->denied, run->n_denied, digest);
}

struct asking {
	const struct verify_list *list;
	const char *path;
	bool known; /* it has the digest */
	bool holds; /* and, where it binds to paths, this one */
};

static int on_match(const struct statement_subject *subject, void *userdata)
{
	struct asking *asking = userdata;

	asking->known = true;
	asking->holds =
	        asking->list->bind == STATEMENT_BIND_DIGEST ||
	        (asking->list->bind == STATEMENT_BIND_PATH && !strcmp(subject->name, asking->path));
	return asking->holds; /* that is all that was asked */
}

/* 0 or 1, a STORE_E_* or -errno. */
static int ask(struct verify_run *run, struct asking *asking, const struct digest *digest)
{
	const struct verify_list *list = asking->list;
	struct digest key;
	int r;

	if (!list->keys) {
		r = store_allowlist_subjects(run->store, list->id, digest, on_match, asking);
		return asking->holds ? 0 : r;
	}
	/* A list in memory has no digests but its keys: bound to paths, it tells of this one only.
	 */
	r = allowlist_key(list->bind, digest, asking->path, &key);
	asking->known = asking->holds = r == 0 && has_digest(list->keys, list->n_keys, &key);
	return r;
}

static const char *reason_of(const struct asking *asking)
{
	const struct verify_list *list = asking->list;

	if (list->reason != ALLOWLIST_ACCEPTED)
		return allowlist_reason_name(list->reason);
	if (!list->in_scope)
		return WORD_OTHER_SCOPE;
	return asking->holds ? allowlist_reason_name(ALLOWLIST_ACCEPTED) : WORD_OTHER_PATH;
}

int verify_lists_ask(struct verify_run *run, const struct digest *digest, const char *path,
        const struct verify_list **ret_list, const char **ret_reason)
{
	*ret_list = NULL;
	for (size_t i = 0; i < run->n_lists; i++) {
		struct asking asking = {.list = &run->lists[i], .path = path};
		const char *reason;
		int r = ask(run, &asking, digest);

		if (r != 0)
			return snapshot_fail(run->call, run->store, asking.list->series, r);
		if (!asking.known)
			continue;
		reason = reason_of(&asking);
		if (*ret_list && strcmp(reason, allowlist_reason_name(ALLOWLIST_ACCEPTED)) != 0)
			continue;
		*ret_list = asking.list;
		*ret_reason = reason;
		if (!strcmp(reason, allowlist_reason_name(ALLOWLIST_ACCEPTED)))
			return 0;
	}
	return 0;
}

const char *verify_lists_text(const struct verify_list *list, const char *reason)
{
	if (!strcmp(reason, WORD_OTHER_PATH))
		return "a list has this content under another path, and binds to paths";
	if (!strcmp(reason, WORD_OTHER_SCOPE))
		return "a list that has it vouches elsewhere only: in some containers, or on "
		       "other hosts";
	return allowlist_reason_text(list->reason);
}
