/*
 * An envelope becomes a list. The reader has ended before the database is locked, so that nobody
 * who records an event waits for a verification. Compared is twice: before, so that what is refused
 * writes nothing, and in the transaction that stores.
 */
#include "allowlists/install.h"

#include "allowlists/in_force.h"
#include "allowlists/reader_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct install {
	struct store *store;
	const struct install_request *request;
	const struct reader_answer *answer;
	struct install_result *result;
	struct allowlist_limits limits;
	int64_t id; /* of the list being stored */
};

void install_result_done(struct install_result *result)
{
	allowlist_info_done(&result->info);
	free(result->fault);
	*result = (struct install_result){0};
}

const char *install_result_reason(const struct install_result *result)
{
	return result->envelope ? dsse_error_name(result->envelope)
	                        : allowlist_reason_name(result->reason);
}

const char *install_result_text(const struct install_result *result)
{
	return result->envelope ? dsse_error_text(result->envelope)
	                        : allowlist_reason_text(result->reason);
}

static inline void answer_donep(struct reader_answer *answer)
{
	reader_answer_done(answer);
}

/*
 * What the reader says, as a result.
 */
static int take_signers(const struct reader_answer *answer, struct allowlist_info *info)
{
	info->signers = calloc(ALLOWLIST_SIGNERS_MAX, sizeof(*info->signers));
	if (!info->signers)
		return -ENOMEM;
	memcpy(info->signers, answer->signers, answer->n_signers * sizeof(*info->signers));
	info->n_signers = answer->n_signers;
	return 0;
}

static int take(const struct install_request *request, const struct reader_answer *answer,
        struct install_result *result)
{
	struct allowlist_info *info = &result->info;
	int r = take_signers(answer, info);

	if (r == 0 && answer->statement.series)
		r = statement_copy(&answer->statement, &info->statement);
	if (r == 0 && answer->fault && !answer->envelope) {
		result->fault = strdup(answer->fault);
		r = result->fault ? 0 : -ENOMEM;
	}
	info->source = strdup(request->source);
	if (!info->source)
		r = -ENOMEM;
	info->payload = answer->payload;
	info->subjects = answer->subjects;
	info->installed_ns = request->limits.now_ns;
	info->by_uid = request->by_uid;
	result->reason = answer->reason;
	result->envelope = answer->envelope;
	result->n_findings = answer->n_findings;
	for (size_t i = 0; i < answer->n_findings; i++)
		result->findings[i] = (struct install_finding){
		        .good = answer->findings[i].state == SIGNATURE_GOOD,
		        .known = answer->findings[i].known != 0,
		        .key = answer->findings[i].key,
		};
	return r;
}

/*
 * Comparing.
 */

/* Are all signers of the envelope those of the list that is installed? */
static bool adds_signers(const struct allowlist_info *now, const struct allowlist_info *before)
{
	for (size_t i = 0; i < now->n_signers; i++) {
		bool there = false;

		for (size_t k = 0; k < before->n_signers && !there; k++)
			there = digest_equal(&now->signers[i], &before->signers[k]);
		if (!there)
			return true;
	}
	return false;
}

static int compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct digest));
}

/* All have signed the same body. Past the bound the old ones make way. */
static void join_signers(struct allowlist_info *info, const struct allowlist_info *before)
{
	size_t n = info->n_signers;

	for (size_t k = 0; k < before->n_signers && info->n_signers < ALLOWLIST_SIGNERS_MAX; k++) {
		bool there = false;

		for (size_t i = 0; i < n && !there; i++)
			there = digest_equal(&info->signers[i], &before->signers[k]);
		if (!there)
			info->signers[info->n_signers++] = before->signers[k];
	}
	qsort(info->signers, info->n_signers, sizeof(*info->signers), compare_digests);
}

/* The version and content that were in force: are they still, and by the same signers? */
static int compare_unchanged(struct install *install)
{
	_cleanup_(allowlist_info_done) struct allowlist_info before = {0};
	struct install_result *result = install->result;
	int r = store_allowlist_find(install->store, result->info.statement.series, &before);

	if (r == STORE_E_NOTFOUND) {
		result->reason = ALLOWLIST_ACCEPTED; /* removed since */
		return 0;
	}
	if (r != 0)
		return r;
	if (!digest_equal(&before.payload, &result->info.payload) ||
	        adds_signers(&result->info, &before)) {
		result->reason = ALLOWLIST_ACCEPTED;
		join_signers(&result->info, &before);
		return 0;
	}
	result->info.id = before.id;
	return 0;
}

static int compare(struct install *install)
{
	const struct install_request *request = install->request;
	struct install_result *result = install->result;
	const struct statement *statement = &result->info.statement;
	struct allowlist_state state = {0};
	int r = store_trusted_now(install->store, &install->limits.latest_now_ns);

	if (r == 0)
		r = store_allowlist_state(install->store, statement->series, &state);
	if (r != 0)
		return r;
	install->limits.floor_version = trust_floor(request->trust, statement->series);
	result->reason =
	        allowlist_check(statement, &result->info.payload, &state, &install->limits);
	return result->reason == ALLOWLIST_UNCHANGED ? compare_unchanged(install) : 0;
}

static bool is_refused_by_keys(enum allowlist_reason reason)
{
	switch (reason) {
	case ALLOWLIST_ACCEPTED:
	case ALLOWLIST_BELOW_FLOOR:
	case ALLOWLIST_EXPIRED:
	case ALLOWLIST_NOT_YET_VALID:
	case ALLOWLIST_VALIDITY_TOO_LONG:
	case ALLOWLIST_CLOCK_TURNED_BACK:
		return false;
	default:
		return true;
	}
}

/*
 * What needs no database. The keys are asked here again: they may have changed since the reader
 * read them, and what it says of them is its word.
 */
static void judge(struct install *install)
{
	const struct install_request *request = install->request;
	struct install_result *result = install->result;
	struct allowlist_limits limits = request->limits;

	/* Time and floor come with their own words below. */
	limits.latest_now_ns = 0;
	limits.floor_version = 0;
	result->reason =
	        allowlist_in_force(&result->info, request->trust, request->threshold, &limits);
	if (!is_refused_by_keys(result->reason) && request->series &&
	        strcmp(request->series, result->info.statement.series) != 0)
		result->reason = ALLOWLIST_UNWANTED_SERIES;
}

/*
 * Storing.
 */
static int store_subject(const struct statement_subject *subject, void *userdata)
{
	struct install *install = userdata;
	enum statement_bind bind = install->result->info.statement.bind;
	struct digest key;
	int r = allowlist_key(bind, &subject->digest, subject->name, &key);

	return r == 0 ? store_allowlist_add(install->store, install->id, subject, &key) : r;
}

static int store_list(struct install *install)
{
	const struct allowlist_info *info = &install->result->info;
	int r = store_allowlist_put(install->store, info, &install->id);

	if (r == 0)
		r = reader_answer_subjects(install->answer, store_subject, install);
	if (r == 0)
		r = store_allowlist_finish(install->store, install->id, info->subjects);
	return r == 0 ? store_trusted_now_set(install->store, install->limits.now_ns) : r;
}

static int store_all(struct install *install)
{
	int r = store_begin(install->store);

	if (r != 0)
		return r;
	/* Somebody else may have installed another one meanwhile. */
	r = compare(install);
	if (r == 0 && install->result->reason == ALLOWLIST_ACCEPTED)
		r = store_list(install);
	if (r == 0 && install->result->reason == ALLOWLIST_ACCEPTED)
		return store_commit(install->store);
	store_rollback(install->store);
	return r;
}

/* A witness that is behind loses nothing (store/allowlists.h): the list is in force all the same.
 */
static void renew_witness(struct install *install)
{
	struct install_result *result = install->result;

	if (store_witness(install->store) != 0 && !result->fault)
		result->fault = strdup("allowlists.witness could not be written: a database that "
		                       "is put back from an older copy would not be noticed");
}

static int store_accepted(struct install *install)
{
	int r = store_witness(install->store);

	if (r == 0)
		r = store_all(install);
	if (r != 0 || install->result->reason != ALLOWLIST_ACCEPTED)
		return r;
	install->result->info.id = install->id;
	renew_witness(install);
	return 0;
}

static int decide(struct install *install, bool dry_run)
{
	struct install_result *result = install->result;
	int r;

	if (result->reason != ALLOWLIST_ACCEPTED)
		return 0;
	if (!result->info.statement.series)
		return -EPROTO;
	judge(install);
	if (is_refused_by_keys(result->reason))
		return 0;
	r = compare(install);
	if (r != 0 || dry_run)
		return r;
	if (result->reason == ALLOWLIST_ACCEPTED)
		return store_accepted(install);
	if (result->reason == ALLOWLIST_CLOCK_TURNED_BACK)
		return 0;
	return store_trusted_now_set(install->store, install->limits.now_ns);
}

int allowlist_install(struct store *store, struct reader_helper *helper, int envelope,
        const struct install_request *request, bool dry_run, struct install_result *ret_result)
{
	_cleanup_(answer_donep) struct reader_answer answer = {0};
	_cleanup_(install_result_done) struct install_result result = {0};
	struct reader_request question = {
	        .now_ns = request->limits.now_ns, .threshold = request->threshold};
	struct install install = {
	        .store = store,
	        .request = request,
	        .answer = &answer,
	        .result = &result,
	        .limits = request->limits,
	};
	int r;

	if (!request->trust || !request->source ||
	        strlen(request->keys_dir) >= sizeof(question.keys_dir))
		return -EINVAL;
	memcpy(question.keys_dir, request->keys_dir, strlen(request->keys_dir) + 1);
	r = reader_read(helper, envelope, &question, &answer);
	if (r == 0)
		r = take(request, &answer, &result);
	if (r == 0)
		r = decide(&install, dry_run);
	if (r != 0)
		return r;
	*ret_result = result;
	result = (struct install_result){0};
	return 0;
}
