/*
 * What trusted writers have to do with a request: who becomes one by it, and whether one of them
 * vouches for the file.
 *
 * Nobody is denied for what the creation watcher has not seen yet: what would not be a plain allow
 * waits for it, then asks again. The wait comes after the lease was taken, so that whoever could
 * write the file before has been seen closing it.
 */
#include "daemon/exec_internal.h"

#include <stdlib.h>

#define DRAIN_TIMEOUT_MS 1000u /* the creation watcher reads 20,000 events a second */

/* What was closed before this exec began is in the watcher's queue by now. */
void exec_drain(struct exec_request *request)
{
	const struct verdicts_context *c = exec_context(request);

	if (request->drained)
		return;
	request->drained = true;
	request->seen = creations_drain(c->creations, DRAIN_TIMEOUT_MS);
	if (!request->seen)
		faults_count(c->faults, FAULT_CREATION_LATE);
}

/* What it has closed as another program is seen before it becomes a trusted writer. */
void exec_trusted_note(struct exec_request *request)
{
	const struct verdicts_context *c = exec_context(request);
	const struct trusted_exec exec = {
	        .pid = request->pid, .fd = request->fd, .probe = &request->probe};

	request->watched =
	        trusted_watching(c->trusted) && trusted_is_candidate(c->trusted, request->fd);
	if (!request->watched)
		return;
	if (creations_drain(c->creations, DRAIN_TIMEOUT_MS))
		trusted_executes(c->trusted, &exec);
	else
		faults_count(c->faults, FAULT_CREATION_LATE);
}

unsigned int exec_trusted_vouches(const struct exec_request *request)
{
	return trusted_bits(exec_context(request)->trusted, &request->facts);
}

int64_t exec_trusted_until(const struct exec_request *request)
{
	const struct exec_facts *f = &request->facts;
	const struct trusted_scope scope = trusted_scope_of(f);
	struct trusted_answer answer = {0};

	(void)trusted_vouches(exec_context(request)->trusted, &f->digest, &scope, &answer);
	free(answer.writer);
	return answer.expires_ns ?: 1; /* it has ended meanwhile */
}

bool exec_trusted_ask(struct exec_request *request)
{
	const struct exec_facts *f = &request->facts;
	struct trusted *trusted = exec_context(request)->trusted;
	const struct trusted_claim claim = {
	        .identity = f->identity,
	        .digest = f->digest,
	        .scope = trusted_scope_of(f),
	        .path = f->path,
	};

	if (request->drained || !f->has_digest || !trusted_watching(trusted))
		return false;
	exec_drain(request);
	if (request->seen && request->self.leased && hashing_still_leased(&request->self) &&
	        (f->origin == ORIGIN_DROPPED || f->origin == ORIGIN_HOST))
		(void)trusted_confirm(trusted, &claim);
	return true;
}
