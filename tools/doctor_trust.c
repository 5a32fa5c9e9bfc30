/*
 * Whom the daemon believes, and what it makes of the signed lists: a list that everybody thinks is
 * in force and is not denies a release on the day that it is rolled out.
 */
#include "base/cleanup.h"
#include "tools/client.h"
#include "tools/doctor.h"

#include <stdio.h>
#include <string.h>

static void add_keys(struct doctor *d, const json_t *trust, bool wanted)
{
	static const struct advice faulty = {LEVEL_WEAK, {22},
	        "no allowlist is in force: what only a list vouches for does not run",
	        "mend what it says, then execward reload"};
	static const struct advice nobody = {LEVEL_WEAK, {22},
	        "no allowlist is in force: nobody is trusted to sign one",
	        "put NAME.pem into trust.keys_dir, then execward reload"};
	static const struct advice few = {LEVEL_WEAK, {22},
	        "no allowlist is in force: it can never have enough signatures",
	        "a lower trust.threshold, or more keys in trust.keys_dir; then execward reload"};
	json_int_t usable = number_of(trust, "usable"), threshold = number_of(trust, "threshold");
	_cleanup_free_ char *state = text_format("%lld usable, %lld must sign", usable, threshold);
	_cleanup_free_ char *none = text_format(
	        "%s: %s", raw_of(trust, "keys_dir") ?: "-", raw_of(trust, "nobody") ?: "");
	bool has_keys = usable > 0 || number_of(trust, "keys") > 0;

	if (raw_of(trust, "error"))
		findings_add(&d->findings, "keys", raw_of(trust, "error"), &faulty);
	else if (raw_of(trust, "nobody") && wanted)
		findings_add(&d->findings, "keys", none, &nobody);
	else if (raw_of(trust, "nobody"))
		findings_ok(&d->findings, "keys", "none: allowlists are not used");
	else if (usable < threshold && (has_keys || wanted))
		findings_add(&d->findings, "keys", state, &few);
	else
		findings_ok(&d->findings, "keys", state);
}

static void add_list(struct doctor *d, const json_t *row)
{
	static const struct advice grace = {LEVEL_WEAK, {22},
	        "it has expired and goes on for trust.grace only",
	        "install a newer one: execward allowlist install FILE"};
	_cleanup_free_ char *name = text_format("series %s", raw_of(row, "series") ?: "-");
	_cleanup_free_ char *state = text_format(
	        "version %lld, %s", number_of(row, "version"), raw_of(row, "reason") ?: "-");
	_cleanup_free_ char *why =
	        text_format("it is not in force: %s", raw_of(row, "detail") ?: "-");
	const struct advice out = {.level = LEVEL_WEAK,
	        .rows = {22},
	        .weakens = why,
	        .fix = "a newer list, or execward allowlist remove SERIES"};

	if (json_is_true(json_object_get(row, "in_grace")))
		findings_add(&d->findings, name, state, &grace);
	else if (!json_is_true(json_object_get(row, "in_force")))
		findings_add(&d->findings, name, state, &out);
}

static void add_directory(struct doctor *d, const json_t *directory)
{
	static const struct advice unwatched = {LEVEL_NOTE, {22},
	        "lists that are put there are not installed", "mend it, then execward reload"};
	const json_t *row;
	size_t i;

	if (raw_of(directory, "error"))
		findings_add(&d->findings, raw_of(directory, "path") ?: "allowlists_dir",
		        raw_of(directory, "error"), &unwatched);
	json_array_foreach(json_object_get(directory, "refused"), i, row)
	{
		const struct advice refused = {.level = LEVEL_WEAK,
		        .rows = {22},
		        .weakens = raw_of(row, "detail") ?: "-",
		        .fix = "a good list in its place, or delete it"};
		_cleanup_free_ char *state =
		        text_format("refused: %s", raw_of(row, "reason") ?: "-");

		findings_add(&d->findings, raw_of(row, "file") ?: "-", state, &refused);
	}
}

void doctor_trust(struct doctor *d)
{
	const json_t *lists = json_object_get(d->status, "allowlists"), *row;
	const json_t *directory = json_object_get(lists, "directory");
	json_int_t installed = number_of(lists, "installed");
	_cleanup_free_ char *state = NULL;
	size_t i;

	if (!lists)
		return;
	add_keys(d, json_object_get(d->status, "trust"),
	        installed > 0 || json_array_size(json_object_get(directory, "refused")) > 0);
	json_array_foreach(json_object_get(lists, "lists"), i, row) add_list(d, row);
	add_directory(d, directory);
	state = text_format(
	        "%lld installed, %lld in force", installed, number_of(lists, "in_force"));
	findings_ok(&d->findings, "allowlists", state);
}
