/*
 * What a reader says to the process that has asked it: whatever is taken keeps its promises, in
 * pieces of any size. The first byte is the size of the pieces.
 */
#include "allowlists/reader_frames.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static int check_subject(const struct statement_subject *subject, void *userdata)
{
	uint64_t *n = userdata;

	require(!statement_name_fault(subject->name));
	(*n)++;
	return 0;
}

static void check(const struct reader_answer *answer)
{
	uint64_t n = 0;

	require(answer->reason != ALLOWLIST_UNCHECKED);
	require(answer->n_signers <= answer->n_findings &&
	        answer->n_findings <= DSSE_SIGNATURES_MAX);
	require(reader_answer_subjects(answer, check_subject, &n) == 0 && n == answer->subjects);
	if (answer->reason != ALLOWLIST_ACCEPTED)
		return;
	require(answer->subjects > 0 && answer->n_signers > 0 && answer->envelope == 0);
	require(answer->statement.series && !statement_series_fault(answer->statement.series));
	require(answer->statement.expires_ns > answer->statement.issued_ns);
	require(answer->statement.bind != STATEMENT_BIND_UNSET);
}

static int feed(struct reader_answer *answer, const uint8_t *data, size_t size, size_t piece)
{
	int r = 0;

	for (size_t i = 0; i < size && r == 0; i += piece)
		r = reader_answer_feed(answer, data + i, size - i < piece ? size - i : piece);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader_answer answer = {0}, whole = {0};
	size_t piece = size > 0 ? data[0] + 1u : 1;
	int r, all;

	if (size == 0)
		return 0;
	r = feed(&answer, data + 1, size - 1, piece);
	all = feed(&whole, data + 1, size - 1, size);
	require(r == all);
	if (r == 0)
		require(reader_answer_finish(&answer) == reader_answer_finish(&whole));
	if (r == 0 && reader_answer_finish(&answer) == 0)
		check(&answer);
	reader_answer_done(&answer);
	reader_answer_done(&whole);
	return 0;
}
