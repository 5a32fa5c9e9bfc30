/*
 * Guarded filesystems of the host: what each is, whether it has a baseline, and whether what runs
 * and what will be started there is known (preflight). As the daemon says it.
 */
#include "base/cleanup.h"
#include "tools/doctor.h"

#include <string.h>

/* Its rows are those of docs/threats.md that a host filesystem guarded in enforce closes. */
#define NOT_DENIED "what is dropped or edited there runs, and is only reported"

static void add_identity(struct doctor *d, const char *path, const json_t *row)
{
	const char *uuid = raw_of(row, "filesystem"), *mode = raw_of(row, "mode") ?: "-";
	_cleanup_free_ char *check = text_format("%s filesystem", path);
	_cleanup_free_ char *state = NULL;
	const struct advice unguarded = {LEVEL_WEAK, {1, 2, 3, 5}, "nothing there is asked about",
	        "mount it, or mend guard.paths; then execward reload"};
	const struct advice nameless = {LEVEL_NOTE, {1, 2, 3, 5},
	        "a baseline cannot be bound to it, and " NOT_DENIED,
	        "a filesystem with a UUID (ext4, xfs)"};

	if (!strcmp(mode, "unguarded")) {
		state = text_format("not guarded: %s", raw_of(row, "why") ?: "-");
		findings_add(&d->findings, check, state, &unguarded);
	} else if (!uuid) {
		findings_add(&d->findings, check, "has no UUID", &nameless);
	} else {
		state = text_format("%s, %s", uuid, mode);
		findings_ok(&d->findings, check, state);
	}
}

static void add_baseline(struct doctor *d, const char *path, const json_t *row)
{
	_cleanup_free_ char *check = text_format("%s baseline", path);
	_cleanup_free_ char *word = text_shell_word(path);
	_cleanup_free_ char *fix =
	        text_format("execward snapshot create --host %s", word ?: "PATH");
	const struct advice none = {LEVEL_NOTE, {1, 2, 3, 5},
	        "nothing there can be told from what was dropped, and it cannot be enforced", fix};

	if (json_is_true(json_object_get(row, "baseline")))
		findings_ok(&d->findings, check, "present");
	else
		findings_add(&d->findings, check, "none", &none);
}

static void add_preflight(struct doctor *d, const char *path, const json_t *row)
{
	_cleanup_free_ char *check = text_format("%s preflight", path), *state = NULL;
	const struct advice refused = {LEVEL_WEAK, {1, 2, 3, 5}, NOT_DENIED,
	        "execward status --json | jq .guard.paths; put what is listed into the baseline, "
	        "then execward reload"};
	const struct advice report = {LEVEL_NOTE, {1, 2, 3, 5}, NOT_DENIED,
	        "when `execward report` shows nothing of yours: execward mode enforce"};

	if (json_is_true(json_object_get(row, "enforced"))) {
		state = text_format("enforced; %lld programs were looked at, all are known",
		        number_of(row, "checked"));
		findings_ok(&d->findings, check, state);
	} else if (!strcmp(raw_of(row, "wanted") ?: "", "enforce")) {
		state = text_format("refused: %s", raw_of(row, "why") ?: "-");
		findings_add(&d->findings, check, state, &refused);
	} else {
		findings_add(&d->findings, check, "not asked for", &report);
	}
}

void doctor_paths(struct doctor *d)
{
	const json_t *paths = json_object_get(json_object_get(d->status, "guard"), "paths"), *row;
	size_t i;

	json_array_foreach(paths, i, row)
	{
		const char *path = raw_of(row, "path") ?: "-";

		add_identity(d, path, row);
		if (!strcmp(raw_of(row, "mode") ?: "unguarded", "unguarded"))
			continue;
		add_baseline(d, path, row);
		add_preflight(d, path, row);
	}
}
