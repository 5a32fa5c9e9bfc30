/*
 * execward allowlist create: a list of what a release consists of, from trees, images, packages or
 * other people's lists. It needs no daemon, and where its sources need none, no rights.
 *
 * The order of sources and options changes nothing in the list.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "tools/allowlist_report.h"
#include "tools/interrupt.h"
#include "tools/list_sources.h"
#include "tools/print.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

struct source {
	int (*gather)(struct gather *gather, const char *value);
	enum option option;
	bool reads_stdin; /* for "-" */
	bool unsigned_;   /* nothing of the files is left to look for a signature at */
};

static const struct source sources[] = {
        {gather_rootfs, OPTION_ROOTFS, false, false},
        {gather_image, OPTION_IMAGE, false, true},
        {gather_archive, OPTION_ARCHIVE, true, true},
        {gather_snapshot, OPTION_SNAPSHOT, false, true},
        {gather_files, OPTION_FILES, true, false},
        {gather_sums, OPTION_SUMS, true, true},
        {gather_sbom, OPTION_SBOM, true, true},
        {gather_package, OPTION_PACKAGE, false, false},
        {gather_package_file, OPTION_PACKAGE_FILE, true, false},
};

#define N_SOURCES (sizeof(sources) / sizeof(sources[0]))

static int usage(const struct call *call, const char *text)
{
	fprintf(stderr, "execward %s: %s\n", call->verb->name, text);
	return EX_USAGE;
}

static const struct source *source_of(const struct given *given)
{
	for (size_t i = 0; i < N_SOURCES; i++)
		if (sources[i].option == given->option)
			return &sources[i];
	return NULL;
}

static size_t count(const struct call *call, enum option option)
{
	size_t n = 0;

	for (size_t i = 0; i < call->n_given; i++)
		n += call->given[i].option == option;
	return n;
}

static int check(const struct call *call)
{
	size_t from_stdin = 0, n = call->n_arguments;

	for (size_t i = 0; i < call->n_given; i++) {
		const struct source *source = source_of(&call->given[i]);

		n += source != NULL;
		from_stdin += source && source->reads_stdin && !strcmp(call->given[i].value, "-");
	}
	if (n == 0)
		return usage(call, "a list of what? Name files, or --rootfs DIR, --image REF, "
		                   "--archive FILE, --snapshot NAME,\n--files LIST, --sums FILE, "
		                   "--sbom FILE, --package NAME, --package-file FILE");
	if (from_stdin > 1)
		return usage(call, "stdin (-) can be read once only");
	if (call_has(call, OPTION_PACKAGE) && count(call, OPTION_ROOTFS) > 1)
		return usage(
		        call, "--package looks in one --rootfs: make several lists, or name one");
	return 0;
}

/* --require-signature: who must have signed. */
static int load_trust(const struct tool *tool, const struct call *call, struct trust **ret_trust)
{
	if (!call_has(call, OPTION_REQUIRE_SIGNATURE))
		return call_has(call, OPTION_KEYS)
		               ? usage(call, "--keys says who must have signed: it needs "
		                             "--require-signature")
		               : 0;
	for (size_t i = 0; i < call->n_given; i++) {
		const struct source *source = source_of(&call->given[i]);

		if (source && source->unsigned_)
			return usage(call, "--require-signature looks at files: --rootfs, FILE, "
			                   "--files, --package and --package-file alone have them");
	}
	return allowlist_trust(tool, call, ret_trust);
}

static int gather_all(struct gather *gather, const struct call *call)
{
	bool in_packages = call_has(call, OPTION_PACKAGE);
	int r = 0;

	if (in_packages)
		gather->packages_root = call->values[OPTION_ROOTFS];
	for (size_t i = 0; i < call->n_given && r == 0; i++) {
		const struct source *source = source_of(&call->given[i]);

		/* With --package it is where the package is, and no source of its own. */
		if (!source || (in_packages && source->option == OPTION_ROOTFS))
			continue;
		r = source->gather(gather, call->given[i].value);
	}
	for (size_t i = 0; i < call->n_arguments && r == 0; i++)
		r = gather_file(gather, call->arguments[i]);
	return r;
}

int verb_allowlist_create(const struct tool *tool, const struct call *call)
{
	_cleanup_(list_done) struct list list = {
	        .tool = tool, .call = call, .all_files = call_has(call, OPTION_ALL_FILES)};
	_cleanup_(trust_freep) struct trust *trust = NULL;
	struct file_signature_terms terms = {.now_ns = clock_realtime_ns()};
	struct gather gather = {.list = &list};
	int r = check(call);

	if (r == 0)
		r = list_head(call, &list.statement);
	if (r != 0)
		return r;
	gather.stop = interrupt_catch();
	r = load_trust(tool, call, &trust);
	terms.trust = trust;
	gather.terms = trust ? &terms : NULL;
	if (r == 0)
		r = gather_all(&gather, call);
	return r == 0 ? list_write(&list) : r;
}
